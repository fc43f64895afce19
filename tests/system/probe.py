# SPDX-License-Identifier: BSD-3-Clause
"""
The probe guest (guest/probe/) in QEMU without KVM, and what it says of its network.

Of each line "ok 7 - NAME: DETAIL" a Result is made, of each "# NAME=VALUE" a value.
"""
import re
import types

import lab

KERNEL = lab.BIN.parent / "guest" / "probe" / "probe"
MAC = "52:54:00:12:34:56"
MEMORY = 64  # MiB

CLOCK, DEVICE = "the clock runs", "a virtio network device is there"
FEATURES, RINGS = "features are agreed on", "the rings are served"
DHCP, ARP = "DHCP gives an address", "the gateway answers ARP"
INTERRUPT, PING = "an answer comes with an interrupt", "the gateway answers pings"
UDP, DOWNLOAD = "UDP comes back unchanged", "TCP brings a stream unchanged"
UPLOAD, CHECKSUMS = "TCP takes a stream unchanged", "every checksum is right"
FRAMES = "every frame is well made, and for us"
EVERY = [CLOCK, DEVICE, FEATURES, RINGS, DHCP, ARP, INTERRUPT, PING, UDP, DOWNLOAD, UPLOAD,
         CHECKSUMS, FRAMES]


def device(mac=MAC):
    return f"virtio-net-pci,netdev=net,mac={mac},romfile=,disable-legacy=on"


def vhost_network(path, mac=MAC, memory=MEMORY, listens=False, backend="memory-backend-memfd"):
    """QEMU's options for a device on the vhost-user socket `path`, at which QEMU itself listens or,
    else, connects again, once a second, when the back end goes away."""
    mode = "server=on,wait=on" if listens else "reconnect=1"
    return ["-object", f"{backend},id=memory,size={memory}M,share=on",
            "-numa", "node,memdev=memory", "-chardev",
            f"socket,id=chnet,path={path},{mode}",
            "-netdev", "vhost-user,id=net,chardev=chnet",
            # QEMU 7.2 without KVM crashes when a vhost-user device has interrupt vectors.
            "-device", device(mac) + ",vectors=0"]


def tap_network(name, mac=MAC):
    return ["-netdev", f"tap,id=net,ifname={name},script=no,downscript=no", "-device", device(mac)]


def qemu_machine(network, *more, memory=MEMORY, machine="q35"):
    """QEMU without KVM and without anything that is not asked for; a serial line is its output."""
    return ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-M", machine, "-m", str(memory),
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-serial", "stdio", *network, *more]


def qemu_command(network, parameters="", kernel=KERNEL, memory=MEMORY):
    return qemu_machine(network, "-kernel", kernel, "-append", parameters, memory=memory)


# With 4 GiB of registers in another device, the firmware puts all that may be there above 4 GiB.
FAR = ["-device", "pci-testdev,membar=4G"]


class Probe(lab.Process):
    """Runs by itself; ended() waits for it."""

    def __init__(self, network, *parameters, namespace=None):
        super().__init__("probe", qemu_command(network, " ".join(map(str, parameters))),
                         namespace=namespace)

    def ended(self, limit_s=60):
        """Waits until the machine is off; {name: Result}."""
        self.wait(limit_s)
        return self.results()

    def results(self):
        found = {}
        for line in self.lines:
            point = re.match(r"^(not )?ok (\d+) - (.*?)(?: # SKIP (.*)|: (.*))?$", line)
            if not point:
                continue
            failed, number, name, skipped, detail = point.groups()
            lab.expect(int(number) == len(found) + 1, f"{line}: {len(found)} results before")
            found[name] = types.SimpleNamespace(good=not failed, skipped=skipped,
                                                detail=detail or "")
        return found

    def value(self, name):
        for line in self.lines:
            if line.startswith(f"# {name}="):
                return float(line.partition("=")[2])
        raise lab.Failure(f"the probe says nothing of {name}")

    def failed(self):
        """Names of the checks that failed."""
        return [name for name, result in self.results().items() if not result.good]

    def expect_good(self, skipped=()):
        """All checks were made, in order, and are good; those named were skipped."""
        text = "\n".join(self.lines)
        results = self.ended()
        lab.expect(f"1..{len(EVERY)}" in self.lines, text)
        lab.expect(list(results) == EVERY, text)
        lab.expect(not self.failed(), text)
        lab.expect([name for name in EVERY if results[name].skipped] == list(skipped), text)
        lab.expect("# end of the probe, 0 failed" in self.lines, text)
        return results
