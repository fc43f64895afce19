#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What guests are served: addresses by DHCP, names by DNS."""
import inspect
import json
import os
import pathlib
import re
import signal
import types

import lab
from chnet import chnet
from guests import UmlGuest
from name_server import NameServer, query
from vhost import Vhost
from wire import WireGuest

at = types.SimpleNamespace()
RESOLV = pathlib.Path("/etc/resolv.conf")  # of the laboratory
STUB = pathlib.Path("/run/systemd/resolve/stub-resolv.conf")
SCRIPT = """#!/bin/sh
# For udhcpc and dhclient: sets what was leased, and keeps it for the test.
env >/tmp/lease
case $1$reason in
bound|renew|BOUND|REBOOT|RENEW)
	ip address flush dev eth0
	ip address add ${ip:-$new_ip_address}/24 dev eth0
	ip route replace default via ${router:-$new_routers}
	;;
esac
"""


def _boot(number, mac):
    guest = UmlGuest(f"guest{number}", lab.SCRATCH / f"guest{number}.sock")
    guest.booted()
    guest.run(f"ip link set eth0 address {mac}; ip link set eth0 up\n"
              f"cat >/tmp/script <<'EOT'\n{SCRIPT}EOT\nchmod +x /tmp/script")
    return guest


def _address(guest):
    return re.search(r"inet ([\d.]+)/24", guest.run("ip -4 address show dev eth0"))[1]


def _udhcpc(guest, *more):
    return guest.run("busybox udhcpc -i eth0 -n -q -f -t 5 -T 3 -s /tmp/script -O mtu -O hostname "
                     f"-O domain {' '.join(more)}; cat /tmp/lease")


def _replace(path, text=None, link=None):
    """Puts a file, or a link, in the place of another, as careful programs do."""
    made = path.with_name("made")
    if link:
        made.symlink_to(link)
    else:
        made.write_text(text)
    made.replace(path)


NETWORKD = """[Match]
Name=eth0
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
[DHCPv4]
DUIDType=uuid
DUIDRawData=00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f
"""


def _networkd(guest):
    """Starts it without D-Bus and udev; when it has set all up, what it said and did about DHCP."""
    guest.serve("networkd", "env SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console sh -c "
                "'echo $$ >/run/pid; exec /lib/systemd/systemd-networkd' 2>&1 | tee /run/log",
                until='"configuring -> configured"')
    return guest.run("grep -a DHCP /run/log; ip -4 address show dev eth0; ip route; "
                     "cat /run/systemd/netif/leases/*")


@lab.test("systemd-networkd: its settings, the same address after it was killed, and a release")
def networkd():
    lab.run("cp", "-a", "/etc", lab.SCRATCH / "etc")
    lab.run("mount", "--bind", lab.SCRATCH / "etc", "/etc")
    _replace(RESOLV, "# of the laboratory\nnameserver 127.0.0.53\n")
    at.names = NameServer("host", "127.0.0.53")
    at.vhost = Vhost("--socket", f"{lab.SCRATCH}/guest0.sock,mac=52:54:00:12:34:56",
                     "--socket", f"{lab.SCRATCH}/guest1.sock,ip=172.16.0.77,hostname=db").ready()
    at.a = _boot(0, "52:54:00:12:34:56")
    at.b = _boot(1, "02:00:00:00:00:99")
    at.a.run("mount -t tmpfs tmpfs /run; mount -o remount,ro /sys\n"  # so there is no udev to wait for
             "cd /run; mkdir -p systemd/network systemd/netif/links systemd/netif/leases systemd/netif/lldp\n"
             f"chown -R systemd-network: systemd/netif; cat >systemd/network/eth0.network <<'EOT'\n{NETWORKD}EOT")
    text = _networkd(at.a)
    for part in ("DISCOVER", "OFFER", "REQUEST (requesting)", "ACK", "gateway 172.16.0.1 acquired from 172.16.0.1",
                 "default via 172.16.0.1", "ROUTER=172.16.0.1", "DNS=172.16.0.1", "SERVER_ADDRESS=172.16.0.1",
                 "LIFETIME=43200", "DOMAINNAME=chnet"):
        lab.expect(part in text, f"{part} is missing in {text}")
    lab.expect(_address(at.a) == "172.16.0.2", text)
    at.a.ping(lab.WORLD_SERVER)
    at.a.run("kill -9 $(cat /run/pid)")
    text = _networkd(at.a)
    lab.expect("address 172.16.0.2/24, gateway 172.16.0.1 acquired" in text, text)
    text = at.a.run("pid=$(cat /run/pid); kill $pid; tail --pid $pid -s 0.1 -f /dev/null; grep -a DHCP /run/log\n"
                    "umount /run; mount -o remount,rw /sys")
    lab.expect("DHCPv4 client: RELEASE" in text, text)
    lab.expect("inet " not in at.a.run("ip -4 address show dev eth0"), "the address is still there")


