#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""chnet run: from nothing to a VM with a network, and back."""
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import termios
import types

import lab
import world
from chnet import (CHNET, OUR_FILES, VMM_LOG, Run, case, chnet, environment, monitors, state,
                   vmm_arguments, vmm_of)
from vhost import Vhost, sockets
from wire import NamespaceGuest, WireGuest

at = types.SimpleNamespace()


def _alone():
    """A directory with chnet in it and nothing else, for what lies beside the program."""
    folder = lab.SCRATCH / "alone"
    if not folder.exists():
        folder.mkdir()
        shutil.copy(CHNET, folder / "chnet")
        OUR_FILES.update({str(folder), str(folder / "chnet"), str(folder / "chnet-vhost")})
    (folder / "chnet-vhost").unlink(missing_ok=True)
    return folder


@case("vhost-user: a guest boots, reaches gateway and world, powers off; exit code 0")
def vhost_user():
    at.web = world.WebServer("world", lab.WORLD_SERVER)
    at.before = state()
    run = Run(kernel="uml", vmm=("--memory", "size=256M"))
    run.wait_line(r"network default by vhost-user: guest 172\.16\.0\.2/24, gateway 172\.16\.0\.1")
    run.booted(40)
    lab.expect(vmm_arguments()[2:] == [
        "--memory", "size=256M,shared=on", "--net",
        "vhost_user=true,socket=/run/chnet/default.0.vhost,mac=52:54:00:12:34:56,"
        "num_queues=2,queue_size=256"], f"{vmm_arguments()}")
    run.configure(0)
    run.ping("172.16.0.1")
    text = run.run(f"curl -sS --max-time 20 http://{lab.WORLD_SERVER}/")
    lab.expect(text == world.PAGE.decode().strip(), text)
    lab.expect(at.web.clients == [lab.HOST_OUTSIDE], f"{at.web.clients}")
    run.start("echo o >/proc/sysrq-trigger")
    lab.expect(run.wait(30) == 0, f"{run.lines[-5:]}")
    lab.expect_same(at.before, state())


@case("TAP: the same with a guest in QEMU; the TAP is the invoking user's")
def tap():
    at.web.clients.clear()
    run = Run("--tap", kernel="qemu", SUDO_UID="1234")
    run.wait_line(r"network default by TAP: guest 172\.16\.0\.2/24, gateway 172\.16\.0\.1")
    run.booted(120)
    lab.expect(vmm_arguments()[2:] == ["--net", "tap=tap0,mac=52:54:00:12:34:56"],
               f"{vmm_arguments()}")
    shown = lab.run("ip", "-d", "link", "show", "tap0", namespace="host")
    lab.expect("user 1234" in shown and "persist on" in shown, shown)
    run.configure(0)
    run.ping("172.16.0.1")
    text = run.run(f"wget -q -O - http://{lab.WORLD_SERVER}/")
    lab.expect(world.PAGE.decode().strip() in text, text)
    lab.expect(at.web.clients == [lab.HOST_OUTSIDE], f"{at.web.clients}")
    run.start("poweroff -f")
    lab.expect(run.wait(30) == 0, f"{run.lines[-5:]}")
    lab.expect_same(at.before, state())


@case("--forward: a port of the host leads to the guest, the same way in both modes")
def forward():
    for mode in ("--vhost-user", "--tap"):
        guest = NamespaceGuest(0)
        run = Run(mode, "--forward", "tcp:8080=172.16.0.2:80", kernel="wire").wired(guest)
        server = world.WebServer(guest.namespace, guest.address)
        for namespace, address in (("world", lab.HOST_OUTSIDE), ("host", lab.HOST_OUTSIDE),
                                   ("host", "127.0.0.1"), (guest.namespace, lab.HOST_OUTSIDE)):
            text = lab.run("curl", "-sS", "--max-time", "10", f"http://{address}:8080/",
                           namespace=namespace)
            lab.expect(text == world.PAGE.decode(), f"{mode}: {namespace} at {address}: {text}")
        lab.expect(server.clients[0] == lab.WORLD_GATEWAY, f"{mode}: {server.clients}")
        text = lab.run("curl", "-sS", "--max-time", "10", f"http://{lab.HOST_OUTSIDE}:8081/",
                       namespace="world", check=False)
        lab.expect("refused" in text or "Failed to connect" in text, f"{mode}: {text}")
        server.shutdown()
        server.server_close()
        run.end()
        lab.expect_same(at.before, state())
        guest.close()


