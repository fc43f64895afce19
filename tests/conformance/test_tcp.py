#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""TCP connections: RFC 5382 REQ-2 and REQ-4."""
import time

import lab
from path import ICMP, TCP, Raw, about, embedded, path, sound


def _out(p, sport, flags, seq, ack=0, data=b"", dport=80):
    seen = p.out(TCP(sport=sport, dport=dport, flags=flags, seq=seq, ack=ack) / Raw(data))
    sound(seen)
    lab.expect((seen[TCP].seq, seen[TCP].ack, str(seen[TCP].flags)) == (seq, ack, flags),
               f"changed: {seen.summary()}")
    lab.expect(bytes(seen[TCP].payload) == data, "the payload changed")
    return seen[TCP].sport


def _in(p, outside, sport, flags, seq, ack=0, data=b"", source_port=80):
    got = p.back(TCP(sport=source_port, dport=outside, flags=flags, seq=seq, ack=ack) / Raw(data))
    sound(got)
    lab.expect((got[TCP].seq, got[TCP].ack, str(got[TCP].flags)) == (seq, ack, flags),
               f"changed: {got.summary()}")
    lab.expect(got[TCP].dport == sport and bytes(got[TCP].payload) == data, got.summary())


@lab.test("rfc5382_req_2_initiated_inside: handshake, data both ways, urgent, retransmission, FINs")
def inside():
    p = path()
    outside = _out(p, 45000, "S", 100)
    lab.expect(_out(p, 45000, "S", 100) == outside, "the SYN again")
    _in(p, outside, 45000, "SA", 500, 101)
    _in(p, outside, 45000, "SA", 500, 101)
    for flags, seq, ack, data in (("A", 101, 501, b""), ("PA", 101, 501, b"hello"),
                                  ("PA", 101, 501, b"hello"), ("PAU", 106, 501, b"!")):
        _out(p, 45000, flags, seq, ack, data)
    _in(p, outside, 45000, "PA", 501, 107, b"world")
    _in(p, outside, 45000, "FPA", 506, 107, b"bye")
    _out(p, 45000, "PA", 107, 510, b"after your FIN")
    _out(p, 45000, "FA", 121, 510)
    _in(p, outside, 45000, "A", 510, 122)


@lab.test("rfc5382_req_2_initiated_outside: the whole connection, where the filter permits it")
def outside():
    p = path("--nat-filter", "endpoint-independent")
    port = _out(p, 45001, "S", 1)  # makes the mapping
    _in(p, port, 45001, "S", 700, source_port=5555)
    _out(p, 45001, "SA", 300, 701, dport=5555)
    _in(p, port, 45001, "A", 701, 301, source_port=5555)
    _in(p, port, 45001, "PA", 701, 301, b"hello", source_port=5555)
    _out(p, 45001, "PA", 301, 706, b"world", dport=5555)
    p.forward(7000)  # it is established
    _in(p, port, 45001, "FA", 706, 306, source_port=5555)
    _out(p, 45001, "FA", 306, 707, dport=5555)
    _in(p, port, 45001, "A", 707, 307, source_port=5555)


@lab.test("rfc5382_req_2a_simultaneous_open: SYNs cross, both SYN-ACKs pass, the data follows")
def simultaneous():
    p = path()
    port = _out(p, 45002, "S", 100)
    _in(p, port, 45002, "S", 500)
    _out(p, 45002, "SA", 100, 501)
    _in(p, port, 45002, "SA", 500, 101)
    _out(p, 45002, "PA", 101, 501, b"hello")
    p.forward(7000)
    _in(p, port, 45002, "PA", 501, 106, b"world")


@lab.test("rfc5382_req_2_new_connection_on_old_ports: a SYN after both FINs begins anew")
def again():
    p = path()
    port = _out(p, 45003, "S", 100)
    _in(p, port, 45003, "SA", 500, 101)
    _out(p, 45003, "FA", 101, 501)
    _in(p, port, 45003, "FA", 501, 102)
    lab.expect(_out(p, 45003, "S", 9000) == port, "another port")
    _in(p, port, 45003, "SA", 7000, 9001)
    _out(p, 45003, "A", 9001, 7001)
    p.forward(7000)
    _in(p, port, 45003, "PA", 7001, 9001, b"established")


@lab.test("rfc5382_req_2_no_stray_segments: without a session neither data nor RST opens one")
def stray():
    p = path()
    for flags in ("SA", "FA", "R"):
        p.no_out(TCP(sport=45004, dport=80, flags=flags, seq=1, ack=1))
    for flags in ("A", "SA", "FA", "R"):
        p.no_back(TCP(sport=80, dport=45004, flags=flags, seq=1, ack=1))


def _held(p, sport):
    """An unsolicited SYN to the mapping of another remote's; returns it."""
    port = _out(p, sport, "S", 1)
    syn = p.made_back(TCP(sport=5555, dport=port, flags="S", seq=4242), "198.51.100.99")
    p.far.send(syn)
    p.fence()
    return port, syn


@lab.test("rfc5382_req_4_unsolicited_syn: silence for 6 s, then a port unreachable about it")
def unsolicited():
    p = path()
    _, syn = _held(p, 45005)
    p.forward(5.9)
    p.fence()
    p.near[0].refuse(lambda got: got.id == syn.id, "the SYN")
    p.far.refuse(about(syn), "an error before its time")
    p.forward(0.2)
    error = p.far.expect(about(syn, 3, 3), "the error after 6 s")
    sound(error)
    lab.expect(error.src == p.outside and error.dst == syn.src, error.summary())
    data = embedded(error)
    lab.expect(data[12:28] == bytes(syn)[12:28], f"not about that SYN: {data.hex()}")


@lab.test("rfc5382_req_4_wanted_meanwhile: an outbound SYN within 6 s, and there is no error")
def wanted():
    p = path()
    port, syn = _held(p, 45006)
    p.forward(3)
    seen = p.out(TCP(sport=45006, dport=5555, flags="S", seq=1), "198.51.100.99")
    lab.expect(seen[TCP].sport == port, "another port")
    p.forward(3.2)
    # A SYN that is held after it is answered after it: the order tells that the first was not.
    _, later = _held(p, 45007)
    p.forward(6.1)
    p.far.expect(about(later, 3, 3), "the error about a later SYN")
    p.far.refuse(about(syn), "an error about a SYN that was answered")


@lab.test("rfc5382_req_4_syn_flood: thousands of SYNs are bounded, and no session is hurt")
def flood():
    p = path()
    port = _out(p, 45008, "S", 1)
    _in(p, port, 45008, "SA", 500, 2)
    began = time.monotonic()
    for number in range(3000):
        p.far.send(p.made_back(TCP(sport=1024 + number, dport=port, flags="S"), "198.51.100.98"))
    p.fence()
    # 64 are held for six seconds; a slow machine needs longer than that for the flood.
    most = 64 * (1 + int((time.monotonic() - began) / 6))
    p.forward(6.1)
    p.fence()
    p.fence()
    errors = 0
    while p.far.take(lambda got: ICMP in got and got.dst == "198.51.100.98", 0.2):
        errors += 1
    lab.expect(1 <= errors <= most, f"{errors} answers to a flood, not {most}")
    _out(p, 45008, "A", 2, 501)
    _in(p, port, 45008, "PA", 501, 2, b"alive")


if __name__ == "__main__":
    lab.main(120)