@lab.test("udhcpc: an address of the plan, the gateway, one DNS server, MTU and name")
def busybox():
    lease = _udhcpc(at.a, "-x hostname:Web")
    lab.expect(_address(at.a) == "172.16.0.2", lease)
    for line in ("router=172.16.0.1", "dns=172.16.0.1", "mtu=1500", "domain=chnet", "subnet=255.255.255.0",
                 "hostname=web", "serverid=172.16.0.1", "lease=43200"):
        lab.expect(f"\n{line}\n" in f"\n{lease}\n", f"{line} is missing in {lease}")
    at.a.ping(lab.WORLD_SERVER)


@lab.test("dhclient: the address that was bound to the port")
def isc():
    text = at.b.run("dhclient -1 -v -lf /tmp/leases -pf /tmp/pid -sf /tmp/script eth0", limit_s=90)
    lab.expect(_address(at.b) == "172.16.0.77", text)
    lab.expect("DHCPACK of 172.16.0.77 from 172.16.0.1" in text, text)
    at.b.ping("172.16.0.2")
    text = at.b.run("dhclient -v -r -lf /tmp/leases -pf /tmp/pid -sf /tmp/script eth0", limit_s=90)
    lab.expect("DHCPRELEASE" in text, text)
    at.b.run("dhclient -1 -v -lf /tmp/leases -pf /tmp/pid -sf /tmp/script eth0", limit_s=90)


@lab.test("dig over UDP and TCP, through to the host's resolver")
def dig():
    text = at.a.run("dig +short @172.16.0.1 n5.example; dig +short +tcp @172.16.0.1 n300.example")
    lab.expect(text.split() == ["192.0.2.5", "192.0.3.44"], text)
    text = at.a.run("dig @172.16.0.1 missing.example")
    lab.expect("status: NXDOMAIN" in text, text)


@lab.test("truncation and EDNS sizes pass: cut for 512 bytes, whole for 4096, whole over TCP")
def sizes():
    options = "@172.16.0.1 big.example TXT"
    text = at.a.run(f"dig +noedns +ignore {options}")
    lab.expect("flags: qr tc" in text and "ANSWER: 0" in text, text)
    for how in "+bufsize=4096 +ignore", "+tcp", "+noedns":  # the last asks again over TCP
        text = at.a.run(f"dig {how} {options}")
        lab.expect("LLLL" in text and "ANSWER: 1" in text, text)


@lab.test("names of the network: the host's, a guest's by DHCP, a guest's by hostname=")
def names():
    text = at.b.run("for name in host web db Web; do dig +short @172.16.0.1 $name.chnet; done; "
                    "dig +short +tcp @172.16.0.1 web.chnet")
    lab.expect(text.split() == ["172.16.0.1", "172.16.0.2", "172.16.0.77", "172.16.0.2",
                                "172.16.0.2"], text)
    text = at.b.run("dig @172.16.0.1 nobody.chnet; dig @172.16.0.1 web.chnet AAAA")
    lab.expect(text.count("status: NXDOMAIN") == 1 and text.count("status: NOERROR") == 1, text)
    lab.expect(not [name for _, _, name in at.names.seen if name.endswith("chnet")],
               f"leaked: {at.names.seen}")


def _dns_counters():
    return json.loads(lab.run("curl", "-sS", "--unix-socket", "/run/chnet/default.sock",
                              "http://chnet/v1/counters"))["dns"]


