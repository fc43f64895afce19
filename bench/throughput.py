# SPDX-License-Identifier: BSD-3-Clause
"""Measures chnet-vhost side by side with others; started by throughput.sh, in its namespaces.

Method: in each repetition every back end is started anew. Each workload is then given to all of them
in turn, in another order each time, so that what is compared was measured within a second or two:
machines that are shared change their speed by a factor of two from one minute to the next. A back
end's worker has one processor alone and the generator (bench/generator.c) the other; one that would
poll while it is not its turn is stopped meanwhile. Each figure is the median of the repetitions with
the lowest and the highest; a ratio is the median of the repetitions' own ratios.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import backends
import report

# name: unit, field of the generator's answer, arguments, in --quick
RATES = {
    "64 B": ("Mpps", "mpps", ["--size", "64"], True),
    "512 B": ("Mpps", "mpps", ["--size", "512"], False),
    "1500 B": ("Mpps", "mpps", ["--size", "1500"], True),
    "64 KiB TSO": ("Gbit/s", "gbps", ["--kind", "tso"], True),
    "64 B both ways": ("Mpps", "mpps", ["--size", "64", "--both"], False),
    "1500 B both ways": ("Mpps", "mpps", ["--size", "1500", "--both"], False),
}
ROUND_TRIPS = {
    "round trip, busy": ["--mode", "latency"],
    "round trip, one a ms": ["--mode", "latency", "--interval", "1000"],
}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="throughput.sh", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer workloads, shorter ones")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N")
    parser.add_argument("--seconds", type=float, help="of each measurement (1; quick 0.5)")
    parser.add_argument("--only", action="append", metavar="BACKEND",
                        choices=[kind.name for kind in backends.ALL],
                        help="compare only these: " + ", ".join(k.name for k in backends.ALL))
    parser.add_argument("--workload", action="append", metavar="NAME",
                        help="measure only these: " + ", ".join([*RATES, *ROUND_TRIPS]))
    parser.add_argument("--backend-cpu", type=int, default=0, metavar="N")
    parser.add_argument("--generator-cpu", type=int, default=1, metavar="N")
    parser.add_argument("--no-realtime", dest="realtime", action="store_false",
                        help="do not give worker and generator SCHED_FIFO")
    parser.add_argument("--chnet", help="another chnet-vhost than the one that was built")
    parser.add_argument("--against", metavar="PATH",
                        help="compare with this chnet-vhost too; ratios are then against it")
    parser.add_argument("--testpmd", action="append", default=[], metavar="ARGUMENT",
                        help="one more argument for testpmd")
    parser.add_argument("--output", metavar="FILE", help="JSON (default: bench/results/…)")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", required=True, help=argparse.SUPPRESS)
    setup = parser.parse_args()
    setup.seconds = setup.seconds or (0.5 if setup.quick else 1.0)
    setup.chnet = setup.chnet or os.path.join(setup.build, "backend", "chnet-vhost")
    setup.generator = os.path.join(setup.build, "bench", "chnet-generator")
    return setup


def generator_command(setup, arguments):
    command = [setup.generator, "--cpu", str(setup.generator_cpu),
               "--device-cpu", str(setup.backend_cpu)]
    return command + [str(argument) for argument in arguments]


def realtime(setup):
    """In the generator's process, before it starts."""
    if setup.realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def generate(setup, backend, arguments):
    """Runs the generator once and returns its answer, with the back end's processor time."""
    command = generator_command(setup, [*arguments, *getattr(backend, "generator", ()),
                                        *backend.sockets()])
    pids = backend.pids()
    cpu, wall = backends.cpu_ns(pids), time.monotonic_ns()
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False,
                          preexec_fn=lambda: realtime(setup))
    if done.returncode:
        raise RuntimeError(f"{backend.name}: {' '.join(command)}\n{done.stderr}")
    answer = json.loads(done.stdout)
    answer["backend_cpu_percent"] = (
        (backends.cpu_ns(pids) - cpu) / (time.monotonic_ns() - wall) * 100)
    return answer


def wanted(setup, name, quick=True):
    return name in setup.workload if setup.workload else quick or not setup.quick


def workloads(setup):
    """Name and arguments of what is to be measured."""
    for name, (_, _, arguments, quick) in RATES.items():
        if wanted(setup, name, quick):
            yield name, [*arguments, "--seconds", setup.seconds]
    for name, arguments in ROUND_TRIPS.items():
        if wanted(setup, name):
            yield name, [*arguments, "--seconds", setup.seconds]


def fits(backend, name):
    """Round trips need the frames' contents."""
    return not (name in ROUND_TRIPS and isinstance(backend, backends.BareDrop))


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


def rotated(things, by):
    return things[by % len(things):] + things[:by % len(things)]


@contextlib.contextmanager
def idle_guests(setup, backend):
    """Two connected guests that do nothing."""
    command = generator_command(setup, ["--mode", "idle", *backend.sockets()])
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
    command = generator_command(setup, ["--ready-fd", ours, "--seconds", 0.01, "--warm-up", 0,
                                        *backend.sockets()])
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


def say(text):
    if sys.stderr.isatty():
        print(f"\r  {text:<70}", end="" if text else "\r", file=sys.stderr, flush=True)


