# SPDX-License-Identifier: BSD-3-Clause
"""
Linux guests with their own, unmodified virtio_net driver.

A guest runs guest_init.sh as its process 1. That reads commands from its console, one base64 line
each, runs them, and writes their output and a last line `@@done STATUS`. So the host waits for
events, and never guesses how long a guest needs.

UmlGuest is User Mode Linux: a kernel as a process, with the host's files (read-only) as its root.
QemuGuest is QEMU without hardware virtualisation, Debian's cloud kernel and busybox.
"""
import base64
import json
import os
import pathlib
import re
import subprocess

import lab

HERE = pathlib.Path(__file__).resolve().parent
MARK = "@@"


class Guest(lab.Process):
    """What the two kinds of guest share: commands over the console."""

    def __init__(self, name, command, **more):
        super().__init__(name, command, stdin=subprocess.PIPE, **more)
        self.address = None

    def booted(self, limit_s):
        self.wait_line(rf"^{MARK}ready", limit_s)

    def start(self, command):
        """Starts a command in the guest; finish() takes its result."""
        lab.expect(self.popen.returncode is None, f"{self.name} is dead")
        line = base64.b64encode(command.encode()) + b"\n"
        # A terminal's buffer is 4096 bytes.
        lab.expect(len(line) < 3500, "a command for a guest must be short")
        self.popen.stdin.write(line)
        self.popen.stdin.flush()

    def finish(self, limit_s=60, check=True):
        """Waits for the command's end; returns its output."""
        output = []
        while True:
            try:
                line = self.next_line(limit_s)
            except lab.Failure:
                # It would take the output of this command for that of the next one.
                self.kill()
                raise
            lab.expect(line is not None, f"{self.name} died; last: {self.lines[-5:]}")
            done = re.match(rf"^{MARK}done (\d+)$", line)
            if not done:
                output.append(line)
                continue
            text = "\n".join(output).strip()
            if check and done[1] != "0":
                raise lab.Failure(f"{self.name}: status {done[1]}\n{text}")
            return text

    def run(self, command, limit_s=60, check=True):
        self.start(command)
        return self.finish(limit_s, check)

    def configure(self, number, gateway="172.16.0.1", default_route=True):
        """Gives the guest with that number (from 0) its address; its MAC is set likewise, since
        neither virtio_uml nor chnet has a way to tell the driver."""
        self.address = f"172.16.0.{2 + number}"
        # busybox too must understand this.
        self.run(f"ip link set eth0 address 52:54:00:12:34:{0x56 + number:02x}; "
                 f"ip link set eth0 up; ip address add {self.address}/24 dev eth0")
        if default_route:
            self.run(f"ip route add default via {gateway}")

    def offloads(self, on):
        """Checksum and segmentation offloads of the guest's device."""
        state = "on" if on else "off"
        self.run(f"ethtool -K eth0 tx {state} sg {state} tso {state} gso {state} gro {state}")
        shown = self.run("ethtool -k eth0 | grep tcp-segmentation-offload")
        lab.expect(state in shown, f"{self.name}: offloads are not {state}: {shown}")

    def ping(self, address, count=3):
        """Milliseconds of round trip, average; all must come back."""
        text = self.run(f"ping -n -c {count} -i 0.05 -W 5 {address}")
        lab.expect(f" {count} received" in text or f" {count} packets received" in text, text)
        return float(re.search(r"= [\d.]+/([\d.]+)/", text)[1])

    def serve(self, name, command, until):
        """Starts a server in the background; returns when it has written a line with `until`."""
        self.run(f"rm -f /tmp/{name}; mkfifo /tmp/{name}\n"
                 f"({command}) </dev/null >/tmp/{name} 2>&1 &\n"
                 f"exec 3</tmp/{name}\n"
                 "while read -r line <&3; do\n"
                 f'case $line in *{until}*) cat <&3 >/dev/null 2>&1 & exit 0 ;; *) echo "$line" ;; '
                 "esac\ndone\nexit 1", limit_s=20)

    def serve_iperf(self):
        self.serve("iperf", "iperf3 -s --forceflush", "listening")

    def iperf(self, address, *options, seconds=2):
        """Runs iperf3 against a server; returns its report's `end` part."""
        text = self.run(f"iperf3 -J -t {seconds} -c {address} {' '.join(options)}",
                        limit_s=seconds + 30, check=False)
        report = json.loads(text)
        lab.expect("error" not in report, f"{self.name}: iperf3: {report.get('error')}")
        return report["end"]

    def tcp_rate(self, address, *options, seconds=2):
        """Gbit/s that arrived."""
        end = self.iperf(address, *options, seconds=seconds)
        rate = end["sum_received"]["bits_per_second"] / 1e9
        lab.expect(rate > 0, f"{self.name}: nothing arrived at {address}")
        return rate


