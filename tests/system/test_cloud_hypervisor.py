#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
`chnet run` with Cloud Hypervisor itself, which CHNET_VMM names or which is in PATH, and the probe
guest (guest/probe/), which says what of its network is good. Without Cloud Hypervisor, or where it
cannot boot the probe, each case is skipped.
"""
import fcntl
import functools
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import termios
import types

import lab
import probe
from chnet import CHNET, monitors
from probe_server import ProbeServer
from vhost import Vhost

VMM = shutil.which(os.environ.get("CHNET_VMM") or "cloud-hypervisor")
at = types.SimpleNamespace()

# What stays by design: leases, and Cloud Hypervisor's own lock beside its API's socket.
STAYS = re.compile(r"\.leases$|\.api\.lock$")


def environment(vmm=None, **more):
    return {**os.environ, "PATH": f"{lab.BIN}:{os.environ['PATH']}", "CHNET_VMM": str(vmm or VMM),
            **more}


def vmm_words(*parameters, serial="tty", memory="size=64M", more=()):
    """Cloud Hypervisor's arguments for the probe."""
    return ["--kernel", probe.KERNEL, "--cmdline", " ".join(map(str, parameters)), "--serial",
            serial, "--console", "off", "--memory", memory, *more]


# What keeps a guest busy for minutes.
BUSY = ("probe.pings=10000", "probe.dhcp=off")


class Machine(probe.Probe):
    """`chnet run OPTIONS` with Cloud Hypervisor and the probe."""

    def __init__(self, *options, parameters=(), more=(), vmm=None, name="run"):
        lab.Process.__init__(
            self, name, [CHNET, "run", *options, "--", *vmm_words(*parameters, more=more)],
            namespace="host", env=environment(vmm))

    def busy(self):
        """Waits until the guest pings its gateway."""
        self.wait_line("^ok .* the gateway answers ARP", 30)
        return self

    def ended(self, limit_s=120):
        return super().ended(limit_s)

    def vmm(self):
        """Process id of Cloud Hypervisor."""
        return vmm_of(self.pid)


def vmm_of(run):
    (pid,) = [pid for pid, (parent, words) in lab.processes().items()
              if parent == run and words.startswith(VMM)]
    return pid


@functools.cache
def unusable():
    """Why the cases cannot run here, or None."""
    if not VMM:
        return "no cloud-hypervisor in PATH, and CHNET_VMM names none"
    version = subprocess.run([VMM, "--version"], stdin=subprocess.DEVNULL, capture_output=True,
                             text=True, check=False).stdout
    if not version.startswith("cloud-hypervisor v"):
        return f"{VMM} is not Cloud Hypervisor"
    at.version = version.splitlines()[0]
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "no /dev/kvm"
    if not probe.KERNEL.exists():
        return "the probe guest was not built"
    try:
        text = lab.run(VMM, *vmm_words(), limit_s=30, check=False)
    except subprocess.TimeoutExpired:
        text = "nothing within 30 s"
    if "Bail out! nothing more can be checked" not in text:
        return f"{VMM} does not boot the probe guest here: {text.strip()[-200:]!r}"
    return None


def chnet(*arguments, check=True):
    return lab.run(CHNET, *arguments, namespace="host", check=check, env=environment())


def state():
    found = lab.host_state()
    found["files"] = [path for path in found["files"] if not STAYS.search(path)]
    found["routes"] = [route.replace(" linkdown", "").strip() for route in found["routes"]]
    return found


def case(what):
    """A test that leaves the host as it was; what it leaves running when it fails is ended."""
    def register(function):
        @lab.test(what)
        def run():
            reason = unusable()
            if reason:
                raise lab.Skip(reason)
            _server()
            before = state()
            try:
                note = function()
            except BaseException:
                for process in reversed(lab.Process.alive):
                    process.kill()
                lab.wait_gone(set(lab.processes()) - {os.getpid()})
                chnet("cleanup", check=False)
                raise
            lab.expect_same(before, state())
            return note
        return run
    return register