def _ends_with(expected, *options, **more):
    run = Run(*options, **more)
    status = run.wait(30)
    lab.expect(status == expected, f"status {status}, not {expected}: {run.lines}")
    lab.expect_same(at.before, state())
    return run.lines


@case("the VMM's exit code is ours; a VMM that is killed is 128 and the signal")
def exit_codes():
    for mode in ("--vhost-user", "--tap"):
        _ends_with(7, mode, cmdline="exit=7")
        _ends_with(0, mode, cmdline="exit=0")
        run = Run(mode).attached()
        os.kill(run.vmm(), signal.SIGKILL)
        lab.expect(run.wait(20) == 137, f"{run.lines}")
        lab.expect_same(at.before, state())


@case("SIGTERM, SIGHUP and SIGINT are passed on")
def signals():
    for mode in ("--vhost-user", "--tap"):
        for number in (signal.SIGTERM, signal.SIGINT):
            run = Run(mode).attached()
            run.signal(number)
            run.wait_line("idle: told to end")
            lab.expect(run.wait(20) == 0, f"{run.lines}")
            lab.expect_same(at.before, state())
    run = Run().attached()
    run.signal(signal.SIGHUP)
    lab.expect(run.wait(20) == 128 + signal.SIGHUP, f"{run.lines}")
    lab.expect_same(at.before, state())


def _on_terminal(cmdline):
    """Starts chnet run on a terminal of its own; returns its process and the other end."""
    master, slave = pty.openpty()

    def session():
        lab.enter("host")
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    run = subprocess.Popen(
        [str(CHNET), "run", "--", "--kernel", "idle", "--cmdline", cmdline], stdin=slave,
        stdout=slave, stderr=slave, preexec_fn=session, env=environment())
    os.close(slave)
    return run, master


def _read_until(master, text):
    got = b""
    while text.encode() not in got:
        ready, _, _ = select.select([master], [], [], 20)
        lab.expect(ready, f"no {text!r} in {got!r}")
        got += os.read(master, 4096)
    return got.decode()


@case("Ctrl-C on a terminal ends the VMM, once, and then the network")
def control_c():
    run, master = _on_terminal("idle")
    _read_until(master, "idle: attached")
    os.write(master, b"\x03")
    _read_until(master, "idle: told to end")
    lab.expect(run.wait(20) == 0, "it did not end well")
    os.close(master)
    lab.expect_same(at.before, state())


@case("a VMM that is killed leaves the terminal as it was")
def terminal():
    run, master = _on_terminal("raw")
    _read_until(master, "idle: attached")
    lab.expect(not termios.tcgetattr(master)[3] & termios.ICANON, "the terminal is not raw")
    os.kill(vmm_of(run.pid), signal.SIGKILL)
    lab.expect(run.wait(20) == 137, "another exit code")
    lab.expect(termios.tcgetattr(master)[3] & termios.ICANON, "the terminal is raw")
    os.close(master)
    lab.expect_same(at.before, state())


@case("the data plane is killed meanwhile: the VM and its network go on")
def data_plane():
    run = Run(kernel="uml")
    run.booted(40)
    run.configure(0)
    (monitor,) = monitors()
    (victim,) = lab.children(monitor, "chnet-dataplane")
    os.kill(victim, signal.SIGKILL)
    lab.wait_gone([victim])
    # The guest's kernel may say on its console that the device is gone.
    text = run.run("echo alive")
    lab.expect("alive" in text, f"the guest is dead: {text}")
    lab.expect(monitors() == [monitor], "the monitor is another one")
    run.signal(signal.SIGTERM)
    lab.expect(run.wait(20) == 0, f"{run.lines[-5:]}")
    lab.expect_same(at.before, state())


