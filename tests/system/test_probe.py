#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The probe guest in QEMU: on chnet-vhost, on a TAP, and on networks that are broken on purpose."""
import os
import signal
import socket
import struct
import threading
import types

import lab
import probe
from probe import Probe, tap_network, vhost_network
from probe_server import ProbeServer
from vhost import Vhost, sockets

at = types.SimpleNamespace()
SOCKET = lab.SCRATCH / "guest0.sock"


def _rates(guest):
    return ("round trip {:.0f} us, UDP {:.0f} us; TCP {:.0f} and {:.0f} Mbit/s".format(
        *map(guest.value, ("ping_us", "udp_us", "download_mbit_s", "upload_mbit_s"))))


@lab.test("on chnet-vhost: every check is good, the address comes by DHCP")
def vhost_user():
    at.vhost = Vhost(*sockets(1)).ready()
    at.server = ProbeServer("host", "172.16.0.1")
    at.world = ProbeServer("world", lab.WORLD_SERVER)
    guest = Probe(vhost_network(SOCKET), f"probe.server={at.server}", "probe.dhcp=on",
                  "probe.bytes=4000000")
    results = guest.expect_good(skipped=[probe.INTERRUPT])
    lab.expect(results[probe.DHCP].detail.startswith("172.16.0.2, gateway 172.16.0.1, DNS "),
               results[probe.DHCP].detail)
    lab.expect("reached by memory" in results[probe.DEVICE].detail, results[probe.DEVICE].detail)
    lab.expect(results[probe.DOWNLOAD].detail.startswith("4000000 bytes "), "less was brought")
    return _rates(guest)


@lab.test("registers above 4 GiB: by configuration space, and by paging; a server beyond the NAT")
def far_registers():
    for paging, way in (("off", "configuration space"), ("on", "paging")):
        guest = Probe([*probe.FAR, *vhost_network(SOCKET)], f"probe.server={at.world}",
                      f"probe.paging={paging}", "probe.bytes=200000", "probe.pings=3")
        detail = guest.expect_good(skipped=[probe.INTERRUPT])[probe.DEVICE].detail
        lab.expect("registers of 64 bits at 0x" in detail and f"reached by {way}" in detail, detail)
        lab.expect(int(detail.partition("0x")[2].split()[0], 16) >= 1 << 32, detail)


