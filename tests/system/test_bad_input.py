#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Bad input: one line that says what was wrong, exit code not 0, nothing half-built."""
import os
import re
import signal
import socket

import lab
from vhost import Vhost, sockets

GOOD = ("--socket", f"{lab.SCRATCH}/good.sock")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
          "--inh-caps=-all")
OTHER_USER_NAMESPACE = ("unshare", "--user", "--map-root-user")
NO_TUN = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /dev/net && exec "$@"', "sh")


def refused(what, *arguments, says, wrapper=(), env=None, setup=None):
    """Registers: started so, it ends with one line that matches each pattern of `says`."""
    @lab.test(f"{what} is refused in one line")
    def case():
        if setup:
            setup()
        before = lab.host_state()
        vhost = Vhost(*arguments, wrapper=wrapper, env={**os.environ, **(env or {})},
                      name="refused")
        status = vhost.wait(10)
        lines = [line for line in vhost.lines if line]
        lab.expect(status > 0, f"exit status {status}: {lines}")
        lab.expect(len(lines) == 1, f"not one line: {lines}")
        for pattern in says:
            lab.expect(re.search(pattern, lines[0], re.IGNORECASE),
                       f"{lines[0]!r} does not say {pattern!r}")
        lab.expect_same(before, lab.host_state())
        return lines[0]


def _scratch_for_everyone():
    os.chmod(lab.SCRATCH, 0o1777)


def _session():
    folder = lab.SCRATCH / "user"
    (folder / "chnet").mkdir(parents=True)
    for path in (folder, folder / "chnet"):
        os.chown(path, 65534, 65534)
        path.chmod(0o700)


_listeners = []


def _listener():
    """A listener in the host's network, until the program ends."""
    with lab.inside("host"):
        _listeners.append(socket.create_server(("127.0.0.1", 8085)))


def _collision():
    lab.run("ip", "-n", "host", "address", "add", "172.16.0.77/24", "dev", "outside")


def _collision_over():
    lab.run("ip", "-n", "host", "address", "del", "172.16.0.77/24", "dev", "outside")


def _other_tap():
    lab.run("ip", "-n", "host", "link", "add", "tap0", "type", "bridge")


def _other_tap_over():
    lab.run("ip", "-n", "host", "link", "del", "tap0")


refused("a user without rights and without a session", *GOOD, wrapper=NOBODY, says=("root",),
        setup=_scratch_for_everyone)
refused("a user without the right to make a TAP", *GOOD, wrapper=NOBODY,
        env={"XDG_RUNTIME_DIR": "/run/lab/user"}, says=("tap0", "root|CAP_NET_ADMIN"),
        setup=_session)
refused("root without rights on this network namespace", *GOOD, wrapper=OTHER_USER_NAMESPACE,
        says=("tap0|CAP_NET_ADMIN|root",))
refused("a host without /dev/net/tun", *GOOD, wrapper=NO_TUN, says=("/dev/net/tun",))
refused("a socket in a missing directory", "--socket", "/run/lab/missing/a.sock",
        says=("/run/lab/missing",))
refused("a socket path that is a directory", "--socket", "/run/lab",
        says=("/run/lab", "directory"))
refused("a socket path over 107 bytes", "--socket", "/run/lab/" + "x" * 120, says=("107",))
refused("the same socket twice", *GOOD, *GOOD, says=("good.sock",))
refused("no socket", says=("--socket",))
refused("a malformed MAC", "--socket", f"{lab.SCRATCH}/good.sock,mac=52:54:00:12:34",
        says=("52:54:00:12:34", "mac"))
refused("a multicast MAC", "--socket", f"{lab.SCRATCH}/good.sock,mac=53:54:00:12:34:56",
        says=("53:54:00:12:34:56",))
refused("a malformed IP", "--socket", f"{lab.SCRATCH}/good.sock,ip=172.16.0.256",
        says=("172.16.0.256",))
refused("an unknown key of --socket", "--socket", f"{lab.SCRATCH}/good.sock,colour=red",
        says=("colour",))
refused("an unknown option", *GOOD, "--uplnik", "tap", says=("--uplnik",))
refused("an option without its value", *GOOD, "--tap", says=("--tap",))
refused("an unknown uplink", *GOOD, "--uplink", "pigeon", says=("pigeon",))
refused("a malformed --host-ip", *GOOD, "--host-ip", "172.16.0.1/33", says=("172.16.0.1/33",))
refused("a TAP name that is too long", *GOOD, "--tap", "a-name-far-too-long", says=("15|long",))
refused("a TAP name with a slash", *GOOD, "--tap", "a/b", says=("a/b",))
refused("a malformed HOST_IP in the environment", *GOOD, env={"HOST_IP": "localhost"},
        says=("HOST_IP", "localhost"))
