#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Guards the hot path against growing: counts the instructions of a breath of the worker (bench/breath.h)
with callgrind, and compares them with baseline.txt.

Time cannot be asserted on a machine that is shared, instructions can: the same input takes the same
number of them, to the last one. They depend on the compiler, so the baseline names its version, and
with another one the cases are skipped. What glibc chooses by the processor (memcpy) is pinned to the
variant for every x86-64.

  test_instructions.py             compares; TAP
  test_instructions.py --accept    writes what it counts as the new baseline: with a change that is
                                   worth its instructions, whose commit says why
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BASELINE = HERE / "baseline.txt"
PROGRAM = os.path.join(os.environ["CHNET_BUILT"], "bench", "chnet-breath")
ROUNDS = 64
# More than that over the baseline fails. Counts do not vary; this is for what a change elsewhere
# does to inlining and to the layout of structures.
TOLERANCE = 0.02
PLAIN_PROCESSOR = ("glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-ERMS,-FSRM,"
                   "-AVX_Fast_Unaligned_Load,-Fast_Unaligned_Copy")


def compiler():
    """Name and version of what built the program, as its debug information tells."""
    said = subprocess.run(["readelf", "-p", ".comment", PROGRAM], capture_output=True, text=True,
                          check=True).stdout
    found = re.search(r"GCC: \([^)]*\) (\d+\.\d+)", said)
    return f"gcc {found.group(1)}" if found else "another compiler"


def cases():
    said = subprocess.run([PROGRAM, "--list"], capture_output=True, text=True, check=True).stdout
    return [line.split(None, 1) for line in said.splitlines()]


def measure(case):
    """Instructions a frame, and the functions that take most of them."""
    with tempfile.TemporaryDirectory() as folder:
        counts = os.path.join(folder, "callgrind.out")
        done = subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", "--toggle-collect=measured", "--dump-line=no",
             f"--callgrind-out-file={counts}", PROGRAM, "--count", str(ROUNDS), case],
            capture_output=True, text=True, check=False, timeout=300,
            env={**os.environ, "GLIBC_TUNABLES": PLAIN_PROCESSOR})
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        with open(counts, encoding="ascii", errors="replace") as written:
            total = int(re.search(r"^totals: (\d+)", written.read(), re.MULTILINE).group(1))
        frames = int(done.stdout)
        shares = subprocess.run(["callgrind_annotate", "--auto=no", counts], capture_output=True,
                                text=True, check=False).stdout
    top = re.findall(r"^\s*([\d,]+) \([^)]*\)\s+\S+:(\S+)", shares, re.MULTILINE)
    return total / frames, [(int(count.replace(",", "")) / frames, name) for count, name in top[:8]]


def read_baseline():
    """The compiler, and {case: instructions a frame}."""
    lines = [line for line in BASELINE.read_text(encoding="utf-8").splitlines()
             if not line.startswith("#")]
    return lines[0].partition(" ")[2], {
        name: float(count) for name, count in (line.split() for line in lines[1:])}


def accept():
    lines = ["# SPDX-License-Identifier: BSD-3-Clause",
             "# Instructions a frame: see test_instructions.py, which writes this.",
             f"compiler {compiler()}"]
    lines += [f"{name:<16} {measure(name)[0]:.1f}" for name, _ in cases()]
    BASELINE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"written: {BASELINE}")


def compare(number, name, about, baseline):
    if name not in baseline:
        print(f"not ok {number} - {name}: has no baseline (--accept writes one)")
        return False
    was = baseline[name]
    now, top = measure(name)
    change = now / was - 1
    good = change <= TOLERANCE
    print(f"{'ok' if good else 'not ok'} {number} - {name}: {about}")
    print(f"# {now:.1f} instructions a frame, baseline {was:.1f}: {change * 100:+.2f} %")
    if change < -TOLERANCE:
        print("# better than the baseline: --accept keeps it so")
    if not good:
        for count, function in top:
            print(f"#   {count:9.1f} {function}")
    sys.stdout.flush()
    return good


def main():
    if sys.argv[1:] == ["--accept"]:
        accept()
        return 0
    of, baseline = read_baseline()
    every = cases()
    built = compiler()
    print(f"1..{len(every)}")
    if built != of:
        for number, (name, _) in enumerate(every, 1):
            print(f"ok {number} - {name} # SKIP built by {built}, baseline is of {of}")
        return 0
    good = [compare(number, name, about, baseline)
            for number, (name, about) in enumerate(every, 1)]
    return 0 if all(good) else 1


sys.exit(main())