def _killed(network):
    """The data plane dies while a guest on that network downloads, and while it uploads."""
    size = 3000000
    at.world.hold_at(size // 2, False)
    guest = Probe(network, f"probe.server={at.world}", f"probe.bytes={size}",
                  "probe.time_ms=60000", "probe.patience_ms=30000", "probe.pings=3")
    victims = []
    for upload in (False, True):
        at.world.wait_held()
        (victim,) = at.vhost.data_plane()
        os.kill(victim, signal.SIGKILL)
        lab.wait_gone([victim])
        victims.append(victim)
        if upload:
            at.world.go_on()
        else:
            at.world.hold_at(size // 2, True)
    results = guest.expect_good(skipped=[probe.INTERRUPT])
    for what in (probe.DOWNLOAD, probe.UPLOAD):
        lab.expect(results[what].detail.startswith(f"{size} bytes "), results[what].detail)
    adopted = [line for line in at.vhost.lines if "flow memory adopted with" in line]
    lab.expect(len(adopted) == 2 and not any("with 0 sessions" in line for line in adopted),
               f"{adopted}")
    lab.expect(len(set([*victims, *at.vhost.data_plane()])) == 3, f"killed: {victims}")
    at.vhost.signal(signal.SIGTERM)
    lab.expect(at.vhost.wait() == 0, f"{at.vhost.lines[-5:]}")
    return "\n".join(results[what].detail for what in (probe.DOWNLOAD, probe.UPLOAD))


@lab.test("kill -9 of the data plane in the middle of a download, and of an upload")
def killed():
    return _killed(vhost_network(SOCKET))


@lab.test("the same with a QEMU that listens (server=on), once it came second and once first")
def listens():
    network = vhost_network(SOCKET, listens=True)
    spec = f"{SOCKET},mode=server,mac={probe.MAC},ip=172.16.0.2"
    at.vhost = Vhost("--socket", spec).ready()
    at.vhost.wait_line(f"port 0: waits for a VMM to listen at {SOCKET}")
    note = _killed(network)
    guest = Probe(network, f"probe.server={at.world}", "probe.bytes=200000", "probe.pings=3")
    guest.wait_line("waiting for connection")
    at.vhost = Vhost("--socket", spec).ready()
    guest.expect_good(skipped=[probe.INTERRUPT])
    at.vhost.signal(signal.SIGTERM)
    at.vhost.wait()
    return note


@lab.test("on a TAP: every check is good, the address is static")
def tap():
    for words in (("tuntap", "add", "dev", "tap0", "mode", "tap"),
                  ("address", "add", "172.16.0.1/24", "dev", "tap0"),
                  ("link", "set", "tap0", "up")):
        lab.run("ip", *words, namespace="host")
    at.server = ProbeServer("host", "172.16.0.1", 9001)
    guest = Probe(tap_network("tap0"), f"probe.server={at.server}", "probe.dhcp=off",
                  "probe.bytes=4000000", namespace="host")
    guest.expect_good(skipped=[probe.DHCP])
    return _rates(guest)


@lab.test("fault: nobody has the gateway's address")
def silent_gateway():
    guest = Probe(tap_network("tap0"), f"probe.server={at.server}", "probe.dhcp=off",
                  "probe.gateway=172.16.0.77", "probe.patience_ms=500", namespace="host")
    results = guest.ended()
    lab.expect(guest.failed() == [probe.ARP, probe.INTERRUPT, probe.PING, probe.UDP, probe.DOWNLOAD,
                                  probe.UPLOAD],
               f"{guest.lines}")
    lab.expect(results[probe.ARP].detail == "172.16.0.77 is silent", results[probe.ARP].detail)


@lab.test("fault: nobody serves")
def no_server():
    guest = Probe(tap_network("tap0"), "probe.server=172.16.0.1:9", "probe.dhcp=off",
                  "probe.pings=3", namespace="host")
    results = guest.ended()
    lab.expect(guest.failed() == [probe.UDP, probe.DOWNLOAD, probe.UPLOAD], f"{guest.lines}")
    lab.expect("refused" in results[probe.DOWNLOAD].detail, results[probe.DOWNLOAD].detail)


@lab.test("fault: a word that is no parameter; DHCP that does not answer; no device")
def bad_words():
    guest = Probe(tap_network("tap0"), "probe.pings=many", namespace="host")
    guest.ended()
    lab.expect("# probe.pings=many" in guest.lines and
               any(line.startswith("Bail out!") for line in guest.lines), f"{guest.lines}")
    guest = Probe(tap_network("tap0"), "probe.dhcp=on", "probe.patience_ms=100", "probe.pings=3",
                  namespace="host")
    guest.ended()
    lab.expect(guest.failed() == [probe.DHCP], f"{guest.lines}")
    guest = Probe([])
    guest.ended()
    lab.expect(guest.failed() == [probe.DEVICE], f"{guest.lines}")
    lab.expect("Bail out! nothing more can be checked" in guest.lines, f"{guest.lines}")


class Wire:
    """The far end of QEMU's network by datagrams: a gateway whose answers can be spoilt."""

    def __init__(self, spoil):
        self._spoil = spoil
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        free = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        free.bind(("127.0.0.1", 0))
        here, there = (s.getsockname()[1] for s in (self._socket, free))
        free.close()
        self.network = ["-netdev", f"socket,id=net,udp=127.0.0.1:{here},"
                        f"localaddr=127.0.0.1:{there}", "-device", probe.device()]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            frame, sender = self._socket.recvfrom(65536)
            answer = self._answer(bytearray(frame))
            if answer:
                self._socket.sendto(answer, sender)

    def _answer(self, frame):
        gateway = bytes.fromhex("020000000001")
        answer = bytearray(frame)
        answer[0:6], answer[6:12] = frame[6:12], gateway
        if frame[12:14] == b"\x08\x06" and frame[21] == 1:
            answer[21] = 2
            answer[22:32], answer[32:42] = gateway + frame[38:42], frame[22:32]
            return answer
        if frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34] == 8:
            answer[26:30], answer[30:34] = frame[30:34], frame[26:30]
            # Request to reply: the checksum goes up by as much as the type goes down.
            (checksum,) = struct.unpack(">H", frame[36:38])
            checksum += 0x800
            answer[34] = 0
            answer[36:38] = struct.pack(">H", (checksum & 0xFFFF) + (checksum >> 16))
            self._spoil(answer, frame[41])
            return answer
        return None


def _spoilt(spoil):
    guest = Probe(Wire(spoil).network, "probe.dhcp=off", "probe.pings=3")
    return guest, guest.ended()


@lab.test("fault: wrong checksums, lengths that lie, frames for others")
def spoilt_frames():
    guest, _ = _spoilt(lambda frame, number: None)
    lab.expect(not guest.failed(), f"{guest.lines}")

    def payload(frame, number):
        frame[50] ^= number == 1

    guest, results = _spoilt(payload)
    lab.expect(guest.failed() == [probe.PING, probe.CHECKSUMS], f"{guest.lines}")
    lab.expect(results[probe.PING].detail == "2 of 3", results[probe.PING].detail)
    lab.expect(results[probe.CHECKSUMS].detail == "6 verified, 1 wrong of ICMP, UDP or TCP",
               results[probe.CHECKSUMS].detail)

    def header(frame, number):
        frame[22] -= number == 1

    guest, results = _spoilt(header)
    lab.expect(guest.failed() == [probe.PING, probe.CHECKSUMS], f"{guest.lines}")
    lab.expect("1 wrong of IPv4 headers" in results[probe.CHECKSUMS].detail,
               results[probe.CHECKSUMS].detail)

    def length(frame, number):
        frame[16] += 16 * (number == 1)

    guest, results = _spoilt(length)
    lab.expect(guest.failed() == [probe.PING, probe.FRAMES], f"{guest.lines}")
    lab.expect("1 malformed" in results[probe.FRAMES].detail, results[probe.FRAMES].detail)


class Idler:
    """A vhost-user back end that speaks the protocol and never looks at a ring."""

    VERSION_1_AND_PROTOCOL = 1 << 32 | 1 << 30
    GET_FEATURES, GET_VRING_BASE, GET_PROTOCOL_FEATURES = 1, 11, 15

    def __init__(self, path):
        self.seen = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self._server.accept()
        while True:
            header, descriptors, *_ = socket.recv_fds(connection, 12, 8)
            for number in descriptors:
                os.close(number)
            if len(header) < 12:
                return
            request, _, size = struct.unpack("<III", header)
            body = connection.recv(size, socket.MSG_WAITALL) if size else b""
            self.seen.append(request)
            answer = None
            if request == self.GET_FEATURES:
                answer = struct.pack("<Q", self.VERSION_1_AND_PROTOCOL)
            elif request == self.GET_PROTOCOL_FEATURES:
                answer = bytes(8)
            elif request == self.GET_VRING_BASE:
                answer = body
            if answer is not None:
                connection.sendall(struct.pack("<III", request, 5, len(answer)) + answer)


@lab.test("fault: the rings are never served; a kick above 4 GiB that was lost is tried by paging")
def idle_rings():
    for far in (False, True):
        path = lab.SCRATCH / f"idle{far}.sock"
        idler = Idler(path)
        guest = Probe([*(probe.FAR if far else []), *vhost_network(path)], "probe.patience_ms=500")
        results = guest.ended()
        lab.expect(guest.failed() == [probe.RINGS], f"{guest.lines}")
        lab.expect(results[probe.RINGS].detail == "the first frame was not taken within 500 ms",
                   results[probe.RINGS].detail)
        lab.expect(any(line.startswith("# turning paging on") for line in guest.lines) == far,
                   f"{guest.lines}")
        lab.expect(idler.GET_VRING_BASE in idler.seen, f"rings were not started: {idler.seen}")


if __name__ == "__main__":
    lab.main(200)
