#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Debian's own kernel in QEMU (a PCI device, unlike User Mode Linux's), and a data plane killed."""
import os
import re
import signal
import types

import lab
import world
from guests import QemuGuest, UmlGuest
from vhost import Vhost, sockets

at = types.SimpleNamespace()


def _sum(text):
    """The hash in a guest's output: QEMU writes its own messages between the lines."""
    found = re.search(r"\b[0-9a-f]{64}\b", text)
    lab.expect(found, f"no hash: {text}")
    return found[0]


@lab.test("Debian's kernel boots in QEMU with its own virtio_net driver on PCI")
def boot():
    at.web = world.WebServer("world", lab.WORLD_SERVER)
    at.vhost = Vhost(*sockets(2)).ready()
    at.qemu = QemuGuest("guest0", lab.SCRATCH / "guest0.sock")
    at.uml = UmlGuest("guest1", lab.SCRATCH / "guest1.sock")
    for number, guest in enumerate((at.qemu, at.uml)):
        guest.booted()
        guest.configure(number)


@lab.test("ping: to the gateway, to a guest, to the world; the host pings it")
def ping():
    lab.run("ping", "-n", "-c", "3", "-i", "0.05", "-W", "5", at.qemu.address, namespace="host")
    times = [at.qemu.ping(address) for address in ("172.16.0.1", at.uml.address, lab.WORLD_SERVER)]
    return "round trip {:.2f}, {:.2f}, {:.2f} ms".format(*times)


@lab.test("64 MiB from the world through the NAT arrive unchanged")
def download():
    text = at.qemu.run(f"wget -q -O - http://{lab.WORLD_SERVER}/noise/64 | sha256sum")
    lab.expect(_sum(text) == world.noise_sum(64), text)
    lab.expect(at.web.clients == [lab.HOST_OUTSIDE], f"seen: {at.web.clients}")


@lab.test("64 MiB from a guest under User Mode Linux arrive unchanged")
def switched():
    (lab.SCRATCH / "noise").write_bytes(b"".join(map(world.noise_block, range(64))))
    at.uml.serve("web", f"/usr/bin/python3 -u -m http.server 8000 -d {lab.SCRATCH}", "Serving")
    text = at.qemu.run(f"wget -q -O - http://{at.uml.address}:8000/noise | sha256sum")
    lab.expect(_sum(text) == world.noise_sum(64), text)


def _killed_data_plane():
    (victim,) = at.vhost.data_plane()
    os.kill(victim, signal.SIGKILL)
    lab.wait_gone([victim])
    return victim


@lab.test("kill -9 of the data plane, twice, during a download: it goes on and arrives unchanged")
def killed_under_traffic():
    at.web.moved = 0
    victims = []
    at.qemu.start(f"wget -q -O - http://{lab.WORLD_SERVER}/noise/256 | sha256sum")
    for progress in (32, 128):
        at.web.wait_moved(progress)
        victims.append(_killed_data_plane())
    text = at.qemu.finish(limit_s=90)
    lab.expect(_sum(text) == world.noise_sum(256), text)
    (alive,) = at.vhost.data_plane()
    lab.expect(alive not in victims and len(set(victims)) == 2, f"{alive}, {victims}")
    at.qemu.ping("172.16.0.1")


@lab.test("kill -9 of monitor and data plane: the guest goes on when chnet-vhost is started again")
def killed_all():
    pids = [at.vhost.pid, *at.vhost.data_plane()]
    lab.expect(len(pids) == 2, f"{pids}")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    at.vhost.wait()
    lab.wait_gone(pids)
    at.vhost = Vhost(*sockets(2)).ready()
    # The guest's TCP tries until QEMU has connected again.
    text = at.qemu.run(f"wget -q -O - http://{lab.WORLD_SERVER}/")
    lab.expect(world.PAGE.decode().strip() in text, text)
    at.qemu.ping("172.16.0.1")


if __name__ == "__main__":
    lab.main(300)
