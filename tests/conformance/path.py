# SPDX-License-Identifier: BSD-3-Clause
"""
The path that a test judges, and the two ends that it judges from.

    RawGuest -- rings -- chnet-vhost (NAT) -- TAP -- [host's kernel] ---- [world] Far

Near, the guest's end, and Far, the judge's end, send and take whole IPv4 packets that scapy made or
reads, so checksums are judged by a second implementation. Behind Far stand remotes (198.51.100.x)
that no kernel owns: nobody but the test answers. There are three places for Far:

    Path()              in `world`, with --outside-ports: what the world sees is what our NAT did,
                        since the host keeps no state and changes nothing but the outside address
    Path(place="tap")   on the host's side of the TAP, for what the host's kernel would hide (it
                        puts fragments in order) or do itself (TTL, its own ICMP errors)
    Path(place="masquerade")  in `world`, behind the host's own NAT: what most users have

A packet is known again behind the NAT by its IPv4 identification, which each gets anew. That one
does *not* arrive is shown by a fence: a round trip through the same rings and queues behind it.
Time is moved with forward(); nothing waits for time to pass.
"""
import itertools
import mmap
import os
import select
import signal
import socket
import time

import lab
from vhost import Vhost, sockets
from wire import GATEWAY, RawGuest, address, mac

from scapy.layers.inet import ICMP, IP, TCP, UDP, in4_chksum
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw
from scapy.utils import checksum

CLOCK = lab.BIN.parent / "tests/conformance/clock.so"
# Where Far stands when nothing is said, and where when the host must stand between.
PLACE, HOSTS = "world", ("world", "masquerade")
REMOTES = "198.51.100.0/24"
REMOTE, REMOTE2 = "198.51.100.10", "198.51.100.11"
# Inside the LAN, as the world never sees it with --outside-ports.
NAT_ADDRESS = "172.16.0.254"
LOW, HIGH = 40000, 49999
LIMIT_S = 10
FENCE_PORT, FENCE_REMOTE = 47001, "198.51.100.77"
ETH_P_ALL, SO_RCVBUFFORCE, PACKET_OUTGOING = 3, 33, 4

_numbers = itertools.cycle(range(1, 65536))


def number():
    """A fresh IPv4 identification."""
    return next(_numbers)


class Clock:
    """The program's monotonic clock (clock.c), ahead of the kernel's by what forward() adds up."""

    def __init__(self):
        self.path = lab.SCRATCH / "clock"
        self.path.write_bytes(bytes(8))
        self._ahead_ns = 0
        with open(self.path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8)

    def forward(self, seconds):
        self._ahead_ns += int(seconds * 1e9)
        self._map[:8] = self._ahead_ns.to_bytes(8, "little")

    def environment(self):
        return {**os.environ, "LD_PRELOAD": str(CLOCK), "CHNET_TEST_CLOCK": str(self.path)}


class End:
    """Packets that were not asked for yet stay in `inbox`, in order."""

    def __init__(self):
        self.inbox = []

    def _next(self, limit_s):
        """The next IPv4 packet as bytes, or None when the time is over."""
        raise NotImplementedError

    def take(self, wanted, limit_s=LIMIT_S):
        """The first packet for which wanted(packet) is true, or None when the time is over."""
        end, looked = time.monotonic() + limit_s, 0
        while True:
            while looked < len(self.inbox):
                if wanted(self.inbox[looked]):
                    return self.inbox.pop(looked)
                looked += 1
            data = self._next(end - time.monotonic())
            if data is None:
                return None
            self.inbox.append(IP(data))

    def expect(self, wanted, what):
        packet = self.take(wanted)
        lab.expect(packet is not None, f"{what}: did not arrive; others: "
                   f"{[p.summary() for p in self.inbox[-5:]]}")
        return packet

    def refuse(self, wanted, what):
        """To be called behind a fence."""
        for packet in self.inbox:
            lab.expect(not wanted(packet), f"{what}: arrived, as {packet.summary()}")


