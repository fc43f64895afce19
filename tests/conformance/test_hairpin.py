#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Guests that speak to each other through the outside address: RFC 4787 REQ-9, RFC 5382 REQ-8."""
import lab
from path import ICMP, IP, TCP, UDP, Raw, about, embedded, number, path, same, sound

OPEN = ("--nat-filter", "endpoint-independent")


def _across(p, l4, source=0, target=1):
    """A guest sends to the outside address; returns what the other guest sees."""
    packet = p.made_out(l4, p.outside, source)
    p.near[source].send(packet)
    got = p.near[target].expect(same(packet), f"hairpin {packet.summary()}")
    sound(got)
    return got


@lab.test("rfc4787_req_9_hairpinning: UDP to a neighbour's outside port arrives, and its answer")
def udp():
    p = path(*OPEN)
    ports = [p.udp(45000, guest=guest) for guest in (0, 1)]
    got = _across(p, UDP(sport=45000, dport=ports[1]) / Raw(b"to you"))
    lab.expect(got.dst == p.near[1].address and got[UDP].dport == 45000, got.summary())
    lab.expect(bytes(got[UDP].payload) == b"to you", "the payload changed")
    back = _across(p, UDP(sport=45000, dport=got[UDP].sport) / Raw(b"to you too"), 1, 0)
    lab.expect((back.src, back[UDP].sport, back[UDP].dport) == (p.outside, ports[1], 45000),
               back.summary())


@lab.test("rfc4787_req_9a_external_source: the neighbour sees the outside address and port")
def source():
    p = path(*OPEN)
    ports = [p.udp(45001, guest=guest) for guest in (0, 1)]
    got = _across(p, UDP(sport=45001, dport=ports[1]))
    lab.expect((got.src, got[UDP].sport) == (p.outside, ports[0]), got.summary())
    p.far.refuse(lambda seen: seen.id == got.id, "a hairpinned packet in the world")


@lab.test("rfc4787_req_9_self: a guest reaches its own mapping")
def myself():
    p = path(*OPEN)
    port = p.udp(45002)
    got = _across(p, UDP(sport=45003, dport=port), 0, 0)
    lab.expect(got.src == p.outside and got[UDP].dport == 45002, got.summary())


@lab.test("rfc4787_req_9_filtering: hairpinned packets pass the same filter as the world's")
def filtering():
    p = path()  # address-dependent
    ports = [p.udp(45004, guest=guest) for guest in (0, 1)]
    packet = p.made_out(UDP(sport=45004, dport=ports[1]), p.outside)
    p.near[0].send(packet)
    p.fence(0)
    p.fence(1)
    p.near[1].refuse(same(packet), "a hairpinned packet that nobody asked for")
    # The neighbour has now spoken to that address.
    first = p.made_out(UDP(sport=45004, dport=ports[0]), p.outside, 1)
    p.near[1].send(first)
    p.fence(1)
    _across(p, UDP(sport=45004, dport=ports[1]))


@lab.test("rfc5382_req_8_hairpinning: a whole TCP connection; REQ-8a: from the outside address")
def tcp():
    p = path(*OPEN)
    server = p.out(TCP(sport=45005, dport=80, flags="S"), guest=1)[TCP].sport
    got = _across(p, TCP(sport=45006, dport=server, flags="S", seq=1))
    lab.expect((got.src, got.dst, got[TCP].dport) == (p.outside, p.near[1].address, 45005),
               got.summary())
    client = got[TCP].sport
    got = _across(p, TCP(sport=45005, dport=client, flags="SA", seq=100, ack=2), 1, 0)
    lab.expect((got.src, got[TCP].sport, got[TCP].dport) == (p.outside, server, 45006),
               got.summary())
    _across(p, TCP(sport=45006, dport=server, flags="A", seq=2, ack=101))
    p.forward(7000)
    got = _across(p, TCP(sport=45006, dport=server, flags="PA", seq=2, ack=101) / Raw(b"hello"))
    lab.expect(bytes(got[TCP].payload) == b"hello", "the payload changed")
    _across(p, TCP(sport=45005, dport=client, flags="FA", seq=101, ack=7), 1, 0)


@lab.test("rfc5508_req_7_hairpinned_errors: outer and embedded addresses are the outside's")
def errors():
    p = path(*OPEN)
    ports = [p.udp(45007, guest=guest) for guest in (0, 1)]
    sent = p.made_out(UDP(sport=45007, dport=ports[1]) / Raw(b"who is there"), p.outside)
    p.near[0].send(sent)
    got = p.near[1].expect(same(sent), "the datagram")
    # Guest 1 has nobody at that port.
    p.near[1].send(IP(src=p.near[1].address, dst=got.src, id=number()) /
                   ICMP(type=3, code=3) / bytes(got))
    error = p.near[0].expect(about(sent, 3, 3), "the error")
    sound(error)
    lab.expect(error.src == p.outside and error.dst == p.near[0].address, error.summary())
    data = embedded(error)
    lab.expect(data[12:] == bytes(sent)[12:],
               f"not what was sent:\n{bytes(sent).hex()}\n{data.hex()}")


if __name__ == "__main__":
    lab.main(120)
