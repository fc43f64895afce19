#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
The API under load does not stop, slow or disturb the worker: guests go on, and lose nothing, while
clients ask for all that there is, change things, send nonsense, stop in the middle of a request and
do not read their answers.

Nothing here is measured in time. Guests ask and answer one datagram at a time, so that a single one
that is lost or waits for the API ends the test; the counters of the network say the same.
"""
import contextlib
import http.client
import json
import socket
import threading
import types

import lab
import world
from vhost import Vhost, sockets
from wire import WireGuest

SOCKET = "/run/chnet/default.sock"
QUESTIONS = 2500
FLOWS = 2000
LIMIT_S = 10

at = types.SimpleNamespace()


class Connection(http.client.HTTPConnection):
    """To the API; http.client speaks TCP only by itself."""

    def __init__(self):
        super().__init__("chnet")

    def connect(self):
        self.sock = connect()


def connect():
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(LIMIT_S)
    made.connect(SOCKET)
    return made


def ask(connection, method, path, body=None):
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def counters():
    connection = Connection()
    status, text = ask(connection, "GET", "/v1/counters")
    connection.close()
    lab.expect(status == 200, f"{status} {text}")
    return json.loads(text)


FORWARD = json.dumps({"forward": "tcp:8080=172.16.0.2:80"})
PORT = json.dumps({"ip": "172.16.0.9"})

# What the clients ask for, over and over, and what must be answered.
ROUNDS = (
    (("GET", "/v1/flows?limit=1000", None, 200), ("GET", "/v1/flows?count=true", None, 200),
     ("GET", "/v1/flows?guest=172.16.0.2&remote_port=1&limit=1000", None, 200)),
    (("GET", "/metrics", None, 200), ("GET", "/v1/counters", None, 200)),
    (("GET", "/v1/ports", None, 200), ("GET", "/v1/status", None, 200)),
    (("POST", "/v1/forwards", FORWARD, 201),
     ("DELETE", "/v1/forwards/tcp%3A8080%3D172.16.0.2%3A80", None, 204)),
    (("POST", "/v1/ports", PORT, 201), ("DELETE", "/v1/ports/2", None, 204)),
    (("POST", "/v1/ports", "[" * 60000, 400), ("PUT", "/v1/nothing", "x", 404),
     ("PUT", "/v1/log-level", '{"log_level": 7}', 400)),
)


class Client(threading.Thread):
    """One of them, until it is told to end."""

    def __init__(self, requests):
        super().__init__(daemon=True)
        self.requests = requests
        self.answered = 0
        self.failure = None
        self.ending = False
        self.first = threading.Event()
        self.start()

    def run(self):
        try:
            connection = Connection()
            while not self.ending:
                for method, path, body, expected in self.requests:
                    status, text = ask(connection, method, path, body)
                    lab.expect(status == expected, f"{method} {path}: {status} {text[:200]}")
                    self.answered += 1
                self.first.set()
            connection.close()
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure
            self.first.set()

    def end(self):
        self.ending = True
        self.join(LIMIT_S)
        lab.expect(not self.is_alive(), f"no answer to {self.requests[0]}")
        lab.expect(self.failure is None, f"{self.requests[0]}: {self.failure!r}")


def stalled():
    """Clients that stop in the middle, and clients that do not read."""
    made = []
    for text in (b"GET /v1/sta", b"POST /v1/ports HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
                 b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100, b""):
        connection = connect()
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            connection.send(text)
        made.append(connection)
    return made


def converse(asker, peer, questions):
    """Question and answer, one at a time."""
    for number in range(questions):
        word = number.to_bytes(8, "big")
        asker.sendto(word, peer)
        try:
            answer = asker.recv(16)
        except TimeoutError:
            raise lab.Failure(f"question {number} to {peer} was not answered") from None
        lab.expect(answer == word, f"{answer} for {word}")


@lab.test("guests talk with each other and the world while the API is hammered; nothing is lost")
def load():
    before = lab.host_state()
    vhost = Vhost(*sockets(2)).ready()
    guests = [WireGuest(0), WireGuest(1)]
    world.UdpEcho("world", lab.WORLD_SERVER, 4000)
    world.UdpEcho(guests[1].namespace, guests[1].address, 4000)
    asker = guests[0].socket(socket.SOCK_DGRAM, 5000, LIMIT_S)
    # A table that is worth a look. An answer in between says that the last ones have got through.
    many = guests[0].socket(socket.SOCK_DGRAM, 5001, LIMIT_S)
    for number in range(FLOWS):
        many.sendto(b"x", (lab.WORLD_SERVER, 10000 + number))
        if number % 50 == 49:
            converse(asker, (lab.WORLD_SERVER, 4000), 1)
    converse(asker, (guests[1].address, 4000), 10)
    first = counters()
    lab.expect(first["nat"]["sessions_live"] >= FLOWS, f"{first['nat']}")

    idle = stalled()
    clients = [Client(requests) for requests in ROUNDS]
    for client in clients:
        client.first.wait(LIMIT_S)
    converse(asker, (lab.WORLD_SERVER, 4000), QUESTIONS)
    converse(asker, (guests[1].address, 4000), QUESTIONS)
    # Each has been answered meanwhile: the load was there.
    answered = [client.answered for client in clients]
    for client in clients:
        client.end()
    for connection in idle:
        connection.close()
    lab.expect(all(answered), f"{answered}")

    last = counters()
    port = [counted["ports"][0] for counted in (first, last)]
    lab.expect(port[1]["rx_packets"] - port[0]["rx_packets"] >= 2 * QUESTIONS, f"{port}")
    lab.expect(port[1]["tx_packets"] - port[0]["tx_packets"] >= 2 * QUESTIONS, f"{port}")
    for place in ("nat", "uplink"):
        lab.expect(first[place].get("drops") == last[place].get("drops"),
                   f"{first[place]}\n{last[place]}")
    lab.expect(port[0]["drops"] == port[1]["drops"], f"{port}")
    lab.expect(len(vhost.data_plane()) == 1, "the data plane is another one")

    vhost.signal(15)
    lab.expect(vhost.wait() == 0, f"{vhost.lines[-5:]}")
    for guest in guests:
        guest.close()
    lab.expect_same(before, lab.host_state())
    return (f"{2 * QUESTIONS} questions and answers beside {sum(answered)} requests: "
            + ", ".join(f"{count} of {client.requests[0][1].partition('?')[0]}"
                        for count, client in zip(answered, clients)))


if __name__ == "__main__":
    lab.main(120)
