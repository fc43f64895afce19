#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
kill -9 of the data plane: the next one has every mapping, session, permission and forward.
tests/system/test_restart.py does it to downloads at random moments.
"""
import lab
from path import ICMP, REMOTE2, TCP, UDP, Raw, path, sound


@lab.test("restart_mappings: UDP, ICMP and a replaced port go on with the same outside port")
def mappings():
    p = path()
    ports = [p.udp(45000, guest=guest) for guest in (0, 1)]
    identifier = p.out(ICMP(id=45000))[ICMP].id
    p.restart()
    for guest in (0, 1):  # from outside first: the guest need not speak to be found
        p.udp_back(ports[guest], 45000, guest=guest)
        lab.expect(p.udp(45000, REMOTE2, guest=guest) == ports[guest], "another mapping")
    sound(p.back(ICMP(type=0, id=identifier)))


@lab.test("restart_tcp: an established connection goes on, and its time-out too")
def tcp():
    p = path()
    port = p.out(TCP(sport=45001, dport=80, flags="S"))[TCP].sport
    p.back(TCP(sport=80, dport=port, flags="SA", ack=1))
    p.out(TCP(sport=45001, dport=80, flags="A", seq=1, ack=1))
    p.forward(7000)
    p.restart()
    p.forward(439)
    sound(p.back(TCP(sport=80, dport=port, flags="PA", seq=1, ack=1) / Raw(b"alive")))
    p.forward(7440.1)
    p.restart()
    p.no_back(TCP(sport=80, dport=port, flags="PA", seq=6, ack=1))


@lab.test("restart_filter: who was permitted still is, and nobody else")
def permissions():
    p = path()
    port = p.udp(45002)
    p.restart()
    p.no_back(UDP(sport=7000, dport=port), REMOTE2)
    p.udp_back(port, 45002, sport=7001)


@lab.test("restart_counts: the sessions are as many as before")
def counts():
    p = path()
    for port in range(45010, 45030):
        p.udp(port)
    before = p.counters()["nat.sessions_live"]
    p.restart()
    after = p.counters()
    lab.expect(after["nat.sessions_live"] == before and after["nat.sessions_adopted"] >= before,
               f"{before} sessions, then {after}")


@lab.test("restart_again_and_again: five times in a row")
def again():
    p = path()
    port = p.udp(45003)
    for _ in range(5):
        p.restart()
        p.udp_back(port, 45003)
        lab.expect(p.udp(45003) == port, "another port")
        p.forward(100)


if __name__ == "__main__":
    lab.main(120)