class Near(End):
    """A guest. It answers ARP for its address, and nothing else."""

    def __init__(self, index, offloads=False):
        super().__init__()
        self.guest = RawGuest(index, offloads)
        self.address, self.mac = self.guest.address, self.guest.mac
        self.vnet = []
        self.gateway_mac = None
        self.gateway_mac = self.ask(GATEWAY)

    def ask(self, target):
        """The MAC of an address of the LAN."""
        self.guest.send(bytes(Ether(src=self.mac, dst="ff:ff:ff:ff:ff:ff") /
                              ARP(op=1, hwsrc=self.mac, psrc=self.address, pdst=target)))
        end = time.monotonic() + LIMIT_S
        while True:
            got = self.guest.receive(end - time.monotonic())
            lab.expect(got is not None, f"nobody answers ARP for {target}")
            frame = Ether(got[1])
            if ARP in frame and frame[ARP].op == 2 and frame[ARP].psrc == target:
                return frame[ARP].hwsrc
            self._answer(frame)

    def _answer(self, frame):
        if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst == self.address:
            self.guest.send(bytes(
                Ether(src=self.mac, dst=frame[ARP].hwsrc) /
                ARP(op=2, hwsrc=self.mac, psrc=self.address, hwdst=frame[ARP].hwsrc,
                    pdst=frame[ARP].psrc)))

    def send(self, packet, vnet=(0,) * 7, to_mac=None):
        self.guest.send(bytes(Ether(src=self.mac, dst=to_mac or self.gateway_mac, type=0x800)) +
                        bytes(packet), vnet)

    def _next(self, limit_s):
        end = time.monotonic() + limit_s
        while True:
            got = self.guest.receive(end - time.monotonic())
            if got is None:
                return None
            header, data = got
            if data[12:14] == b"\x08\x00":
                self.vnet.append(header)
                return data[14:]
            self._answer(Ether(data))


