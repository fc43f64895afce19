#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""IP protocols without ports that we know, by inside address: one guest at a time each."""
import lab
from path import ICMP, IP, REMOTE2, Raw, about, path, sound

GRE, ESP, AH, IPIP, SCTP = 47, 50, 51, 4, 132


@lab.test("protocols_opaque: GRE, ESP, AH, IPIP and SCTP out and back, nothing but addresses changed")
def opaque():
    p = path(place="tap")
    for protocol in (GRE, ESP, AH, IPIP, SCTP):
        data = bytes(range(64))
        seen = p.out(Raw(data), proto=protocol)
        sound(seen)
        lab.expect(seen.src == p.outside and bytes(seen.payload) == data, seen.summary())
        got = p.back(Raw(data[::-1]), proto=protocol)
        sound(got)
        lab.expect(got.dst == p.near[0].address and bytes(got.payload) == data[::-1], got.summary())


@lab.test("protocols_one_user: a second guest is refused, counted and told; it may when the first is "
          "done")
def one_user():
    p = path(place="tap")
    p.out(Raw(b"first"), proto=GRE)
    before = p.dropped("nat_protocol_busy")
    packet = p.made_out(Raw(b"second!!"), guest=1, proto=GRE)
    p.near[1].send(packet)
    p.near[1].expect(about(packet, 3, 13), "rfc5508_req_8: the error")
    p.fence()
    p.far.refuse(lambda seen: seen.proto == GRE, "the second guest's packet")
    lab.expect(p.dropped("nat_protocol_busy") == before + 1, f"{p.counters()}")
    p.out(Raw(b"another protocol"), guest=1, proto=ESP)
    p.back(Raw(b"to the first"), proto=GRE)
    p.forward(601)
    p.no_back(Raw(b"over"), proto=GRE)
    p.out(Raw(b"second"), guest=1, proto=GRE)


@lab.test("protocols_filter: another remote's packets are let in by the same rules")
def filtered():
    p = path(place="tap")
    p.out(Raw(b"tunnel"), proto=GRE)
    p.no_back(Raw(b"from elsewhere"), REMOTE2, proto=GRE)
    p.out(Raw(b"tunnel"), to=REMOTE2, proto=GRE)
    p.back(Raw(b"from there too"), REMOTE2, proto=GRE)


@lab.test("protocols_errors: an ICMP error about a tunnel's packet reaches its guest")
def errors():
    p = path(place="tap")
    sent = p.made_out(Raw(bytes(32)), proto=GRE)
    p.near[0].send(sent)
    seen = p.far.expect(lambda seen: seen.id == sent.id, "the tunnel's packet")
    p.far.send(p.made_back(ICMP(type=3, code=4, nexthopmtu=1400) / bytes(seen)))
    got = p.near[0].expect(about(sent, 3, 4), "fragmentation needed")
    sound(got)
    lab.expect(IP(bytes(got[ICMP].payload)).src == p.near[0].address, "not the guest's own")


if __name__ == "__main__":
    lab.main(120)