@case("a second VM joins and knows the first by its --hostname; the network lives as long as one of them, and no longer")
def join():
    first = Run("--hostname", "Alpha", kernel="uml", name="first")
    first.booted(40)
    first.configure(0)
    second = Run(kernel="uml", name="second")
    second.wait_line(r"network default by vhost-user, joined: guest 172\.16\.0\.3/24")
    second.booted(40)
    lab.expect("mac=52:54:00:12:34:57" in " ".join(vmm_arguments()), f"{vmm_arguments()}")
    second.configure(1)
    second.ping(first.address)
    text = second.run("dig +short @172.16.0.1 alpha.chnet; dig +short +tcp @172.16.0.1 alpha.chnet")
    lab.expect(text.split() == [first.address] * 2, text)
    (monitor,) = monitors()
    first.signal(signal.SIGTERM)
    lab.expect(first.wait(20) == 0, f"{first.lines[-5:]}")
    lab.expect(monitors() == [monitor], "the network ended with its first VM")
    lab.expect(not os.path.exists("/run/chnet/default.0.vhost"), "the first one's socket is left")
    second.ping("172.16.0.1")
    # The first one's place is free again.
    third = Run(name="third")
    third.wait_line(r"joined: guest 172\.16\.0\.2/24")
    third.attached()
    third.signal(signal.SIGKILL)
    third.wait()
    second.ping("172.16.0.1")
    second.signal(signal.SIGTERM)
    lab.expect(second.wait(20) == 0, f"{second.lines[-5:]}")
    lab.expect_same(at.before, state())


@case("a VM with several --net: a port and addresses for each; a TAP serves one, and says so")
def several():
    guests = [NamespaceGuest(0), NamespaceGuest(1)]
    options = ("--net", "mac=52:54:00:12:34:60,id=one", "id=two")
    run = Run("--vhost-user", kernel="wire", cmdline="guest0 guest1", vmm=options)
    guests[0].mac, guests[1].mac = "52:54:00:12:34:60", "52:54:00:12:34:56"
    run.wired(*guests)
    lab.expect(vmm_arguments()[4:7] == [
        "--net", "mac=52:54:00:12:34:60,id=one,vhost_user=true,socket=/run/chnet/default.0.vhost,"
        "num_queues=2,queue_size=256",
        "id=two,vhost_user=true,socket=/run/chnet/default.1.vhost,mac=52:54:00:12:34:56,"
        "num_queues=2,queue_size=256"], f"{vmm_arguments()}")
    guests[0].run("ping", "-n", "-c", "1", "-W", "5", guests[1].address)
    for guest in guests:
        guest.run("curl", "-sS", "--max-time", "10", f"http://{lab.WORLD_SERVER}/")
    run.end()
    lab.expect_same(at.before, state())
    for guest in guests:
        guest.close()
    lines = _ends_with(1, "--tap", kernel="wire", cmdline="guest0 guest1", vmm=options)
    lab.expect("a TAP serves one network device, and 2 are asked for" in lines[-1], f"{lines}")
    return lines[-1]


@case("chnet run joins a network that was started by hand, which stays when the VMs have gone")
def by_hand():
    vhost = Vhost(*sockets(1)).ready()
    stands = state()
    guests = [WireGuest(0), NamespaceGuest(1), NamespaceGuest(2)]
    run = Run("--vhost-user", kernel="wire", cmdline="guest1 guest2",
              vmm=("--net", "id=one", "id=two"))
    run.wait_line(r"network default by vhost-user, joined: guest 172\.16\.0\.3/24")
    run.wired(*guests[1:])
    guests[1].run("ping", "-n", "-c", "1", "-W", "5", guests[0].address)
    guests[2].run("curl", "-sS", "--max-time", "10", f"http://{lab.WORLD_SERVER}/")
    last = Run().attached()
    lab.expect(any("guest 172.16.0.5/24" in line for line in last.lines), f"{last.lines}")
    lab.expect(monitors() == [vhost.pid], f"{monitors()}")
    # One ends as it should, of the other everything is killed: its ports are taken by the next.
    run.end()
    third = Run().attached()
    lab.expect(any("guest 172.16.0.3/24" in line for line in third.lines), f"{third.lines}")
    for process in (third, last):
        process.end()
    guests[0].run("ping", "-n", "-c", "1", "-W", "5", "172.16.0.1")
    lab.expect_same(stands, state(), but=("rules",))  # they count
    text = chnet("run", "--forward", "tcp:8080=172.16.0.3:80", "--vhost-user", "--", "--kernel",
                 "idle", check=False)
    lab.expect("chnet forward add" in text, text)
    vhost.signal(signal.SIGTERM)
    lab.expect(vhost.wait() == 0, f"{vhost.lines[-5:]}")
    lab.expect_same(at.before, state())
    for guest in guests:
        guest.close()


