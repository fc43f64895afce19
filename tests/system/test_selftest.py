#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`chnet selftest` from end to end: the probe guest in QEMU, behind Cloud Hypervisor's arguments."""
import json
import os
import re
import shutil
import signal
import subprocess

import lab
import probe
from chnet import CHNET, VMM_LOG, Run, environment, monitors, vmm_arguments

GATEWAY = "198.19.254.1"


def _host_state():
    """What is left behind; the stand-in's own notes aside."""
    state = lab.host_state()
    state["files"] = [path for path in state["files"] if path != str(VMM_LOG)]
    return state


def _selftest(*options, namespace="host", **more):
    """(exit code, standard output, standard error)."""
    done = subprocess.run([str(CHNET), "selftest", *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=100,
                          env=environment(**more), preexec_fn=lambda: lab.enter(namespace),
                          check=False)
    return done.returncode, done.stdout, done.stderr


def _expect(found, code, error=None):
    """Its exit code, and one line of complaint."""
    lab.expect(found[0] == code, "\n".join(map(str, found)))
    if error:
        lines = [line for line in found[2].splitlines() if ": guest " not in line]
        lab.expect(len(lines) == 1 and re.search(error, lines[0]), "\n".join(map(str, found)))


def _expect_whole(text, skipped=()):
    """The table has every check, and all of them are good."""
    rows = {line[:len(name)]: line[len(name):].split()[0]
            for line in text.splitlines() for name in probe.EVERY if line.startswith(name)}
    lab.expect(list(rows) == probe.EVERY, text)
    bad = {name: result for name, result in rows.items()
           if result != ("-" if name in skipped else "ok")}
    lab.expect(not bad, text)
    lab.expect(re.search(r"^everything works: ping \d+\.\d us, UDP \d+\.\d us, TCP \d+\.\d Mbit/s "
                         r"down, \d+\.\d Mbit/s up$", text, re.MULTILINE), text)


@lab.test("by vhost-user everything works, and nothing is left behind")
def vhost_user():
    before = _host_state()
    found = _selftest("--vhost-user")
    _expect(found, 0)
    _expect_whole(found[1], skipped=[probe.INTERRUPT])
    words = vmm_arguments()
    lab.expect("--serial" in words and any("vhost_user=true" in word for word in words), f"{words}")
    lab.expect(len(found[1].splitlines()) <= 15, found[1])
    lab.expect_same(before, _host_state())
    return found[1].splitlines()[-1]


@lab.test("on a TAP everything works; DHCP is skipped, and nothing is left behind")
def tap():
    before = _host_state()
    found = _selftest("--tap")
    _expect(found, 0)
    _expect_whole(found[1], skipped=[probe.DHCP])
    lab.expect_same(before, _host_state())
    return found[1].splitlines()[-1]


@lab.test("beside a network that runs, whose addresses are in the environment; --json")
def beside():
    run = Run("--vhost-user").attached()
    code, text, error = _selftest("--json", GUEST_IP="172.16.0.9", HOST_IP="172.16.0.1/24",
                                  TAP_NAME="tap0")
    answer = json.loads(text)
    lab.expect(code == 0 and answer["works"] and answer["mode"] == "vhost-user", text + error)
    lab.expect([check["name"] for check in answer["checks"]] == probe.EVERY, text)
    lab.expect([check["name"] for check in answer["checks"] if check["result"] != "good"] ==
               [probe.INTERRUPT], text)
    lab.expect(GATEWAY in answer["checks"][5]["found"], text)
    lab.expect(not re.search(r"\d\.\d\d", text[text.index('"values"'):]), text)
    lab.expect(sorted(answer["values"]) == ["download_mbit_s", "ping_us", "udp_us",
                                            "upload_mbit_s"], text)
    lab.expect(len(monitors()) == 1, "the network that ran is gone")
    run.signal(signal.SIGTERM)
    run.wait()


@lab.test("a network of its name that runs is left alone")
def name_is_taken():
    leases = "/run/chnet/selftest.leases"
    for mode in ("--vhost-user", "--tap"):
        run = Run(mode, "--name", "selftest").attached()
        before = os.path.exists(leases)
        lab.expect(before == (mode == "--vhost-user"), f"{leases}: {before}")
        for ours in ("--vhost-user", "--tap"):
            _expect(_selftest(ours), 1, "a network called selftest runs already, ")
        lab.expect(os.path.exists(leases) == before, f"{leases} is gone")
        run.end()


@lab.test("without --vhost-user and --tap it takes what chnet run would take")
def fallback():
    found = _selftest(VMM_PROBE="refuse")
    _expect(found, 0)
    lab.expect("TAP instead of vhost-user: " in found[2], found[2])
    _expect_whole(found[1], skipped=[probe.DHCP])


@lab.test("no VMM: one line; a wrong command line: another one")
def no_vmm():
    _expect(_selftest(CHNET_VMM="cloud-hypervisor"), 1, "cloud-hypervisor is not in PATH: install it")
    _expect(_selftest("--vmm", "/nowhere/vmm"), 1, "/nowhere/vmm: No such file or directory")
    _expect(_selftest("--tap", "--vhost-user"), 2, "take one of them")


@lab.test("faults: each is named, with the check that found it")
def faults():
    before = _host_state()
    _expect(_selftest("--tap", VMM_PROBE="exit"), 1,
            r"the VMM ended with 3; the VMM's last word: Error: no /dev/kvm$")
    _expect(_selftest("--tap", VMM_PROBE="reset"), 1, "the machine was reset in the middle$")
    _expect(_selftest("--tap", VMM_PROBE="reset deaf"), 1, "the machine was reset in the middle$")
    _expect(_selftest("--tap", VMM_PROBE="paging"), 1, "reset in the middle: its KVM cannot do paging")
    found = _selftest("--tap", VMM_PROBE="probe.gateway=198.19.254.77 probe.patience_ms=300")
    _expect(found, 1, "not everything works")
    lab.expect(re.search(f"^{probe.ARP} +BAD +198.19.254.77 is silent", found[1], re.MULTILINE),
               found[1])
    found = _selftest("--vhost-user", VMM_PROBE="probe.dhcp=off")
    _expect(found, 1, "not everything works")
    lab.expect(re.search(f"^{probe.DHCP} +BAD ", found[1], re.MULTILINE), found[1])
    code, text, _ = _selftest("--tap", "--json", VMM_PROBE="exit")
    answer = json.loads(text)
    lab.expect(code == 1 and not answer["works"] and answer["error"] == "the VMM ended with 3", text)
    lab.expect_same(before, _host_state())


@lab.test("a firewall of the host that drops what guests send to it is suspected")
def firewall():
    lab.run("nft", "add table ip fw; add chain ip fw input { type filter hook input priority 0; }; "
            "add rule ip fw input iifname chnet-selftest meta l4proto { tcp, udp } drop",
            namespace="host")
    found = _selftest("--tap", VMM_PROBE="probe.patience_ms=300")
    lab.run("nft", "delete table ip fw", namespace="host")
    _expect(found, 1, "neither UDP nor TCP: does its firewall drop what comes from the TAP "
            "chnet-selftest")
    lab.expect(re.search(f"^{probe.PING} +ok ", found[1], re.MULTILINE), found[1])


@lab.test("with a real Cloud Hypervisor, both ways")
def real():
    vmm = os.environ.get("CHNET_VMM") or shutil.which("cloud-hypervisor")
    if not vmm or not os.access(vmm, os.X_OK):
        raise lab.Skip("there is no Cloud Hypervisor in PATH, and CHNET_VMM names none")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        raise lab.Skip("there is no /dev/kvm")
    before = _host_state()
    found = []
    for mode, skipped in (("--vhost-user", []), ("--tap", [probe.DHCP])):
        found.append(_selftest(mode, "--vmm", vmm))
        _expect(found[-1], 0)
        _expect_whole(found[-1][1], skipped)
    lab.expect_same(before, _host_state())
    return "\n".join(text.splitlines()[-1] for _, text, _ in found)


@lab.test("a VMM that stays after the probe's end is ended; SIGTERM ends everything")
def ends():
    before = _host_state()
    found = _selftest("--tap", VMM_PROBE="stay")
    _expect(found, 0)
    run = lab.Process("selftest", [CHNET, "selftest", "--vhost-user"], namespace="host",
                      env=environment(VMM_PROBE="mute"))
    run.wait_line(": guest ")
    run.signal(signal.SIGTERM)
    lab.expect(run.wait() == 128 + signal.SIGTERM, f"{run.lines}")
    lab.expect_same(before, _host_state())


if __name__ == "__main__":
    lab.main(240)