class Far(End):
    """A raw socket on an interface of a namespace; sees what arrives there, not what it sends."""

    def __init__(self, namespace, interface, peer_mac):
        super().__init__()
        self.peer_mac = peer_mac
        with lab.inside(namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            self._socket.bind((interface, ETH_P_ALL))
        self.mac = self._socket.getsockname()[4]

    def send(self, packet):
        self._socket.send(bytes(Ether(src=self.mac, dst=self.peer_mac, type=0x800)) + bytes(packet))

    def _next(self, limit_s):
        end = time.monotonic() + limit_s
        while select.select([self._socket], [], [], max(0, end - time.monotonic()))[0]:
            data, where = self._socket.recvfrom(1 << 17)
            if where[2] != PACKET_OUTGOING and data[12:14] == b"\x08\x00":
                # An Ethernet frame may be padded behind its packet.
                return data[14:14 + int.from_bytes(data[16:18], "big")]
        return None

    def close(self):
        self._socket.close()


def link_address(namespace, interface):
    with lab.inside(namespace), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as query:
        query.bind((interface, 0))
        return ":".join(f"{byte:02x}" for byte in query.getsockname()[4])


class Path:
    """chnet-vhost with guests, and a judge beyond it."""

    open_now = None

    def __init__(self, *options, place=PLACE, guests=2, ports=(LOW, HIGH), offloads=False):
        if Path.open_now:
            Path.open_now.close()
        self.place, self.low, self.high = place, *ports
        self.vhost, self.near, self.far = None, [], None
        Path.open_now = self
        try:
            self._build(options, guests, offloads)
        except BaseException:
            self.close()
            raise

    def _build(self, options, guests, offloads):
        self.clock = Clock()
        if self.place == "world":
            options = ("--outside-ports", f"{self.low}-{self.high}", *options)
        else:
            self.low, self.high = 1, 65535
        # Checksums and segments are finished before the judge sees them.
        lab.run("ethtool", "-K", "outside", "tx", "off", "tso", "off", "gso", "off",
                namespace="host")
        self.vhost = Vhost(*sockets(guests), *options, env=self.clock.environment())
        self.vhost.ready()
        for index in range(guests):
            self.near.append(Near(index, offloads))
        if self.place == "tap":
            # The judge has its copy; what the host does behind it must not change that.
            lab.run("ip", "-n", "host", "route", "replace", "blackhole", REMOTES)
            self.outside = NAT_ADDRESS
            self.far = Far("host", "tap0", self.near[0].ask(NAT_ADDRESS))
        else:
            self.outside = lab.HOST_OUTSIDE
            self.far = Far("world", "inside", link_address("host", "outside"))
        self.fence()

    def close(self):
        for near in self.near:
            near.guest.close()
        if self.far:
            self.far.close()
        if self.place == "tap":
            lab.run("ip", "-n", "host", "route", "delete", "blackhole", REMOTES, check=False)
        if self.vhost:
            self.vhost.kill()
        Path.open_now = None

    def forward(self, seconds):
        """Moves the program's clock."""
        self.clock.forward(seconds)

    def sweep(self, seconds, guest=1):
        """Moves the clock so far, and past a round of the sweep, which gives room back."""
        self.forward(seconds + 9)
        self.fence(guest)
        self.fence(guest)

    def restart(self):
        """kill -9 of the data plane; the next one has the guests when this returns."""
        before = self.vhost.data_plane()
        os.kill(before[0], signal.SIGKILL)
        for near in self.near:
            near.guest.wire.wait_connected()

    def counters(self):
        """{name: value} of all that are not zero."""
        self.vhost.signal(signal.SIGUSR1)
        self.vhost.wait_line(r"^worker\.breaths ")
        # The first line of the next report stands behind all of this one.
        self.vhost.signal(signal.SIGUSR1)
        found = {}
        while True:
            line = self.vhost.next_line(LIMIT_S)
            lab.expect(line is not None, "chnet-vhost ended")
            if line.startswith("worker.breaths "):
                return found
            name, _, value = line.partition(" ")
            if value.isdigit():
                found[name] = int(value)

    def dropped(self, name):
        """How often any port dropped for that reason."""
        return sum(value for key, value in self.counters().items()
                   if key.endswith(f".drop.{name}") and not key.startswith("nat."))

    # ---- there and back --------------------------------------------------------------------

    def out(self, l4, to=REMOTE, guest=0, **ip):
        """The guest sends; returns what the judge sees."""
        packet = self.made_out(l4, to, guest, **ip)
        self.near[guest].send(packet)
        return self.far.expect(same(packet), f"out {packet.summary()}")

    def made_out(self, l4, to=REMOTE, guest=0, **ip):
        return IP(bytes(IP(src=self.near[guest].address, dst=to, id=number(), **ip) / l4))

    def back(self, l4, source=REMOTE, guest=0, **ip):
        """The judge sends to the outside address; returns what the guest sees."""
        packet = self.made_back(l4, source, **ip)
        self.far.send(packet)
        return self.near[guest].expect(same(packet), f"in {packet.summary()}")

    def made_back(self, l4, source=REMOTE, **ip):
        return IP(bytes(IP(src=source, dst=self.outside, id=number(), **ip) / l4))

    def no_out(self, l4, to=REMOTE, guest=0, fence=1, **ip):
        """The guest sends, and nothing of it arrives."""
        packet = self.made_out(l4, to, guest, **ip)
        self.near[guest].send(packet)
        self.fence(guest=guest if len(self.near) == 1 else fence)
        self.fence(guest=guest)
        self.far.refuse(same(packet), f"out {packet.summary()}")

    def no_back(self, l4, source=REMOTE, **ip):
        """The judge sends, and no guest sees it."""
        packet = self.made_back(l4, source, **ip)
        self.far.send(packet)
        for guest in range(len(self.near)):
            self.fence(guest)
        for near in self.near:
            near.refuse(same(packet), f"in {packet.summary()}")

    def fence(self, guest=0):
        """A round trip behind all that was sent before."""
        seen = self.out(UDP(sport=FENCE_PORT + guest, dport=9), FENCE_REMOTE, guest)
        self.back(UDP(sport=9, dport=seen[UDP].sport), FENCE_REMOTE, guest)

    def udp(self, sport, to=REMOTE, dport=7000, guest=0, data=b"out"):
        """A datagram out; returns the outside port that it left with."""
        seen = self.out(UDP(sport=sport, dport=dport) / Raw(data), to, guest)
        sound(seen)
        lab.expect(seen.src == self.outside, f"source is {seen.src}, not {self.outside}")
        lab.expect(bytes(seen[UDP].payload) == data, "the payload changed")
        return seen[UDP].sport

    def udp_back(self, outside_port, inside_port, source=REMOTE, sport=7000, guest=0, data=b"in"):
        """A datagram in; it must reach that port of the guest."""
        got = self.back(UDP(sport=sport, dport=outside_port) / Raw(data), source, guest)
        sound(got)
        lab.expect((got.src, got.dst, got[UDP].sport, got[UDP].dport) ==
                   (source, self.near[guest].address, sport, inside_port), got.summary())
        lab.expect(bytes(got[UDP].payload) == data, "the payload changed")


def same(packet):
    """Is it this packet, behind the NAT?"""
    return lambda other: other.id == packet.id and other.proto == packet.proto


def about(packet, kind=None, code=None):
    """Is it an ICMP error about this packet?"""
    def wanted(other):
        return (ICMP in other and other[ICMP].type in (3, 11, 12) and
                kind in (None, other[ICMP].type) and code in (None, other[ICMP].code) and
                bytes(other[ICMP].payload)[4:6] == packet.id.to_bytes(2, "big"))
    return wanted


def sound(packet):
    """All checksums of the packet are right, by scapy's reckoning."""
    data = bytes(packet)
    header = (data[0] & 15) * 4
    body = data[header:]
    right = checksum(data[:header]) == 0
    if packet.proto == 1:
        right = right and checksum(body) == 0
    elif packet.proto == 6 or (packet.proto == 17 and body[6:8] != b"\0\0"):
        right = right and in4_chksum(packet.proto, packet, body) == 0
    lab.expect(right, f"a checksum of {packet.summary()} is wrong: {data[:80].hex()}")


def fragments(packet, *cuts):
    """The packet cut at these bytes of its data (multiples of 8), in order."""
    data = bytes(packet.payload)
    ends = [*cuts, len(data)]
    return [IP(bytes(IP(src=packet.src, dst=packet.dst, id=packet.id, proto=packet.proto,
                        flags="MF" if end < len(data) else 0, frag=start // 8) / data[start:end]))
            for start, end in zip([0, *cuts], ends)]


def assemble(end, wanted, what):
    """Takes fragments for which wanted() is true until they make a whole; returns that packet."""
    data, length, last = {}, None, None
    while length is None or sum(map(len, data.values())) < length:
        piece = end.expect(lambda got: (got.frag or "MF" in got.flags) and wanted(got), what)
        lab.expect(checksum(bytes(piece)[:20]) == 0, "an IPv4 header's checksum is wrong")
        lab.expect(last is None or piece.id == last.id, f"{what}: another identification")
        last = piece
        data[piece.frag * 8] = bytes(piece.payload)
        if "MF" not in piece.flags:
            length = piece.frag * 8 + len(piece.payload)
    return IP(bytes(IP(src=last.src, dst=last.dst, id=last.id, proto=last.proto, ttl=last.ttl) /
                    b"".join(data[at] for at in sorted(data))))


def embedded(error):
    """The packet that an ICMP error is about, as bytes; its header's checksum must be right."""
    data = bytes(error[ICMP].payload)
    length = (data[0] & 15) * 4
    lab.expect(checksum(data[:length]) == 0, "the embedded IPv4 header's checksum is wrong")
    return data


def path(*options, **more):
    """The open Path, when it was made so, or a new one; its sessions are all over then."""
    key = (options, tuple(sorted(more.items())))
    now = Path.open_now
    if now and getattr(now, "key", None) == key:
        now.forward(10000)
        for near in now.near:
            near.inbox.clear()
        now.far.inbox.clear()
        return now
    made = Path(*options, **more)
    made.key = key
    return made


def behind_the_host(what):
    """Registers a test that is given each place with the host's kernel between NAT and judge."""
    def register(function):
        for place in HOSTS:
            lab.test(f"{what} ({place})")(lambda place=place: function(place))
        return function
    return register
