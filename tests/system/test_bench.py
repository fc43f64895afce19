#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`./dev bench`: that every workload still works, for chnet-vhost and for the limits. How fast they
are is not judged: `--check` fails when frames are lost or wrong, or none arrives."""
import json
import os
import pathlib
import socket
import sys
import tempfile

import lab

BENCH = pathlib.Path(__file__).parents[2] / "bench"
sys.path.append(str(BENCH))

import aims  # pylint: disable=wrong-import-position
import relay  # pylint: disable=wrong-import-position

LIMITS = ("limit-copy", "limit-generator", "limit-tap", "limit-veth")


def _bench(scenario, *arguments):
    """Runs one scenario, briefly; its part of the JSON file."""
    only = [word for name in ("chnet", *LIMITS) for word in ("--only", name)]
    # Not below /run: the script has one of its own.
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "run.json"
        return _checked(scenario, path, *only, *arguments)


def _checked(scenario, path, *arguments):
    lab.run(BENCH / "throughput.sh", lab.BIN.parent, "--scenario", scenario, "--repetitions", 1,
            "--seconds", 0.05, "--check", "--output", path, *arguments, limit_s=120)
    done = json.loads(path.read_text(encoding="utf-8"))["scenarios"][scenario]
    text = path.with_suffix(".svg").read_text(encoding="utf-8")
    lab.expect("</svg>" in text and all(name in text for name in done["backends"]), "no plot")
    tables = lab.run(BENCH / "markdown.py", path)
    for name in done["results"]:
        lab.expect(f"\n| {name}" in tables, f"no line for {name} in {tables}")
    return done["results"]


@lab.test("guest to guest")
def guests():
    results = _bench("guests")
    lab.expect("64 B" in results and "round trip, busy, p99" in results, f"only {list(results)}")
    for name, entry in results.items():
        lab.expect("chnet" in entry["backends"], f"no chnet in {name}")


@lab.test("guest to world, translated")
def world():
    results = _bench("world")
    lab.expect("ping, busy, p99" in results, f"only {list(results)}")
    for name, entry in results.items():
        lab.expect(set(entry["backends"]) == {"chnet", "limit-tap"}, f"{name}: {entry}")


@lab.test("a ping while another guest sends")
def loaded():
    results = _bench("loaded", "--quick")
    lab.expect("ping, busy, under load, p50" in results, f"only {list(results)}")


@lab.test("TCP between two kernels, both ways, with offloads and without")
def tcp():
    results = _bench("tcp", "--quick")
    lab.expect("TCP down, no offloads" in results, f"only {list(results)}")
    for name, entry in results.items():
        lab.expect(set(entry["backends"]) == {"chnet", "limit-veth"}, f"{name}: {entry}")
    lab.expect("wire_cpu_percent" in results["TCP up"]["backends"]["chnet"], "the load is not told")


@lab.test("a round trip while another pair of guests sends")
def loaded_guests():
    results = _bench("loaded-guests")
    lab.expect("round trip, busy, under load, p99" in results, f"only {list(results)}")


@lab.test("guest to guest, with up to 64 guests on one worker")
def many():
    results = _bench("many", "--quick", "--only", "chnet-64")
    for name, entry in results.items():
        lab.expect(set(entry["backends"]) == {"chnet", "chnet-64", "limit-copy"},
                   f"{name}: {entry}")


@lab.test("guest to world, in many sessions and in new ones")
def sessions():
    results = _bench("sessions", "--quick")
    lab.expect("new sessions only" in results, f"only {list(results)}")


@lab.test("at rest: memory, start-up, processor time, guest to guest and to the world")
def rest():
    results = _bench("rest", "--quick", "--only", "chnet-64")
    lab.expect(set(results["idle, % of a core"]["backends"]) == {"chnet", "chnet-64"}, results)
    lab.expect(results["start to first frame, ms"]["backends"]["chnet"]["low"] > 0, results)
    results = _bench("rest-world", "--quick")
    lab.expect(results["resident, MB"]["backends"]["chnet"]["low"] > 1, results)


@lab.test("the NAT by itself")
def nat():
    results = _bench("nat", "--quick")
    lab.expect(len(results["hit, out"]["backends"]["64000 sessions"]["values"]) == 5, results)


@lab.test("aims: met, missed, in doubt, and not measured, which is never met")
def aim_rows():
    aim = aims.Aim("guests", "64 B", "testpmd", low=1.3)
    other = aims.Aim("guests", "64 B", high=2)
    for median, ours, theirs in ((1.3, "met", "met"), (1.2, "missed", "met"), (9, "met", "missed")):
        summary = {"median": median, "low": 1, "high": 9, "values": [median]}
        run = {"guests": {"results": {"64 B": {"backends": {"chnet": summary},
                                               "ratios": {"testpmd": summary}}}}}
        lab.expect((aim.row(run)[-1], other.row(run)[-1]) == (ours, theirs), f"{median}: {run}")
    # A peer that polls, and another had its processor for a time.
    cpu = {"median": 100, "low": 79, "high": 100}
    run["guests"]["results"]["64 B"]["backends"]["testpmd"] = {"backend_cpu_percent": cpu}
    lab.expect(aim.row(run)[-1] == "met", aim.row(run))
    run["guests"]["polling"] = ["testpmd"]
    lab.expect((aim.row(run)[-1], other.row(run)[-1]) == ("in doubt", "missed"), aim.row(run))
    cpu["low"] = 80
    lab.expect(aim.row(run)[-1] == "met", aim.row(run))
    run["guests"]["results"]["64 B"]["ratios"] = {}
    lab.expect(aim.row(run)[-2:] == ["not measured", "–"], aim.row(run))
    lab.expect(all(row[-2] == "not measured" for row in aims.rows({})[1:]), aims.rows({}))


@lab.test("relay: a message and its descriptor pass, both ways, one front end after the other")
def relays():
    with tempfile.TemporaryDirectory() as folder:
        front_path, back_path = f"{folder}/front", f"{folder}/back"
        one = relay.Relay(front_path, back_path)
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as front, socket.socket(socket.AF_UNIX) as back:
                front.connect(front_path)
                back.connect(back_path)
                reader, writer = os.pipe()
                socket.send_fds(front, [b"take"], [writer])
                os.close(writer)
                data, (taken,), _, _ = socket.recv_fds(back, 16, 1)
                os.write(taken, b"x")
                os.close(taken)
                # The end: nobody else has it open any more.
                lab.expect((data, os.read(reader, 2), os.read(reader, 2)) == (b"take", b"x", b""),
                           "what came is not what was sent")
                os.close(reader)
                back.sendall(b"answer")
                lab.expect(front.recv(16) == b"answer", "no answer")
        one.close()


if __name__ == "__main__":
    lab.main(300)
