#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""./dev and signals: the step that runs is ended, cleans up, and the exit code says so."""
import os
import pathlib
import signal

import lab

DEV = pathlib.Path(__file__).resolve().parents[2] / "dev"

# In place of meson, the first step of a build: says that it is there, with a child that does nothing
# else than to be there, and cleans up when it is told to end. What ignores that is killed.
STEP = """#!/bin/sh
trap 'echo cleaned up >{folder}/cleaned; exit 1' TERM
{ignore}
mkfifo {folder}/never
cat {folder}/never &
child=$!
echo $$ $child >{folder}/started
wait
"""


def _stop(name, number, *, ignore="", verbose=""):
    """Starts a build, has the signal sent when its step runs; returns the folder of traces."""
    folder = lab.SCRATCH / name
    (folder / "bin").mkdir(parents=True)
    os.mkfifo(folder / "started")
    step = folder / "bin/meson"
    step.write_text(STEP.format(folder=folder, ignore=ignore))
    step.chmod(0o755)
    dev = lab.Process("dev", [DEV, "build"], env={
        **os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "CHNET_BUILD": str(folder),
        "CHNET_VERBOSE": verbose})
    pids = [int(word) for word in (folder / "started").read_text().split()]
    dev.signal(number)
    if ignore:
        dev.wait_line("another signal kills")
        dev.signal(number)
    status = dev.wait(40)
    lab.expect(status == 128 + number, f"status {status}: {dev.lines}")
    lab.expect(dev.lines[-1] == f"dev: stopped by {number.name}", f"{dev.lines}")
    left = set(lab.processes()) & set(pids)
    lab.expect(not left, f"still there: {left}")
    return folder


@lab.test("SIGTERM, SIGINT and SIGHUP end the step and its children; the exit code is 128 and more")
def signals():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        for verbose in ("", "1"):
            folder = _stop(f"{number.name}{verbose}", number, verbose=verbose)
            lab.expect((folder / "cleaned").exists(), "the step was killed before it cleaned up")


def _cases(*arguments):
    return lab.run(DEV.parent / "tests/cases", *arguments)


@lab.test("what failed is told with its cause: an exception, a check of a fuzz target with its input")
def causes():
    log = lab.SCRATCH / "log"
    log.write_text("ok 1 - one\n#     0.1 s\nnot ok 2 - two\n# Traceback\n#   File \"x.py\"\n"
                   "# lab.Failure: files changed:\n#   []\n#   ['a']\n#     0.7 s\nok 3 - three\n")
    text = _cases("tap", "system", "program", "1", log)
    lab.expect(text == "system\tpass\tprogram: one\t\n"
                       "system\tfail\tprogram: two\tlab.Failure: files changed: [] ['a']\n"
                       "system\tpass\tprogram: three\t\n", text)
    log.write_text("#12 NEW cov: 1\n../nat/x.c:3: a == b\n==1== ERROR: libFuzzer: deadly signal\n"
                   "SUMMARY: libFuzzer: deadly signal\nBase64: AAAA\n")
    text = _cases("why", log)
    lab.expect(text == "../nat/x.c:3: a == b SUMMARY: libFuzzer: deadly signal Base64: AAAA\n", text)
    log.write_text("compiling\nx.c:1: it is wrong\n\nninja: build stopped\n\n")
    lab.expect("x.c:1: it is wrong" in _cases("why", log), "a compiler's line is passed over")
    log.write_text("nothing to tell it by\n\n")
    lab.expect(_cases("why", log) == "nothing to tell it by\n", "the last line is passed over")


@lab.test("steps that run side by side are all ended")
def side_by_side():
    folder = lab.SCRATCH / "fuzz"
    programs = folder / "fuzz/tests/fuzz"
    for path in (programs, folder / "bin"):
        path.mkdir(parents=True)
    (folder / "fuzz/build.ninja").touch()
    for name, text in (("bin/ninja", "#!/bin/sh\n"),
                       ("bin/dpkg-query", "#!/bin/sh\necho installed\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    names = ["fuzz_one", "fuzz_two"][:os.cpu_count()]
    for name in names:
        traces = folder / name
        traces.mkdir()
        os.mkfifo(traces / "started")
        (programs / name).write_text(STEP.format(folder=traces, ignore=""))
        (programs / name).chmod(0o755)
    dev = lab.Process("dev", [DEV, "fuzz"], env={
        **os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "CHNET_BUILD": str(folder)})
    pids = [int(word) for name in names
            for word in (folder / name / "started").read_text().split()]
    dev.signal(signal.SIGTERM)
    lab.expect(dev.wait(40) == 128 + signal.SIGTERM, f"{dev.lines}")
    left = set(lab.processes()) & set(pids)
    lab.expect(not left, f"still there: {left}")
    for name in names:
        lab.expect((folder / name / "cleaned").exists(), f"{name} was killed before it cleaned up")


@lab.test("a step that takes no signal is killed by the second one")
def stubborn():
    _stop("stubborn", signal.SIGTERM, ignore="trap '' TERM")


if __name__ == "__main__":
    lab.main(120)
