#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Idle times, judged with the default values and with others: the program's clock is moved. Ticks of
67 ms make a session live up to that much longer, never shorter.
"""
import lab
from path import ICMP, IP, REMOTE, TCP, UDP, about, number, path, sound


def _connect(p, sport, dport=80):
    """A handshake from inside; returns the outside port."""
    outside = p.out(TCP(sport=sport, dport=dport, flags="S"))[TCP].sport
    p.back(TCP(sport=dport, dport=outside, flags="SA", ack=1))
    p.out(TCP(sport=sport, dport=dport, flags="A", seq=1, ack=1))
    return outside


def _data_in(outside, flags="A"):
    return TCP(sport=80, dport=outside, flags=flags, seq=1, ack=1)


def _data_out(sport, flags="A"):
    return TCP(sport=sport, dport=80, flags=flags, seq=1, ack=1)


def _lives_udp(p, seconds, sport, dport=7000):
    """The session is there just before its time is over, and not just after."""
    outside = p.udp(sport, dport=dport)
    p.forward(seconds - 1)
    p.udp_back(outside, sport, sport=dport)  # refreshes nothing
    p.forward(1.1)
    p.no_back(UDP(sport=dport, dport=outside))


@lab.test("rfc4787_req_5_udp_timer: 300 s (never below 120)")
def udp():
    _lives_udp(path(), 300, 45000)


@lab.test("rfc4787_req_5a_well_known: their own time-out, when asked for")
def well_known():
    p = path("--nat-timeout", "udp-well-known=30")
    _lives_udp(p, 30, 45001, dport=53)
    _lives_udp(p, 300, 45001)


@lab.test("rfc4787_req_5b_configurable: --nat-timeout udp=150")
def udp_configured():
    _lives_udp(path("--nat-timeout", "udp=150"), 150, 45002)


@lab.test("rfc4787_req_5_refused: a value that an RFC forbids is refused, with its number")
def refused():
    for text, requirement in (("udp=119", "RFC 4787, REQ-5"), ("icmp=59", "RFC 5508, REQ-2"),
                              ("tcp-established=7439", "RFC 5382, REQ-5"),
                              ("tcp-partial=239", "RFC 5382, REQ-5"),
                              ("syn-hold=5", "RFC 5382, REQ-4")):
        said = lab.run(lab.BIN / "chnet-vhost", "--socket", "/run/lab/x.sock", "--nat-timeout", text,
                       namespace="host", check=False)
        lab.expect(requirement in said and len(said.splitlines()) == 1, f"{text}: {said}")


@lab.test("rfc4787_req_6_outbound_refresh: outbound keeps a mapping, inbound alone does not")
def refresh():
    p = path()
    outside = p.udp(45003)
    for _ in range(3):
        p.forward(200)
        lab.expect(p.udp(45003) == outside, "the mapping changed")
    for _ in range(2):
        p.forward(100)
        p.udp_back(outside, 45003)
    p.forward(100.1)
    p.no_back(UDP(sport=7000, dport=outside))


@lab.test("rfc4787_req_6_every_destination: a mapping lives as long as its youngest session")
def youngest():
    p = path()
    outside = p.udp(45004, "198.51.100.20")
    p.forward(200)
    lab.expect(p.udp(45004, "198.51.100.21") == outside, "not endpoint-independent")
    p.forward(200)  # the first session is over
    lab.expect(p.udp(45004, "198.51.100.22") == outside, "the mapping went with its first session")


@lab.test("rfc5382_req_5_established: 2 h 4 min idle")
def established():
    p = path()
    outside = _connect(p, 45005)
    p.forward(7439)
    sound(p.back(_data_in(outside)))  # which refreshes it
    p.forward(7439)
    sound(p.out(_data_out(45005)))
    p.forward(7440.1)
    p.no_back(_data_in(outside))


@lab.test("rfc5382_req_5_transitory: a handshake may take 4 minutes, and no more")
def transitory():
    p = path()
    outside = p.out(TCP(sport=45006, dport=80, flags="S"))[TCP].sport
    p.forward(239)
    p.back(TCP(sport=80, dport=outside, flags="SA", ack=1))
    p.forward(239)
    p.out(_data_out(45006))
    p.forward(7000)
    sound(p.back(_data_in(outside)))
    outside = p.out(TCP(sport=45007, dport=80, flags="S"))[TCP].sport
    p.forward(240.1)
    p.no_back(TCP(sport=80, dport=outside, flags="SA", ack=1))


@lab.test("rfc5382_req_5a_configurable: --nat-timeout tcp-established=9000,tcp-partial=300,"
          "tcp-closing=500")
def tcp_configured():
    p = path("--nat-timeout", "tcp-established=9000,tcp-partial=300,tcp-closing=500")
    outside = _connect(p, 45008)
    p.forward(8999)
    sound(p.back(_data_in(outside)))
    p.out(_data_out(45008, "FA"))
    p.back(_data_in(outside, "FA"))
    p.forward(499)
    sound(p.out(_data_out(45008)))
    p.forward(500.1)
    p.no_back(_data_in(outside))
    outside = p.out(TCP(sport=45009, dport=80, flags="S"))[TCP].sport
    p.forward(299)
    p.back(TCP(sport=80, dport=outside, flags="SA", ack=1))
    p.forward(300.1)
    p.no_back(TCP(sport=80, dport=outside, flags="SA", ack=1))


@lab.test("rfc7857_2_1_fin_both_ways: 4 minutes after both FINs; one FIN alone changes nothing")
def fins():
    p = path()
    outside = _connect(p, 45010)
    p.out(_data_out(45010, "FA"))
    p.forward(7000)  # half closed: the other side may still send for hours
    sound(p.back(_data_in(outside)))
    p.back(_data_in(outside, "FA"))
    p.forward(239)
    sound(p.out(_data_out(45010)))
    p.forward(240.1)
    p.no_back(_data_in(outside))


@lab.test("rfc7857_2_2_rst: a reset ends a session 4 minutes later, and only when nothing follows")
def reset():
    p = path()
    outside = _connect(p, 45011)
    p.back(_data_in(outside, "R"))  # forged, perhaps
    p.forward(200)
    sound(p.out(_data_out(45011)))  # no, it lives
    p.forward(7000)
    sound(p.back(_data_in(outside)))
    p.back(_data_in(outside, "R"))
    p.forward(240.1)
    p.no_back(_data_in(outside))


@lab.test("rfc5508_req_2_query_timer: 60 s, and --nat-timeout icmp=90 (REQ-2a)")
def query():
    for options, seconds in (((), 60), (("--nat-timeout", "icmp=90"), 90)):
        p = path(*options)
        outside = p.out(ICMP(id=45012, seq=1))[ICMP].id
        p.forward(seconds - 1)
        sound(p.back(ICMP(type=0, id=outside, seq=1)))  # refreshes nothing
        p.forward(1.1)
        p.no_back(ICMP(type=0, id=outside, seq=1))
        p.out(ICMP(id=45012, seq=1))
        p.forward(seconds - 1)
        outside = p.out(ICMP(id=45012, seq=2))[ICMP].id
        p.forward(seconds - 1)
        sound(p.back(ICMP(type=0, id=outside, seq=2)))


@lab.test("rfc5508_req_6_errors_refresh_nothing: neither those from outside nor the guest's own")
def errors():
    p = path()
    outside = p.udp(45013)
    for _ in range(3):
        p.forward(99)
        seen = IP(src=p.outside, dst=REMOTE, id=number()) / UDP(sport=outside, dport=7000)
        p.far.send(p.made_back(ICMP(type=3, code=3) / seen))
        p.near[0].expect(about(seen, 3, 3), "the error")
        got = IP(src=REMOTE, dst=p.near[0].address, id=number()) / UDP(sport=7000, dport=45013)
        p.near[0].send(p.made_out(ICMP(type=3, code=3) / got))
        p.far.expect(about(got, 3, 3), "the guest's error")
    p.forward(3.1)  # 300.1 s
    p.no_back(UDP(sport=7000, dport=outside))


@lab.test("udp_unanswered: what a remote opened ends after 30 s without the guest, and cannot hold")
def unanswered():
    p = path("--nat-filter", "endpoint-independent")
    outside = p.udp(45015)
    p.udp_back(outside, 45015, "198.51.100.20")
    before = p.counters()["nat.sessions_live"]
    p.forward(40)  # 30 s and a sweep
    p.fence()
    p.fence()
    after = p.counters()["nat.sessions_live"]
    lab.expect(after == before - 1, f"{before} sessions, then {after}")
    p.udp_back(outside, 45015)


if __name__ == "__main__":
    lab.main(120)
