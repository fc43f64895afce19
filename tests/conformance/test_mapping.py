#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Mappings and outside ports: RFC 4787 section 4, RFC 5382 section 4, RFC 5508 section 3, RFC 6056."""
import lab
from path import ICMP, REMOTE, REMOTE2, TCP, UDP, Raw, path, sound

SYN = "S"


def _tcp(p, sport, to=REMOTE, dport=80, guest=0):
    """A SYN out; returns the outside port."""
    seen = p.out(TCP(sport=sport, dport=dport, flags=SYN, options=[("MSS", 1460)]), to, guest)
    sound(seen)
    lab.expect(seen.src == p.outside, seen.summary())
    return seen[TCP].sport


def _echo(p, identifier, to=REMOTE, guest=0):
    """An echo request out; returns the outside identifier."""
    seen = p.out(ICMP(id=identifier, seq=1) / Raw(b"data"), to, guest)
    sound(seen)
    lab.expect(seen.src == p.outside, seen.summary())
    return seen[ICMP].id


@lab.test("rfc4787_req_1_endpoint_independent_mapping: one outside port for every destination")
def req_1():
    p = path()
    for guest in (0, 1):  # the second cannot keep its port
        ports = {p.udp(45000, to, dport, guest)
                 for to in (REMOTE, REMOTE2) for dport in (7000, 7001)}
        lab.expect(len(ports) == 1, f"guest {guest}: {ports}")


@lab.test("rfc4787_req_2_paired: all of a guest leaves with one address")
def req_2():
    p = path()
    seen = {p.out(l4, to).src for to in (REMOTE, REMOTE2)
            for l4 in (UDP(sport=45001, dport=1), TCP(sport=45001, dport=1, flags=SYN), ICMP(id=7))}
    lab.expect(seen == {p.outside}, f"{seen}")


@lab.test("rfc4787_req_3_no_port_overloading: two guests on one port, each gets its own answers")
def req_3():
    p = path()
    ports = [p.udp(45002, guest=guest) for guest in (0, 1)]
    lab.expect(ports[0] != ports[1], f"both leave with {ports}")
    for guest in (1, 0):
        p.udp_back(ports[guest], 45002, guest=guest)


@lab.test("port_preservation: an inside port that is free outside is kept")
def preservation():
    p = path()
    lab.expect(p.udp(45003) == 45003 and _tcp(p, 45003) == 45003, "not kept")
    lab.expect(_echo(p, 45003) == 45003, "the identifier is not kept")


@lab.test("port_spaces: TCP, UDP and ICMP use the same number at once, for different guests")
def spaces():
    p = path()
    lab.expect(p.udp(45004, guest=0) == 45004, "UDP")
    lab.expect(_tcp(p, 45004, guest=1) == 45004, "TCP")
    lab.expect(_echo(p, 45004, guest=0) == 45004, "ICMP")


@lab.test("rfc4787_req_3a_port_ranges: below 1024 stays below, the rest above")
def req_3a():
    p = path(place="tap")
    low = [p.udp(67, guest=guest) for guest in (0, 1)]
    lab.expect(low[0] == 67 and low[1] < 1024, f"{low}")
    high = [p.udp(1024 + 67, guest=guest) for guest in (0, 1)]
    lab.expect(high[0] == 1024 + 67 and high[1] >= 1024, f"{high}")


@lab.test("rfc4787_req_4_port_parity: kept when the port itself is not")
def req_4():
    p = path()
    for port in range(45100, 45120):
        first, second = p.udp(port), p.udp(port, guest=1)
        lab.expect(first == port and second != port and second % 2 == port % 2,
                   f"{port} -> {first}, {second}")


@lab.test("rfc4787_req_11_deterministic: conflicts and load change no behaviour")
def req_11():
    p = path()
    first = {port: p.udp(port, guest=port % 2) for port in range(45200, 45230)}
    for port in first:  # the other guest takes the same ports
        p.udp(port, guest=1 - port % 2)
    for port, outside in first.items():
        again = {p.udp(port, to, guest=port % 2) for to in (REMOTE, REMOTE2)}
        lab.expect(again == {outside}, f"{port}: {outside}, then {again}")


@lab.test("rfc4787_req_10_no_alg: FTP and SIP payloads with inside addresses pass untouched")
def req_10():
    p = path()
    p.udp(45060, dport=5060, data=b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 172.16.0.2:45060\r\n")
    _tcp(p, 45021, dport=21)
    data = b"PORT 172,16,0,2,175,200\r\n"
    seen = p.out(TCP(sport=45021, dport=21, flags="PA", seq=1, ack=1) / Raw(data))
    sound(seen)
    lab.expect(bytes(seen[TCP].payload) == data, f"rfc5382_req_6: {bytes(seen[TCP].payload)}")


@lab.test("rfc5382_req_1_endpoint_independent_mapping: TCP")
def tcp_req_1():
    p = path()
    for guest in (0, 1):
        ports = {_tcp(p, 45005, to, dport, guest) for to in (REMOTE, REMOTE2) for dport in (80, 81)}
        lab.expect(len(ports) == 1, f"guest {guest}: {ports}")


@lab.test("rfc5382_req_7_no_port_overloading: TCP")
def tcp_req_7():
    p = path()
    ports = [_tcp(p, 45006, guest=guest) for guest in (0, 1)]
    lab.expect(ports[0] != ports[1], f"both leave with {ports}")
    for guest in (1, 0):
        got = p.back(TCP(sport=80, dport=ports[guest], flags="SA", ack=1), guest=guest)
        sound(got)
        lab.expect(got[TCP].dport == 45006 and got.dst == p.near[guest].address, got.summary())


@lab.test("rfc5508_req_1_queries: echo out and its reply; one identifier for every destination")
def icmp_req_1():
    p = path()
    outside = [{_echo(p, 45007, to, guest) for to in (REMOTE, REMOTE2)} for guest in (0, 1)]
    lab.expect(all(len(ids) == 1 for ids in outside) and outside[0] != outside[1], f"{outside}")
    for guest in (1, 0):
        got = p.back(ICMP(type=0, id=outside[guest].copy().pop(), seq=1) / Raw(b"data"),
                     guest=guest)
        sound(got)
        lab.expect(got[ICMP].id == 45007 and got.dst == p.near[guest].address, got.summary())


@lab.test("rfc6056_random_ports: a port that cannot be kept is drawn at random from the range")
def rfc6056():
    p = path()
    taken = []
    for port in range(45300, 45340):
        p.udp(port)
        taken.append(p.udp(port, guest=1))
    lab.expect(all(p.low <= port <= p.high for port in taken), f"outside the range: {taken}")
    lab.expect(len(set(taken)) == len(taken), f"twice: {taken}")
    # 40 draws: all in one half has a chance of 2^-39, sorted one of 40!^-1.
    middle = (p.low + p.high) / 2
    lab.expect(min(taken) < middle < max(taken), f"one half only: {taken}")
    steps = {second - first for first, second in zip(taken, taken[1:])}
    lab.expect(len(steps) > 20, f"a pattern: {taken}")


if __name__ == "__main__":
    lab.main(120)
