#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""chnet doctor: each fault is made on purpose, found, and mended with the command it names."""
import json
import os
import pathlib
import re
import signal
import socket
import threading
import time
import types

import lab
from chnet import CHNET, Run, case, chnet, environment, monitors
from vhost import Vhost, sockets
from wire import NamespaceGuest

at = types.SimpleNamespace()
MANUAL = pathlib.Path(__file__).resolve().parents[2] / "docs/man/chnet.frame"


def doctor(*options, wrapper=(), **more):
    """{check: finding} and the exit code."""
    done = lab.subprocess.run(
        [*wrapper, str(CHNET), "doctor", "--json", *options], stdout=lab.subprocess.PIPE,
        text=True, env=environment(**more), check=False, timeout=30,
        preexec_fn=lambda: lab.enter("host"))
    checks = json.loads(done.stdout)["checks"]
    return {check["name"]: check for check in checks}, done.returncode


def expect_grade(name, grade, says="", **more):
    found, code = doctor(**more)
    lab.expect(found[name]["grade"] == grade and says in json.dumps(found[name]),
               f"{name}: {found[name]}, expected {grade} with {says!r}")
    bad = any(check["grade"] == "bad" for check in found.values())
    lab.expect(code == (1 if bad else 0), f"exit code {code}")
    if grade in ("bad", "note"):
        lab.expect(found[name]["meaning"] and found[name]["mend"], f"{found[name]}")
    return f"{name}: {found[name]['found']}: {found[name]['mend']}"


def host(*command):
    lab.run(*command, namespace="host")


def fault(name, grade, says, make, mend):
    """Makes the fault, sees it found, mends it, sees it gone."""
    make()
    try:
        note = expect_grade(name, grade, says)
    finally:
        mend()
    found, _ = doctor()
    lab.expect(found[name]["grade"] not in ("bad", "note"), f"not mended: {found[name]}")
    return note


class NameServer:
    """Answers every question with itself, in `host`, where resolv.conf points to."""

    def __init__(self):
        conf = lab.SCRATCH / "resolv.conf"
        conf.write_text("nameserver 127.0.0.1\n")
        lab.run("mount", "--bind", str(conf), "/etc/resolv.conf")
        with lab.inside("host"):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("127.0.0.1", 53))
        self.mute = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            data, client = self.socket.recvfrom(512)
            if not self.mute:
                self.socket.sendto(data[:2] + b"\x81\x80" + data[4:], client)


@lab.test("without a network: the TAP is missing, with the command that makes one")
def missing():
    at.names = NameServer()
    before = lab.host_state()
    note = expect_grade("TAP", "bad", "chnet setup")
    lab.expect_same(before, lab.host_state())
    return note


@lab.test("a set-up network has no fault")
def sound():
    chnet("setup")
    found, code = doctor()
    worse = {name: check for name, check in found.items() if check["grade"] == "bad" and
             name != "/dev/kvm"}
    lab.expect(not worse, f"{worse}")
    lab.expect(found["TAP"]["grade"] == found["rules"]["grade"] == found["LAN"]["grade"] == "good",
               f"{found}")
    lab.expect(found["owner"]["grade"] == "good" and found["address"]["grade"] == "good",
               f"{found}")
    lab.expect(code in (0, 1), f"exit code {code}")
    text = chnet("doctor", check=False)
    lab.expect(text.startswith("CHECK"), text)


@lab.test("nothing is changed")
def unchanged():
    before = lab.host_state()
    doctor()
    chnet("doctor", check=False)
    lab.expect_same(before, lab.host_state())


@lab.test("TAP down")
def down():
    return fault("TAP", "bad", "is down", lambda: host("ip", "link", "set", "tap0", "down"),
                 lambda: host("ip", "link", "set", "tap0", "up"))