refused("a malformed GUEST_MAC in the environment", *GOOD, env={"GUEST_MAC": "none"},
        says=("GUEST_MAC", "none"))
refused("a forward to a guest that is not on the LAN", *GOOD, "--forward",
        "tcp:8080=10.0.0.2:80", says=("tcp:8080", "10.0.0.2", "172.16.0.0/24"))
refused("two forwards of one port", *GOOD, "--forward", "tcp:8080-8090=172.16.0.2:80-90",
        "--forward", "tcp:8085=172.16.0.3:80", says=("8085", "172.16.0.2"))
refused("a forward of a port on which a program of the host listens", *GOOD, "--forward",
        "tcp:8000-8099=172.16.0.2:8000-8099", says=("tcp:8000", "8085", "in use"),
        setup=_listener)
refused("a forward at an address that the host has not", *GOOD, "--forward",
        "tcp:192.0.2.9:8080=172.16.0.2:80", says=("192.0.2.9", "no address"))
refused("a time-out that an RFC forbids", *GOOD, "--nat-timeout", "udp=60",
        says=("udp=60", "120", "RFC 4787"))
refused("outside ports without an uplink", *GOOD, "--uplink", "none", "--outside-ports",
        "50000-59999", says=("--outside-ports", "uplink"))
refused("a LAN in which the host has an address already", *GOOD, setup=_collision,
        says=("172.16.0.", "outside"))


@lab.test("a device of another kind that has the TAP's name is left alone")
def busy_name():
    _collision_over()
    _other_tap()
    before = lab.host_state()
    vhost = Vhost(*GOOD, name="refused")
    lab.expect(vhost.wait(10) > 0, "it started")
    lab.expect(len(vhost.lines) == 1 and "tap0" in vhost.lines[0], f"{vhost.lines}")
    lab.expect_same(before, lab.host_state())
    _other_tap_over()
    return vhost.lines[0]


@lab.test("a second start on the same socket, name or TAP is refused, and the first goes on")
def twice():
    first = Vhost(*sockets(1)).ready()
    before = lab.host_state()
    path = f"{lab.SCRATCH}/guest0.sock"
    refusals = []
    for arguments, says in (
            (("--socket", path, "--tap", "tap1", "--host-ip", "172.17.0.1/24"),
             rf"{path}.*(in use|another|running|already)"),
            ((*GOOD, "--tap", "tap1", "--host-ip", "172.17.0.1/24"),
             r"/run/chnet/default\.sock.*another chnet-vhost"),
            ((*GOOD, "--name", "second", "--host-ip", "172.17.0.1/24"),
             r"TAP tap0 is that of a network of chnet")):
        second = Vhost(*arguments, name="second")
        lab.expect(second.wait(10) > 0, "it started")
        lab.expect(len(second.lines) == 1 and re.search(says, second.lines[0]), f"{second.lines}")
        lab.expect_same(before, lab.host_state())
        refusals += second.lines
    with socket.socket(socket.AF_UNIX) as front_end:
        front_end.settimeout(5)
        front_end.connect(f"{lab.SCRATCH}/guest0.sock")
        # GET_FEATURES: request 1, version 1, no payload; the reply repeats the request.
        front_end.sendall((1).to_bytes(4, "little") + (1).to_bytes(4, "little") + bytes(4))
        reply = front_end.recv(20)
        lab.expect(reply[:4] == (1).to_bytes(4, "little") and len(reply) == 20, f"{reply}")
    first.signal(signal.SIGTERM)
    lab.expect(first.wait() == 0, "the first did not end well")
    return "\n".join(refusals)


@lab.test("a socket whose owner is dead is taken over; another kind of file is not")
def stale():
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{lab.SCRATCH}/good.sock")
    vhost = Vhost(*GOOD).ready()
    vhost.signal(signal.SIGTERM)
    vhost.wait()
    precious = lab.SCRATCH / "good.sock"
    precious.write_text("precious")
    vhost = Vhost(*GOOD, name="refused")
    lab.expect(vhost.wait(10) > 0, "it started")
    lab.expect(len(vhost.lines) == 1 and "good.sock" in vhost.lines[0], f"{vhost.lines}")
    lab.expect(precious.read_text() == "precious", "the file was changed")


if __name__ == "__main__":
    lab.main(180)
