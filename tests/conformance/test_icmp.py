#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ICMP errors and queries: RFC 5508, RFC 4787 REQ-12, RFC 5382 REQ-9 and REQ-10."""
import lab
from path import (ICMP, IP, REMOTE, TCP, UDP, Raw, about, embedded, number, path, same, sound)

from scapy.layers.inet import IPOption_NOP, IPOption_RR

ROUTER = "192.0.2.77"


def _l4(kind, sport):
    return {"udp": UDP(sport=sport, dport=7000) / Raw(b"payload"),
            "tcp": TCP(sport=sport, dport=80, flags="S", seq=77),
            "icmp": ICMP(id=sport, seq=3) / Raw(b"payload")}[kind]


def _error_in(p, seen, icmp, source=ROUTER, cut=None, **ip):
    """An error from the world about a packet as it was seen there; returns it."""
    error = IP(bytes(IP(src=source, dst=p.outside, id=number(), **ip) / icmp / bytes(seen)[:cut]))
    p.far.send(error)
    return error


def _judge_in(p, sent, seen, icmp, cut=None):
    """The guest gets that error, with the packet that it sent."""
    _error_in(p, seen, icmp, cut=cut)
    got = p.near[0].expect(about(sent, icmp.type, icmp.code), f"{icmp.summary()}")
    if cut is None or cut % 2 == 0:
        sound(got)
    lab.expect(got.src == ROUTER and got.dst == p.near[0].address, got.summary())
    data, was = embedded(got), bytes(sent)
    # TTL and the header's checksum are those of the world.
    end = min(len(data), len(was)) if cut is None else cut
    lab.expect(data[:8] == was[:8] and data[12:end] == was[12:end],
               f"not what was sent:\n{was.hex()}\n{data.hex()}")
    return got


@lab.test("rfc5508_req_4_errors_in: outer and embedded headers and checksums are the guest's own")
def errors_in():
    p = path()
    for kind in ("udp", "tcp", "icmp"):
        sent = p.made_out(_l4(kind, 45000))
        p.near[0].send(sent)
        seen = p.far.expect(same(sent), kind)
        for icmp in (ICMP(type=3, code=1), ICMP(type=3, code=3),
                     ICMP(type=3, code=4, nexthopmtu=1400), ICMP(type=11, code=0),
                     ICMP(type=12, code=0, ptr=9)):
            got = _judge_in(p, sent, seen, icmp)
            lab.expect(bytes(got[ICMP])[4:8] == bytes(icmp)[4:8], "pointer or MTU changed (REQ-4b)")


@lab.test("rfc5508_req_4_not_kept_ports: the same when the guest's port was replaced")
def replaced():
    p = path()
    for kind in ("udp", "tcp", "icmp"):
        p.out(_l4(kind, 45001), guest=1)
        sent = p.made_out(_l4(kind, 45001))
        p.near[0].send(sent)
        seen = p.far.expect(same(sent), kind)
        _judge_in(p, sent, seen, ICMP(type=3, code=3))
        _judge_in(p, sent, seen, ICMP(type=11, code=0), cut=28)


@lab.test("rfc5508_req_4_no_mapping: an error about nobody's packet is dropped, and counted")
def nobody():
    p = path()
    before = p.dropped("nat_icmp_error")
    stray = IP(src=p.outside, dst=REMOTE, id=number()) / UDP(sport=45002, dport=7000)
    _error_in(p, stray, ICMP(type=3, code=3))
    seen = p.out(_l4("udp", 45003))
    other = seen.copy()
    other.id, other[UDP].dport = number(), 7001  # no session with that remote
    del other.chksum, other[UDP].chksum
    _error_in(p, other, ICMP(type=3, code=3))
    p.fence()
    p.fence(1)
    for near in p.near:
        near.refuse(lambda got: ICMP in got, "an error about nobody's packet")
    lab.expect(p.dropped("nat_icmp_error") == before + 2, f"{p.counters()}")


@lab.test("rfc5508_req_3_bad_checksums: of the ICMP message, and (3a) of the embedded IP header")
def checksums():
    p = path()
    seen = p.out(_l4("udp", 45004))
    error = _error_in(p, seen, ICMP(type=3, code=3, chksum=0x1234))
    bad = bytearray(bytes(seen))
    bad[10] ^= 0x55
    _error_in(p, IP(bytes(bad)), ICMP(type=3, code=3))
    p.fence()
    p.near[0].refuse(lambda got: ICMP in got, f"an error with a wrong checksum: {error.summary()}")


@lab.test("rfc5508_req_3b_embedded_options: the transport header behind IP options is found")
def options():
    p = path()
    l4 = _l4("udp", 45005)
    sent = p.made_out(l4, options=[IPOption_RR(length=7, pointer=4, routers=["0.0.0.0"]),
                                   IPOption_NOP()])
    p.near[0].send(sent)
    seen = p.far.expect(same(sent), "a packet with options")
    sound(seen)
    _error_in(p, seen, ICMP(type=3, code=3))
    got = p.near[0].expect(about(sent, 3, 3), "the error")
    sound(got)
    lab.expect(embedded(got)[12:20] == bytes(sent)[12:20] and embedded(got)[28:] == bytes(sent)[28:],
               "not what was sent")


