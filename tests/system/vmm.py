#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
A stand-in for Cloud Hypervisor: takes its arguments, judges them as it does, and boots a real guest
on the network device that they describe.

--kernel says what runs: `uml` (User Mode Linux, vhost-user), `qemu` (QEMU, TAP), `wire` (no machine:
each device is eth0 of a network namespace that is there, guest0 for the first one of --cmdline, or
the namespaces that it lists), or `idle` (nothing, but the TAP is opened or the socket connected to,
as a VMM does, until SIGTERM or SIGINT). With `idle` --cmdline takes words: exit=N ends at once with
that code, raw spoils the terminal's settings, refuse ends as a VMM that does not want a vhost-user
device. The arguments are written to the file VMM_LOG names, one JSON list a line.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import tty

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import guests  # noqa: E402
import lab  # noqa: E402
import probe  # noqa: E402

SEVERAL = {"--net", "--disk", "--memory-zone", "--fs"}
SINGLE = {"--memory", "--kernel", "--cmdline", "--cpus", "--api-socket", "--serial", "--console",
          "--firmware", "--rng", "--platform"}
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x2, 0x1000, 0x4000


def refuse(text, code=1):
    print(f"Error: {text}", file=sys.stderr)
    sys.exit(code)


def parse(words):
    """{option: [values]}, as strict as Cloud Hypervisor before v48."""
    found, option = {}, None
    for word in words:
        if word.startswith("--"):
            option, equals, value = word.partition("=")
            if option not in SEVERAL | SINGLE or option in found:
                refuse(f"unexpected argument '{word}' found", 2)
            found[option] = [value] if equals else []
            if equals:
                option = None
        elif option is None or (option in SINGLE and found[option]):
            refuse(f"unexpected argument '{word}' found", 2)
        else:
            found[option].append(word)
    return found


def spec(text):
    return dict(item.split("=", 1) for item in text.split(","))


