# SPDX-License-Identifier: BSD-3-Clause
"""The NAT by itself (nat_bench.c), as a scenario: its "back ends" are how many sessions there are."""

import os
import subprocess

import report

NAME = "nat"
_COLUMNS = (("hit, out", "cycles", 0), ("hit, in", "cycles", 1), ("rate out", "Mpps", 2),
            ("sessions created", "M/s", 3))
_RATE = 2
_SIZES = (1000, 64000, 1000000)


def _runs(setup):
    """{sessions: [columns of each run]}"""
    sizes = _SIZES[:2] if setup.quick else _SIZES
    command = [os.path.join(setup.build, "bench", "nat_bench"), "--all", *map(str, sizes)]

    def prepare():
        os.sched_setaffinity(0, {setup.backend_cpu})
        if setup.realtime:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))

    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=300, check=False, preexec_fn=prepare)
    if done.returncode:
        raise RuntimeError(f"nat_bench: {done.stderr}")
    found = {size: [] for size in sizes}
    for line in done.stdout.splitlines():
        words = line.split()
        if words and words[0].isdigit():
            found[int(words[0])].append([float(word) for word in words[1:]])
    return found


def run(setup):
    """What goes into the JSON file."""
    runs = _runs(setup)
    results = {}
    for name, unit, column in _COLUMNS:
        results[name] = {"unit": unit, "ratios": {}, "backends": {
            f"{size} sessions": report.summary([one[column] for one in every])
            for size, every in runs.items()}}
    first = [one[_RATE] for one in runs[_SIZES[0]]]
    results[f"rate out, divided by that of {_SIZES[0]}"] = {"unit": "", "ratios": {}, "backends": {
        f"{size} sessions": report.summary([one[_RATE] / base for one, base in zip(every, first)])
        for size, every in runs.items() if size != _SIZES[0]}}
    return {"about": "the NAT by itself, without rings, devices and kernel",
            "backends": {f"{size} sessions": "" for size in runs}, "results": results}
