#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
kill -9 of everything, at random points of a network's life: `chnet cleanup`, or the next `chnet
run`, leaves the host as it was: all that lab.host_state() compares.

The points are moments in time, chosen evenly between the start and somewhat beyond the moment at
which the VM runs. Nothing waits for time: it decides where the axe falls. CHNET_SEED repeats a run.
"""
import os
import random
import select
import signal

import lab
from chnet import CHNET, Run, chnet, environment, state

SEED = int(os.environ.get("CHNET_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
RANDOM = random.Random(SEED)
ROUNDS = 12


def _kill_everything():
    """All of chnet and its VMMs, each by its number, until none is left."""
    while True:
        pids = [pid for pid, (_, words) in lab.processes().items()
                if words.split(" ")[0].endswith(("/chnet", "/chnet-vhost")) or "vmm.py" in words]
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        lab.wait_gone(pids)


def _strike(process, within_s):
    """Kills everything at some moment, or when the program has ended by itself."""
    at = RANDOM.uniform(0, within_s)
    handle = os.pidfd_open(process.pid)
    select.select([handle], [], [], at)
    os.close(handle)
    _kill_everything()
    process.wait()
    return at


def _leftovers(before):
    """What differs, for the note of a test: a strike that never leaves anything proves nothing."""
    after = state()
    return {what for what in before if before[what] != after[what]}


def _rounds(start, within_s, mend):
    before = state()
    left = set()
    for number in range(ROUNDS):
        at = _strike(start(), within_s)
        left |= _leftovers(before)
        try:
            mend()
            lab.expect_same(before, state())
        except lab.Failure as failure:
            _kill_everything()
            chnet("cleanup", check=False)
            raise lab.Failure(f"seed {SEED}, round {number}, struck after {at:.3f} s: "
                              f"{failure}") from None
    lab.expect(left, "nothing was ever left behind: the strikes hit nothing")
    return f"seed {SEED}; {ROUNDS} strikes, which left: {', '.join(sorted(left))}"


def _cleanup():
    chnet("cleanup")


def _next_run(mode):
    def run():
        following = Run(mode).attached()
        following.signal(signal.SIGTERM)
        lab.expect(following.wait(20) == 0, f"{following.lines}")
    return run


@lab.test("chnet run --tap is killed: cleanup mends")
def tap_cleanup():
    # The kernel changes this one when forwarding is switched on or off.
    lab.run("sysctl", "-qw", "net.ipv4.conf.all.accept_redirects=0", namespace="host")
    return _rounds(lambda: Run("--tap"), 0.4, _cleanup)


@lab.test("chnet run --tap is killed: the next run mends")
def tap_run():
    return _rounds(lambda: Run("--tap"), 0.4, _next_run("--tap"))


@lab.test("chnet run --vhost-user is killed: cleanup mends")
def vhost_cleanup():
    return _rounds(lambda: Run("--vhost-user"), 0.7, _cleanup)


@lab.test("chnet run --vhost-user is killed: the next run mends")
def vhost_run():
    return _rounds(lambda: Run("--vhost-user"), 0.7, _next_run("--vhost-user"))


@lab.test("chnet setup is killed: cleanup mends")
def setup_cleanup():
    return _rounds(lambda: lab.Process("setup", [CHNET, "setup"], namespace="host",
                                       env=environment()), 0.06, _cleanup)


@lab.test("chnet cleanup is killed: the next cleanup goes on")
def cleanup_cleanup():
    def start():
        chnet("setup")
        return lab.Process("cleanup", [CHNET, "cleanup"], namespace="host", env=environment())
    return _rounds(start, 0.06, _cleanup)


@lab.test("only chnet run is killed: VMM and network end by themselves")
def run_alone():
    before = state()
    for mode in ("--tap", "--vhost-user"):
        run = Run(mode).attached()
        others = [pid for pid in lab.descendants(run.pid)]
        lab.expect(others, "there is nobody beside it")
        run.signal(signal.SIGKILL)
        run.wait()
        lab.wait_gone(others)
        _cleanup()
        lab.expect_same(before, state())


if __name__ == "__main__":
    lab.main(300)
