# SPDX-License-Identifier: BSD-3-Clause
"""Runs back ends and the generator, and takes the figures of one measurement."""

import contextlib
import json
import os
import subprocess
import sys
import time

import backends
import processor
import tcp

# What connecting has left to do is over; and so long it is looked at what idle guests cost.
SETTLE_SECONDS, IDLE_SECONDS = 0.2, 1


def say(text):
    if sys.stderr.isatty():
        print(f"\r  {text:<78}", end="" if text else "\r", file=sys.stderr, flush=True)


def rotated(things, by):
    return things[by % len(things):] + things[:by % len(things)]


def generator_command(setup, backend, arguments):
    command = [setup.generator, "--hold", "--cpu", setup.generator_cpu,
               "--device-cpu", setup.backend_cpu, *arguments, *backend.generator,
               *backend.sockets()]
    return backend.generator_command([str(word) for word in command])


def may_be_realtime():
    """Whether SCHED_FIFO can be had here."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except PermissionError:
        return False
    return True


def realtime(setup):
    """In the generator's process, before it starts."""
    if setup.realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def generate(setup, backend, arguments):
    """Runs the generator once and returns its answer, with what processor.Watch has seen."""
    command = generator_command(setup, backend, arguments)
    watch = processor.Watch(setup, backend)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: realtime(setup)) as generator:
        line = generator.stdout.readline()
        watched = watch.stop()
        _, errors = generator.communicate(timeout=60)
    if generator.returncode:
        raise RuntimeError(f"{backend.name}: {' '.join(command)}\n{errors}")
    return {**json.loads(line), **watched}


def take_turn(setup, backend, workload):
    """One workload on one back end, whose turn it is."""
    # One that polls leaves its processor's other threads no time: nobody may wait for them then.
    before = backend.before()
    backend.resume()
    if workload.tool == "iperf3":
        answer = tcp.measure(setup, backend, workload)
    else:
        answer = generate(setup, backend, [
            "--seconds", setup.seconds, "--warm-up", min(0.1, setup.seconds), *workload.arguments,
            *backend.needs.get(workload.frames, ())])
    backend.pause()
    backend.after(before, workload, answer)
    return answer


@contextlib.contextmanager
def running(setup, kind, serial):
    backend = kind(setup, os.path.join(setup.scratch, f"{kind.name}-{serial}"))
    try:
        backend.start()
        backend.pin()
        backend.pause()
        yield backend
    finally:
        backend.stop()


def fits(kind, workload):
    """Round trips need the frames' contents; and not everyone carries everything."""
    if workload.frames in kind.lacks or workload.name in kind.lacks:
        return False
    return not (workload.round_trip and issubclass(kind, backends.BareDrop))


def compare(setup, scenario, kinds, repetition, answers):
    """One repetition of a scenario; adds to {workload: {back end: [answers]}}."""
    wanted = [work for work in scenario.workloads if setup.wants(work)]
    kinds = [kind for kind in kinds if any(fits(kind, work) for work in wanted)]
    with contextlib.ExitStack() as stack:
        alive = [stack.enter_context(running(setup, kind, f"{scenario.name}-{repetition}"))
                 for kind in rotated(kinds, repetition)]
        for turn, workload in enumerate(wanted):
            for backend in rotated(alive, turn):
                if fits(type(backend), workload):
                    say(f"repetition {repetition + 1} of {setup.repetitions}: {workload.name}, "
                        f"{backend.name}")
                    answers.setdefault(workload.name, {}).setdefault(backend.name, []).append(
                        take_turn(setup, backend, workload))


@contextlib.contextmanager
def idle_guests(setup, backend):
    """Connected guests that do nothing."""
    command = generator_command(setup, backend, ["--mode", "idle"])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as guests:
        try:
            guests.stdout.readline()
            yield
        finally:
            guests.stdin.close()


def measure_rest(setup, kind, serial):
    """Memory and processor time of a back end whose guests do nothing, and at 100 kpps."""
    figures = {}
    with running(setup, kind, serial) as backend:
        backend.resume()
        figures["start to ready, ms"] = (backend.ready_ns - backend.started_ns) / 1e6
        with idle_guests(setup, backend):
            memory = [backends.memory_kib(pid) for pid in backend.pids()]
            figures["resident, MB"] = sum(rss for rss, _ in memory) * 1024 / 1e6
            figures["proportional, MB"] = sum(pss for _, pss in memory) * 1024 / 1e6
            time.sleep(SETTLE_SECONDS)
            cpu, wall = backends.cpu_ns(backend.pids()), time.monotonic_ns()
            time.sleep(IDLE_SECONDS)
            figures["idle, % of a core"] = (
                (backends.cpu_ns(backend.pids()) - cpu) / (time.monotonic_ns() - wall) * 100)
        backend.renew()
        paced = generate(setup, backend, ["--pace", 100000, "--seconds", setup.seconds * 2])
        figures["at 100 kpps, % of a core"] = paced["backend_cpu_percent"]
    return figures


def measure_start(setup, serial):
    """From the start of chnet-vhost to the first frame that a guest gets, ms. The guests wait for
    it to be ready, as a machine monitor that watches for the socket would."""
    backend = backends.Chnet(setup, os.path.join(setup.scratch, f"start-{serial}"))
    ours, theirs = os.pipe()
    command = generator_command(setup, backend, ["--ready-fd", ours, "--seconds", 0.01,
                                                 "--warm-up", 0])
    try:
        with subprocess.Popen(command, pass_fds=[ours], stdout=subprocess.PIPE) as guests:
            backend.spawn_with(theirs)
            os.close(theirs)
            theirs = -1
            answer = json.loads(guests.communicate(timeout=60)[0])
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
        backend.stop()
    return (answer["first_frame_ns"] - backend.started_ns) / 1e6