@lab.test("rfc5508_req_3c_embedded_transport_checksum: a wrong one is no reason to drop")
def transport():
    p = path()
    seen = p.out(_l4("udp", 45006))
    seen[UDP].chksum ^= 0x00ff
    _error_in(p, seen, ICMP(type=3, code=3))
    sound(p.near[0].expect(about(seen, 3, 3), "the error"))


@lab.test("rfc5508_req_3d_extensions: padding and RFC 4884 extensions behind it arrive untouched")
def extensions():
    p = path()
    seen = p.out(_l4("udp", 45007))
    tail = bytes(128 - len(bytes(seen))) + bytes.fromhex("2000dfff" "00080101deadbeef")
    packet = IP(src=ROUTER, dst=p.outside, id=number()) / ICMP(type=11, code=0, length=32) / (
        bytes(seen) + tail)
    p.far.send(packet)
    got = p.near[0].expect(about(seen, 11), "the error")
    sound(got)
    lab.expect(bytes(got).endswith(tail), "the extension changed")


@lab.test("rfc5508_req_5_errors_out: from the guest, as if the outside address had sent them")
def errors_out():
    p = path()
    for kind, back in (("udp", lambda port: UDP(sport=7000, dport=port) / Raw(b"in")),
                       ("tcp", lambda port: TCP(sport=80, dport=port, flags="SA")),
                       ("icmp", lambda port: ICMP(type=0, id=port) / Raw(b"in"))):
        p.out(_l4(kind, 45008), guest=1)
        seen = p.out(_l4(kind, 45008))
        sent = p.made_back(back(seen[ICMP].id if kind == "icmp" else seen.sport))
        p.far.send(sent)
        got = p.near[0].expect(same(sent), kind)
        p.near[0].send(IP(src=p.near[0].address, dst=REMOTE, id=number()) /
                       ICMP(type=3, code=3) / bytes(got))
        error = p.far.expect(about(sent, 3, 3), f"the guest's error about {kind}")
        sound(error)
        lab.expect(error.src == p.outside and error.dst == REMOTE, error.summary())
        data = embedded(error)
        lab.expect(data[12:] == bytes(sent)[12:],
                   f"{kind}: not what was sent:\n{bytes(sent).hex()}\n{data.hex()}")


@lab.test("rfc5508_req_5_no_mapping: a guest's error about nobody's packet is dropped")
def out_nobody():
    p = path()
    before = p.dropped("nat_icmp_error")
    stray = IP(src=REMOTE, dst=p.near[0].address, id=number()) / UDP(sport=7000, dport=45009)
    p.near[0].send(IP(src=p.near[0].address, dst=REMOTE, id=number()) /
                   ICMP(type=3, code=3) / stray)
    p.fence()
    p.far.refuse(lambda seen: ICMP in seen, "an error about nobody's packet")
    lab.expect(p.dropped("nat_icmp_error") == before + 1, f"{p.counters()}")


@lab.test("rfc4787_req_12_no_termination: no ICMP error of any kind ends a mapping")
def no_termination():
    p = path()
    seen = p.out(_l4("udp", 45010))
    for kind, codes in ((3, range(16)), (11, (0, 1)), (12, (0,)), (4, (0,)), (5, (1,))):
        for code in codes:
            _error_in(p, seen, ICMP(type=kind, code=code), source=REMOTE)
    p.fence()
    p.udp_back(seen[UDP].sport, 45010)
    lab.expect(p.udp(45010, "198.51.100.20") == seen[UDP].sport, "another mapping")


@lab.test("rfc5382_req_10_no_termination: TCP lives on after errors; REQ-9: type 3 is translated")
def tcp_no_termination():
    p = path()
    sent = p.made_out(TCP(sport=45011, dport=80, flags="S"))
    p.near[0].send(sent)
    seen = p.far.expect(same(sent), "SYN")
    for code in range(16):
        _judge_in(p, sent, seen, ICMP(type=3, code=code))
    sound(p.back(TCP(sport=80, dport=seen[TCP].sport, flags="SA", ack=1)))
    sound(p.out(TCP(sport=45011, dport=80, flags="A", seq=1, ack=1)))


@lab.test("rfc4787_req_12a_any_source: an error from a router on the way is let in")
def any_source():
    p = path("--nat-filter", "address-and-port")
    sent = p.made_out(_l4("udp", 45012))
    p.near[0].send(sent)
    _judge_in(p, sent, p.far.expect(same(sent), "UDP"), ICMP(type=3, code=1))


@lab.test("rfc5508_req_10_queries: echo and timestamp, out and back")
def queries():
    p = path()
    for request, reply in ((8, 0), (13, 14)):
        seen = p.out(ICMP(type=request, id=45013, seq=9))
        sound(seen)
        got = p.back(ICMP(type=reply, id=seen[ICMP].id, seq=9))
        sound(got)
        lab.expect(got[ICMP].id == 45013 and got[ICMP].seq == 9, got.summary())


@lab.test("rfc5508_req_11_non_query_errors: redirects, quenches and the like are dropped both ways")
def non_query():
    p = path()
    seen = p.out(_l4("udp", 45014))
    for kind in (4, 5, 9, 10, 15, 17, 18):
        _error_in(p, seen, ICMP(type=kind, code=1 if kind == 5 else 0), source=REMOTE)
        p.no_out(ICMP(type=kind, code=0) / Raw(bytes(28)))
    p.fence()
    p.near[0].refuse(lambda got: ICMP in got, "a message that no guest should believe")


if __name__ == "__main__":
    lab.main(120)
