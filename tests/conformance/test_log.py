#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The session log (RFC 6888, section 4): one line when a session comes, one when it goes."""
import signal

import lab
from path import ICMP, NAT_ADDRESS, REMOTE, TCP, path


def _fields(line):
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def _log(p, event, inside):
    """The next line of that event about that inside address and port."""
    return _fields(p.vhost.wait_line(rf"session {event} .*inside={inside}\b.*").string)


@lab.test("log_create_and_delete: addresses and ports of the three sides, bytes and seconds")
def create_and_delete():
    p = path("--log-sessions")
    p.udp(45000, guest=1)
    outside = p.udp(45000, data=b"12345")
    p.vhost.wait_line(r"session create .*inside=172\.16\.0\.3:45000")
    said = _log(p, "create", r"172\.16\.0\.2:45000")
    lab.expect(said["proto"] == "udp" and said["remote"] == f"{REMOTE}:7000", f"{said}")
    lab.expect(said["outside"] in (f"{NAT_ADDRESS}:{outside}", f"{p.outside}:{outside}"), f"{said}")
    p.udp_back(outside, 45000, data=b"123")
    p.sweep(300)
    said = _log(p, "delete", r"172\.16\.0\.2:45000")
    lab.expect((said["bytes_out"], said["bytes_in"]) == ("33", "31"), f"{said}")
    lab.expect(300 <= float(said["seconds"]) <= 320, f"{said}")


@lab.test("log_protocols: TCP and ICMP by name")
def protocols():
    p = path("--log-sessions")
    p.out(TCP(sport=45001, dport=80, flags="S"))
    lab.expect(_log(p, "create", r"172\.16\.0\.2:45001")["proto"] == "tcp", "not tcp")
    p.out(ICMP(id=45001))
    lab.expect(_log(p, "create", r"172\.16\.0\.2:45001")["proto"] == "icmp", "not icmp")


@lab.test("log_only_when_asked: no line without --log-sessions (6888 REQ-12: no destinations)")
def silent():
    p = path()
    p.udp(45002)
    p.sweep(300)
    while p.near:
        p.near.pop().guest.close()
    # Whatever there was to say has been said when it has ended.
    p.vhost.signal(signal.SIGTERM)
    lab.expect(p.vhost.wait() == 0, "exit code")
    p.close()
    lab.expect(not any("session " in line for line in p.vhost.lines), f"{p.vhost.lines}")


if __name__ == "__main__":
    lab.main(120)
