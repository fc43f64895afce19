#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Who may send to a mapping: RFC 4787 section 5, RFC 5382 section 5, each of the three modes."""
import lab
from path import ICMP, REMOTE, REMOTE2, TCP, UDP, Raw, path, sound

# mode: may another port of the same address, may another address?
MODES = {"endpoint-independent": (True, True), "address": (True, False),
         "address-and-port": (False, False)}


def _inbound(p, permitted, l4, source):
    """A first packet from outside arrives, or does not and is counted."""
    if permitted:
        sound(p.back(l4, source))
        return
    before = p.dropped("nat_filtered")
    p.no_back(l4, source)
    lab.expect(p.dropped("nat_filtered") == before + 1, f"not counted: {p.counters()}")


def _mode(name):
    return path("--nat-filter", name)


def _udp(mode):
    p, (port, address) = _mode(mode), MODES[mode]
    outside = p.udp(45000)
    p.udp_back(outside, 45000)
    _inbound(p, port, UDP(sport=7001, dport=outside) / Raw(b"other port"), REMOTE)
    _inbound(p, address, UDP(sport=7000, dport=outside) / Raw(b"other address"), REMOTE2)
    # The first remote's session is not touched by any of it.
    p.udp_back(outside, 45000)


def _tcp(mode):
    p, (port, address) = _mode(mode), MODES[mode]
    outside = p.out(TCP(sport=45001, dport=80, flags="S"))[TCP].sport
    p.back(TCP(sport=80, dport=outside, flags="SA", ack=1))
    p.out(TCP(sport=45001, dport=80, flags="A", seq=1, ack=1))
    _inbound(p, port, TCP(sport=81, dport=outside, flags="S"), REMOTE)
    _inbound(p, address, TCP(sport=80, dport=outside, flags="S"), REMOTE2)
    sound(p.back(TCP(sport=80, dport=outside, flags="A", seq=1, ack=1)))


def _register(mode):
    @lab.test(f"rfc4787_req_8_filtering {mode}: UDP from another port, from another address")
    def udp():
        _udp(mode)

    @lab.test(f"rfc5382_req_3_filtering {mode}: TCP from another port, from another address")
    def tcp():
        _tcp(mode)

    return udp, tcp


for kind in MODES:
    _register(kind)


@lab.test("rfc4787_req_8_default: address-dependent when nothing is said")
def default():
    p = path()
    outside = p.udp(45002)
    _inbound(p, True, UDP(sport=7001, dport=outside), REMOTE)
    _inbound(p, False, UDP(sport=7000, dport=outside), REMOTE2)


@lab.test("rfc7857_6_filtered_packets_refresh_nothing: the session ends on time under a siege")
def refresh():
    p = path()
    outside = p.udp(45003)
    for _ in range(3):
        p.forward(75)
        p.no_back(UDP(sport=7000, dport=outside), REMOTE2)
    p.forward(74)
    p.udp_back(outside, 45003)
    p.forward(2)  # 301 s after the guest spoke
    p.no_back(UDP(sport=7000, dport=outside))


@lab.test("filter_not_opened_from_outside: a remote that the guest never answered permits nobody")
def not_opened():
    p = path()
    outside = p.udp(45004)
    # Another port of REMOTE is let in; that session is the remote's alone.
    p.udp_back(outside, 45004, sport=7001)
    p.forward(299)
    p.udp_back(outside, 45004, sport=7001)
    p.forward(10)  # the guest's own session is over, and swept within 8 s; with it the permission
    p.fence()
    p.no_back(UDP(sport=7002, dport=outside))


@lab.test("filter_no_mapping: a port that nobody uses leads nowhere, and is counted")
def no_mapping():
    p = path()
    before = p.dropped("nat_no_mapping")
    p.no_back(UDP(sport=7000, dport=45005))
    p.no_back(ICMP(type=0, id=45005))
    lab.expect(p.dropped("nat_no_mapping") == before + 2, f"{p.counters()}")
    p.no_back(ICMP(type=8, id=45005))


if __name__ == "__main__":
    lab.main(120)
