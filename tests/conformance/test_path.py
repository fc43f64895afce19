#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
TTL and PMTU: what the host does as the router behind the gateway's address, and the NAT beside it
(RFC 4787 REQ-13, RFC 5508 section 7.1).
"""
import lab
from path import (ICMP, IP, REMOTE, TCP, UDP, Raw, about, assemble, behind_the_host, embedded,
                  number, path, same, sound)
from wire import GATEWAY

ROUTER = "192.0.2.77"
SMALL = 1300


def _probes(sport):
    return (UDP(sport=sport, dport=33434) / Raw(b"traceroute"), TCP(sport=sport, dport=80, flags="S"),
            ICMP(id=sport, seq=1) / Raw(b"traceroute"))


@behind_the_host("ttl_one_router: the host takes one, the NAT none, both ways")
def ttl(place):
    p = path(place=place)
    seen = p.out(UDP(sport=45000, dport=7000), ttl=64)
    got = p.back(UDP(sport=7000, dport=seen[UDP].sport), ttl=64)
    lab.expect((seen.ttl, got.ttl) == (63, 63), f"{seen.ttl} out, {got.ttl} in")
    p = path(place="tap")
    seen = p.out(UDP(sport=45000, dport=7000), ttl=64)
    got = p.back(UDP(sport=7000, dport=seen[UDP].sport), ttl=64)
    lab.expect((seen.ttl, got.ttl) == (64, 64), f"{seen.ttl} out, {got.ttl} in")


@behind_the_host("ttl_traceroute: the gateway once, then the path behind it, then the target")
def traceroute(place):
    p = path(place=place)
    for l4 in _probes(45001):
        hops = []
        for distance in (1, 2, 3):
            sent = p.made_out(l4, ttl=distance)
            p.near[0].send(sent)
            if distance > 1:
                seen = p.far.expect(same(sent), f"a probe of {distance}")
                lab.expect(seen.ttl == distance - 1, f"TTL {distance} arrives as {seen.ttl}")
                source, icmp = ((ROUTER, ICMP(type=11, code=0)), (REMOTE, ICMP(type=3, code=3)))[
                    distance - 2]
                p.far.send(IP(src=source, dst=p.outside, id=number()) / icmp / bytes(seen)[:28])
            error = p.near[0].expect(about(sent), f"hop {distance}")
            sound(error)
            data = embedded(error)
            lab.expect(data[12:28] == bytes(sent)[12:28], f"hop {distance}: {data.hex()}")
            hops.append((error.src, error[ICMP].type))
        lab.expect(hops == [(GATEWAY, 11), (ROUTER, 11), (REMOTE, 3)], f"{hops}")


def _narrow(mtu):
    """The host's way out takes no longer packets than that."""
    lab.run("ip", "link", "set", "outside", "mtu", mtu, namespace="host")


@behind_the_host("rfc4787_req_13_too_big: DF and a narrower hop: the error, with that hop's MTU")
def too_big(place):
    p = path(place=place)
    _narrow(SMALL)
    try:
        sent = p.made_out(UDP(sport=45002, dport=7000) / Raw(bytes(1400)), flags="DF")
        p.near[0].send(sent)
        error = p.near[0].expect(about(sent, 3, 4), "fragmentation needed")
        sound(error)
        lab.expect(error[ICMP].nexthopmtu == SMALL, f"MTU {error[ICMP].nexthopmtu}")
        lab.expect(embedded(error)[12:28] == bytes(sent)[12:28], "not about what was sent")
        p.fence()
        p.far.refuse(same(sent), "what is too long")
    finally:
        _narrow(1500)


@behind_the_host("rfc4787_req_13a_fragmented: without DF it arrives in fragments")
def cut(place):
    p = path(place=place)
    _narrow(SMALL)
    try:
        payload = bytes(range(250)) * 5
        p.near[0].send(p.made_out(UDP(sport=45003, dport=7000) / Raw(payload + payload[:150])))
        got = assemble(p.far, lambda seen: seen.proto == 17, "the fragments")
        sound(got)
        lab.expect(bytes(got[UDP].payload) == payload + payload[:150], "the payload changed")
    finally:
        _narrow(1500)


@behind_the_host("pmtu_from_the_world: the error of a router far away reaches the guest")
def far_away(place):
    p = path(place=place)
    sent = p.made_out(TCP(sport=45004, dport=80, flags="S"), flags="DF")
    p.near[0].send(sent)
    seen = p.far.expect(same(sent), "SYN")
    p.far.send(IP(src=ROUTER, dst=p.outside, id=number()) /
               ICMP(type=3, code=4, nexthopmtu=1200) / bytes(seen)[:28])
    error = p.near[0].expect(about(sent, 3, 4), "fragmentation needed")
    sound(error)
    lab.expect(error[ICMP].nexthopmtu == 1200, f"MTU {error[ICMP].nexthopmtu}")


def _mss(packet):
    return dict(packet[TCP].options)["MSS"]


@behind_the_host("pmtu_mss_clamp: both SYNs carry no more than the host's way out takes")
def mss(place):
    _narrow(SMALL)
    try:
        # A Path of its own: the way out is narrow when it starts.
        p = path("--log-level", "info", place=place)
        seen = p.out(TCP(sport=45005, dport=80, flags="S", options=[("MSS", 1460)]))
        sound(seen)
        lab.expect(_mss(seen) == SMALL - 40, f"MSS {_mss(seen)} out")
        got = p.back(TCP(sport=80, dport=seen[TCP].sport, flags="SA", options=[("MSS", 1460)]))
        sound(got)
        lab.expect(_mss(got) == SMALL - 40, f"MSS {_mss(got)} in")
        seen = p.out(TCP(sport=45006, dport=80, flags="S", options=[("MSS", 536)]))
        lab.expect(_mss(seen) == 536, "a smaller one was raised")
    finally:
        _narrow(1500)


if __name__ == "__main__":
    lab.main(120)
