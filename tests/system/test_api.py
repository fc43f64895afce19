#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
The API of a network that runs, and the verbs of `chnet` that speak with it: what it shows, ports
and forwards that come and go under traffic, and what of them a new data plane still has.
"""
import json
import os
import re
import signal
import socket
import time
import types
import urllib.parse

import lab
import openapi
import world
from vhost import Vhost, sockets
from wire import WireGuest

CHNET = next((path for path in (lab.BIN / "chnet", lab.BIN.parent / "control/chnet")
              if path.exists()), lab.BIN / "chnet")
SOCKET = "/run/chnet/default.sock"
PORTS = "/run/chnet/ports/default"
LEASES = "/run/chnet/default.leases"
MEBIBYTES = 192

at = types.SimpleNamespace(description=openapi.Description())


def call(method, path, body=None, described=None, raw=None):
    """(status, type, body) by curl; `described`: the path in docs/api.json, which is checked."""
    more = [] if raw is None and body is None else \
        ["--data-binary", raw if raw is not None else json.dumps(body)]
    text = lab.run("curl", "-sS", "--max-time", "20", "--unix-socket", SOCKET, "-X", method, *more,
                   "-w", "\n%{http_code} %{content_type}", f"http://chnet{path}")
    answer, _, tail = text.rpartition("\n")
    status, _, kind = tail.partition(" ")
    at.description.check(method, described or path.partition("?")[0], int(status), kind, answer)
    return int(status), kind, answer


def get(path):
    status, _, text = call("GET", path)
    lab.expect(status == 200, f"{path}: {status} {text}")
    return json.loads(text)


def refused(status, says, *request, **more):
    """A request that is refused with this status and a sentence with that in it."""
    got, _, text = call(*request, **more)
    lab.expect(got == status and says in json.loads(text)["error"], f"{request}: {got} {text}")
    return json.loads(text)["error"]


def chnet(*words, check=True):
    return lab.run(CHNET, *words, check=check)


def chnet_fails(says, *words):
    """It ends with exit code 1 and one line."""
    text = lab.run("sh", "-c", '"$@"; echo "exit code $?"', "sh", CHNET, *words)
    line, end = text.splitlines()
    lab.expect(end == "exit code 1" and line.startswith("chnet: ") and says in line, text)
    return line


def delete_port(number):
    status, _, text = call("DELETE", f"/v1/ports/{number}", described="/v1/ports/{port}")
    lab.expect(status == 204, f"port {number}: {status} {text}")


def ports():
    return {port["port"]: port for port in get("/v1/ports")["ports"]}


@lab.test("without a network each verb says so in one line")
def nothing_runs():
    for words in (("status",), ("ports",), ("port", "add"), ("port", "del", "0"), ("flows",),
                  ("forward", "list"), ("forward", "add", "tcp:1=172.16.0.2:1")):
        chnet_fails("no network 'default' is running", *words)
    return chnet_fails("no network 'other' is running", "status", "--name", "other")


@lab.test("the socket is there, for its group, and everything is shown as it is described")
def shown():
    at.before = lab.host_state()
    at.web = world.WebServer("world", lab.WORLD_SERVER)
    at.vhost = Vhost(*sockets(2)).ready()
    lab.expect(os.stat(SOCKET).st_mode & 0o777 == 0o660, "mode of the socket")
    at.guests = [WireGuest(number) for number in range(2)]
    for guest in at.guests:
        guest.run("curl", "-sS", "--max-time", "10", f"http://{lab.WORLD_SERVER}/")
    status = get("/v1/status")
    lab.expect(status["pid"] == at.vhost.data_plane()[0], f"{status}")
    lab.expect(status["monitor_pid"] == at.vhost.pid, f"{status}")
    lab.expect((status["egress"], status["tap"], status["ports"], status["ports_connected"]) ==
               ("outside", "tap0", 2, 2), f"{status}")
    lab.expect([(port["ip"], port["connected"], port["receiving"], port["sending"])
                for port in ports().values()] ==
               [(f"172.16.0.{2 + number}", True, True, True) for number in range(2)], f"{ports()}")
    counters = get("/v1/counters")
    lab.expect(counters["ports"][0]["rx_packets"] > 0 and counters["nat"]["packets_out"] > 0,
               f"{counters}")
    status, kind, text = call("GET", "/metrics")
    lab.expect(status == 200 and 'chnet_port_rx_packets_total{port="0"} ' in text, text)


@lab.test("a port shows the guest's name and its lease, until the guest gives that back")
def names_and_leases():
    lab.expect([(port["hostname"], port["leases"]) for port in ports().values()] ==
               [(None, [])] * 2, f"{ports()}")
    client = lab.Process("udhcpc", ["busybox", "udhcpc", "-i", "eth0", "-n", "-f", "-R", "-t", "5",
                                    "-T", "3", "-s", "/bin/true", "-x", "hostname:Web"],
                         namespace="guest0")
    client.wait_line("lease of 172.16.0.2 obtained")
    (lease,) = ports()[0]["leases"]
    left = lease.pop("expires_s")
    lab.expect(lease == {"ip": "172.16.0.2", "mac": "52:54:00:12:34:56", "hostname": "web"} and
               43100 < left <= 43200, f"{lease}, {left} s")
    lab.expect(ports()[1]["leases"] == [], f"{ports()}")
    row = chnet("ports").splitlines()[1].split()
    lab.expect(row[:5] == ["0", "up", "web", "172.16.0.2", at.guests[0].mac], f"{row}")
    client.signal(signal.SIGTERM)
    client.wait()
    # What the guest sends is handled in order: with this answer, the release has been.
    at.guests[0].run("ping", "-n", "-c", "1", "-W", "5", "172.16.0.1")
    lab.expect(ports()[0]["leases"] == [], f"{ports()}")
    port = json.loads(chnet("port", "add", "--json", "--hostname", "Mail", "--ip", "172.16.0.9"))
    lab.expect(port["hostname"] == "mail", f"{port}")
    row = chnet("ports").splitlines()[3].split()
    lab.expect(row[:5] == ["2", "-", "mail", "172.16.0.9", "-"], f"{row}")
    sentence = refused(400, "already that of", "POST", "/v1/ports", {"hostname": "mail"})
    refused(400, "name of the host", "POST", "/v1/ports", {"hostname": "host"})
    delete_port(2)
    return sentence


@lab.test("flows, by filter and in pages")
def flows():
    guest = at.guests[0]
    with lab.inside("world"):
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.bind((lab.WORLD_SERVER, 4000))
    talkers = []
    for port in range(10000, 10250):
        talker = guest.socket(socket.SOCK_DGRAM, port)
        talker.sendto(b"x", (lab.WORLD_SERVER, 4000))
        talkers.append(talker)
    for _ in talkers:
        sink.settimeout(10)
        sink.recv(16)
    lab.expect(get("/v1/flows?remote_port=4000&count=true") == {"count": 250}, "count")
    seen, after = [], 0
    while after is not None:
        page = get(f"/v1/flows?remote_port=4000&limit=100&after={after}")
        lab.expect(len(page["flows"]) <= 100, "a page is too long")
        seen += [flow["guest_port"] for flow in page["flows"]]
        after = page["next"]
    lab.expect(sorted(seen) == list(range(10000, 10250)), f"{len(seen)}: {seen[:5]}")
    flow = get("/v1/flows?guest_port=10007")["flows"]
    lab.expect(len(flow) == 1 and flow[0]["guest"] == guest.address and
               flow[0]["remote"] == lab.WORLD_SERVER and flow[0]["protocol"] == "udp" and
               flow[0]["opened"] == "out" and flow[0]["bytes_out"] == 29, f"{flow}")
    tcp = get("/v1/flows?protocol=tcp&guest=172.16.0.3&remote_port=80")["flows"]
    lab.expect(tcp, "the page that was fetched left no flow")
    lab.expect(chnet("flows", "--remote-port", "4000", "--count").strip() == "250", "chnet flows")
    lab.expect(len(chnet("flows", "--remote-port", "4000", "--limit", "7").splitlines()) == 9,
               "a head, seven flows and a line that says that there are more")


@lab.test("what is wrong is refused with a 4xx and one sentence")
def wrong():
    sentences = [
        refused(400, "no JSON", "POST", "/v1/ports", raw="{"),
        refused(400, "no member", "POST", "/v1/ports", {"mca": "52:54:00:12:34:58"}),
        refused(400, "not a MAC", "POST", "/v1/ports", {"mac": "zebra"}),
        refused(400, "already that of", "POST", "/v1/ports", {"ip": "172.16.0.2"}),
        refused(400, "already that of", "POST", "/v1/ports", {"mac": "52:54:00:12:34:56"}),
        refused(400, "given twice", "POST", "/v1/ports",
                {"socket": f"{lab.SCRATCH}/guest0.sock"}),
        refused(403, "only in", "POST", "/v1/ports", {"socket": "/tmp/x.sock"}),
        refused(403, "absolute", "POST", "/v1/ports", {"socket": "x.sock"}),
        refused(403, "only in", "POST", "/v1/ports", {"socket": "/run/no/such/x.sock"}),
        refused(404, "no port 7", "DELETE", "/v1/ports/7", described="/v1/ports/{port}"),
        refused(400, "number", "DELETE", "/v1/ports/x", described="/v1/ports/{port}"),
        refused(400, "must be", "GET", "/v1/flows?limit=x"),
        refused(400, "no level", "PUT", "/v1/log-level", {"log_level": "loud"}),
    ]
    precious = lab.SCRATCH / "precious"
    precious.write_text("precious")
    sentences.append(refused(500, "no socket", "POST", "/v1/ports", {"socket": str(precious)}))
    lab.expect(precious.read_text() == "precious", "the file was changed")
    precious.unlink()
    lab.expect(len(ports()) == 2, "a port was added all the same")
    lab.expect(len(list(lab.SCRATCH.glob("*.sock"))) == 2, "a socket was made all the same")
    return "\n".join(sentences)


@lab.test("ports come and go while a neighbour's download goes on")
def hot_ports():
    download = lab.Process("download", [
        "sh", "-c", f"curl -sS --max-time 60 http://{lab.WORLD_SERVER}/noise/{MEBIBYTES} | "
        "sha256sum"], namespace="guest1")
    at.web.wait_moved(4)
    # The guest of the port that goes sends all the while.
    flood = lab.Process("flood", ["ping", "-n", "-q", "-f", "-i", "0.001", "172.16.0.3"],
                        namespace="guest0")
    made = []
    for turn in range(5):
        port = json.loads(chnet("port", "add", "--json", "--ip", f"172.16.0.{10 + turn}"))
        lab.expect(port["port"] == 2 and os.path.dirname(port["socket"]) == PORTS, f"{port}")
        guest = WireGuest(8 + turn, path=port["socket"])
        guest.run("ping", "-n", "-c", "2", "-i", "0.05", "-W", "5", "172.16.0.3")
        guest.run("curl", "-sS", "--max-time", "10", f"http://{lab.WORLD_SERVER}/")
        lab.expect(ports()[2]["sending"], f"{ports()}")
        chnet("port", "del", "2")
        lab.expect(not os.path.exists(port["socket"]), "the socket is still there")
        lab.expect(2 not in ports(), f"{ports()}")
        made.append(guest)
    # More than what its queue holds, and so may come before the new port is looked at; on a fast
    # machine the turns are over before that.
    end = time.monotonic() + 30
    while ports()[0]["rx_packets"] <= 512:
        lab.expect(time.monotonic() < end, f"the flood does not go on: {ports()}")
    first = ports()[0]["socket"]
    lab.expect(os.path.exists(first), f"{first} is not there")
    delete_port(0)
    lab.expect(not os.path.exists(first), "the socket that was given at the start is still there")
    lab.expect(list(ports()) == [1], f"{ports()}")
    flood.signal(signal.SIGINT)
    flood.wait()
    total = download.wait_line(r"^([0-9a-f]{64})", 60)[1]
    lab.expect(total == world.noise_sum(MEBIBYTES), "the neighbour's download is damaged")
    for guest in made:
        guest.close()
    lab.expect(len(at.vhost.data_plane()) == 1 and get("/v1/status")["restarts"] == 0,
               "the data plane died")


def _cleanup():
    return lab.run(CHNET, "cleanup", namespace="host")


@lab.test("a new port does not show the lease of the guest that has gone; that guest gets it again")
def gone_leases():
    addresses = []
    for turn in range(2):
        port = json.loads(chnet("port", "add", "--json"))
        # The number of the port that was deleted last.
        lab.expect((port["port"], port["leases"]) == (0, []), f"{port}")
        guest = WireGuest(20, path=port["socket"])
        text = guest.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "5", "-T", "3",
                         "-s", "/bin/true", *(("-r", "172.16.0.99") if turn == 0 else ()))
        addresses.append(re.search(r"lease of ([\d.]+) obtained", text)[1])
        lab.expect([lease["ip"] for lease in ports()[0]["leases"]] == addresses[-1:], f"{ports()}")
        delete_port(0)
        lab.expect(all(port["leases"] == [] for port in ports().values()), f"{ports()}")
        guest.close()
        lab.expect(_cleanup() == "nothing to remove\n", "of a network that runs")
    lab.expect(addresses == ["172.16.0.99"] * 2, f"{addresses}")


@lab.test("a deleted port can be added again with its socket and addresses; its guest reconnects")
def again():
    status, _, text = call("POST", "/v1/ports", {
        "socket": f"{lab.SCRATCH}/guest0.sock", "mac": "52:54:00:12:34:56", "ip": "172.16.0.2"})
    lab.expect(status == 201 and json.loads(text)["port"] == 0, text)
    lab.expect(json.loads(text)["rx_packets"] <= 512, f"counters of another port: {text}")
    at.guests[0].wire.wait_connected()
    at.guests[0].run("ping", "-n", "-c", "2", "-i", "0.05", "-W", "5", "172.16.0.3")
    at.guests[0].run("curl", "-sS", "--max-time", "10", f"http://{lab.WORLD_SERVER}/")


@lab.test("the network holds 64 ports, and says so at the 65th")
def full():
    added = [json.loads(chnet("port", "add", "--json"))["port"] for _ in range(62)]
    lab.expect(added == list(range(2, 64)), f"{added}")
    sentence = refused(400, "up to 64", "POST", "/v1/ports", {})
    for number in added:
        delete_port(number)
    lab.expect(not os.listdir(PORTS), f"left: {os.listdir(PORTS)}")
    return sentence


def _forward(spec, method="DELETE"):
    if method == "POST":
        return call("POST", "/v1/forwards", {"forward": spec})
    return call("DELETE", "/v1/forwards/" + urllib.parse.quote(spec, safe=""),
                described="/v1/forwards/{forward}")


def _fetch_from_world(port):
    """Whether the world reaches a server of guest 0 behind that port of the host."""
    return "You are" in lab.run("curl", "-sS", "--max-time", "2", f"http://{lab.HOST_OUTSIDE}:{port}/",
                                namespace="world", check=False)


@lab.test("forwards come and go while running")
def hot_forwards():
    at.inner = world.WebServer("guest0", "172.16.0.2", 80)
    spec = "tcp:8080=172.16.0.2:80"
    lab.expect(not _fetch_from_world(8080), "reachable before")
    status, _, text = _forward(spec, "POST")
    lab.expect(status == 201, text)
    lab.expect(_fetch_from_world(8080), "not reachable through the forward")
    lab.expect(chnet("forward", "list").split() == [spec], "forward list")
    refused(400, "already leads", "POST", "/v1/forwards", {"forward": "tcp:8080=172.16.0.3:80"})
    refused(400, "outside the LAN", "POST", "/v1/forwards", {"forward": "tcp:8081=10.0.0.1:80"})
    refused(400, "neither tcp nor udp", "POST", "/v1/forwards",
            {"forward": "icmp:1=172.16.0.2:1"})
    with lab.inside("host"), socket.socket() as busy:
        busy.bind(("", 8082))
        busy.listen()
        refused(409, "port 8082 is in use", "POST", "/v1/forwards",
                {"forward": "tcp:8081-8083=172.16.0.2:80-82"})
    refused(404, "no forward", "DELETE", "/v1/forwards/tcp:1=172.16.0.2:1",
            described="/v1/forwards/{forward}")
    chnet("forward", "del", spec)
    lab.expect(not _fetch_from_world(8080), "still reachable")
    lab.expect(get("/v1/forwards") == {"forwards": []}, "a forward is left")


@lab.test("a new data plane has the ports, forwards and the log level that were set while running")
def restart():
    chnet("forward", "add", "tcp:8080=172.16.0.2:80")
    port = json.loads(chnet("port", "add", "--json", "--ip", "172.16.0.4"))
    lab.expect(get("/v1/log-level") == {"log_level": "info"}, "log level before")
    call("PUT", "/v1/log-level", {"log_level": "warning"})
    guest = WireGuest(2, path=port["socket"])
    before = get("/v1/status")
    os.kill(before["pid"], signal.SIGKILL)
    guest.wire.wait_connected()
    at.guests[0].wire.wait_connected()
    guest.run("ping", "-n", "-c", "2", "-i", "0.05", "-W", "5", "172.16.0.2")
    after = get("/v1/status")
    lab.expect(after["restarts"] == 1 and after["pid"] != before["pid"], f"{after}")
    lab.expect(after["uptime_s"] >= before["uptime_s"], "the network's time began anew")
    lab.expect(sorted(ports()) == [0, 1, 2], f"{ports()}")
    lab.expect(get("/v1/log-level") == {"log_level": "warning"}, "log level")
    lab.expect(_fetch_from_world(8080), "the forward is lost")
    chnet("forward", "del", "tcp:8080=172.16.0.2:80")
    lab.expect(not _fetch_from_world(8080), "the forward cannot be taken back")
    chnet("port", "del", "2")
    guest.close()


@lab.test("everything that is described was asked for, and the end leaves nothing")
def end():
    at.inner.shutdown()
    missing = at.description.operations() - at.description.seen
    lab.expect(not missing, f"not asked for: {missing}")
    at.vhost.signal(signal.SIGTERM)
    lab.expect(at.vhost.wait() == 0, f"{at.vhost.lines[-5:]}")
    for guest in at.guests:
        guest.close()
    lab.expect_same(at.before, lab.host_state(), but=("files",))
    lab.expect(lab.host_state()["files"] == sorted([*at.before["files"], LEASES]), "files")
    lab.expect(_cleanup() == "removed the leases of default\n", "cleanup")
    lab.expect_same(at.before, lab.host_state())


@lab.test("a socket that a killed network left is replaced")
def stale():
    vhost = Vhost(*sockets(1)).ready()
    chnet("port", "add")
    pids = [vhost.pid, *vhost.data_plane()]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    lab.wait_gone(pids)
    vhost.wait()
    chnet_fails("no network 'default' is running", "status")
    vhost = Vhost(*sockets(1)).ready()
    lab.expect(not os.listdir(PORTS), "a socket of the killed network is still there")
    chnet("status")
    vhost.signal(signal.SIGTERM)
    vhost.wait()
    lab.expect_same(at.before, lab.host_state())


if __name__ == "__main__":
    lab.main(240)