@lab.test("random ids and source ports; forged answers are not taken, and are counted")
def forgery():
    del at.names.seen[:]
    before = _dns_counters()
    at.names.forge(True)
    text = at.a.run("for n in 1 2 3 4 5 6 7 8; do dig +short @172.16.0.1 n$n.example; done")
    at.names.forge(False)
    lab.expect(text.split() == [f"192.0.2.{n}" for n in range(1, 9)], text)
    seen = at.names.seen
    after = _dns_counters()
    # Two for each query; those from another port or address do not get that far.
    lab.expect(after["drops"]["forged"] - before["drops"]["forged"] == 16, f"{before} {after}")
    lab.expect(after["answers"] - before["answers"] == 8, f"{before} {after}")
    lab.expect(f"\ndns       172.16.0.1, {after['queries_udp'] + after['queries_tcp']} queries, "
               f"{sum(after['drops'].values())} drops\n" in chnet("status"), chnet("status"))
    lab.expect(len({port for port, _, _ in seen}) == 8, f"ports: {seen}")
    lab.expect(len({identity for _, identity, _ in seen}) >= 7, f"ids: {seen}")


@lab.test("resolv.conf changes: by a write, a rename, and as systemd-resolved links and renames it")
def resolv():
    others = [NameServer("host", f"127.0.0.{90 + number}") for number in range(4)]
    STUB.parent.mkdir(parents=True)
    STUB.write_text("# This is systemd-resolved's.\nnameserver 127.0.0.92\noptions edns0 trust-ad\nsearch .\n")
    steps = (lambda: RESOLV.write_text("nameserver 127.0.0.90\n"),
             lambda: _replace(RESOLV, "nameserver 127.0.0.91\n"),
             lambda: _replace(RESOLV, link=f"../{STUB.relative_to('/')}"),
             lambda: _replace(STUB, "nameserver 127.0.0.93\n"))
    for number, (step, other) in enumerate(zip(steps, others)):
        step()
        name = f"n{90 + number}.example"
        lab.expect(at.a.run(f"dig +short @172.16.0.1 {name}") == f"192.0.2.{90 + number}", name)
        lab.expect([seen for _, _, seen in other.seen] == [name], f"{number} has seen {other.seen}")
    _replace(RESOLV, "nameserver 127.0.0.53\n")
    # The first one does not answer: the next one is asked.
    RESOLV.write_text("nameserver 127.0.0.98\nnameserver 127.0.0.53\n")
    lab.expect(at.a.run("dig +short @172.16.0.1 n10.example") == "192.0.2.10", "no answer")
    lab.expect(at.a.run("dig +short +tcp @172.16.0.1 n11.example") == "192.0.2.11", "no answer")
    # Nobody does.
    RESOLV.write_text("nameserver 127.0.0.98\n")
    text = at.a.run("dig @172.16.0.1 n12.example")
    lab.expect("status: SERVFAIL" in text, text)
    RESOLV.write_text("nameserver 127.0.0.53\n")


PARALLEL = """
import socket, struct
A, OPT = 1, 41
@QUERY@
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
s.settimeout(2)
left = set(range(1000))
for turn in range(10):
    for n in sorted(left):
        s.sendto(query(n, "n%d.example" % n, edns=1232), ("172.16.0.1", 53))
    try:
        while left:
            answer = s.recv(2000)
            n = struct.unpack(">H", answer[:2])[0]
            if answer[3] & 15 == 2:  # not all have arrived in time; ask again
                continue
            assert answer[-4:] == bytes([192, 0, 2 + n // 256, n % 256]), (n, answer)
            left.discard(n)
    except TimeoutError:
        continue
    break
print("left:", len(left), "turns:", turn + 1)
"""


@lab.test("1,000 queries by eight dig at once, half of them over TCP")
def many_digs():
    text = at.a.run("for i in 0 1 2 3 4 5 6 7; do seq -f n%g.example $((i * 125)) $((i * 125 + 124)) >/tmp/names.$i\n"
                    "dig $([ $i -lt 4 ] || echo +tcp) +short @172.16.0.1 -f /tmp/names.$i >/tmp/found.$i & done; wait\n"
                    "cat /tmp/found.*", limit_s=90)
    lab.expect(sorted(text.split()) == sorted(f"192.0.{2 + n // 256}.{n % 256}" for n in range(1000)),
               f"{len(text.split())} answers: {text[:200]}")


