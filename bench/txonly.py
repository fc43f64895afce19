# SPDX-License-Identifier: BSD-3-Clause
"""Is the generator fast enough, and does it count right? Beside it stands testpmd's own generator
(--forward-mode=txonly) on a net_virtio_user port, on the same processor. Both load testpmd's rxonly
on net_vhost, which counts what comes."""

import contextlib
import copy
import os
import re
import time

import backends
import measure
import report

NAME = "generator"
_SIZES = (64, 1514)


class RxOnly(backends.Testpmd):
    name = "rxonly"
    guests = 1
    arguments = ("--forward-mode=rxonly", "--interactive")
    ready = b"testpmd> "

    def unpin(self):
        """No longer before all others."""
        for tid in self.worker_threads():
            os.sched_setscheduler(tid, os.SCHED_OTHER, os.sched_param(0))

    def received(self):
        """Frames that have come so far."""
        self.process.stdin.write(b"show port stats 0\n")
        self.process.stdin.flush()
        said = self.read_until(b"#\n" + self.ready)
        return int(re.search(rb"RX-packets: *(\d+)", said)[1])


class TxOnly(backends.Testpmd):
    """On the generator's processor, by the socket of a RxOnly."""

    name = "txonly"

    def __init__(self, setup, directory, path, size):
        setup = copy.copy(setup)
        setup.backend_cpu = setup.generator_cpu
        super().__init__(setup, directory)
        self.path = path
        self.arguments = ("--forward-mode=txonly", f"--txpkts={size}")

    def devices(self):
        return [f"net_virtio_user0,path={self.path},queues=1,queue_size=256"]


@contextlib.contextmanager
def _running(backend):
    try:
        backend.start()
        yield backend
    finally:
        backend.stop()


@contextlib.contextmanager
def _before_workers(setup, receiver):
    """This process, and the thread that answers it, come before those that never yield."""
    pids = (os.getpid(), receiver.process.pid) if setup.realtime else ()
    for pid in pids:
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(2))
    try:
        yield
    finally:
        for pid in pids:
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


def _theirs(setup, receiver, size, serial):
    """Mpps of txonly."""
    directory = os.path.join(setup.scratch, f"txonly-{serial}-{size}")
    first = receiver.received()
    with _running(TxOnly(setup, directory, receiver.sockets()[0], size)) as sender:
        deadline = time.monotonic() + backends.START_SECONDS
        while receiver.received() == first:
            if time.monotonic() > deadline:
                sender.fail("sends nothing")
            time.sleep(0.001)
        # Not before: two that never yield would keep the threads that connect them from running.
        for one in (receiver, sender):
            one.pin()
        with _before_workers(setup, receiver):
            begin, first = time.monotonic_ns(), receiver.received()
            time.sleep(setup.seconds)
            frames = receiver.received() - first
            return frames * 1e3 / (time.monotonic_ns() - begin)


def _ours(setup, receiver, size):
    """Mpps of the generator, and what was received of what it says it has sent, in percent."""
    before = receiver.received()
    receiver.pin()
    answer = measure.generate(setup, receiver, [
        "--unheard", "--size", size, "--seconds", setup.seconds, "--warm-up", 0.1])
    receiver.unpin()
    return answer["sent_mpps"], (receiver.received() - before) / answer["frames"] * 100


def run(setup):
    """What goes into the JSON file."""
    backends.Testpmd.check(setup)
    sizes = _SIZES[:1] if setup.quick else _SIZES
    found = {size: {"generator": [], "txonly": [], "counted": []} for size in sizes}
    for repetition in range(setup.repetitions):
        directory = os.path.join(setup.scratch, f"rxonly-{repetition}")
        with _running(RxOnly(setup, directory)) as receiver:
            for size, lists in found.items():
                measure.say(f"repetition {repetition + 1} of {setup.repetitions}: rxonly, {size} B")
                rate, counted = _ours(setup, receiver, size)
                lists["generator"].append(rate)
                lists["counted"].append(counted)
                lists["txonly"].append(_theirs(setup, receiver, size, repetition))
                receiver.unpin()
    measure.say("")
    results = {}
    for size, lists in found.items():
        figures = {name: report.summary(lists[name]) for name in ("generator", "txonly")}
        results[f"{size} B frames"] = {
            "unit": "Mpps", "backends": figures,
            "ratios": {"txonly": report.ratio(figures["generator"], figures["txonly"])}}
        results[f"{size} B frames, counted of those sent"] = {
            "unit": "%", "backends": {"generator": report.summary(lists["counted"])}, "ratios": {}}
    return {"about": "the generator beside testpmd's txonly, both into testpmd's rxonly",
            "backends": {"generator": "", "txonly": ""}, "results": results}
