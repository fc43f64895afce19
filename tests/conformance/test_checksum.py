#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checksums: RFC 1624, and what is left to the other side by virtio (partial checksums, TSO)."""
import random
import socket
import struct

import lab
from path import (ICMP, IP, REMOTE, TCP, UDP, Raw, behind_the_host, in4_chksum, path, same,
                  sound)

NEEDS_CSUM, GSO_NONE, GSO_TCPV4 = 1, 0, 1


def _l4_checksum(packet):
    """What its transport checksum ought to be (0 is not yet 0xffff)."""
    blank = packet.copy()
    blank[UDP].chksum = 0
    return in4_chksum(17, blank, bytes(blank[UDP]))


@lab.test("rfc1624_incremental: 300 random packets of each kind, all right, both ways")
def incremental():
    p = path()
    chance = random.Random(1624)
    p.udp(45000, guest=1)
    p.out(TCP(sport=45000, dport=80, flags="S"), guest=1)
    p.out(ICMP(id=45000), guest=1)
    port = p.udp(45000)
    for _ in range(300):
        data = Raw(chance.randbytes(chance.randrange(0, 64)))
        sound(p.out(UDP(sport=45000, dport=7000) / data))
        sound(p.back(UDP(sport=7000, dport=port) / data))
        seen = p.out(TCP(sport=45000, dport=80, flags="S", seq=chance.getrandbits(32),
                         window=chance.getrandbits(16)) / data)
        sound(seen)
        sound(p.back(TCP(sport=80, dport=seen[TCP].sport, flags="A", ack=chance.getrandbits(32)) /
                     data))
        seen = p.out(ICMP(id=45000, seq=chance.getrandbits(16)) / data)
        sound(seen)
        sound(p.back(ICMP(type=0, id=seen[ICMP].id, seq=chance.getrandbits(16)) / data))


@lab.test("rfc1624_corner: a UDP checksum that comes out as zero is sent as 0xffff")
def corner():
    p = path()
    port = p.udp(45001)
    seen = IP(src=p.outside, dst=REMOTE) / UDP(sport=port, dport=7000) / Raw(bytes(2))
    word = _l4_checksum(IP(bytes(seen)))
    seen = p.out(UDP(sport=45001, dport=7000) / Raw(word.to_bytes(2, "big")))
    lab.expect(seen[UDP].chksum == 0xffff, f"{seen[UDP].chksum:#06x}")
    got = IP(src=REMOTE, dst=p.near[0].address) / UDP(sport=7000, dport=45001) / Raw(bytes(2))
    word = _l4_checksum(IP(bytes(got)))
    got = p.back(UDP(sport=7000, dport=port) / Raw(word.to_bytes(2, "big")))
    lab.expect(got[UDP].chksum == 0xffff, f"{got[UDP].chksum:#06x}")


@lab.test("udp_no_checksum: 0 stays 0, both ways")
def zero():
    p = path()
    seen = p.out(UDP(sport=45002, dport=7000, chksum=0) / Raw(b"none"))
    got = p.back(UDP(sport=7000, dport=seen[UDP].sport, chksum=0) / Raw(b"none"))
    lab.expect((seen[UDP].chksum, got[UDP].chksum) == (0, 0), f"{seen[UDP].chksum} {got[UDP].chksum}")


@lab.test("rfc1624_wrong_stays_wrong: what was damaged before us is not repaired")
def wrong():
    p = path(place="tap")  # the host's own NAT, where it has one, drops such packets
    sent = p.made_out(UDP(sport=45003, dport=7000) / Raw(b"damaged"))
    sent[UDP].chksum ^= 0x0100
    p.near[0].send(sent)
    seen = p.far.expect(same(sent), "the datagram")
    right = seen[UDP].chksum
    lab.expect(_l4_checksum(seen) != right, "it was repaired")


def _partial(packet, field):
    """The packet with the sum of the pseudo-header alone, and the virtio-net header that says so."""
    l4 = bytes(packet.payload)
    pseudo = (socket.inet_aton(packet.src) + socket.inet_aton(packet.dst) +
              struct.pack("!HH", packet.proto, len(l4)))
    total = sum(struct.unpack("!6H", pseudo))
    total = (total & 0xffff) + (total >> 16)
    data = bytearray(bytes(packet))
    data[20 + field:22 + field] = total.to_bytes(2, "big")
    return bytes(data)


@behind_the_host("partial_out: a partial checksum is right when the kernel has completed it")
def partial_out(place):
    p = path(place=place, offloads=True)
    for l4, field in ((UDP(sport=45004, dport=7000) / Raw(b"partial"), 6),
                      (TCP(sport=45004, dport=80, flags="S") / Raw(b"partial!"), 16)):
        packet = p.made_out(l4)
        p.near[0].send(_partial(packet, field), (NEEDS_CSUM, GSO_NONE, 0, 0, 34, field, 0))
        seen = p.far.expect(same(packet), "a packet with a partial checksum")
        sound(seen)
        lab.expect(seen.src == p.outside, seen.summary())


@behind_the_host("partial_tso: every segment of a large frame has the outside source and is right")
def tso(place):
    p = path(place=place, offloads=True)
    p.out(TCP(sport=45005, dport=80, flags="S"), guest=1)  # takes the port
    seen = p.out(TCP(sport=45005, dport=80, flags="S", seq=1))
    port, data = seen[TCP].sport, bytes(range(250)) * 40
    p.back(TCP(sport=80, dport=port, flags="SA", ack=2))
    packet = p.made_out(TCP(sport=45005, dport=80, flags="A", seq=2, ack=1) / Raw(data))
    p.near[0].send(_partial(packet, 16), (NEEDS_CSUM, GSO_TCPV4, 54, 1448, 34, 16, 0))
    got = b""
    while len(got) < len(data):
        segment = p.far.expect(lambda seen: TCP in seen and len(seen[TCP].payload) > 0, "a segment")
        sound(segment)
        lab.expect((segment.src, segment[TCP].sport) == (p.outside, port) and
                   segment[TCP].seq == 2 + len(got) and len(segment) <= 1500, segment.summary())
        got += bytes(segment[TCP].payload)
    lab.expect(got == data, "the data changed")


@behind_the_host("partial_in: what the world's kernel left partial is right at the guest")
def partial_in(place):
    p = path(place=place, offloads=True)
    with lab.inside("world"):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with server:
        server.bind((lab.WORLD_SERVER, 7000))
        server.settimeout(10)
        packet = p.made_out(UDP(sport=45006, dport=7000) / Raw(b"hello"), lab.WORLD_SERVER)
        p.near[0].send(packet)
        _, client = server.recvfrom(100)
        lab.expect(client[0] == p.outside, f"{client}")
        p.near[0].vnet.clear()
        server.sendto(b"an answer", client)
        got = p.near[0].expect(lambda seen: UDP in seen and seen.src == lab.WORLD_SERVER, "answer")
    flags, _, _, _, start, offset, _ = p.near[0].vnet[-1]
    lab.expect(flags & NEEDS_CSUM and (start, offset) == (34, 6), f"{p.near[0].vnet[-1]}")
    lab.expect(_partial(got, 6) == bytes(got), f"the sum of the pseudo-header is wrong: {got!r}")
    lab.expect(got[UDP].dport == 45006 and got.dst == p.near[0].address, got.summary())


if __name__ == "__main__":
    lab.main(120)
