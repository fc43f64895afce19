# SPDX-License-Identifier: BSD-3-Clause
"""
Guests without a machine: tests/conformance/wire.c between a socket of chnet-vhost and a guest here.

WireGuest is a network namespace, so any program can be run as the guest's; RawGuest is this process
itself, which sends and answers every frame, with no kernel in between.

    guest = WireGuest(0)                        # namespace guest0, 172.16.0.2
    guest.run("curl", "-sS", "http://198.51.100.2/")
"""
import contextlib
import select
import socket
import struct
import time

import lab

WIRE = lab.BIN.parent / "tests/conformance/wire"
GATEWAY = "172.16.0.1"

# struct virtio_net_hdr_v1: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, num_buffers
VNET = struct.Struct("<BBHHHHH")
NEEDS_CSUM = 1
BUFFER = 4 << 20


def address(number):
    return f"172.16.0.{2 + number}"


def mac(number):
    return f"52:54:00:12:34:{0x56 + number:02x}"


class _Wire(lab.Process):
    """The program, connected when it returns."""

    def __init__(self, number, *options, offloads=True, path=None, **more):
        path = path or lab.SCRATCH / f"guest{number}.sock"
        super().__init__(f"wire {number}", [WIRE, "--socket", path, *options,
                                            *([] if offloads else ["--plain"])], **more)
        self.wait_connected()

    def wait_connected(self, limit_s=20):
        """Takes the next line that says so: there is another one after each restart."""
        self.wait_line("^connected", limit_s)


class NamespaceGuest:
    """
    The guest with that number (from 0) as a namespace `guestN`, in which somebody makes eth0; then
    configure(). Its kernel is a plain Linux guest.
    """

    def __init__(self, number):
        self.number, self.namespace = number, f"guest{number}"
        self.address, self.mac = address(number), mac(number)
        lab.run("ip", "netns", "add", self.namespace)
        lab.run("ip", "-n", self.namespace, "link", "set", "lo", "up")

    def configure(self, default_route=True):
        """The guest's device is there: it gets its addresses."""
        # No router solicitations and the like: what a test sees was sent by a test.
        self.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        self.run("ip", "link", "set", "eth0", "address", self.mac)
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        if default_route:
            self.run("ip", "route", "add", "default", "via", GATEWAY)

    def run(self, *command, **more):
        """Runs a command in the guest; returns its output."""
        return lab.run(*command, namespace=self.namespace, **more)

    def socket(self, kind=socket.SOCK_STREAM, port=0, limit_s=10):
        """A socket of the guest, bound to a port of its address."""
        with lab.inside(self.namespace):
            made = socket.socket(socket.AF_INET, kind)
        made.settimeout(limit_s)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((self.address, port))
        return made

    def close(self):
        lab.run("ip", "netns", "delete", self.namespace)


class WireGuest(NamespaceGuest):
    """The same on a socket of chnet-vhost; `wire` is the process that stands for its machine."""

    def __init__(self, number, offloads=True, path=None, default_route=True):
        super().__init__(number)
        self.wire = _Wire(number, "--tap", "eth0", offloads=offloads, path=path,
                          namespace=self.namespace)
        self.configure(default_route)

    def close(self):
        self.wire.kill()
        super().close()


class RawGuest:
    """
    The guest with that number as a descriptor: send() and receive() carry (virtio-net header,
    frame). Without offloads what arrives has complete checksums and no large frames.
    """

    def __init__(self, number, offloads=False, path=None):
        self.number, self.address, self.mac = number, address(number), mac(number)
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._socket, other):
            # Neither end waits for the other in the middle of a burst (32: SO_SNDBUFFORCE).
            end.setsockopt(socket.SOL_SOCKET, 32, BUFFER)
        with other:
            self.wire = _Wire(number, "--fd", other.fileno(), offloads=offloads, path=path,
                              pass_fds=(other.fileno(),))

    def send(self, frame, vnet=(0, 0, 0, 0, 0, 0, 0)):
        self._socket.send(VNET.pack(*vnet) + frame)

    def receive(self, limit_s):
        """The next (virtio-net header, frame), or None when the time is over."""
        if not select.select([self._socket], [], [], max(0, limit_s))[0]:
            return None
        message = self._socket.recv(BUFFER)
        lab.expect(len(message) > VNET.size, f"{self.wire.name} ended: {self.wire.lines}")
        return VNET.unpack_from(message), message[VNET.size:]

    def close(self):
        self._socket.close()
        self.wire.wait()
