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