@case("what cannot join a network that runs is one line, and no TAP is tried")
def cannot_join():
    first = Run("--hostname", "alpha", name="first").attached()
    stands = state()
    notes = []
    for options, more, says in (
            (("--forward", "tcp:8090=172.16.0.4:80"), {}, "chnet forward add"),
            (("--hostname", "alpha"), {}, "alpha"),
            ((), {"GUEST_IP": "172.16.0.2"}, "172.16.0.2"),
            (("--host-ip", "10.1.0.1"), {}, "leave out --host-ip 10.1.0.1, or take another"),
            (("--host-ip", "172.16.0.1/16"), {}, "with gateway 172.16.0.1/24"),
            ((), {"TAP_NAME": "tap5"}, "leave out TAP_NAME tap5, or take another --name")):
        text = chnet("run", *options, "--", "--kernel", "idle", check=False, **more)
        lab.expect(says in text and text.count("\n") == 1 and "ip link del" not in text, text)
        notes.append(text)
    second = Run("--host-ip", "172.16.0.1", name="second", TAP_NAME="tap0").attached()
    second.end()
    text = chnet("run", "--tap", "--", "--kernel", "idle", check=False)
    lab.expect("TAP tap0 is that of a network of chnet" in text and "ip link del" not in text,
               text)
    lab.expect_same(stands, state())
    first.end()
    lab.expect_same(at.before, state())
    return notes[0].strip()


@case("what is in the way of vhost-user and of a TAP is said once")
def in_both_ways():
    lab.run("ip", "tuntap", "add", "tap0", "mode", "tap", namespace="host")
    text = chnet("run", "--", "--kernel", "idle", check=False)
    lab.run("ip", "link", "del", "tap0", namespace="host")
    lab.expect("tap0" in text and text.count("\n") == 1, text)
    lab.expect_same(at.before, state())
    return text.strip()


@case("without chnet-vhost a bad value is still one line, about the value; a --hostname is told of")
def bad_without_vhost():
    folder = _alone()
    for options, more, says in (
            (("--forward", "tcp:0=1.2.3.4:5"), {}, "--forward"),
            (("--host-ip", "1.2.3"), {}, "1.2.3"),
            ((), {"GUEST_MAC": "1:2"}, "GUEST_MAC")):
        text = lab.run(folder / "chnet", "run", *options, "--", "--kernel", "idle",
                       namespace="host", check=False, env=environment("/nowhere", **more))
        lab.expect(says in text and text.count("\n") == 1, text)
    run = Run("--hostname", "x", program=folder / "chnet", path="/nowhere").attached()
    lab.expect(any("--hostname x is without effect on a TAP" in line for line in run.lines),
               f"{run.lines}")
    run.end()
    lab.expect_same(at.before, state())


@case("two VMs started at once: one starts the network, the other joins")
def race():
    runs = [Run(name=f"run{number}") for number in range(3)]
    for run in runs:
        run.attached()
    lab.expect(len(monitors()) == 1, f"{monitors()}")
    addresses = sorted(re.search(r"guest ([\d.]+)", "\n".join(run.lines))[1] for run in runs)
    lab.expect(addresses == ["172.16.0.2", "172.16.0.3", "172.16.0.4"], f"{addresses}")
    for run in runs:
        run.signal(signal.SIGTERM)
    for run in runs:
        lab.expect(run.wait(20) == 0, f"{run.lines}")
    lab.expect_same(at.before, state())


