#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
The data plane is killed, again and again, at random moments, while the guest's connections are in
use: they go on, since the next data plane adopts the flow memory.

The guest is a network namespace behind wire.py, which connects again as Cloud Hypervisor does. A
kill comes when a random amount of data went by. (That no instruction is a bad one to die at is
shown by a unit test, flow_memory.)
"""
import os
import random
import re
import signal
import socket
import types

import lab
import world
from vhost import Vhost, sockets
from wire import WireGuest

KILLS = 24
MIB = 1024
MIB_BETWEEN = (2, MIB // KILLS - 2)  # so much goes by between two kills
REQUEST = f"GET / HTTP/1.1\r\nHost: {lab.WORLD_SERVER}\r\n\r\n".encode()

at = types.SimpleNamespace(random=random.Random())


@lab.test("a guest with a page, an idle connection and a UDP port")
def boot():
    world.gibibyte()
    at.web = world.WebServer("world", lab.WORLD_SERVER)
    at.echo = world.UdpEcho("world", lab.WORLD_SERVER)
    at.vhost = Vhost(*sockets(1)).ready()
    at.guest = WireGuest(0)
    at.idle = at.guest.socket()
    at.idle.connect((lab.WORLD_SERVER, 80))
    at.udp = at.guest.socket(socket.SOCK_DGRAM)
    _still_there()


def _named_sockets(pid):
    """{inode: state} of the local sockets with a path of ours in a process' network namespace."""
    with open(f"/proc/{pid}/net/unix", encoding="ascii") as table:
        words = [line.split() for line in table]
    return {row[6]: row[5] for row in words if row[-1].startswith(str(lab.SCRATCH))}


@lab.test("connections have lower descriptors than listening sockets (see low_descriptors.h)")
def descriptors():
    (pid,) = at.vhost.data_plane()
    # The kernel lists a connection where it was called from.
    states = {**_named_sockets(pid), **_named_sockets(at.guest.wire.pid)}
    found = {"01": [], "03": []}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        inode = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
        if inode and inode[1] in states:
            found[states[inode[1]]].append(int(fd))
    lab.expect(found["01"] and found["03"] and max(found["03"]) < min(found["01"]), f"{found}")


def _still_there():
    """Both sockets work, and the world sees the ports that it saw first."""
    at.idle.sendall(REQUEST)
    answer = b""
    while not answer.endswith(world.PAGE):
        part = at.idle.recv(4096)
        lab.expect(part, f"the idle connection ended after {answer}")
        answer += part
    at.udp.sendto(b"x", (lab.WORLD_SERVER, 7))
    lab.expect(at.udp.recv(10) == b"x", "another datagram")
    lab.expect(len(set(at.echo.clients)) == 1, f"seen: {at.echo.clients}")


def _resets(namespace):
    """TCP resets sent, and connections reset, in a namespace."""
    text = lab.run("cat", "/proc/thread-self/net/snmp", namespace=namespace)
    names, values = (line.split()[1:] for line in text.splitlines() if line.startswith("Tcp:"))
    table = dict(zip(names, map(int, values)))
    return table["OutRsts"], table["EstabResets"]


def _kill():
    """Kills the data plane; returns how many sessions the next one found."""
    (victim,) = at.vhost.data_plane()
    os.kill(victim, signal.SIGKILL)
    lab.wait_gone([victim])
    return int(at.vhost.wait_line(r"flow memory adopted with (\d+) sessions")[1])


def _kill_often(curl):
    """Kills it KILLS times while MIB mebibytes go by."""
    moved = 0
    for _ in range(KILLS):
        moved += at.random.randint(*MIB_BETWEEN)
        at.web.wait_moved(moved)
        lab.expect(_kill() >= 3, "sessions were lost")
    lab.expect(curl.popen.poll() is None, "the transfer was over before the last kill")


def _transfer(what, command):
    @lab.test(f"{what} goes on when the data plane is killed {KILLS} times, unchanged")
    def transfer():
        seed = int.from_bytes(os.urandom(4), "big")
        print(f"# random moments: seed {seed}", flush=True)
        at.random.seed(seed)
        at.web.moved = 0
        at.web.clients.clear()
        before = [_resets(name) for name in (at.guest.namespace, "world")]
        curl = lab.Process("curl", ["sh", "-c", command], namespace=at.guest.namespace)
        _kill_often(curl)
        lab.expect(curl.wait(60) == 0, f"{curl.lines}")
        found = re.search(r"\b[0-9a-f]{64}\b", "\n".join(curl.lines))
        lab.expect(found and found[0] == world.gibibyte(), f"{curl.lines}")
        lab.expect(len(at.web.clients) == 1, f"more than one connection: {at.web.clients}")
        after = [_resets(name) for name in (at.guest.namespace, "world")]
        lab.expect(after == before, f"TCP resets: {before}, then {after}")
        _still_there()


_transfer("a download", f"curl -sS http://{lab.WORLD_SERVER}/noise/{MIB} | sha256sum")
_transfer("an upload", f"curl -sS -T {world.GIBIBYTE} http://{lab.WORLD_SERVER}/")


if __name__ == "__main__":
    lab.main(180)
