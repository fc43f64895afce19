#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The way to the world: forwarded ports, and a host whose address and MTU change meanwhile."""
import socket

import lab
from vhost import Vhost, sockets
from wire import WireGuest

HOST, WORLD = lab.HOST_OUTSIDE, lab.WORLD_GATEWAY
MOVED = HOST.rsplit(".", 1)[0] + ".77"
BLOCK = ("--outside-ports", "40000-49999")
FORWARD = ("--forward", "tcp:8080-8089=172.16.0.2:80-89")
LIMIT_S = 10

_running = {}


def network(*options):
    """chnet-vhost with two guests and these options; kept while the next case wants the same."""
    if _running.get("options") != options:
        if _running:
            for guest in _running["guests"]:
                guest.close()
            _running["vhost"].kill()
            _running["vhost"].wait()
        vhost = Vhost(*sockets(2), *options).ready()
        _running.update(options=options, vhost=vhost, guests=[WireGuest(0), WireGuest(1)])
    return _running["vhost"], _running["guests"]


def server(guest, port):
    listener = guest.socket(port=port, limit_s=LIMIT_S)
    listener.listen()
    return listener


def talk(connection, listener):
    """Sends both ways over a connection that was just made; returns whom the listener sees."""
    accepted, peer = listener.accept()
    with connection, accepted:
        accepted.settimeout(LIMIT_S)
        connection.sendall(b"question")
        lab.expect(accepted.recv(8) == b"question", "the question did not arrive")
        accepted.sendall(b"answer")
        lab.expect(connection.recv(6) == b"answer", "the answer did not arrive")
    return peer


def dial(namespace, to, source=None):
    with lab.inside(namespace):
        return socket.create_connection(to, LIMIT_S, source and (source, 0))


def forwards(*options):
    """A forwarded port, called from everywhere it must work."""
    _, guests = network(*FORWARD, *options)
    with server(guests[0], 83) as listener:
        lab.expect(talk(dial("world", (HOST, 8083)), listener)[0] == WORLD,
                   "the guest does not see the world's address")
        talk(dial("host", (HOST, 8083)), listener)
        talk(dial("host", ("127.0.0.1", 8083)), listener)
        talk(dial(guests[1].namespace, (HOST, 8083)), listener)
        talk(dial(guests[0].namespace, (HOST, 8083)), listener)
    with lab.inside("world"):
        try:
            socket.create_connection((HOST, 8090), LIMIT_S).close()
        except ConnectionRefusedError:
            return
    raise lab.Failure("a port that is not forwarded answers")


lab.test("a forwarded port is reached from the world, the host and the guests")(forwards)


@lab.test("the same with outside ports of our own")
def forwards_with_block():
    forwards(*BLOCK)


def seen_in_the_world(guest):
    """Connects from the guest to the world; returns who is seen there, and the largest segment."""
    with lab.inside("world"):
        listener = socket.create_server((WORLD, 0))
    listener.settimeout(LIMIT_S)
    with listener:
        connection = dial(guest.namespace, listener.getsockname())
        accepted, peer = listener.accept()
        with connection, accepted:
            return peer, accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


def hairpin(guests, host):
    """A guest reaches a neighbour's open port at the host's address."""
    with guests[0].socket(socket.SOCK_DGRAM, 41000) as one, \
            guests[1].socket(socket.SOCK_DGRAM, 41001) as other:
        one.sendto(b"let me in", (host, 41001))
        seen_in_the_world(guests[0])  # behind it on the same ring: it is through
        other.sendto(b"hello", (host, 41000))
        lab.expect(one.recvfrom(16) == (b"hello", (host, 41001)), "the neighbour has another name")


def move(old, new):
    """The host's address changes. Rules and NAT have followed when this returns."""
    vhost = _running["vhost"]
    lab.run("ip", "-n", "host", "address", "del", f"{old}/24", "dev", "outside")
    lab.run("ip", "-n", "host", "address", "add", f"{new}/24", "dev", "outside")
    lab.run("ip", "-n", "host", "route", "replace", "default", "via", WORLD)
    vhost.wait_line("the way out is now outside")


@lab.test("the host's address changes: guests go out and meet each other with the new one")
def moved():
    _, guests = network(*FORWARD, *BLOCK)
    hairpin(guests, HOST)
    (seen, port), _ = seen_in_the_world(guests[0])
    lab.expect(seen == HOST and 40000 <= port <= 49999, f"seen as {seen}:{port}")
    move(HOST, MOVED)
    (seen, port), _ = seen_in_the_world(guests[0])
    lab.expect(seen == MOVED and 40000 <= port <= 49999, f"seen as {seen}:{port}")
    hairpin(guests, MOVED)
    with server(guests[0], 84) as listener:
        talk(dial("world", (MOVED, 8084)), listener)
    move(MOVED, HOST)
    return f"as {MOVED}:{port}"


@lab.test("the MSS of connections is held to the MTU of the way out")
def mss():
    _, guests = network(*FORWARD, *BLOCK)
    _, before = seen_in_the_world(guests[0])
    lab.expect(before > 1400, f"{before} bytes with an MTU of 1500")
    lab.run("ip", "-n", "host", "link", "set", "outside", "mtu", 1300)
    limit = 1300 - 40
    # The monitor hears of it at once, the worker within a tick.
    for _ in range(100):
        _, after = seen_in_the_world(guests[0])
        if after <= limit:
            break
    lab.run("ip", "-n", "host", "link", "set", "outside", "mtu", 1500)
    lab.expect(limit - 20 <= after <= limit, f"{after} bytes with an MTU of 1300")
    return f"{before} bytes before, {after} after"


if __name__ == "__main__":
    lab.main(180)