def judge(net, memory, cpus):
    """What Cloud Hypervisor refuses of a device."""
    queues = int(net.get("num_queues", 2))
    if queues < 2 or queues // 2 > cpus:
        refuse(f"number of queues to virtio_net {queues} is wrong", 1)
    if net.get("vhost_user") == "true":
        if memory.get("shared") != "on" and memory.get("hugepages") != "on":
            refuse("Using vhost-user requires using shared memory or huge pages")
        if net.get("iommu") == "on" or any(key.startswith(("bw_", "ops_")) for key in net):
            refuse("vhost-user device with IOMMU or rate limiter")
        if "socket" not in net:
            refuse("Path to vhost-user socket must be provided")


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def kill(process):
    for pid in [process.pid, *lab.descendants(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def boot(command, environment):
    """Runs the guest until it powers off, or somebody wants an end."""
    guest = subprocess.Popen([str(word) for word in command], env=environment,
                             preexec_fn=die_with_parent)

    def stop(*_):
        kill(guest)
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    status = guest.wait()
    return 0 if status in (0, 1) else 1


def attach(net):
    """Takes hold of the device as a VMM does; returns what must stay open."""
    if "tap" in net:
        tap = os.open("/dev/net/tun", os.O_RDWR)
        request = struct.pack("16sH22x", net["tap"].encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
        fcntl.ioctl(tap, TUNSETIFF, request)
        return tap
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(net["socket"])
    # GET_FEATURES; the reply repeats the request.
    connection.sendall(struct.pack("<III", 1, 1, 0))
    if connection.recv(20)[:4] != struct.pack("<I", 1):
        refuse("vhost-user: protocol error")
    return connection


def pump(tap, namespace):
    """Carries frames between the TAP and eth0 of the namespace, each behind its header."""
    lab.enter(namespace)
    ends = {tap: attach({"tap": "eth0"})}
    ends[ends[tap]] = tap
    print("connected", flush=True)
    while True:
        for end in select.select(list(ends), [], [])[0]:
            frame = os.read(end, 1 << 16)
            # What the other end cannot take (it is down), a wire loses.
            with contextlib.suppress(OSError):
                os.write(ends[end], frame)


def in_child(function, *arguments):
    """Runs it in a process that ends with this one; returns its number."""
    pid = os.fork()
    if pid == 0:
        die_with_parent()
        function(*arguments)
        os._exit(0)
    return pid


def wire(nets, namespaces):
    """Whoever plays the guest finds its devices when `connected` was said for each."""
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    children = []
    for net, namespace in zip(nets, namespaces or ["guest0"], strict=True):
        if "tap" in net:
            children.append(in_child(pump, attach(net), namespace))
            continue
        children.append(subprocess.Popen(
            [lab.BIN.parent / "tests/conformance/wire", "--socket", net["socket"], "--tap", "eth0"],
            preexec_fn=lambda there=namespace: (lab.enter(there), die_with_parent())).pid)
    signal.sigwait(ends)
    # They hold what a VMM holds, and so must have gone when it has.
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return 0


def idle(net, words):
    if "refuse" in words and net.get("vhost_user") == "true":
        refuse("Cannot create virtio-net device: VhostUserConnect")
    for word in words:
        if word.startswith("exit="):
            sys.exit(int(word[5:]))
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    held = attach(net)
    if "raw" in words:
        tty.setraw(sys.stdin.fileno(), termios.TCSANOW)
    print("idle: attached", flush=True)
    signal.sigwait(ends)
    print("idle: told to end", flush=True)
    del held
    return 0


def until_told():
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    sys.stdout.flush()
    signal.sigwait(ends)
    return 0


def until_killed():
    while True:
        signal.pause()


def run_probe(kernel, options, net, memory, words):
    """Boots the probe, or does what it would do on a machine that is no good."""
    if options.get("--serial") != ["tty"] or options.get("--console") != ["off"]:
        refuse("the probe speaks on the serial port, and nothing else may")
    line = options["--cmdline"][0]
    if "refuse" in words and net.get("vhost_user") == "true":
        refuse("Cannot create virtio-net device: VhostUserConnect")
    if "exit" in words:
        refuse("no /dev/kvm", 3)
    if "mute" in words:
        return until_told()
    if "reset" in words or "paging" in words:
        print("1..12\nok 1 - the clock runs: 1 MHz")
        if "paging" in words:
            print("# turning paging on: if the machine starts anew here")
        if "deaf" in words:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
        print("1..12\nok 1 - the clock runs: 1 MHz", flush=True)
        return until_killed() if "deaf" in words else until_told()
    line = " ".join([line, *(word for word in words if word.startswith("probe."))])
    size = int(memory["size"].removesuffix("M"))
    network = (probe.vhost_network(net["socket"], net["mac"], size) if "socket" in net
               else probe.tap_network(net["tap"], net["mac"]))
    status = boot(probe.qemu_command(network, line, kernel, size), None)
    return until_told() if "stay" in words else status


def main(words):
    if words == ["--version"]:
        print("cloud-hypervisor v50.0 (a stand-in)")
        return 0
    log = os.environ.get("VMM_LOG")
    if log:
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(words) + "\n")
    options = parse(words)
    memory = spec(options.get("--memory", ["size=512M"])[0])
    cpus = int(spec(options.get("--cpus", ["boot=1"])[0])["boot"])
    nets = [spec(text) for text in options.get("--net", [])]
    for net in nets:
        judge(net, memory, cpus)
    kernel = options.get("--kernel", [""])[0]
    net = nets[-1]
    name = "guest-" + net["mac"].replace(":", "")
    if kernel == "idle":
        return idle(net, options.get("--cmdline", [""])[0].split())
    if kernel == "wire":
        return wire(nets, options.get("--cmdline", [""])[0].split())
    if pathlib.Path(kernel).name == "probe":
        return run_probe(kernel, options, net, memory, os.environ.get("VMM_PROBE", "").split())
    if kernel == "uml":
        return boot(*guests.uml_command(name, net["socket"]))
    if kernel == "qemu":
        return boot(guests.qemu_command(name, [
            "-netdev", f"tap,id=net,ifname={net['tap']},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=net,mac={net['mac']},romfile="]), None)
    refuse("no kernel")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
