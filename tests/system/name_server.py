# SPDX-License-Identifier: BSD-3-Clause
"""A DNS server for the laboratory, with answers that are made up, over UDP and TCP."""
import socket
import struct
import threading

import lab

TXT, A, OPT = 16, 1, 41


def query(identity, name, kind=A, edns=0):
    """A query as a stub resolver sends it."""
    message = struct.pack(">6H", identity, 0x0100, 1, 0, 0, bool(edns))
    for label in name.split("."):
        message += bytes([len(label)]) + label.encode()
    message += b"\0" + struct.pack(">2H", kind, 1)
    if edns:
        message += b"\0" + struct.pack(">2HIH", OPT, edns, 0, 0)
    return message


def question(message):
    """(name, type, end of the question)."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += message[at] + 1
    return ".".join(labels), struct.unpack_from(">H", message, at + 1)[0], at + 5


class NameServer:
    """
    Serves on address:53 of a namespace: 192.0.2.N for nN.example, 3,000 bytes of text for
    big.example, and no such name for others. `seen` has (source port, id, name) of the queries over
    UDP. With `together`, answers nothing over UDP before so many different names were asked for; then all of them.
    """

    def __init__(self, namespace, address, together=0):
        self.seen, self.together, self.waiting, self.forged = [], together, {}, None
        self._place = namespace, address
        with lab.inside(namespace):
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE
            self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            for one in self._udp, self._tcp:
                one.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND: before there is a TAP
                one.bind((address, 53))
            self._tcp.listen()
        for serve in self._serve_udp, self._serve_tcp:
            threading.Thread(target=serve, daemon=True).start()

    def forge(self, on):
        """From now on, wrong answers come before the right one; or not any more."""
        namespace, address = self._place
        forged = [] if on else None
        for source in ((address, 0), ("127.0.0.52", 53)) if on else ():
            with lab.inside(namespace):
                forged.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            forged[-1].bind(source)
        self.forged = forged

    def answer(self, message, most=65535):
        """The answer, cut to `most` bytes or what the query's OPT record allows."""
        name, kind, end = question(message)
        if message[11] and most < 65535:
            most = struct.unpack_from(">H", message, end + 3)[0]
        records, rcode = b"", 0
        if name.startswith("n") and name.endswith(".example") and kind == A:
            number = int(name[1:].split(".")[0])
            records = struct.pack(">3HIH4B", 0xc00c, A, 1, 60, 4, 192, 0, 2 + number // 256,
                                  number % 256)
        elif name == "big.example" and kind == TXT:
            text = b"".join(bytes([250]) + bytes([65 + i]) * 250 for i in range(12))
            records = struct.pack(">3HIH", 0xc00c, TXT, 1, 60, len(text)) + text
        else:
            rcode = 3
        flags = 0x8180 | rcode
        if end + len(records) > most:
            records, flags = b"", flags | 0x0200
        return (message[:2] + struct.pack(">5H", flags, 1, bool(records), 0, 0) +
                message[12:end] + records)

    def _serve_udp(self):
        while True:
            message, client = self._udp.recvfrom(65535)
            name = question(message)[0]
            self.seen.append((client[1], message[:2], name))
            if self.forged is not None:
                # With another id, and with another question: neither is the answer.
                wrong = self.answer(query(0, "n77.example"))
                self._udp.sendto(message[:2] + wrong[2:], client)
                right = self.answer(message, 512)
                self._udp.sendto(bytes([right[0] ^ 1]) + right[1:-1] + b"\x99", client)
                # With both right, from another port and from another address.
                for other in self.forged:
                    other.sendto(right[:-1] + b"\x99", client)
            self.waiting[name] = (message, client)
            if len(self.waiting) < self.together:
                continue
            for held, to in self.waiting.values():
                self._udp.sendto(self.answer(held, 512), to)
            self.waiting, self.together = {}, 0

    def _serve_tcp(self):
        while True:
            connection, _ = self._tcp.accept()
            threading.Thread(target=self._serve_stream, args=(connection,), daemon=True).start()

    def _serve_stream(self, connection):
        stream = connection.makefile("rwb")
        while len(prefix := stream.read(2)) == 2:
            answer = self.answer(stream.read(struct.unpack(">H", prefix)[0]))
            stream.write(struct.pack(">H", len(answer)) + answer)
            stream.flush()
