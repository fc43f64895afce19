# SPDX-License-Identifier: BSD-3-Clause
"""
What the probe guest (guest/probe/) talks to: UDP echo, and a TCP server for its two requests,
GET BYTES MS and PUT, on one port. `chnet selftest` has its own; see guest/probe/check_tcp.c.
"""
import contextlib
import socket
import threading
import time

import lab

PERIOD = bytes(range(251))
PATTERN = PERIOD * 1024


class ProbeServer:
    """Serves in threads of the test until the laboratory ends."""

    def __init__(self, namespace, address, port=9000):
        self.address, self.port = address, port
        self._gate = threading.Event()
        self._held = threading.Event()
        self._hold = None  # (bytes, upload) of the transfer that is to stand still
        with lab.inside(namespace):
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._tcp = socket.socket()
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for server in (self._udp, self._tcp):
            server.bind((address, port))
        self._tcp.listen(16)
        for target in (self._echo, self._accept):
            threading.Thread(target=target, daemon=True).start()

    def __str__(self):
        return f"{self.address}:{self.port}"

    def hold_at(self, count, upload):
        """The next transfer of that kind stands still after so many bytes; the present one goes on."""
        self._held.clear()
        self._hold = (count, upload)
        old, self._gate = self._gate, threading.Event()
        old.set()

    def wait_held(self, limit_s=60):
        lab.expect(self._held.wait(limit_s), "no transfer went so far")

    def go_on(self):
        self._hold = None
        self._gate.set()

    def _move(self, count, upload):
        gate, hold = self._gate, self._hold
        if hold and upload == hold[1] and count >= hold[0]:
            self._held.set()
            gate.wait()

    def _echo(self):
        while True:
            data, sender = self._udp.recvfrom(65536)
            self._udp.sendto(data, sender)

    def _accept(self):
        while True:
            connection, _ = self._tcp.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection, contextlib.suppress(ConnectionError):
            line = b""
            while not line.endswith(b"\n"):
                byte = connection.recv(1)
                if not byte:
                    return
                line += byte
            words = line.split()
            if words[0] == b"GET":
                self._send(connection, int(words[1]), int(words[2]) / 1000)
            elif words[0] == b"PUT":
                self._take(connection)

    def _send(self, connection, count, limit_s):
        end, sent = time.monotonic() + limit_s, 0
        while sent < count and time.monotonic() < end:
            start = sent % 251
            piece = PATTERN[start:start + min(count - sent, 65536)]
            sent += connection.send(piece)
            self._move(sent, False)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass

    def _take(self, connection):
        taken, bad = 0, None
        while True:
            data = connection.recv(65536)
            if not data:
                break
            start = taken % 251
            if bad is None and data != PATTERN[start:start + len(data)]:
                bad = taken
            taken += len(data)
            self._move(taken, True)
        answer = f"OK {taken}\n" if bad is None else f"BAD {bad}\n"
        connection.sendall(answer.encode())