# ---- which mode, and why ------------------------------------------------------------------------


def _fake_vhost(folder, script):
    path = folder / "chnet-vhost"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


def _falls_back(reason, *, setup=None, **more):
    """Without a wish, TAP is taken and the reason told in one line; with --vhost-user, no VM."""
    folder = _alone()
    more.setdefault("program", folder / "chnet")
    if setup:
        setup(folder)
    run = Run(**more).attached()
    (line,) = [line for line in run.lines if "TAP instead of vhost-user" in line]
    lab.expect(re.search(reason, line), line)
    lab.expect(any("by TAP" in line for line in run.lines), f"{run.lines}")
    run.signal(signal.SIGTERM)
    lab.expect(run.wait(20) == 0, f"{run.lines}")
    lab.expect_same(at.before, state())
    return line


def _fails(reason, *, setup=None, status=1, **more):
    folder = _alone()
    more.setdefault("program", folder / "chnet")
    if setup:
        setup(folder)
    run = Run("--vhost-user", **more)
    lab.expect(run.wait(20) == status, f"{run.lines}")
    lab.expect(any(re.search(reason, line) for line in run.lines), f"{run.lines}")
    lab.expect(not any("idle: attached" in line for line in run.lines), f"{run.lines}")
    lab.expect_same(at.before, state())


def _both(reason, **more):
    line = _falls_back(reason, **more)
    _fails(reason, **more)
    return line


@case("chnet-vhost is missing: TAP, or an error with --vhost-user")
def missing():
    return _both("chnet-vhost is neither beside chnet nor in PATH", path="/nowhere")


@case("chnet-vhost fails to start: the same, with its own words")
def failing():
    return _both("this is why", setup=lambda folder: _fake_vhost(
        folder, "echo 'chnet-vhost: this is why' >&2; exit 1\n"))


@case("chnet-vhost dies without a word: the same")
def dying():
    return _both("did not say why", setup=lambda folder: _fake_vhost(folder, "kill -9 $$\n"))


@case("the VMM refuses the device before a guest runs: TAP; with --vhost-user its exit code")
def refusing():
    line = _falls_back("refuses the vhost-user device", cmdline="refuse", program=CHNET)
    _fails("VhostUserConnect", cmdline="refuse", program=CHNET)
    return line


@case("a VMM that fails for another reason is not started again")
def failing_vmm():
    lines = _ends_with(3, cmdline="exit=3")
    lab.expect(not any("TAP instead" in line for line in lines), f"{lines}")


@case("arguments that vhost-user cannot have (rate limiter, private memory): the same")
def arguments():
    _both("rate", vmm=("--net", "bw_size=1000,bw_refill_time=100"), program=CHNET)
    return _both("shared", vmm=("--memory", "size=512M,shared=off"), program=CHNET)


@case("no memfd: the same")
def no_memfd():
    # An LSM or an old kernel: the call fails, here through a preloaded library.
    preload = lab.BIN.parent / "tests/system/no_memfd.so"
    return _both("memfd_create", program=CHNET, LD_PRELOAD=str(preload))


# ---- refusals -----------------------------------------------------------------------------------


