#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`./dev bench`: that every workload still works, for chnet-vhost and for the limits. How fast they
are is not judged: `--check` fails when frames are lost or wrong, or none arrives."""
import json
import pathlib
import tempfile

import lab

SCRIPT = pathlib.Path(__file__).parents[2] / "bench/throughput.sh"
LIMITS = ("limit-copy", "limit-generator", "limit-tap")


def _bench(scenario, *arguments):
    """Runs one scenario, briefly; its part of the JSON file."""
    only = [word for name in ("chnet", *LIMITS) for word in ("--only", name)]
    # Not below /run: the script has one of its own.
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "run.json"
        return _checked(scenario, path, *only, *arguments)


def _checked(scenario, path, *arguments):
    lab.run(SCRIPT, lab.BIN.parent, "--scenario", scenario, "--repetitions", 1, "--seconds", 0.05,
            "--check", "--output", path, *arguments, limit_s=120)
    done = json.loads(path.read_text(encoding="utf-8"))["scenarios"][scenario]
    text = path.with_suffix(".svg").read_text(encoding="utf-8")
    lab.expect("</svg>" in text and "chnet" in text, "no plot")
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


@lab.test("guest to guest, with up to 64 guests on one worker")
def many():
    results = _bench("many", "--quick", "--only", "chnet-64")
    for name, entry in results.items():
        lab.expect(set(entry["backends"]) == {"chnet", "chnet-64"}, f"{name}: {entry}")


@lab.test("guest to world, in many sessions and in new ones")
def sessions():
    results = _bench("sessions", "--quick")
    lab.expect("new sessions only" in results, f"only {list(results)}")


if __name__ == "__main__":
    lab.main(200)