@lab.test("address missing")
def address():
    return fault("address", "bad", "172.16.0.1/24",
                 lambda: host("ip", "address", "flush", "dev", "tap0"),
                 lambda: host("ip", "address", "add", "172.16.0.1/24", "dev", "tap0"))


@lab.test("forwarding off")
def forwarding():
    return fault("forwarding", "bad", "sysctl -w net.ipv4.ip_forward=1",
                 lambda: host("sysctl", "-qw", "net.ipv4.ip_forward=0"),
                 lambda: host("sysctl", "-qw", "net.ipv4.ip_forward=1"))


@lab.test("forwarding off for one interface of the way")
def forwarding_of_one():
    notes = []
    for interface in ("tap0", "outside"):
        name = f"net.ipv4.conf.{interface}.forwarding"
        notes.append(fault("forwarding", "bad", f"sysctl -w {name}=1",
                           lambda name=name: host("sysctl", "-qw", f"{name}=0"),
                           lambda name=name: host("sysctl", "-qw", f"{name}=1")))
    return "\n".join(notes)


@lab.test("our rules removed; emptied: nothing masquerades, nothing lets guests pass")
def rules():
    def mend():
        """As it says, and by setup alone, which sees that too."""
        chnet("cleanup")
        chnet("setup")
    notes = []
    for command, says in (("delete table ip chnet-tap0", "no nftables table ip chnet-tap0"),
                          ("flush chain ip chnet-tap0 postrouting", "masquerades"),
                          ("flush chain ip chnet-tap0 forward", "accepts what guests send")):
        notes.append(fault("rules", "bad", says, lambda command=command: host("nft", command),
                           mend))
    host("nft", "flush chain ip chnet-tap0 postrouting")
    lab.expect("is set up" in chnet("setup"), "setup took emptied rules for whole ones")
    expect_grade("rules", "good")
    return "\n".join(notes)


@lab.test("rules of others that drop: a policy, a rule, docker's chains, ufw's, firewalld's")
def foreign():
    notes = []
    for commands, says in (
            (["add table inet other",
              "add chain inet other forward { type filter hook forward priority 0; policy drop; }"],
             "inet other forward"),
            # As iptables writes it.
            (["add table ip filter",
              "add chain ip filter FORWARD { type filter hook forward priority 0; }",
              "add rule ip filter FORWARD iifname tap0 counter drop"],
             "a rule of ip filter FORWARD drops"),
            (["add table inet firewalld", "add chain inet firewalld filter_FORWARD "
              "{ type filter hook forward priority 10; }",
              "add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited"],
             "firewall-cmd --zone=trusted --add-interface=tap0"),
            (["add table ip filter", "add chain ip filter DOCKER-USER",
              "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }"],
             "DOCKER-USER"),
            (["add table ip filter", "add chain ip filter ufw-user-forward",
              "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }"],
             "ufw route allow")):
        table = commands[0].split()[-1]
        family = commands[0].split()[-2]
        notes.append(fault(
            "other rules", "bad", says,
            lambda commands=commands: [host("nft", command) for command in commands],
            lambda: host("nft", "delete", "table", family, table)))
    return "\n".join(notes)


# The kernel lists tables of the old iptables here; one that was built without has no such list.
LEGACY = ("unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /proc/$$/net && "
          "echo filter >/proc/$$/net/ip_tables_names && exec \"$@\"", "sh")


@lab.test("rules of the old iptables (the kernel's list of them is a stand-in)")
def legacy():
    expect_grade("other rules", "good")
    found, _ = doctor(wrapper=LEGACY)
    lab.expect(found["other rules"]["grade"] == "note" and
               "iptables-legacy -S FORWARD" in found["other rules"]["mend"],
               f"{found['other rules']}")
    return found["other rules"]["found"]


@lab.test("no default route")
def egress():
    return fault("way out", "bad", "default route",
                 lambda: host("ip", "route", "del", "default"),
                 lambda: host("ip", "route", "add", "default", "via", lab.WORLD_GATEWAY))


