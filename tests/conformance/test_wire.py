#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The wire itself: what the other programs here rest on."""
import hashlib
import os
import signal

import lab
import world
from vhost import Vhost, sockets
from wire import RawGuest, WireGuest

PAGE_MIB = 32


@lab.test("wire_programs_of_a_namespace_are_the_guest: curl both ways, whole; gone with its guest")
def programs():
    vhost = Vhost(*sockets(1)).ready()
    server = world.WebServer("world", lab.WORLD_SERVER)
    guest = WireGuest(0)
    page = lab.SCRATCH / "page"
    guest.run("curl", "-sS", "-o", page, f"http://{lab.WORLD_SERVER}/noise/{PAGE_MIB}")
    got = hashlib.sha256(page.read_bytes()).hexdigest()
    lab.expect(got == world.noise_sum(PAGE_MIB), "what arrived is not what was sent")
    answer = guest.run("curl", "-sS", "-T", page, f"http://{lab.WORLD_SERVER}/")
    lab.expect(answer.strip() == got, answer)
    lab.expect(set(server.clients) == {lab.HOST_OUTSIDE}, f"seen from {server.clients}")
    guest.close()
    page.unlink()
    server.shutdown()
    server.server_close()
    vhost.kill()


@lab.test("wire_comes_back: after kill -9 of the data plane the same rings go on")
def comes_back():
    vhost = Vhost(*sockets(1)).ready()
    guest = WireGuest(0)
    guest.run("ping", "-n", "-c", "2", "-i", "0.05", "-W", "5", "172.16.0.1")
    os.kill(vhost.data_plane()[0], signal.SIGKILL)
    guest.wire.wait_connected()
    guest.run("ping", "-n", "-c", "2", "-i", "0.05", "-W", "5", "172.16.0.1")
    guest.close()
    vhost.kill()


@lab.test("wire_raw_guest: a frame there and its answer back, nothing else")
def raw():
    vhost = Vhost(*sockets(1), "--uplink", "none").ready()
    guest = RawGuest(0)
    arp = (b"\xff" * 6 + bytes.fromhex("525400123456" "0806" "0001080006040001" "525400123456"
                                       "ac100002" "000000000000" "ac100001"))
    guest.send(arp)
    answer = guest.receive(10)
    lab.expect(answer is not None, "no answer to ARP")
    header, frame = answer
    lab.expect(header[-1] == 1, f"num_buffers is {header[-1]}")
    lab.expect(frame[12:14] == b"\x08\x06" and frame[28:32] == bytes([172, 16, 0, 1]), frame.hex())
    guest.close()
    vhost.kill()


if __name__ == "__main__":
    lab.main(60)
