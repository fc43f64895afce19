# SPDX-License-Identifier: BSD-3-Clause
"""Servers beyond the NAT, and on the host: sockets in their namespace, threads of this process."""
import functools
import hashlib
import http.server
import os
import socket
import socketserver
import threading

import lab

PAGE = b"<!doctype html><title>chnet</title><p>You are in the world.\n"
GIBIBYTE = lab.SCRATCH / "gibibyte"


class _Handler(http.server.SimpleHTTPRequestHandler):
    """A page, a large file, and a sink that answers an upload with its SHA-256."""

    protocol_version = "HTTP/1.1"

    def _answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.clients.append(self.client_address[0])
        if self.path.startswith("/noise/"):
            self._noise(int(self.path.removeprefix("/noise/")))
            return
        if self.path != "/gibibyte":
            self._answer(PAGE)
            return
        with open(GIBIBYTE, "rb") as content:
            self.send_response(200)
            self.send_header("Content-Length", str(os.fstat(content.fileno()).st_size))
            self.end_headers()
            self.wfile.flush()
            self.connection.sendfile(content)

    def _noise(self, mebibytes):
        """Sends that much of noise()."""
        self.send_response(200)
        self.send_header("Content-Length", str(mebibytes << 20))
        self.end_headers()
        for number in range(mebibytes):
            self.wfile.write(noise_block(number))
            self.server.tell_moved(number + 1)

    def do_PUT(self):
        self.server.clients.append(self.client_address[0])
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        total = left = int(self.headers["Content-Length"])
        digest, buffer = hashlib.sha256(), memoryview(bytearray(1 << 20))
        while left > 0:
            size = self.rfile.readinto(buffer[:min(left, len(buffer))])
            if not size:
                return
            digest.update(buffer[:size])
            left -= size
            self.server.tell_moved((total - left) >> 20)
        self._answer(digest.hexdigest().encode() + b"\n")

    def log_message(self, *_):
        pass


class WebServer(http.server.ThreadingHTTPServer):
    """Serves on address:port of a namespace; `clients` are the addresses that it saw."""

    daemon_threads = True

    def __init__(self, namespace, address, port=80):
        self.clients = []
        self.moved, self.progress = 0, threading.Condition()
        with lab.inside(namespace):
            super().__init__((address, port), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


    def server_bind(self):
        # The base class asks the resolver for a name of the address, and waits for none to come.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def tell_moved(self, mebibytes):
        """How much of /noise/ was given to the kernel, or of an upload was taken from it."""
        with self.progress:
            self.moved = mebibytes
            self.progress.notify_all()

    def wait_moved(self, mebibytes, limit_s=30):
        """Waits until it is so much."""
        with self.progress:
            lab.expect(self.progress.wait_for(lambda: self.moved >= mebibytes, limit_s),
                       f"only {self.moved} MiB moved after {limit_s} s")


class UdpEcho:
    """Sends every datagram back to whom it came from."""

    def __init__(self, namespace, address, port=7):
        with lab.inside(namespace):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.bind((address, port))
        self.clients = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            data, client = self._socket.recvfrom(65535)
            self.clients.append(client)
            self._socket.sendto(data, client)


def serve_iperf(namespace, address, port=5201):
    """An iperf3 server, listening when this returns."""
    server = lab.Process(f"iperf3 in {namespace}", ["iperf3", "-s", "-B", address, "-p", port,
                                                    "--forceflush"], namespace=namespace)
    server.wait_line("listening")
    return server


@functools.cache
def _noise():
    return os.urandom(1 << 20)


def noise_block(number):
    """1 MiB; no two are alike, so a block lost, doubled or moved changes the sum."""
    return number.to_bytes(8, "big") + _noise()[8:]


@functools.cache
def noise_sum(mebibytes):
    """SHA-256 of so much noise."""
    digest = hashlib.sha256()
    for number in range(mebibytes):
        digest.update(noise_block(number))
    return digest.hexdigest()


@functools.cache
def gibibyte():
    """Makes the file GIBIBYTE, noise in memory; returns its SHA-256."""
    with open(GIBIBYTE, "wb") as content:
        for number in range(1024):
            content.write(noise_block(number))
    return noise_sum(1024)