def uml_command(name, path, memory="256M"):
    """(command, environment) of User Mode Linux on the vhost-user socket `path`."""
    directory = pathlib.Path("/dev/shm") / name
    directory.mkdir(exist_ok=True)
    return [
        "setarch", "-R", "linux.uml", f"mem={memory}", "root=/dev/root", "rootfstype=hostfs",
        "rootflags=/", "ro", "con=null", "con0=fd:0,fd:1", "quiet", f"umid={name}",
        f"uml_dir={directory}", f"init={HERE / 'guest_init.sh'}", f"LAB_NAME={name}",
        f"LAB_MODULES={','.join(uml_modules())}", f"virtio_uml.device={path}:1"], {
            "PATH": os.environ["PATH"], "TMPDIR": "/dev/shm", "HOME": str(directory),
            # Processors with large register states: see uml_xstate.c.
            "LD_PRELOAD": str(lab.BIN.parent / "tests/system/uml_xstate.so")}


class UmlGuest(Guest):
    """User Mode Linux on the vhost-user socket `path`."""

    def __init__(self, name, path, memory="256M"):
        command, environment = uml_command(name, path, memory)
        super().__init__(name, command, env=environment)

    def booted(self, limit_s=30):
        super().booted(limit_s)


def uml_modules():
    """Paths of the modules to load, in order."""
    found = sorted(pathlib.Path("/usr/lib/uml/modules").glob("*/kernel"))
    lab.expect(found, "no modules of User Mode Linux in /usr/lib/uml/modules")
    return [str(found[-1] / module) for module in (
        "net/core/failover.ko", "drivers/net/net_failover.ko", "drivers/net/virtio_net.ko")]


def qemu_command(name, network, kernel="cloud-kernel"):
    """QEMU without KVM, Debian's cloud kernel and busybox; `network`: options for its device,
    `kernel`: its folder."""
    folder = lab.CACHE / kernel
    if not (folder / "vmlinuz").exists():
        raise lab.Skip(f"no kernel in {folder} (./dev test downloads one)")
    modules = (folder / "modules").read_text().strip()
    return [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-M", "q35",
        "-m", "256", "-smp", "1", "-nodefaults", "-no-user-config", "-no-reboot",
        "-display", "none", "-serial", "stdio", *network,
        "-kernel", folder / "vmlinuz", "-initrd", folder / "initramfs", "-append",
        f"console=ttyS0 quiet panic=-1 LAB_NAME={name} LAB_MODULES={modules}"]


class QemuGuest(Guest):
    """QEMU without KVM on the vhost-user socket `path`: busybox on Debian's cloud kernel."""

    def __init__(self, name, path, mac="52:54:00:12:34:56", kernel="cloud-kernel", properties=""):
        super().__init__(name, qemu_command(name, [
            "-object", "memory-backend-memfd,id=memory,size=256M,share=on",
            "-numa", "node,memdev=memory", "-chardev",
            # Connects again, once a second, when the back end goes away.
            f"socket,id=chnet,path={path},reconnect=1",
            "-netdev", "vhost-user,id=net,chardev=chnet",
            # QEMU 7.2 without KVM crashes when a vhost-user device has interrupt vectors.
            "-device", f"virtio-net-pci,netdev=net,mac={mac},vectors=0,romfile={properties}"], kernel))

    def booted(self, limit_s=120):
        super().booted(limit_s)