@lab.test("another interface in the guests' LAN")
def collision():
    return fault("LAN", "bad", "outside",
                 lambda: host("ip", "address", "add", "172.16.0.77/24", "dev", "outside"),
                 lambda: host("ip", "address", "del", "172.16.0.77/24", "dev", "outside"))


@lab.test("strict reverse path filter")
def rp_filter():
    return fault("rp_filter", "note", "strict",
                 lambda: host("sysctl", "-qw", "net.ipv4.conf.outside.rp_filter=1"),
                 lambda: host("sysctl", "-qw", "net.ipv4.conf.outside.rp_filter=2"))


@lab.test("a smaller MTU on the way out")
def mtu():
    return fault("MTU", "note", "1400",
                 lambda: host("ip", "link", "set", "outside", "mtu", "1400"),
                 lambda: host("ip", "link", "set", "outside", "mtu", "1500"))


@lab.test("the name server does not answer; there is none")
def names():
    def mute(value):
        at.names.mute = value
    conf = lab.SCRATCH / "resolv.conf"
    note = fault("names", "bad", "127.0.0.1", lambda: mute(True), lambda: mute(False))
    fault("names", "note", "no name server", lambda: conf.write_text("search example\n"),
          lambda: conf.write_text("nameserver 127.0.0.1\n"))
    return note


@lab.test("the guest does not answer; no packet of a guest was seen")
def silent():
    lab.run("ping", "-c", "1", "-W", "1", "172.16.0.2", namespace="host", check=False)
    expect_grade("gateway", "note", "172.16.0.1")
    return expect_grade("guest", "bad", "172.16.0.2")


@lab.test("the TAP is another user's; a user without rights is told so")
def owner():
    chnet("cleanup")
    chnet("setup", SUDO_UID="1234")
    wrapper = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
               "--inh-caps=-all")
    text = lab.run(*wrapper, CHNET, "doctor", "--json", namespace="host", check=False,
                   env=environment(XDG_RUNTIME_DIR="/nowhere"))
    found = {check["name"]: check for check in json.loads(text)["checks"]}
    lab.expect(found["owner"]["grade"] == "bad" and "1234" in found["owner"]["found"],
               f"{found['owner']}")
    lab.expect(found["rights"]["grade"] == "note", f"{found['rights']}")
    lab.expect(found["rules"]["grade"] == "skipped", f"{found['rules']}")
    chnet("cleanup")
    return found["owner"]["found"]


@lab.test("a name that is taken by another kind of device")
def no_tap():
    host("ip", "link", "add", "tap0", "type", "bridge")
    note = expect_grade("owner", "bad", "no TAP")
    host("ip", "link", "del", "tap0")
    return note


@lab.test("devices and programs that are missing")
def machine():
    notes = [expect_grade("VMM", "bad", "/no/such", CHNET_VMM="/no/such"),
             expect_grade("chnet-vhost", "bad", "PATH", path="/nowhere")]
    script = lab.SCRATCH / "silent"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    expect_grade("VMM", "note", "version", CHNET_VMM=str(script))
    expect_grade("VMM", "good", "v50.0")
    for what in ("/dev/net/tun", "/dev/kvm"):
        if what == "/dev/kvm" and not os.path.exists(what):
            expect_grade(what, "bad", what)
            continue
        # A file that cannot be opened takes its place, in this mount namespace.
        socket.socket(socket.AF_UNIX).bind(f"{lab.SCRATCH}/closed")
        lab.run("mount", "--bind", f"{lab.SCRATCH}/closed", what)
        try:
            notes.append(expect_grade(what, "bad", what))
        finally:
            lab.run("umount", what)
            os.unlink(f"{lab.SCRATCH}/closed")
    return "\n".join(notes)