@lab.test("1,000 queries in parallel: none is answered before all have arrived")
def parallel():
    server = NameServer("host", "127.0.0.97", together=1000)
    RESOLV.write_text("nameserver 127.0.0.97\n")
    program = lab.SCRATCH / "parallel.py"
    # The guest need not find this directory: it may lie in /tmp, which is the guest's own.
    program.write_text(PARALLEL.replace("@QUERY@", inspect.getsource(query)))
    text = at.a.run(f"/usr/bin/python3 {program}", limit_s=90)
    lab.expect(text.startswith("left: 0"), text)
    RESOLV.write_text("nameserver 127.0.0.53\n")
    return f"{text}; {len(server.seen)} queries seen by the server"


@lab.test("guests that use 1.1.1.1 directly still can")
def direct():
    lab.run("ip", "-n", "world", "address", "add", "1.1.1.1/32", "dev", "lo")
    world = NameServer("world", "1.1.1.1")
    text = at.a.run("dig +short @1.1.1.1 n6.example; dig +short +tcp @1.1.1.1 n7.example")
    lab.expect(text.split() == ["192.0.2.6", "192.0.2.7"], text)
    lab.expect(len(world.seen) == 1, f"{world.seen}")


@lab.test("nobody outside is served: the socket hears the TAP alone")
def outside():
    lab.run("ip", "-n", "world", "route", "add", "172.16.0.0/24", "via", lab.HOST_OUTSIDE)
    text = lab.run("dig", "+time=1", "+tries=1", "@172.16.0.1", "n5.example", namespace="world",
                   check=False)
    lab.run("ip", "-n", "world", "route", "del", "172.16.0.0/24")
    lab.expect("192.0.2.5" not in text, text)


@lab.test("kill -9 of the DNS server: another one serves")
def killed():
    pids = at.vhost.children("chnet-dns")
    lab.expect(len(pids) == 1, f"{pids}")
    os.kill(pids[0], signal.SIGKILL)
    at.vhost.wait_line("the DNS server was killed")
    lab.expect(at.a.run("dig +short @172.16.0.1 n13.example") == "192.0.2.13", "no answer")
    lab.expect(at.vhost.children("chnet-dns") != pids, "the same process")


def _leased(guest, *more):
    """The address that udhcpc gets for a guest that has none."""
    guest.run("ip", "address", "flush", "dev", "eth0")
    text = guest.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "5", "-T", "3",
                     "-s", "/bin/true", *more)
    return re.search(r"lease of ([\d.]+) obtained", text)[1]


@lab.test("the network is stopped and started: guests have their addresses, whoever asks first")
def leases():
    for guest in at.a, at.b:
        guest.kill()
    for turn in range(3):
        at.vhost.signal(signal.SIGTERM if turn < 2 else signal.SIGKILL)
        at.vhost.wait()
        at.vhost = Vhost("--socket", f"{lab.SCRATCH}/guest20.sock",
                         "--socket", f"{lab.SCRATCH}/guest21.sock", name=f"turn {turn}").ready()
        first, second = WireGuest(20), WireGuest(21)
        if turn == 0:
            # It takes the place that the plan has for the other one.
            lab.expect(_leased(first, "-r", "172.16.0.23") == "172.16.0.23", "not what it wanted")
        lab.expect(_leased(second) == "172.16.0.24", f"turn {turn}: the second one's")
        lab.expect(_leased(first) == "172.16.0.23", f"turn {turn}: the first one's")
        for guest in first, second:
            guest.close()
    lab.expect(os.stat("/run/chnet/default.leases").st_mode & 0o777 == 0o600, "mode")


@lab.test("a DNS server of the host's own is left alone, and said so")
def occupied():
    at.vhost.signal(signal.SIGTERM)
    lab.expect(at.vhost.wait() == 0, "exit code")
    theirs = NameServer("host", "172.16.0.1")
    vhost = Vhost("--socket", f"{lab.SCRATCH}/guest2.sock", name="second").ready()
    lab.expect([line for line in vhost.lines if "a server of its own" in line], vhost.lines)
    guest = _boot(2, "52:54:00:12:34:56")
    lease = _udhcpc(guest)
    lab.expect("dns=172.16.0.1" in lease, lease)
    lab.expect(guest.run("dig +short @172.16.0.1 n8.example") == "192.0.2.8", "no answer")
    lab.expect(len(theirs.seen) == 1, f"{theirs.seen}")


if __name__ == "__main__":
    lab.main(400)
