# SPDX-License-Identifier: BSD-3-Clause
"""Measures chnet-vhost side by side with others; started by throughput.sh, in its namespaces.

Method: in each repetition every back end of a scenario (workloads.py) is started anew. Each workload
is then given to all of them in turn, in another order each time, so that what is compared was
measured within a second or two: machines that are shared change their speed by a factor of two from
one minute to the next. A back end's worker has one processor alone and the generator
(bench/generator.c) the other; one that would poll while it is not its turn is stopped meanwhile. Each
figure is the median of the repetitions with the lowest and the highest; a ratio is the median of the
repetitions' own ratios.
"""

import argparse
import os
import signal
import sys
import time

import aims
import backends
import measure
import nat
import plot
import report
import txonly
import uplinks
import workloads


# Scenarios without back ends that take turns.
ALONE = (txonly, nat)


def every_scenario():
    return [one.name for one in workloads.SCENARIOS] + [one.NAME for one in ALONE] + [
        one.name for one in workloads.RESTS]


def every_name(scenarios=workloads.SCENARIOS):
    """Of all back ends and of all workloads."""
    kinds = {kind.name: None for scenario in scenarios for kind in scenario.kinds}
    return list(kinds), [work.name for scenario in scenarios for work in scenario.workloads]


def parse_arguments():
    kinds, works = every_name()
    parser = argparse.ArgumentParser(prog="throughput.sh", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer workloads, shorter ones")
    parser.add_argument("--repetitions", type=int, metavar="N", help="(5; quick 3)")
    parser.add_argument("--seconds", type=float, help="of each measurement (0.2; quick 0.1)")
    parser.add_argument("--scenario", action="append", metavar="NAME",
                        choices=every_scenario(),
                        help="only these: " + ", ".join(every_scenario()))
    parser.add_argument("--only", action="append", metavar="BACKEND", choices=kinds,
                        help="compare only these: " + ", ".join(kinds))
    parser.add_argument("--workload", action="append", metavar="NAME", choices=works,
                        help="measure only these: " + "; ".join(works))
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PATH",
                        help="a program that is no package: vhost_user_net (Cloud Hypervisor's), "
                             "or passt")
    parser.add_argument("--backend-cpu", type=int, default=0, metavar="N",
                        help="the processor of back ends' workers (0)")
    parser.add_argument("--generator-cpu", type=int, default=1, metavar="N",
                        help="and that of the generator (1)")
    parser.add_argument("--no-realtime", dest="realtime", action="store_false",
                        help="do not give worker and generator SCHED_FIFO")
    parser.add_argument("--chnet", help="another chnet-vhost than the one that was built")
    parser.add_argument("--against", metavar="PATH",
                        help="compare with this chnet-vhost too")
    parser.add_argument("--testpmd", action="append", default=[], metavar="ARGUMENT",
                        help="one more argument for testpmd")
    parser.add_argument("--check", action="store_true",
                        help="fail when frames were lost, wrong or none at all, however fast")
    parser.add_argument("--output", metavar="FILE", help="JSON (default: bench/results/…)")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", required=True, help=argparse.SUPPRESS)
    setup = parser.parse_args()
    setup.seconds = setup.seconds or (0.1 if setup.quick else 0.2)
    setup.repetitions = setup.repetitions or (3 if setup.quick else 5)
    setup.chnet = setup.chnet or os.path.join(setup.build, "backend", "chnet-vhost")
    setup.generator = os.path.join(setup.build, "bench", "chnet-generator")
    setup.wire = os.path.join(setup.build, "tests", "conformance", "wire")
    setup.open_vswitch = os.path.join(os.path.dirname(setup.build), "cache", "open-vswitch")
    setup.peers = dict(peer.split("=", 1) for peer in setup.peer if "=" in peer)
    if len(setup.peers) != len(setup.peer):
        parser.error("--peer is NAME=PATH")
    known = (uplinks.VhostUserNet.name, uplinks.Passt.name)
    for name in setup.peers:
        if name not in known:
            parser.error(f"no peer {name} is known: {' and '.join(known)} are")
    setup.wants = lambda work: (work.name in setup.workload if setup.workload
                                else work.quick or not setup.quick)
    return setup


def usable(setup, scenario):
    """The back ends of a scenario that can be had; says why others cannot."""
    kinds = []
    for kind in scenario.kinds:
        if setup.only and kind.name not in setup.only:
            continue
        try:
            kind.check(setup)
            kinds.append(kind)
        except backends.Unusable as why:
            if not kind.name.startswith("against") or setup.against:
                print(f"  without {kind.name}: {why}")
    return kinds


