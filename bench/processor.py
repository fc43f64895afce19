# SPDX-License-Identifier: BSD-3-Clause
"""Whose processor time a measurement took: the back end's threads', and both processors' whole."""

import os
import time

import backends


def processor_ns():
    """{processor: (busy, stolen) nanoseconds so far}, as proc(5) has them."""
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    found = {}
    with open("/proc/stat", encoding="ascii") as file:
        for line in file:
            name, *values = line.split()
            if name.startswith("cpu") and name != "cpu":
                user, nice, system, _, _, irq, softirq, steal = map(int, values[:8])
                found[int(name[3:])] = ((user + nice + system + irq + softirq) * tick,
                                        steal * tick)
    return found


class Watch:
    """Looks from when it is made to stop(). `others` are {name: process id} of the load."""

    def __init__(self, setup, backend, others=None):
        self.setup, self.pids, self.others = setup, backend.pids(), others or {}
        self.wall, self.busy = time.monotonic_ns(), processor_ns()
        self.before = self._times()

    def _times(self):
        return {"backend": backends.cpu_ns(self.pids),
                **{name: backends.cpu_ns([pid]) for name, pid in self.others.items()}}

    def stop(self):
        """What the back end's threads took (with the kernel's work on their behalf), what the load
        took, what the worker's and the generator's processor did by whomever, and what the machine
        below took; in percent of one processor."""
        after = self._times()
        wall, busy = time.monotonic_ns() - self.wall, processor_ns()
        found = {f"{name}_cpu_percent": (after[name] - self.before[name]) / wall * 100
                 for name in after if name != "backend" or self.pids}
        for name, number in (("worker", self.setup.backend_cpu),
                             ("generator", self.setup.generator_cpu)):
            found[f"{name}_cpu_percent"] = (busy[number][0] - self.busy[number][0]) / wall * 100
        found["stolen_percent"] = sum(
            busy[number][1] - self.busy[number][1] for number in busy) / wall * 100
        return found