def _server():
    """One for all cases; it serves every address of the host."""
    if not hasattr(at, "server"):
        at.server = ProbeServer("host", "0.0.0.0")
    return f"probe.server=172.16.0.1:{at.server.port}"


def _rates(guest):
    return (f"{guest.results()[probe.DEVICE].detail}; round trip {guest.value('ping_us'):.0f} us, "
            f"TCP {guest.value('download_mbit_s')} and {guest.value('upload_mbit_s')} Mbit/s")


def _ended(run, expected):
    status = run.wait(30)
    lab.expect(status == expected, f"status {status}, not {expected}: {run.lines[-12:]}")


@case("vhost-user: every check of the guest is good, the address comes by DHCP; exit code 0")
def vhost_user():
    run = Machine("--vhost-user", parameters=(_server(), "probe.dhcp=on", "probe.bytes=200000",
                                              "probe.pings=10"))
    results = run.expect_good()
    lab.expect(results[probe.DHCP].detail.startswith("172.16.0.2, gateway 172.16.0.1, DNS "),
               results[probe.DHCP].detail)
    _ended(run, 0)
    return f"{at.version}\n{_rates(run)}"


@case("TAP: the same with a static address")
def tap():
    run = Machine("--tap", parameters=(_server(), "probe.dhcp=off", "probe.bytes=200000",
                                       "probe.pings=10"))
    run.expect_good(skipped=[probe.DHCP])
    _ended(run, 0)
    return _rates(run)


@case("chnet run takes vhost-user by itself; doctor knows the version, and sees the guest at work")
def by_itself():
    run = Machine(parameters=BUSY).busy()
    lab.expect(any("network default by vhost-user" in line for line in run.lines), f"{run.lines}")
    checks = {check["name"]: check for check in json.loads(chnet("doctor", "--json", check=False))["checks"]}
    for name in ("VMM", "driver", "guest", "sockets"):
        lab.expect(checks[name]["grade"] == "good", f"{checks[name]}")
    lab.expect(at.version in checks["VMM"]["found"], f"{checks['VMM']}")
    run.signal(signal.SIGTERM)
    _ended(run, 0)


@case("SIGTERM, SIGINT and SIGHUP end the VM; a VM that is killed is 128 and the signal")
def signals():
    for mode in ("--vhost-user", "--tap"):
        for number, expected in ((signal.SIGTERM, 0), (signal.SIGINT, 0),
                                 (signal.SIGHUP, 128 + signal.SIGHUP)):
            run = Machine(mode, parameters=BUSY).busy()
            run.signal(number)
            _ended(run, expected)
        run = Machine(mode, parameters=BUSY).busy()
        os.kill(run.vmm(), signal.SIGKILL)
        _ended(run, 128 + signal.SIGKILL)


class Terminal:
    """`chnet run` on a terminal of its own."""

    def __init__(self, serial):
        self.master, slave = pty.openpty()

        def session():
            lab.enter("host")
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.run = subprocess.Popen(
            [str(word) for word in (CHNET, "run", "--", *vmm_words(*BUSY, serial=serial))],
            stdin=slave, stdout=slave, stderr=slave, preexec_fn=session, env=environment())
        os.close(slave)
        self.settings = termios.tcgetattr(self.master)

    def read_until(self, text):
        got = b""
        while text.encode() not in got:
            ready, _, _ = select.select([self.master], [], [], 30)
            lab.expect(ready, f"no {text!r} in {got!r}")
            got += os.read(self.master, 4096)

    def is_raw(self):
        return not termios.tcgetattr(self.master)[3] & termios.ICANON

    def end(self, expected):
        status = self.run.wait(20)
        lab.expect(status == expected, f"status {status}, not {expected}")
        lab.expect(termios.tcgetattr(self.master) == self.settings, "the terminal has changed")
        os.close(self.master)


