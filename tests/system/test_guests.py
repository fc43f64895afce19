#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two Linux guests, the host and the world: what reaches what, with offloads on and off."""
import socket
import types

import lab
import world
from guests import UmlGuest
from vhost import Vhost, sockets

UDP_SEGMENT = 103  # linux/udp.h

at = types.SimpleNamespace()


@lab.test("two guests boot with their own virtio_net driver")
def boot():
    at.web = world.WebServer("world", lab.WORLD_SERVER)
    at.echo = world.UdpEcho("world", lab.WORLD_SERVER)
    world.serve_iperf("world", lab.WORLD_SERVER)
    at.vhost = Vhost(*sockets(2)).ready()
    at.a, at.b = (UmlGuest(f"guest{n}", lab.SCRATCH / f"guest{n}.sock") for n in range(2))
    for number, guest in enumerate((at.a, at.b)):
        guest.booted()
        guest.configure(number)
    at.b.serve_iperf()
    at.b.serve("echo", "/usr/bin/python3 -u -c 'import socket; s = socket.socket(2, 2); "
               's.bind(("", 7)); print("echo ready")\n'
               "while True: s.sendto(*s.recvfrom(65535))'", "ready")


@lab.test("ping: guest to gateway, guest to guest, guest to world")
def ping():
    times = [at.a.ping(address, count=20)
             for address in ("172.16.0.1", at.b.address, lab.WORLD_SERVER)]
    return "round trip {:.2f}, {:.2f}, {:.2f} ms".format(*times)


@lab.test("a page of the world's web server, which sees the host's address and not the guest's")
def page():
    text = at.a.run(f"curl -sS --max-time 10 http://{lab.WORLD_SERVER}/")
    lab.expect(text == world.PAGE.decode().strip(), text)
    lab.expect(at.web.clients == [lab.HOST_OUTSIDE], f"seen: {at.web.clients}")


@lab.test("the host reaches a guest")
def host_to_guest():
    at.a.serve("nc", "echo hello from the guest | nc -nlvN 9000", "Listening")
    text = lab.run("nc", "-nd", "172.16.0.2", "9000", namespace="host", limit_s=10)
    lab.expect("hello from the guest" in text, text)
    lab.run("ping", "-n", "-c", "3", "-i", "0.05", "-W", "5", "172.16.0.3", namespace="host")


@lab.test("a guest reaches a service of the host at the gateway's address")
def guest_to_host():
    server = world.WebServer("host", "172.16.0.1", 8080)
    text = at.b.run("curl -sS --max-time 10 http://172.16.0.1:8080/")
    server.shutdown()
    lab.expect("world" in text, text)
    lab.expect(server.clients == ["172.16.0.3"], f"seen: {server.clients}")


def _datagrams(guest, address):
    """Datagrams of many sizes, those that need fragments aside, each answered with itself."""
    guest.run("/usr/bin/python3 -c '"
              "import os, socket\n"
              "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10)\n"
              f"s.connect((\"{address}\", 7))\n"
              "for size in [*range(0, 64), 100, 500, 1000, 1471, 1472]:\n"
              "    sent = os.urandom(size); s.send(sent)\n"
              "    assert s.recv(2000) == sent, size\n'")


@lab.test("the NAT keeps a UDP port for every remote (endpoint-independent mapping)")
def mapping():
    second = world.UdpEcho("world", lab.WORLD_GATEWAY)
    at.a.run("/usr/bin/python3 -c '"
             "import socket\n"
             "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10)\n"
             "s.bind((\"\", 40123))\n"
             f"for remote in \"{lab.WORLD_SERVER}\", \"{lab.WORLD_GATEWAY}\":\n"
             "    s.sendto(b\"x\", (remote, 7)); s.recv(10)\n'")
    seen = [at.echo.clients[-1], second.clients[-1]]
    lab.expect(seen == [(lab.HOST_OUTSIDE, 40123)] * 2, f"seen: {seen}")


@lab.test("datagrams that the host's kernel hands over in one frame (UDP_SEGMENT) arrive one by one")
def datagrams_in_one_frame():
    with lab.inside("host"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.settimeout(10)
    sender.connect((at.b.address, 7))
    sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1200)
    sent = [bytes([number]) * 1200 for number in range(9)] + [b"the last one is shorter"]
    sender.send(b"".join(sent))
    lab.expect([sender.recv(2000) for _ in sent] == sent, "not what was sent")


def _traffic(on):
    what = "on" if on else "off"

    @lab.test(f"offloads {what}: TCP both ways between guests")
    def tcp_guests():
        at.a.offloads(on)
        at.b.offloads(on)
        return "{:.2f} and {:.2f} Gbit/s".format(at.a.tcp_rate(at.b.address),
                                                 at.a.tcp_rate(at.b.address, "-R"))

    @lab.test(f"offloads {what}: TCP both ways between guest and world")
    def tcp_world():
        return "up {:.2f}, down {:.2f} Gbit/s".format(at.a.tcp_rate(lab.WORLD_SERVER),
                                                      at.a.tcp_rate(lab.WORLD_SERVER, "-R"))

    @lab.test(f"offloads {what}: UDP between guests and between guest and world")
    def udp():
        for address in (at.b.address, lab.WORLD_SERVER):
            _datagrams(at.a, address)
            for way in ((), ("-R",)):
                # So slow that a guest which the machine does not run for a while loses little.
                end = at.a.iperf(address, "-u", "-b", "4M", "-l", "1200", *way, seconds=1)["sum"]
                lab.expect(end["lost_packets"] < end["packets"], f"{address}: {end}")

    @lab.test(f"offloads {what}: 1 GiB from guest to guest arrives unchanged")
    def gibibyte_guests():
        expected = world.gibibyte()
        at.b.serve("receiver", "mkfifo /tmp/sum; nc -nlvN 9001 | (sum=$(sha256sum); echo $sum >/tmp/sum)",
                   "Listening")
        at.a.run(f"nc -nN {at.b.address} 9001 <{world.GIBIBYTE}", limit_s=150)
        text = at.b.run("cat /tmp/sum; rm /tmp/sum", limit_s=30)
        lab.expect(text.split()[0] == expected, f"{text} is not {expected}")

    @lab.test(f"offloads {what}: 1 GiB from the world to a guest arrives unchanged")
    def gibibyte_down():
        text = at.a.run(f"curl -sS http://{lab.WORLD_SERVER}/gibibyte | sha256sum", limit_s=150)
        lab.expect(text.split()[0] == world.gibibyte(), text)

    @lab.test(f"offloads {what}: 1 GiB from a guest to the world arrives unchanged")
    def gibibyte_up():
        text = at.a.run(f"curl -sS -T {world.GIBIBYTE} http://{lab.WORLD_SERVER}/", limit_s=150)
        lab.expect(text == world.gibibyte(), text)


_traffic(True)
_traffic(False)


@lab.test("frames of another's address do not leave a guest that is bound to its own")
def spoofing():
    at.b.run("ip address add 172.16.0.77/24 dev eth0")
    with lab.inside("host"):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("172.16.0.1", 9))
    # The honest datagram is sent last: when it is here, the other would have been before it.
    at.b.run("echo forged | nc -nu -w 0 -s 172.16.0.77 172.16.0.1 9;"
             "echo honest | nc -nu -w 0 -s 172.16.0.3 172.16.0.1 9; "
             "ip address del 172.16.0.77/24 dev eth0")
    listener.settimeout(10)
    data, sender = listener.recvfrom(100)
    lab.expect((data, sender[0]) == (b"honest\n", "172.16.0.3"), f"{data} from {sender}")


if __name__ == "__main__":
    lab.main(600)