def _wait_grade(name, grade, limit_s=20):
    """Somebody else is at it: asks again until it is so."""
    end = time.monotonic() + limit_s
    while doctor()[0][name]["grade"] != grade:
        lab.expect(time.monotonic() < end, f"{name} is not {grade}: {doctor()[0][name]}")


@case("the default route moved, and whoever should follow does not")
def not_followed():
    host("ip", "link", "add", "other", "type", "veth", "peer", "name", "far")
    for command in (("address", "add", "198.18.0.2/24", "dev", "other"),
                    ("link", "set", "far", "up"), ("link", "set", "other", "up")):
        host("ip", *command)
    notes = []
    for mode in ("--tap", "--vhost-user"):
        run = Run(mode).attached()
        expect_grade("way out", "good", "outside")
        follower = run.pid if mode == "--tap" else monitors()[0]
        os.kill(follower, signal.SIGSTOP)
        host("ip", "route", "replace", "default", "via", "198.18.0.1")
        notes.append(expect_grade("way out", "bad", "our rules let guests out by outside"))
        os.kill(follower, signal.SIGCONT)
        _wait_grade("way out", "good")
        run.end()
        host("ip", "route", "replace", "default", "via", lab.WORLD_GATEWAY)
    host("ip", "link", "del", "other")
    return "\n".join(notes)


@case("vhost-user: no VMM; the file of a socket was removed")
def vhost_sockets():
    vhost = Vhost(*sockets(1)).ready()
    found, _ = doctor()
    lab.expect(found["sockets"]["grade"] == "good", f"{found['sockets']}")
    notes = [expect_grade("driver", "note", "port 0: no VMM is connected")]
    path = f"{lab.SCRATCH}/guest0.sock"
    os.unlink(path)
    notes.append(expect_grade("sockets", "bad", path))
    mend = doctor()[0]["sockets"]["mend"]
    lab.run("sh", "-ec", mend, namespace="host",
            env=environment(path=f"{lab.BIN}:{CHNET.parent}"))
    expect_grade("sockets", "good", "1 served")
    vhost.signal(signal.SIGTERM)
    lab.expect(vhost.wait() == 0, f"{vhost.lines[-5:]}")
    return "\n".join(notes)


@case("vhost-user: no driver, all well, a data plane that died")
def vhost_user():
    run = Run("--vhost-user").attached()
    found, _ = doctor()
    lab.expect(found["sockets"]["grade"] == "good", f"{found['sockets']}")
    lab.expect(found["driver"]["grade"] == "bad" and "virtio_net" in found["driver"]["mend"],
               f"{found['driver']}")
    run.end()
    guest = NamespaceGuest(0)
    run = Run("--vhost-user", kernel="wire").wired(guest)
    guest.run("ping", "-c", "1", "-W", "5", "172.16.0.1")
    guest.run("ping", "-c", "1", "-W", "5", lab.WORLD_SERVER)
    found, _ = doctor()
    for name in ("sockets", "data plane", "driver", "guest", "gateway", "TAP", "rules"):
        lab.expect(found[name]["grade"] == "good", f"{found[name]}")
    (monitor,) = monitors()
    (victim,) = lab.children(monitor, "chnet-dataplane")
    os.kill(victim, signal.SIGKILL)
    lab.wait_gone([victim])
    # The API is the data plane's: served again when there is a new one.
    while True:
        found, _ = doctor()
        if found["data plane"]["grade"] != "skipped":
            break
    lab.expect(found["data plane"]["grade"] == "note", f"{found['data plane']}")
    run.end()
    guest.close()


@lab.test("the manual has each check, and no other")
def manual():
    found, _ = doctor()
    section = MANUAL.read_text().partition(".SH CHECKS")[2].partition("\n.SH ")[0]
    listed = re.findall(r"^\.TP\n\.B (.*)$", section.replace("\\-", "-"), re.MULTILINE)
    lab.expect(listed == list(found), f"{listed}, not {list(found)}")


if __name__ == "__main__":
    lab.main(200)
