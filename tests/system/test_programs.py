#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Programs that people use, through the NAT, from a guest with its own kernel.

Behind the world's router there is one more network namespace, `far`, over a link of 1,400 bytes, so
that routes have a middle and paths an MTU:

    guest -- 172.16.0.1 [host] -- 203.0.113.1 [world] 198.51.100.129 -- 198.51.100.130 [far]
"""
import hashlib
import re
import socket
import struct
import threading
import types

import lab
import world
from guests import UmlGuest, uml_modules
from vhost import Vhost, sockets

ROUTER, FAR = "198.51.100.129", "198.51.100.130"
FAR_MTU = 1400
HOPS = ["172.16.0.1", lab.WORLD_GATEWAY, FAR]
FILES = lab.SCRATCH / "files"
GRE_ETHERTYPE_IPV4 = 0x0800
ECHO_REQUEST = 8

at = types.SimpleNamespace()


def _far():
    """The namespace `far`; nobody on the way counts how many ICMP errors it has sent."""
    lab.run("ip", "netns", "add", "far")
    lab.run("ip", "-n", "far", "link", "set", "lo", "up")
    lab.run("ip", "link", "add", "beyond", "netns", "world", "type", "veth",
            "peer", "name", "near", "netns", "far")
    for name, device, address in (("world", "beyond", ROUTER), ("far", "near", FAR)):
        lab.run("ip", "-n", name, "address", "add", f"{address}/25", "dev", device)
        lab.run("ip", "-n", name, "link", "set", device, "up", "mtu", FAR_MTU)
    lab.run("ip", "-n", "far", "route", "add", "default", "via", ROUTER)
    lab.run("sysctl", "-qw", "net.ipv4.ip_forward=1", namespace="world")
    for name in ("host", "world", "far"):
        lab.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", namespace=name)


@lab.test("a guest boots; servers stand in the world and beyond it")
def boot():
    _far()
    FILES.mkdir()
    (FILES / "noise").write_bytes(b"".join(map(world.noise_block, range(16))))
    at.sum = world.noise_sum(16)
    at.web = world.WebServer("world", lab.WORLD_SERVER)
    world.WebServer("far", FAR)
    world.UdpEcho("world", lab.WORLD_SERVER)
    world.serve_iperf("world", lab.WORLD_SERVER)
    at.vhost = Vhost(*sockets(1)).ready()
    at.guest = UmlGuest("guest0", lab.SCRATCH / "guest0.sock")
    at.guest.booted()
    at.guest.configure(0)


@lab.test("curl: 16 MiB down and up, and down over a path with a smaller MTU")
def curl():
    for command, expected in (
            (f"curl -sS http://{lab.WORLD_SERVER}/noise/16 | sha256sum", at.sum),
            (f"curl -sS -T {FILES}/noise http://{lab.WORLD_SERVER}/", at.sum),
            (f"curl -sS http://{FAR}/noise/16 | sha256sum", at.sum),
            (f"curl -sS -T {FILES}/noise http://{FAR}/", at.sum)):
        text = at.guest.run(command)
        lab.expect(text.split()[0] == expected, f"{command}: {text}")
    lab.expect(set(at.web.clients) == {lab.HOST_OUTSIDE}, f"seen: {at.web.clients}")


@lab.test("FTP, passive (EPSV and PASV): a directory, a file down, a file up")
def ftp():
    server = lab.Process("ftp", ["/usr/bin/python3", "-m", "pyftpdlib", "-i", lab.WORLD_SERVER,
                                 "-p", "21", "-w", "-d", FILES], namespace="world")
    server.wait_line("starting FTP")
    for way in ("--ftp-pasv", "--disable-epsv --no-ftp-skip-pasv-ip"):
        url = f"ftp://{lab.WORLD_SERVER}"
        text = at.guest.run(f"curl -sS {way} {url}/")
        lab.expect(re.search(r"\bnoise$", text, re.M), text)
        text = at.guest.run(f"curl -sS {way} {url}/noise | sha256sum")
        lab.expect(text.split()[0] == at.sum, text)
        at.guest.run(f"curl -sS {way} -T {FILES}/noise {url}/uploaded")
        found = hashlib.sha256((FILES / "uploaded").read_bytes()).hexdigest()
        (FILES / "uploaded").unlink()
        lab.expect(found == at.sum, f"{way}: {found}")


def _hops(text):
    """The addresses of `text`, a line a hop."""
    return re.findall(r"^\s*\d+\S*\s+(\d+\.\d+\.\d+\.\d+)", text, re.M)


def _traceroute(kind, options):
    @lab.test(f"traceroute, {kind}: the gateway once, and the path behind it")
    def traceroute():
        text = at.guest.run(f"traceroute -n -q 1 -w 5 {options} {FAR}")
        lab.expect(_hops(text) == HOPS, text)


_traceroute("UDP", "-U")
_traceroute("ICMP", "-I")
_traceroute("TCP", "-T -p 80")


@lab.test("mtr: the same path, nothing lost at its end")
def mtr():
    text = at.guest.run(f"mtr -n -r -c 5 -i 0.2 {FAR}")
    found = re.findall(r"^\s*\d+\.\|-- (\S+)\s+([\d.]+)%", text, re.M)
    lab.expect([address for address, _ in found] == HOPS, text)
    lab.expect(float(found[-1][1]) == 0, text)


@lab.test("tracepath: the path, and its MTU of 1,400")
def tracepath():
    text = at.guest.run(f"tracepath -n {FAR}")
    lab.expect(all(hop in text for hop in HOPS) and f"pmtu {FAR_MTU}" in text and "reached" in text, text)


@lab.test("DNS over UDP, over TCP, and an answer that is too long for UDP")
def dns():
    long = [f"--txt-record=long.test,{number:03d}{'x' * 200}" for number in range(10)]
    server = lab.Process("dnsmasq", [
        "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null",
        "--user=root", "--pid-file=", "--no-hosts", "--no-resolv", "--bind-interfaces",
        f"--listen-address={lab.WORLD_SERVER}", "--address=/name.test/198.51.100.77", *long],
        namespace="world")
    server.wait_line("started, version")
    dig = f"dig @{lab.WORLD_SERVER} +tries=1 +time=10"
    for way in ("+notcp", "+tcp"):
        text = at.guest.run(f"{dig} {way} +short name.test A")
        lab.expect(text == "198.51.100.77", f"{way}: {text}")
    text = at.guest.run(f"{dig} +noedns long.test TXT")
    lab.expect("retrying in TCP mode" in text and "ANSWER: 10" in text, text)


@lab.test("ssh: a command, 16 MiB in, the same back")
def ssh():
    # Whose home the server looks into for keys; this one is gone with the laboratory.
    lab.mount_tmpfs("/root", "mode=700")
    keys = lab.SCRATCH / "keys"
    keys.mkdir(mode=0o700)
    lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / "guest")
    lab.run("dropbearkey", "-t", "ed25519", "-f", keys / "server")
    lab.run("install", "-D", "-m", "600", keys / "guest.pub", "/root/.ssh/authorized_keys")
    server = lab.Process("dropbear", ["dropbear", "-F", "-E", "-m", "-s", "-r", keys / "server",
                                      "-p", f"{lab.WORLD_SERVER}:22", "-P", keys / "pid"],
                         namespace="world")
    server.wait_line("Not backgrounding")
    command = (f"ssh -i {keys}/guest -o BatchMode=yes -o StrictHostKeyChecking=no "
               f"-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@{lab.WORLD_SERVER}")
    text = at.guest.run(f"{command} 'echo $SSH_CLIENT'")
    lab.expect(text.split()[0] == lab.HOST_OUTSIDE, text)
    text = at.guest.run(f"{command} cat <{FILES}/noise | sha256sum", limit_s=120)
    lab.expect(text.split()[0] == at.sum, text)


@lab.test("ping with 60,000 bytes, in fragments both ways; beyond the smaller MTU too")
def large_ping():
    for address in (lab.WORLD_SERVER, FAR):
        text = at.guest.run(f"ping -n -M dont -s 60000 -c 5 -i 0.2 -W 10 {address}")
        lab.expect(" 5 received" in text, text)


def _parallel(what, options):
    @lab.test(f"iperf3 with 32 flows at once, {what}: each moves data")
    def parallel():
        # The whole report is too long for a console.
        text = at.guest.run(
            f"iperf3 -J -t 3 -P 32 {options} -c {lab.WORLD_SERVER} | /usr/bin/python3 -c '"
            "import json, sys\n"
            "end = json.load(sys.stdin)[\"end\"]\n"
            "print(len(end[\"streams\"]), min(s[\"receiver\"][\"bytes\"] for s in end[\"streams\"]), "
            "end[\"sum_received\"][\"bits_per_second\"])'", limit_s=90)
        flows, least, rate = text.split()
        lab.expect(int(flows) == 32 and int(least) > 0, text)
        return f"{float(rate) / 1e9:.2f} Gbit/s, the slowest flow {int(least) >> 10} KiB"


_parallel("up", "")
_parallel("down", "-R")


@lab.test("UDP, 2,000 datagrams of 1,200 bytes (QUIC's size), each answered with itself")
def datagrams():
    at.guest.run("/usr/bin/python3 -c '"
                 "import os, socket\n"
                 "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10)\n"
                 f"s.connect((\"{lab.WORLD_SERVER}\", 7))\n"
                 "for number in range(2000):\n"
                 "    sent = os.urandom(1200); s.send(sent)\n"
                 "    assert s.recv(2000) == sent, number\n'")


class _GreEcho:
    """The far end of a GRE tunnel (RFC 2784) that answers pings within it."""

    def __init__(self, namespace, address):
        self.clients = []
        with lab.inside(namespace):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_GRE)
            self._socket.bind((address, 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            packet, (client, _) = self._socket.recvfrom(65535)
            gre = packet[(packet[0] & 15) * 4:]
            inner, header = bytearray(gre[4:]), (gre[4] & 15) * 4
            later_fragment = struct.unpack(">H", inner[6:8])[0] & 0x1fff
            if struct.unpack(">HH", gre[:4]) != (0, GRE_ETHERTYPE_IPV4) or inner[9] != 1:
                continue
            self.clients.append(client)
            inner[12:16], inner[16:20] = inner[16:20], inner[12:16]
            if not later_fragment and inner[header] == ECHO_REQUEST:
                inner[header] = 0
                checksum = struct.unpack(">H", inner[header + 2:header + 4])[0] + (ECHO_REQUEST << 8)
                checksum = (checksum & 0xffff) + (checksum >> 16)
                inner[header + 2:header + 4] = struct.pack(">H", checksum)
            self._socket.sendto(gre[:4] + inner, (client, 0))


@lab.test("a GRE tunnel: pings within it, of 1,400 bytes, and in fragments")
def gre():
    folder = uml_modules()[0].split("/kernel/")[0]
    server = _GreEcho("world", lab.WORLD_SERVER)
    for module in ("lib/crc-ccitt", "net/ipv6/ipv6", "net/ipv4/ip_tunnel", "net/ipv4/gre",
                   "net/ipv4/ip_gre"):
        at.guest.run(f"insmod {folder}/kernel/{module}.ko")
    at.guest.run(f"ip link add tunnel type gre local {at.guest.address} remote {lab.WORLD_SERVER}; "
                 "ip address add 10.9.0.2/24 dev tunnel; ip link set tunnel up")
    for size in (56, 1400, 4000):
        text = at.guest.run(f"ping -n -M dont -s {size} -c 5 -i 0.1 -W 10 10.9.0.1")
        lab.expect(" 5 received" in text, f"{size}: {text}")
    lab.expect(set(server.clients) == {lab.HOST_OUTSIDE}, f"seen: {set(server.clients)}")


if __name__ == "__main__":
    lab.main(400)
