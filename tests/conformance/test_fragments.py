#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
IPv4 fragments: RFC 4787 REQ-14. Judged at the TAP, since the host's connection tracking puts
fragments together that pass it, and once through the host.
"""
import itertools
import os

import lab
from path import (ICMP, IP, REMOTE, TCP, UDP, Raw, assemble, behind_the_host, fragments, path,
                  sound)

PAYLOAD = os.urandom(3000)


def _kinds(sport, to_port=None):
    """What may be cut: (name, transport header and data)."""
    return (("udp", UDP(sport=sport, dport=to_port or 7000) / Raw(PAYLOAD)),
            ("tcp", TCP(sport=sport, dport=to_port or 80, flags="S") / Raw(PAYLOAD)),
            ("icmp", ICMP(id=sport, seq=1) / Raw(PAYLOAD)))


def _judge(got, src, dst, payload=PAYLOAD):
    sound(got)
    lab.expect((got.src, got.dst) == (src, dst), got.summary())
    lab.expect(bytes(got)[-len(payload):] == payload, "the payload changed")


def _out(p, l4, order, guest=0):
    """A datagram out in three fragments, in that order; returns it whole as the judge sees it."""
    pieces = fragments(p.made_out(l4, guest=guest), 1000, 2000)
    for index in order:
        p.near[guest].send(pieces[index])
    got = assemble(p.far, lambda seen: seen.proto == pieces[0].proto, "the fragments")
    _judge(got, p.outside, REMOTE)
    return got


def _back(p, l4, order, guest=0):
    pieces = fragments(p.made_back(l4), 1000, 2000)
    for index in order:
        p.far.send(pieces[index])
    got = assemble(p.near[guest], lambda seen: seen.id == pieces[0].id, "the fragments")
    _judge(got, REMOTE, p.near[guest].address)
    return got


@lab.test("rfc4787_req_14_out_any_order: UDP, TCP and ICMP in all orders of three fragments")
def out_any_order():
    p = path(place="tap")
    for order in itertools.permutations(range(3)):
        for _, l4 in _kinds(45000):
            _out(p, l4, order)


@lab.test("rfc4787_req_14_in_any_order: the same from the world")
def in_any_order():
    p = path(place="tap")
    port = p.udp(45001, guest=1)
    p.out(TCP(sport=45001, dport=80, flags="S"), guest=1)
    p.out(ICMP(id=45001), guest=1)
    for order in itertools.permutations(range(3)):
        got = _back(p, UDP(sport=7000, dport=port) / Raw(PAYLOAD), order, 1)
        lab.expect(got[UDP].dport == 45001, got.summary())
        _back(p, TCP(sport=80, dport=45001, flags="SA") / Raw(PAYLOAD), order, 1)
        _back(p, ICMP(type=0, id=45001) / Raw(PAYLOAD), order, 1)


@lab.test("rfc4787_req_14_replaced_port: fragments of a guest whose port is another outside")
def replaced():
    p = path(place="tap")
    p.udp(45002, guest=1)
    got = _out(p, UDP(sport=45002, dport=7000) / Raw(PAYLOAD), (2, 1, 0))
    port = got[UDP].sport
    lab.expect(port != 45002, "both guests have the port")
    got = _back(p, UDP(sport=7000, dport=port) / Raw(PAYLOAD), (2, 0, 1))
    lab.expect(got[UDP].dport == 45002, got.summary())


@behind_the_host("rfc4787_req_14_through_the_host: 3,000 bytes there and back")
def through_the_host(place):
    p = path(place=place)
    got = _out(p, UDP(sport=45003, dport=7000) / Raw(PAYLOAD), (0, 1, 2))
    _back(p, UDP(sport=7000, dport=got[UDP].sport) / Raw(PAYLOAD), (0, 1, 2))
    got = _out(p, UDP(sport=45003, dport=7000) / Raw(PAYLOAD), (2, 1, 0))
    _back(p, UDP(sport=7000, dport=got[UDP].sport) / Raw(PAYLOAD), (2, 1, 0))


@lab.test("rfc7857_9_identification: two guests that chose the same one do not share it outside")
def identification():
    p = path(place="tap")
    seen = []
    for guest in (0, 1):
        packet = p.made_out(UDP(sport=45004 + guest, dport=7000) / Raw(PAYLOAD), guest=guest)
        packet.id = 4711
        for piece in fragments(packet, 1000, 2000):
            p.near[guest].send(piece)
        seen.append(assemble(p.far, lambda got: got.proto == 17, "the fragments").id)
    lab.expect(seen[0] != seen[1], f"both have {seen}")


@lab.test("fragment_overlap: what overlaps the first fragment, or is a second first, is dropped")
def overlap():
    p = path(place="tap")
    before = p.dropped("nat_fragment")
    packet = p.made_out(UDP(sport=45006, dport=7000) / Raw(PAYLOAD))
    first, second, last = fragments(packet, 1000, 2000)
    p.near[0].send(first)
    teardrop = second.copy()
    teardrop.frag = 4  # over the UDP data of the first
    del teardrop.chksum
    other = bytearray(bytes(first))
    other[20:22] = (45007).to_bytes(2, "big")
    p.near[0].send(teardrop)
    p.near[0].send(IP(bytes(other)))
    p.near[0].send(second)
    p.near[0].send(last)
    _judge(assemble(p.far, lambda got: got.proto == 17, "the fragments"), p.outside, REMOTE)
    lab.expect(p.dropped("nat_fragment") == before + 2, f"{p.counters()}")


@lab.test("fragment_wait_is_bounded: early ones wait 2 s for their first, then they are gone")
def wait():
    p = path(place="tap")
    first, second, last = fragments(p.made_out(UDP(sport=45008, dport=7000) / Raw(PAYLOAD)),
                                    1000, 2000)
    p.near[0].send(last)
    p.fence()
    p.forward(2.1)
    p.near[0].send(second)
    p.near[0].send(first)
    p.fence()
    p.fence()  # what waited comes out behind the burst that its first fragment came in
    ports = [got for got in p.far.inbox if got.proto == 17]
    lab.expect(len(ports) == 2 and not any(got.frag == 250 for got in ports),
               f"the one that waited too long: {[got.summary() for got in ports]}")


@lab.test("rfc4787_req_14a_flood: 5,000 early fragments cost a counter; whole packets and fragments "
          "in order pass")
def flood():
    p = path(place="tap")
    before = p.dropped("nat_fragment")
    piece = fragments(p.made_back(UDP(sport=7000, dport=45009) / Raw(PAYLOAD)), 1000, 2000)[1]
    port = p.udp(45009)
    for count in range(5000):
        piece.id = 1 + count
        del piece.chksum
        p.far.send(piece)
        if count % 1000 == 999:
            p.udp_back(port, 45009)
            _back(p, UDP(sport=7000, dport=port) / Raw(PAYLOAD), (0, 1, 2))
            _out(p, UDP(sport=45009, dport=7000) / Raw(PAYLOAD), (0, 1, 2))
    p.fence()
    lab.expect(p.dropped("nat_fragment") - before > 4000, f"{p.counters()}")
    p.forward(40)
    p.fence()
    _back(p, UDP(sport=7000, dport=port) / Raw(PAYLOAD), (2, 1, 0))


if __name__ == "__main__":
    lab.main(120)