@case("the terminal is put back, also when Cloud Hypervisor is killed")
def terminal():
    for number, expected in ((signal.SIGTERM, 0), (signal.SIGKILL, 128 + signal.SIGKILL)):
        here = Terminal("tty")
        here.read_until("the gateway answers ARP")
        lab.expect(here.is_raw(), "the guest's console is not the terminal's")
        os.kill(vmm_of(here.run.pid), number)
        here.end(expected)


@case("Ctrl-C on a terminal that is not the guest's console ends the VM and the network")
def control_c():
    log = lab.SCRATCH / "serial"
    here = Terminal(f"file={log}")
    here.read_until("network default by vhost-user")
    # The VMM is there when it has made the file.
    serial = lab.Process("serial", ["tail", "-F", log])
    serial.wait_line("the gateway answers ARP", 30)
    os.write(here.master, b"\x03")
    here.end(0)
    serial.kill()
    log.unlink()


def _wrapper(script):
    """Cloud Hypervisor with other arguments than chnet gives it."""
    path = lab.SCRATCH / "wrapper"
    path.write_text(f"#!/bin/bash\n{script}\nexec {VMM} \"$@\"\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@case("what Cloud Hypervisor says when it refuses the device is understood: TAP, or its exit code")
def refusal():
    for script, words in (
            ('set -- "${@/,shared=on/}"', "Using vhost-user requires"),
            (f'set -- "${{@/socket=/socket=/{"x" * 120}}}"', "Cannot create vhost-user-net device"),
            ('set -- "${@/vhost_user=true/vhost_user=true,bw_size=1000,bw_refill_time=100}"',
             "with vhost-user")):
        path = _wrapper(script)
        run = Machine(parameters=("probe.dhcp=off", "probe.pings=3"), vmm=path)
        _ended(run, 0)
        text = "\n".join(run.lines)
        lab.expect(words in text, text)
        lab.expect(f"TAP instead of vhost-user: {path} refuses the vhost-user device" in text, text)
        lab.expect(run.results()[probe.PING].good, text)
        run = Machine("--vhost-user", vmm=path)
        _ended(run, 1)
        lab.expect("TAP" not in "\n".join(run.lines), f"{run.lines}")
        path.unlink()


@case("an argument that Cloud Hypervisor does not know, a kernel that is not there: its exit code")
def mistakes():
    for word, expected in (("--bogus", 2), ("--kernel", 2)):
        run = Machine(more=(word,))
        _ended(run, expected)
        lab.expect(not any("TAP" in line for line in run.lines), f"{run.lines}")


@case("a second VM joins, and both are good; the network goes with the last")
def join():
    first = Machine(parameters=BUSY, name="first").busy()
    second = Machine(parameters=(_server(), "probe.dhcp=on", "probe.bytes=100000",
                                 "probe.pings=10"), name="second")
    results = second.expect_good()
    lab.expect(results[probe.DHCP].detail.startswith("172.16.0.3, "), results[probe.DHCP].detail)
    _ended(second, 0)
    lab.expect(len(monitors()) == 1, "the network ended with its second VM")
    first.signal(signal.SIGTERM)
    _ended(first, 0)


@case("the commands that --dry-run prints, pasted into a shell, are a VM with a network")
def dry_run():
    for mode, dhcp in (("--vhost-user", "on"), ("--tap", "off")):
        text = chnet("run", mode, "--dry-run", "--",
                     *vmm_words(f"probe.dhcp={dhcp}", "probe.pings=3"))
        run = Machine.__new__(Machine)
        lab.Process.__init__(run, "shell", ["bash", "-e", "-c", text + "\nwait"],
                             namespace="host", env=environment())
        _ended(run, 0)
        lab.expect(run.failed() == [], "\n".join(run.lines))
        lab.expect(run.results()[probe.PING].good, "\n".join(run.lines))


@case("the data plane is killed in the middle of a download, and of an upload: the VM goes on")
def killed():
    for what, size in ((probe.DOWNLOAD, 150000), (probe.UPLOAD, 60000)):
        server = _server()
        at.server.hold_at(size // 3, what == probe.UPLOAD)
        run = Machine("--vhost-user", parameters=(
            server, f"probe.bytes={size}", "probe.time_ms=60000", "probe.patience_ms=20000",
            "probe.pings=3"))
        at.server.wait_held()
        (monitor,) = monitors()
        (victim,) = lab.children(monitor, "chnet-dataplane")
        os.kill(victim, signal.SIGKILL)
        lab.wait_gone([victim])
        at.server.go_on()
        results = run.expect_good()
        lab.expect(results[what].detail.startswith(f"{size} bytes "), results[what].detail)
        _ended(run, 0)


@case("chnet port add, and ch-remote add-net: the VM gets another device")
def hot_plug():
    remote = _remote()
    api = lab.SCRATCH / "vm.api"
    run = Machine(parameters=BUSY, more=("--api-socket", api)).busy()
    mac = "52:54:00:12:34:99"
    port = json.loads(chnet("port", "add", "--json", "--mac", mac))
    lab.expect(not port["connected"], f"{port}")
    lab.run(remote, "--api-socket", api, "add-net",
            f"vhost_user=true,socket={port['socket']},mac={mac}", namespace="host")
    (port,) = [other for other in json.loads(chnet("ports", "--json"))["ports"]
               if other["mac"] == mac]
    lab.expect(port["connected"], f"{port}")
    # The port goes under the VM; the first device does not mind.
    chnet("port", "del", port["port"])
    chnet("ports")
    lab.expect([other["receiving"] for other in json.loads(chnet("ports", "--json"))["ports"]]
               == [True], chnet("ports"))
    run.signal(signal.SIGTERM)
    _ended(run, 0)


# More than a machine can do while it moves.
PINGS = 400


class Raw(lab.Process):
    """Cloud Hypervisor on the socket of a network that runs, without chnet run."""

    def __init__(self, name, *words):
        self.api = lab.SCRATCH / f"{name}.api"
        # Its filters know what the C library of its own releases calls, and no other.
        super().__init__(name, [VMM, "--api-socket", self.api, "-v", "--seccomp", "false", *words],
                         namespace="host")

    @classmethod
    def on(cls, name, nic, *parameters):
        """One with the probe, on that socket, which may have more settings behind it."""
        return cls(name, *vmm_words("probe.dhcp=off", *parameters, memory="size=64M,shared=on"),
                   "--cpus", "boot=1,nested=off", "--net",
                   f"vhost_user=true,mac={probe.MAC},socket={nic}")

    @classmethod
    def boots(cls, name, nic):
        """The same; it pings by now."""
        guest = cls.on(name, nic, f"probe.pings={PINGS}")
        guest.wait_line("the gateway answers ARP", 30)
        return guest

    def ask(self, *words):
        text = lab.run(_remote(), "--api-socket", self.api, *words, namespace="host", check=False,
                       limit_s=60)
        self.expect_state(text)
        lab.expect("rror" not in text, text)

    def expect_state(self, text=""):
        """What this KVM cannot tell of a processor is nothing of ours."""
        if "GetNestedState" in text + "".join(self.lines):
            raise lab.Skip("this KVM does not give the state of a processor away")

    def expect_end(self):
        lab.expect(self.wait() == 0, f"{self.lines[-3:]}")

    def expect_pings(self):
        """The guest goes on here, and has lost none."""
        self.wait_line(f"the gateway answers pings: {PINGS} of {PINGS}", 60)
        self.expect_end()


def _remote():
    remote = shutil.which("ch-remote", path=f"{pathlib.Path(VMM).parent}:{os.environ['PATH']}")
    if not remote:
        raise lab.Skip("no ch-remote")
    return remote


def _stop(vhost):
    vhost.signal(signal.SIGTERM)
    lab.expect(vhost.wait() == 0, f"{vhost.lines[-5:]}")


def _clear(vhost):
    _stop(vhost)
    for path in lab.SCRATCH.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@case("live migration from one port to another: every ping is answered")
def migration():
    names = [lab.SCRATCH / f"port{number}.sock" for number in range(2)]
    vhost = Vhost("--socket", names[0], "--socket", names[1]).ready()
    # A machine takes its socket's path along: here the path leads to another port by then.
    nic = lab.SCRATCH / "nic.sock"
    nic.symlink_to(names[0])
    source = Raw.boots("source", nic)
    nic.unlink()
    nic.symlink_to(names[1])
    target = Raw("target")
    target.wait_line("vmm event = starting")
    way = f"unix:{lab.SCRATCH}/way"
    receive = lab.Process("receive", [_remote(), "--api-socket", target.api, "receive-migration",
                                      f"receiver_url={way}"], namespace="host")
    target.wait_line("migration-receive-ready")
    source.ask("send-migration", f"destination_url={way}")
    # Whether it fails shows only by and by.
    source.wait_line("migration-finished|Migration failed", 60)
    source.expect_state()
    target.wait_line("migration-receive-finished")
    lab.expect(receive.wait() == 0, f"{receive.lines}")
    source.expect_end()
    target.expect_pings()
    ports = json.loads(chnet("ports", "--json"))["ports"]
    lab.expect(min(port["rx_packets"] for port in ports) > 0, f"{ports}")
    _clear(vhost)


@case("vhost_mode=server: whoever is there first waits; again for another VM; kill -9 of the data "
      "plane")
def listens():
    nic = lab.SCRATCH / "server.sock"
    spec = f"{nic},mode=server,mac={probe.MAC},ip=172.16.0.2"
    vhost = Vhost("--socket", spec).ready()
    vhost.wait_line(f"port 0: waits for a VMM to listen at {nic}")
    size = 150000
    for name in ("first", "second"):
        at.server.hold_at(size // 2, False)
        guest = Raw.on(name, f"{nic},vhost_mode=server", _server(), f"probe.bytes={size}",
                       "probe.pings=3", "probe.time_ms=60000", "probe.patience_ms=30000")
        at.server.wait_held()
        (victim,) = vhost.data_plane()
        os.kill(victim, signal.SIGKILL)
        lab.wait_gone([victim])
        at.server.go_on()
        guest.wait_line("# end of the probe, 0 failed", 120)
        guest.expect_end()
    _stop(vhost)
    guest = Raw.on("early", f"{nic},vhost_mode=server", _server(), "probe.bytes=200000",
                   "probe.pings=10")
    guest.wait_line("vmm event = starting")
    vhost = Vhost("--socket", spec).ready()
    guest.wait_line("# end of the probe, 0 failed", 60)
    guest.expect_end()
    _stop(vhost)
    # What Cloud Hypervisor leaves is its own.
    for path in (nic, *(lab.SCRATCH / f"{name}.api" for name in ("first", "second", "early"))):
        path.unlink(missing_ok=True)


@case("a snapshot is restored: the guest goes on where it was")
def snapshot():
    socket, folder = lab.SCRATCH / "port0.sock", lab.SCRATCH / "snapshot"
    vhost = Vhost("--socket", f"{socket},mac={probe.MAC},ip=172.16.0.2").ready()
    folder.mkdir()
    saved = Raw.boots("saved", socket)
    saved.ask("pause")
    saved.ask("snapshot", f"file://{folder}")
    saved.ask("shutdown-vmm")
    saved.expect_end()
    Raw("restored", "--restore", f"source_url=file://{folder},resume=true").expect_pings()
    _clear(vhost)


if __name__ == "__main__":
    lab.main(400)
