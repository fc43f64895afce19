#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Start and end of chnet-vhost: what it builds, and that nothing of it is left."""
import os
import re
import signal
import socket

import lab
from vhost import Vhost, sockets


def _kill(vhost, *numbers):
    """Sends the monitor and its data plane these signals; returns when both are gone."""
    pids = [vhost.pid, *vhost.data_plane()]
    lab.expect(len(pids) == 2, f"not a monitor and a data plane: {pids}")
    for pid, number in zip(pids, numbers):
        if number:
            os.kill(pid, number)
    lab.wait_gone(pids)
    return vhost.wait()


def _built(state):
    """The host side stands."""
    lab.expect("tap0" in state["links"], f"{state['links']}")
    lab.expect("tap0 172.16.0.1/24" in state["addresses"], f"{state['addresses']}")
    lab.expect("172.16.0.254" in state["rules"] and "masquerade" in state["rules"], state["rules"])
    lab.expect(state["forwarding"] == "1", "forwarding is off")


@lab.test("SIGTERM: exit code 0, and the host is as it was")
def sigterm():
    before = lab.host_state()
    vhost = Vhost(*sockets(2)).ready()
    _built(lab.host_state())
    lab.expect(_kill(vhost, signal.SIGTERM, 0) == 0, "exit code is not 0")
    lab.expect_same(before, lab.host_state())


@lab.test("SIGINT to both, as from a terminal: the same")
def sigint():
    before = lab.host_state()
    vhost = Vhost(*sockets(2)).ready()
    _kill(vhost, signal.SIGINT, signal.SIGINT)
    lab.expect_same(before, lab.host_state())


@lab.test("kill -9 of both: no interface, rule or process is left, and the next start works")
def sigkill_both():
    before = lab.host_state()
    vhost = Vhost(*sockets(2)).ready()
    _kill(vhost, signal.SIGKILL, signal.SIGKILL)
    lab.expect_same(before, lab.host_state(), but=("files", "forwarding"))
    vhost = Vhost(*sockets(2)).ready()
    _built(lab.host_state())
    _kill(vhost, signal.SIGTERM, 0)
    lab.expect_same(before, lab.host_state())


@lab.test("kill -9 of the monitor alone takes the data plane with it")
def sigkill_monitor():
    before = lab.host_state()
    vhost = Vhost(*sockets(1)).ready()
    _kill(vhost, signal.SIGKILL, 0)
    lab.expect_same(before, lab.host_state(), but=("files", "forwarding"))
    _kill(Vhost(*sockets(1)).ready(), signal.SIGTERM, 0)
    lab.expect_same(before, lab.host_state())


@lab.test("sd_notify says READY=1")
def notify():
    path = str(lab.SCRATCH / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(15)
        vhost = Vhost(*sockets(1), env={**os.environ, "NOTIFY_SOCKET": path})
        said = listener.recv(4096).decode()
        lab.expect("READY=1" in said.splitlines(), said)
        vhost.ready()
        _kill(vhost, signal.SIGTERM, 0)
    os.unlink(path)


@lab.test("TAP_NAME, HOST_IP and the option that wins over it")
def environment():
    before = lab.host_state()
    vhost = Vhost(*sockets(1)[:1], f"{lab.SCRATCH}/guest0.sock", "--tap", "fromoption",
                  env={**os.environ, "TAP_NAME": "fromenv", "HOST_IP": "172.31.9.1"}).ready()
    state = lab.host_state()
    lab.expect("fromoption" in state["links"] and "fromenv" not in state["links"], f"{state}")
    lab.expect("fromoption 172.31.9.1/24" in state["addresses"], f"{state['addresses']}")
    _kill(vhost, signal.SIGTERM, 0)
    lab.expect_same(before, lab.host_state())


@lab.test("--nat kernel masquerades the whole LAN; --uplink none builds nothing on the host")
def kinds():
    before = lab.host_state()
    vhost = Vhost(*sockets(1), "--nat", "kernel").ready()
    rules = lab.host_state()["rules"]
    lab.expect(re.search(r"172\.16\.0\.0/24.*masquerade", rules), rules)
    _kill(vhost, signal.SIGTERM, 0)
    vhost = Vhost(*sockets(1), "--uplink", "none").ready()
    lab.expect_same(before, lab.host_state(), but=("files", "processes"))
    _kill(vhost, signal.SIGTERM, 0)
    lab.expect_same(before, lab.host_state())


@lab.test("two networks side by side")
def side_by_side():
    before = lab.host_state()
    first = Vhost(*sockets(1)).ready()
    second = Vhost("--name", "second", "--socket", f"{lab.SCRATCH}/second.sock", "--tap", "tap1",
                   "--host-ip", "172.17.0.1/24", name="second").ready()
    state = lab.host_state()
    lab.expect({"tap0", "tap1"} <= set(state["links"]), f"{state['links']}")
    _kill(first, signal.SIGTERM, 0)
    state = lab.host_state()
    lab.expect("tap1" in state["links"] and "172.17.0.254" in state["rules"], f"{state}")
    lab.expect(state["forwarding"] == "1", "the first took the second's forwarding away")
    _kill(second, signal.SIGTERM, 0)
    lab.expect_same(before, lab.host_state())


if __name__ == "__main__":
    lab.main(180)