def compare(setup, kinds, repetition, answers):
    """One repetition of all workloads; adds to {workload: {backend: [answers]}}."""
    with contextlib.ExitStack() as stack:
        alive = [stack.enter_context(running(setup, kind, repetition))
                 for kind in rotated(kinds, repetition)]
        for turn, (name, arguments) in enumerate(workloads(setup)):
            for backend in rotated(alive, turn):
                if not fits(backend, name):
                    continue
                say(f"repetition {repetition + 1} of {setup.repetitions}: {name}, {backend.name}")
                backend.resume()
                answer = generate(setup, backend, arguments)
                backend.pause()
                answers.setdefault(name, {}).setdefault(backend.name, []).append(answer)


def collect(setup, kinds):
    """{workload: {backend: [answers]}} and {backend: [figures]}."""
    answers, figures = {}, {}
    for repetition in range(setup.repetitions):
        compare(setup, kinds, repetition, answers)
        for kind in kinds:
            if issubclass(kind, backends.Bare) or setup.workload:
                continue
            say(f"repetition {repetition + 1} of {setup.repetitions}: {kind.name} at rest")
            rest = measure_rest(setup, kind, f"rest-{repetition}")
            if kind is backends.Chnet:
                rest["start to first frame, ms"] = measure_start(setup, repetition)
            figures.setdefault(kind.name, []).append(rest)
    say("")
    return answers, figures


def summarise(setup, kinds, answers, figures):
    """What goes into the JSON file: {name: {unit, backends: {name: summary}}}."""
    result = {}
    for name, (unit, field, _, _) in RATES.items():
        if name in answers:
            result[name] = {"unit": unit, "backends": {
                kind: report.summary([one[field] for one in runs])
                for kind, runs in answers[name].items()}}
            for kind, runs in answers[name].items():
                entry = result[name]["backends"][kind]
                for more in ("idle_percent", "backend_cpu_percent", "wrong", "foreign"):
                    entry[more] = report.summary([one[more] for one in runs])
    for name in ROUND_TRIPS:
        for field in ("p50_us", "p99_us", "p999_us"):
            if name in answers:
                result[f"{name}, {field[:-3]}"] = {"unit": "us", "backends": {
                    kind: report.summary([one[field] for one in runs])
                    for kind, runs in answers[name].items()}}
    for kind in kinds:
        for name in figures.get(kind.name, [{}])[0]:
            entry = result.setdefault(name, {"unit": "", "backends": {}})
            entry["backends"][kind.name] = report.summary(
                [one[name] for one in figures[kind.name]])
    for entry in result.values():
        there = entry["backends"]
        if "chnet" in there and reference(setup) in there:
            entry["ratio"] = report.ratio(there["chnet"], there[reference(setup)])
    return result


def reference(setup):
    """What chnet's figures are divided by."""
    return backends.Against.name if setup.against else backends.Testpmd.name


def show(setup, kinds, result, stream):
    names = [kind.name for kind in kinds]
    rows = [["median (lowest–highest)", *names, f"chnet : {reference(setup)}"]]
    for name, entry in result.items():
        there = entry["backends"]
        row = [f"{name}, {entry['unit']}" if entry["unit"] else name]
        row += [report.spread(there[kind]) if kind in there else "" for kind in names]
        rows.append([*row, report.spread(entry["ratio"]) if "ratio" in entry else ""])
    report.table(rows, stream)


def warn(result, stream):
    """What would make the figures doubtful."""
    for name, entry in result.items():
        for kind, figure in entry["backends"].items():
            if figure.get("wrong", {}).get("high", 0):
                print(f"  {kind}, {name}: frames came back wrong or out of order", file=stream)
            if kind != "limit-generator" and figure.get("idle_percent", {}).get("low", 100) < 10:
                print(f"  {kind}, {name}: the generator was idle for less than a tenth of the "
                      "time, and may have been the limit", file=stream)


def usable(setup):
    kinds = []
    for kind in backends.ALL:
        if setup.only and kind.name not in setup.only:
            continue
        try:
            kind.check(setup)
            kinds.append(kind)
        except backends.Unusable as why:
            if kind is not backends.Against or setup.against:
                print(f"  without {kind.name}: {why}")
    return kinds


def main():
    setup = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kinds = usable(setup)
    for kind in kinds:
        print(f"  {kind.name:<16} {kind.about}")
    print(f"  back ends: worker alone on processor {setup.backend_cpu}"
          f"{', SCHED_FIFO' if setup.realtime else ''}; generator on {setup.generator_cpu}: "
          "two guests, one sends, rings of 256, polling")
    answers, figures = collect(setup, kinds)
    result = summarise(setup, kinds, answers, figures)
    show(setup, kinds, result, sys.stdout)
    warn(result, sys.stdout)
    path = setup.output or os.path.join(os.path.dirname(os.path.abspath(__file__)), "results",
                                        time.strftime("%Y%m%d-%H%M%S.json"))
    report.write_json(path, {
        "processor": report.processor(), "processors": os.cpu_count(),
        "kernel": os.uname().release, "realtime": setup.realtime,
        "repetitions": setup.repetitions, "seconds": setup.seconds,
        "backends": {kind.name: kind.about for kind in kinds}, "results": result})
    print(f"  written to {path}")


try:
    main()
except KeyboardInterrupt:
    sys.exit(130)
except (RuntimeError, OSError) as error:
    sys.exit(f"throughput.sh: {error}")
