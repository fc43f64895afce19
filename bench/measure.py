# SPDX-License-Identifier: BSD-3-Clause
"""Runs back ends and the generator, and takes the figures of one measurement."""

import contextlib
import json
import os
import subprocess
import sys
import time

import backends


def say(text):
    if sys.stderr.isatty():
        print(f"\r  {text:<78}", end="" if text else "\r", file=sys.stderr, flush=True)


def rotated(things, by):
    return things[by % len(things):] + things[:by % len(things)]


def generator_command(setup, backend, arguments):
    command = [setup.generator, "--hold", "--cpu", setup.generator_cpu, "--device-cpu", setup.backend_cpu,
               *arguments, *backend.generator, *backend.sockets()]
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


def generate(setup, backend, arguments):
    """Runs the generator once and returns its answer, with the back end's processor time, and what
    both processors did: `worker_cpu_percent` and `generator_cpu_percent` are busy, by whomever, and
    `stolen_percent` is what the machine below took of both."""
    command = generator_command(setup, backend, arguments)
    pids = backend.pids()
    processors, cpu, wall = processor_ns(), backends.cpu_ns(pids), time.monotonic_ns()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: realtime(setup)) as generator:
        line = generator.stdout.readline()
        wall = time.monotonic_ns() - wall
        cpu = backends.cpu_ns(pids) - cpu
        after = processor_ns()
        _, errors = generator.communicate(timeout=60)
    if generator.returncode:
        raise RuntimeError(f"{backend.name}: {' '.join(command)}\n{errors}")
    answer = json.loads(line)
    if pids:
        answer["backend_cpu_percent"] = cpu / wall * 100
    for name, number in (("worker", setup.backend_cpu), ("generator", setup.generator_cpu)):
        answer[f"{name}_cpu_percent"] = (after[number][0] - processors[number][0]) / wall * 100
    answer["stolen_percent"] = sum(
        after[number][1] - processors[number][1] for number in after) / wall * 100
    return answer


def take_turn(setup, backend, workload):
    """One workload on one back end, whose turn it is."""
    backend.resume()
    before = backend.before()
    answer = generate(setup, backend, [
        "--seconds", setup.seconds, "--warm-up", min(0.2, setup.seconds), *workload.arguments,
        *backend.needs.get(workload.frames, ())])
    backend.after(before, workload, answer)
    backend.pause()
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


def fits(backend, workload):
    """Round trips need the frames' contents; and not everyone carries everything."""
    if workload.frames in backend.lacks or workload.name in backend.lacks:
        return False
    return not (workload.round_trip and isinstance(backend, backends.BareDrop))


def compare(setup, scenario, kinds, repetition, answers):
    """One repetition of a scenario; adds to {workload: {back end: [answers]}}."""
    with contextlib.ExitStack() as stack:
        alive = [stack.enter_context(running(setup, kind, f"{scenario.name}-{repetition}"))
                 for kind in rotated(kinds, repetition)]
        for turn, workload in enumerate(scenario.workloads):
            if not setup.wants(workload):
                continue
            for backend in rotated(alive, turn):
                if fits(backend, workload):
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
    """Memory and processor time of a back end whose two guests do nothing, and at 100 kpps."""
    figures = {}
    with running(setup, kind, serial) as backend:
        backend.resume()
        figures["start to ready, ms"] = (backend.ready_ns - backend.started_ns) / 1e6
        with idle_guests(setup, backend):
            memory = [backends.memory_kib(pid) for pid in backend.pids()]
            figures["resident, MB"] = sum(rss for rss, _ in memory) * 1024 / 1e6
            figures["proportional, MB"] = sum(pss for _, pss in memory) * 1024 / 1e6
            cpu, wall = backends.cpu_ns(backend.pids()), time.monotonic_ns()
            time.sleep(setup.seconds * 4)
            figures["idle, % of a core"] = (
                (backends.cpu_ns(backend.pids()) - cpu) / (time.monotonic_ns() - wall) * 100)
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
