#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
The way out moves (Wi-Fi to Ethernet, a VPN): a guest's traffic goes on over the new interface, on a
network by vhost-user, on a TAP, and on one that `chnet setup` made.

The guest asks the world again and again whom it sees. Whoever follows hears of a move by netlink;
there is no timer in either program that could take its place, and the limit here is only for what
hangs. The delays that were measured are in the notes.
"""
import contextlib
import socket
import statistics
import threading
import time

import lab
from chnet import Run, chnet, monitors, state
from wire import NamespaceGuest

MOVES = 10
LIMIT_S = 20

# A second way out of `host`: interface, the host's address there, the gateway.
OTHER, OTHER_ADDRESS, OTHER_GATEWAY = "other", "198.18.0.2", "198.18.0.1"
WAYS = {
    "outside": (lab.HOST_OUTSIDE, lab.WORLD_GATEWAY),
    OTHER: (OTHER_ADDRESS, OTHER_GATEWAY),
}


class Mirror:
    """Answers each datagram in the world with itself, and with whom it came from."""

    def __init__(self):
        with lab.inside("world"):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.bind((lab.WORLD_SERVER, 4000))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            data, client = self._socket.recvfrom(64)
            self._socket.sendto(data + b" " + client[0].encode(), client)


class Asker:
    """One flow of the guest's, from first to last."""

    def __init__(self, guest):
        with lab.inside(guest.namespace):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((lab.WORLD_SERVER, 4000))
        self._socket.settimeout(0.005)
        self.number = 0

    def ask(self):
        """Whom the world sees; None when no answer came in 5 ms."""
        self.number += 1
        try:
            self._socket.send(b"%d" % self.number)
            while True:
                number, _, client = self._socket.recv(64).decode().partition(" ")
                if int(number) == self.number:
                    return client
        except OSError:  # no answer in time, or an ICMP error while there is no way
            return None

    def wait_seen_as(self, address):
        """Asks until the world sees the guest as that; returns the seconds that it took."""
        start = time.monotonic()
        while time.monotonic() < start + LIMIT_S:
            if self.ask() == address:
                return time.monotonic() - start
        raise lab.Failure(f"not seen as {address} within {LIMIT_S} s")

    def close(self):
        self._socket.close()


def ip(*words):
    lab.run("ip", "-n", "host", *words)


def default_by(interface):
    ip("route", "replace", "default", "via", WAYS[interface][1])


def moves(asker):
    """The default route moves there and back; the note has the delays."""
    delays = []
    asker.wait_seen_as(lab.HOST_OUTSIDE)
    for number in range(MOVES):
        interface = (OTHER, "outside")[number % 2]
        default_by(interface)
        delays.append(1000 * asker.wait_seen_as(WAYS[interface][0]))
    return (f"{MOVES} moves, until the guest had an answer by the new way: median "
            f"{statistics.median(delays):.1f} ms, longest {max(delays):.1f} ms")


def unplugged(asker):
    """The interface goes down, and its routes with it; another default route was in waiting."""
    ip("route", "add", "default", "via", OTHER_GATEWAY, "metric", "200")
    ip("link", "set", "outside", "down")
    asker.wait_seen_as(OTHER_ADDRESS)
    ip("link", "set", "outside", "up")
    ip("route", "add", "default", "via", lab.WORLD_GATEWAY)
    asker.wait_seen_as(lab.HOST_OUTSIDE)
    ip("route", "del", "default", "via", OTHER_GATEWAY, "metric", "200")


def by_a_rule(asker):
    """A VPN's way (wg-quick): the main table stays, but another one has the default route."""
    ip("route", "add", "default", "via", OTHER_GATEWAY, "table", "100")
    ip("rule", "add", "priority", "99", "lookup", "main", "suppress_prefixlength", "0")
    ip("rule", "add", "priority", "100", "lookup", "100")
    asker.wait_seen_as(OTHER_ADDRESS)
    ip("rule", "del", "priority", "100")
    ip("rule", "del", "priority", "99")
    asker.wait_seen_as(lab.HOST_OUTSIDE)
    ip("route", "flush", "table", "100")


def furnish():
    ip("link", "add", OTHER, "type", "veth", "peer", "name", "far", "netns", "world")
    lab.run("ip", "-n", "world", "address", "add", f"{OTHER_GATEWAY}/24", "dev", "far")
    lab.run("ip", "-n", "world", "link", "set", "far", "up")
    ip("address", "add", f"{OTHER_ADDRESS}/24", "dev", OTHER)
    ip("link", "set", OTHER, "up")
    Mirror()


@contextlib.contextmanager
def asking(*options):
    """A VM whose guest asks."""
    guest = NamespaceGuest(0)
    run = Run(*options, kernel="wire").wired(guest)
    asker = Asker(guest)
    try:
        yield asker
        run.end()
    finally:
        asker.close()
        run.kill()
        guest.close()
        lab.wait_gone(monitors())


def follows(*options, names_it=True):
    with asking(*options) as asker:
        note = moves(asker)
        rules = state()["rules"]
        lab.expect(('oifname "outside"' in rules) == names_it, rules)
        unplugged(asker)
        by_a_rule(asker)
    return note


@lab.test("vhost-user: a guest's flow goes on by the new way, however it moved")
def vhost_user():
    furnish()
    before = state()
    note = follows("--vhost-user")
    lab.expect_same(before, state())
    return note


@lab.test("TAP: the same")
def tap():
    before = state()
    note = follows("--tap")
    lab.expect_same(before, state())
    return note


@lab.test("chnet setup: the same, by rules that name no interface, with nobody there to follow")
def setup():
    before = state()
    chnet("setup")
    note = follows("--tap", names_it=False)
    chnet("cleanup")
    lab.expect_same(before, state())
    return note


if __name__ == "__main__":
    lab.main(200)