@case("bad command lines are one line, and nothing is built")
def bad():
    for arguments, says in (
            (("run",), "nothing to run"),
            (("run", "--", "--restore", "x"), "--restore"),
            (("run", "--dryrun", "--", "--kernel", "x"), "--dryrun: unknown option"),
            (("run", "--kernel", "x", "--", "--memory", "size=1G"), "--kernel: unknown option"),
            (("run", "x", "--", "--kernel", "x"), "'x' stands before '--'"),
            (("run", "--help=yes", "--", "--kernel", "x"), "leave '=yes' out"),
            (("run", "--tap", "--vhost-user", "--", "--kernel", "x"), "take one of them"),
            (("run", "--tap", "--hostname", "x", "--", "--kernel", "x"), "--hostname and --tap"),
            (("run", "--name", "a/b", "--", "--kernel", "x"), "a/b"),
            (("run", "--host-ip", "1.2.3", "--", "--kernel", "x"), "1.2.3"),
            (("run", "--vmm", "/no/such", "--", "--kernel", "x"), "--vmm /no/such: No such file"),
            (("run", "--forward", "tcp:0=1.2.3.4:5", "--", "--kernel", "x"), "--forward"),
            (("run", "--", "--net", "mac=1:2"), "mac=")):
        text = chnet(*arguments, check=False)
        lab.expect(says in text and text.count("\n") == 1, text)
    for arguments, says in (
            (("run", "--host-ip", "300.1.1.1", "--", "--kernel", "x"), "300.1.1.1"),
            (("run", "--tap", "--host-ip", "300.1.1.1", "--", "--kernel", "x"), "300.1.1.1"),
            (("run", "--forward", "tcp:99999=172.16.0.2:80", "--", "--kernel", "x"), "99999"),
            (("run", "--hostname", "bad name", "--", "--kernel", "x"), "--hostname 'bad name': no"),
            (("run", "--hostname", "host", "--", "--kernel", "x"), "--hostname host: the name of"),
            (("setup", "--host-ip", "300.1.1.1"), "300.1.1.1"),
            (("flows", "--guest-port", "70000"), "--guest-port 70000: must be"),
            (("flows", "--limit", "0"), "--limit 0: must be"),
            (("flows", "--guest", "x"), "--guest x: must be"),
            (("flows", "--protocol", "ftp"), "--protocol ftp: must be"),
            (("flows", "--after", "x"), "--after x: must be")):
        text = lab.run("sh", "-c", '"$@"; echo "status $?"', "sh", CHNET, *arguments,
                       namespace="host", env=environment())
        lab.expect(says in text and text.endswith("status 2\n") and text.count("\n") == 2, text)
    lab.expect_same(at.before, state())


@case("--dry-run changes nothing and prints what a shell can run")
def dry_run():
    VMM_LOG.unlink()
    text = chnet("run", "--dry-run", "--", "--kernel", "a b")
    lab.expect("chnet-vhost --name default" in text and "'a b'" in text, text)
    text = chnet("run", "--tap", "--dry-run", "--", "--kernel", "idle", "--cmdline", "exit=0")
    lab.expect_same(at.before, state())
    lab.expect(not VMM_LOG.exists(), "the VMM was started")
    lab.run("sh", "-e", "-c", text, namespace="host", env=environment())
    lab.expect(vmm_arguments()[-1] == "tap=tap0,mac=52:54:00:12:34:56", f"{vmm_arguments()}")
    lab.expect_same(at.before, state())


@case("--dry-run of a VM that joins: what a shell runs to join and to leave")
def dry_run_join():
    first = Run("--hostname", "alpha").attached()
    arguments = ("run", "--dry-run", "--hostname", "beta", "--", "--kernel", "idle", "--cmdline",
                 "exit=0", "--net", "id=a", "id=b")
    text = chnet(*arguments)
    lab.expect("172.16.0.3" in text and "--hostname beta" in text, text)
    shell = environment()
    shell["PATH"] = f"{CHNET.parent}:{shell['PATH']}"
    words = '"hostname": "beta"', '"ip": "172.16.0.3"', '"ip": "172.16.0.4"'
    seen = lab.run("sh", "-e", "-c", text.replace("port0=${", "chnet ports --json; port0=${"),
                   namespace="host", env=shell)
    lab.expect(all(word in seen for word in words), seen)
    lab.expect("172.16.0.3.sock" in " ".join(vmm_arguments()), f"{vmm_arguments()}")
    seen = chnet("ports", "--json")
    lab.expect("172.16.0.2" in seen and not any(word in seen for word in words), seen)
    first.end()
    lab.expect_same(at.before, state())


if __name__ == "__main__":
    lab.main(400)
