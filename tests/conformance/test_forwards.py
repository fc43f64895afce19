#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Port forwards: static mappings that anyone may call. Judged at the NAT, and through the host."""
import socket

import lab
from path import REMOTE, REMOTE2, TCP, UDP, Raw, path, same, sound

SPECS = ("--forward", "tcp:8080=172.16.0.2:80", "--forward", "udp:5000-5003=172.16.0.3:6000-6003",
         "--forward", "tcp:9090=172.16.0.3:9090")


def _call(p, source=REMOTE, sport=4000, dport=8080):
    """A connection from outside to the forwarded port, up to data both ways."""
    got = p.back(TCP(sport=sport, dport=dport, flags="S", seq=1), source)
    sound(got)
    lab.expect((got.dst, got[TCP].dport) == (p.near[0].address, 80), got.summary())
    seen = p.out(TCP(sport=80, dport=sport, flags="SA", seq=100, ack=2), source)
    sound(seen)
    lab.expect((seen.src, seen[TCP].sport) == (p.outside, dport), seen.summary())
    p.back(TCP(sport=sport, dport=dport, flags="PA", seq=2, ack=101) / Raw(b"GET"), source)
    p.out(TCP(sport=80, dport=sport, flags="PA", seq=101, ack=5) / Raw(b"page"), source)


@lab.test("forward_single: anyone may open a connection, from any address")
def single():
    p = path(*SPECS, place="tap")
    _call(p)
    _call(p, REMOTE2)


@lab.test("forward_range: each port of a range leads to its own, and the next one to nobody")
def port_range():
    p = path(*SPECS, place="tap")
    for index in range(4):
        got = p.back(UDP(sport=4000, dport=5000 + index) / Raw(b"in"), guest=1)
        sound(got)
        lab.expect((got.dst, got[UDP].dport) == (p.near[1].address, 6000 + index), got.summary())
        seen = p.out(UDP(sport=6000 + index, dport=4000) / Raw(b"out"), guest=1)
        sound(seen)
        lab.expect(seen[UDP].sport == 5000 + index, seen.summary())
    p.no_back(UDP(sport=4000, dport=5004))
    p.no_back(TCP(sport=4000, dport=5000, flags="S"))


@lab.test("forward_reserved: a guest that happens to use a forwarded number does not get it")
def reserved():
    p = path(*SPECS, place="tap")
    lab.expect(p.out(TCP(sport=8080, dport=80, flags="S"), guest=1)[TCP].sport != 8080, "taken")
    lab.expect(p.out(TCP(sport=80, dport=80, flags="S"))[TCP].sport == 8080,
               "the guest's own connections from the forwarded port leave with another")


@lab.test("forward_hairpin: a neighbour calls the forwarded port at the outside address")
def hairpin():
    p = path(*SPECS, place="tap")
    packet = p.made_out(TCP(sport=45000, dport=8080, flags="S"), p.outside, 1)
    p.near[1].send(packet)
    got = p.near[0].expect(same(packet), "the neighbour's SYN")
    sound(got)
    lab.expect((got.src, got[TCP].dport) == (p.outside, 80), got.summary())
    packet = p.made_out(TCP(sport=80, dport=got[TCP].sport, flags="SA", ack=1), p.outside)
    p.near[0].send(packet)
    got = p.near[1].expect(same(packet), "the answer")
    sound(got)
    lab.expect((got.src, got[TCP].sport) == (p.outside, 8080), got.summary())


@lab.test("forward_restart: after kill -9 the same ones, none doubled, none lost")
def restart():
    p = path(*SPECS, place="tap")
    _call(p)
    p.restart()
    sound(p.back(TCP(sport=4000, dport=8080, flags="PA", seq=5, ack=105) / Raw(b"more")))
    _call(p, REMOTE2)
    sound(p.back(UDP(sport=4001, dport=5001), guest=1))


def _connect(address, port):
    """A socket of the world that begins to connect."""
    with lab.inside("world"):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    made.connect_ex((address, port))
    return made


def _through_the_host(place):
    p = path(*SPECS, place=place)
    client = _connect(lab.HOST_OUTSIDE, 8080)
    with client:
        got = p.near[0].expect(lambda packet: TCP in packet and packet[TCP].dport == 80,
                               "a connection from the world")
        sound(got)
        lab.expect(got.src == lab.WORLD_GATEWAY, f"the caller is {got.src}")
        p.near[0].send(p.made_out(TCP(sport=80, dport=got[TCP].sport, flags="SA", seq=1,
                                      ack=got[TCP].seq + 1), got.src))
        got = p.near[0].expect(lambda packet: TCP in packet and packet[TCP].flags == "A", "the ACK")
        sound(got)
        client.setblocking(True)
        client.settimeout(10)
        client.sendall(b"hello")
        got = p.near[0].expect(lambda packet: TCP in packet and packet[TCP].payload, "the data")
        lab.expect(bytes(got[TCP].payload) == b"hello", got.summary())


@lab.test("forward_world: a socket of the world connects to the host's address, with its own seen")
def world():
    _through_the_host("world")


@lab.test("forward_world_masquerade: the same beside the host's own NAT")
def world_masquerade():
    _through_the_host("masquerade")


if __name__ == "__main__":
    lab.main(120)
