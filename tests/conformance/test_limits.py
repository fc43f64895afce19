#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What one guest may take, and what happens when nothing is left: RFC 6888 REQ-4, REQ-5, REQ-11."""
import lab
from path import ICMP, REMOTE, UDP, Raw, about, path, same, sound


def _open(p, count, first_port, guest=0, to=REMOTE):
    """Opens so many sessions of one mapping each; all must leave."""
    for index in range(count):
        p.near[guest].send(p.made_out(UDP(sport=first_port + index, dport=7000), to, guest))
    p.fence(1 - guest)
    p.fence(1 - guest)
    seen = [got for got in p.far.inbox if UDP in got and got.dst == to]
    for got in seen:
        p.far.inbox.remove(got)
    return len(seen)


@lab.test("rfc6888_req_4_sessions_per_guest: no more than allowed, others unharmed, and again later")
def per_guest():
    p = path("--sessions-per-guest", "100")
    p.fence(1)
    got = _open(p, 150, 41000)
    lab.expect(got == 99 or got == 100, f"{got} of 150 left")  # the fence may hold one
    lab.expect(p.dropped("nat_guest_limit") >= 50, f"{p.counters()}")
    lab.expect(_open(p, 50, 41000, guest=1) == 50, "the other guest is hurt")
    lab.expect(_open(p, 90, 41000) == 90, "live sessions are hurt")
    p.sweep(300)
    lab.expect(_open(p, 90, 42000) == 90, "not again")


@lab.test("rfc6888_req_5_new_sessions_per_guest: a burst of a second's worth, then the rate")
def rate():
    p = path("--new-sessions-per-guest", "50")
    p.fence(1)
    p.forward(2)
    p.fence(1)
    got = _open(p, 120, 41000)
    # The machine's own time goes on while the test sends.
    lab.expect(50 <= got < 110, f"{got} of 120 left")
    lab.expect(p.dropped("nat_guest_rate") >= 10, f"{p.counters()}")
    lab.expect(_open(p, 50, 41000, guest=1) >= 50, "the other guest is hurt")
    p.forward(1)
    got = _open(p, 50, 43000)
    lab.expect(got == 50, f"a second later {got} of 50 left")


@lab.test("rfc5508_req_8_told: no room: destination unreachable, code 13, from the gateway; the "
          "packet is dropped")
def told():
    p = path("--sessions-per-guest", "1", "--nat-filter", "address")
    p.sweep(300)
    p.out(UDP(sport=45000, dport=7000))
    packet = p.made_out(UDP(sport=45001, dport=7000) / Raw(b"refused"))
    p.near[0].send(packet)
    error = p.near[0].expect(about(packet, 3, 13), "the error")
    sound(error)
    lab.expect(error.src == "172.16.0.1" and bytes(error[ICMP].payload) == bytes(packet),
               error.summary())
    p.fence(1)
    p.far.refuse(same(packet), "what was refused")


@lab.test("rfc6888_req_11_full_table: new ones are refused, counted, told and logged; live ones "
          "go on (11d)")
def full():
    p = path("--sessions", "1024", "--sessions-per-guest", "0", "--new-sessions-per-guest", "0")
    outside = p.udp(45000, guest=1)
    opened = _open(p, 2000, 41000)
    # One guest alone gets 8/9 of what there is (nat/guests.h).
    lab.expect(800 <= opened < 1024, f"{opened} sessions of 1024")
    p.vhost.wait_line("the NAT refused packets of new sessions")
    dropped = p.dropped("nat_guest_limit") + p.dropped("nat_table_full")
    lab.expect(dropped >= 2000 - opened, f"{p.counters()}")
    p.udp_back(outside, 45000, guest=1)
    lab.expect(_open(p, opened, 41000) == opened, "live sessions are hurt")
    lab.expect(_open(p, 20, 46000, guest=1) == 20, "one guest has locked the other out")
    p.sweep(300)
    lab.expect(_open(p, 500, 44000) == 500, "what is over takes room")


@lab.test("rfc6888_req_11_full_ports: a range without free ports refuses, and hurts nobody")
def ports():
    p = path("--sessions-per-guest", "0", "--new-sessions-per-guest", "0", place="world",
             ports=(40000, 40099))
    outside = p.udp(1000, guest=1)
    opened = _open(p, 200, 2000)
    lab.expect(50 <= opened < 100, f"{opened} ports of 100")
    p.udp_back(outside, 1000, guest=1)
    lab.expect(_open(p, opened, 2000) == opened, "live sessions are hurt")


if __name__ == "__main__":
    lab.main(120)