def run_scenario(setup, scenario):
    """Measures and shows one; what goes into the JSON file of it, or None."""
    if setup.scenario and scenario.name not in setup.scenario:
        return None
    if not any(setup.wants(work) for work in scenario.workloads):
        return None
    print(f"\n{scenario.about}")
    kinds = usable(setup, scenario)
    for kind in kinds:
        print(f"  {kind.name:<16} {kind.about}")
        for lack, why in kind.lacks.items():
            if any(lack in (work.name, work.frames) for work in scenario.workloads):
                print(f"  {'':<16} no {lack}: {why}")
    if not kinds:
        return None
    answers = {}
    for repetition in range(setup.repetitions):
        measure.compare(setup, scenario, kinds, repetition, answers)
    measure.say("")
    results = report.summarise(scenario, answers)
    report.show(scenario, kinds, results, sys.stdout)
    report.warn(kinds, results, sys.stdout)
    return {"about": scenario.about, "backends": {kind.name: kind.about for kind in kinds},
            "polling": [kind.name for kind in kinds if kind.polls], "results": results}


def run_rest(setup, rest):
    """The same of what is measured when nothing is to be done."""
    print(f"\n{rest.about}")
    figures = {}
    kinds = usable(setup, rest)
    repetitions = 1 if setup.quick else setup.repetitions
    for repetition in range(repetitions):
        for kind in measure.rotated(kinds, repetition) if kinds else ():
            measure.say(f"repetition {repetition + 1} of {repetitions}: {kind.name} at rest")
            found = measure.measure_rest(setup, kind, f"{rest.name}-{repetition}")
            if kind is backends.Chnet:
                found["start to first frame, ms"] = measure.measure_start(setup, repetition)
            figures.setdefault(kind.name, []).append(found)
    measure.say("")
    names = [kind.name for kind in kinds if kind.name in figures]
    results = report.summarise_rest({name: figures[name] for name in names})
    report.table(report.rows(names, results), sys.stdout)
    return {"about": rest.about, "backends": {kind.name: kind.about for kind in kinds},
            "results": results}


def run_alone(setup, module):
    """What has a way of its own: the NAT, the generator."""
    try:
        done = module.run(setup)
    except backends.Unusable as why:
        print(f"\n  without {module.NAME}: {why}")
        return None
    print(f"\n{done['about']}")
    report.table(report.rows(list(done["backends"]), done["results"]), sys.stdout)
    return done


def run_all(setup):
    """{name: what goes into the JSON file}"""
    done = {scenario.name: run_scenario(setup, scenario) for scenario in workloads.SCENARIOS}
    if not setup.workload:
        wanted = setup.scenario or every_scenario()
        for module in ALONE:
            if module.NAME in wanted:
                done[module.NAME] = run_alone(setup, module)
        for rest in workloads.RESTS:
            if rest.name in wanted:
                done[rest.name] = run_rest(setup, rest)
    return {name: result for name, result in done.items() if result}


def main():
    setup = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    setup.realtime = setup.realtime and measure.may_be_realtime()
    print(f"  back ends: worker alone on processor {setup.backend_cpu}"
          f"{', SCHED_FIFO' if setup.realtime else ''}; generator on {setup.generator_cpu}: "
          "rings of 256, polling")
    began = time.monotonic()
    done = run_all(setup)
    aims.show(done, sys.stdout)
    path = setup.output or os.path.join(os.path.dirname(os.path.abspath(__file__)), "results",
                                        time.strftime("%Y%m%d-%H%M%S.json"))
    report.write_json(path, {
        "processor": report.processor(), "processors": os.cpu_count(),
        "kernel": os.uname().release, "realtime": setup.realtime,
        "repetitions": setup.repetitions, "seconds": setup.seconds,
        "minutes": (time.monotonic() - began) / 60, "scenarios": done})
    picture = os.path.splitext(path)[0] + ".svg"
    with open(picture, "w", encoding="utf-8") as file:
        file.write(plot.svg(done, f"{report.processor()}, {setup.repetitions} repetitions of "
                                  f"{setup.seconds:g} s: median, lowest and highest"))
    print(f"\n  {(time.monotonic() - began) / 60:.1f} minutes; written to {path} and "
          f"{os.path.basename(picture)}")
    if setup.check:
        faults = [fault for result in done.values() for fault in report.faults(result["results"])]
        sys.exit("\n".join(faults) if faults else 0)


try:
    main()
except KeyboardInterrupt:
    sys.exit(130)
except (RuntimeError, OSError) as error:
    sys.exit(f"throughput.sh: {error}")
