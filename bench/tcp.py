# SPDX-License-Identifier: BSD-3-Clause
"""TCP between two kernels, by iperf3: a network namespace is the guest, the world the other end.

    iperf3 [guest] eth0 == wire == back end -- host -- world [iperf3]

tests/conformance/wire.c carries frames between the guest's eth0, a TAP, and the rings, with the
offloads that the back end offers, or with none. Wire and both iperf3 run on the generator's processor
and are often the limit; their shares of it stand in the JSON beside the figure.
"""

import contextlib
import json
import os
import select
import subprocess

import backends
import place
import processor

DEVICE = "eth0"
# iperf3 counts whole seconds.
SECONDS = 1


def _pinned(setup, command, priority=1):
    """Runs it where the generator would run, and as that would."""
    def prepare():
        os.sched_setaffinity(0, {setup.generator_cpu})
        if setup.realtime:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))

    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, preexec_fn=prepare)


def _wait_for(process, word):
    """Reads its output until the word comes."""
    said = b""
    while word not in said:
        if not select.select([process.stdout], [], [], backends.START_SECONDS)[0]:
            raise RuntimeError(f"{process.args}: does not become ready, said: {said}")
        part = os.read(process.stdout.fileno(), 65536)
        if not part:
            raise RuntimeError(f"{process.args}: ended: {said}")
        said += part


@contextlib.contextmanager
def _ended(process):
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def _connected(setup, backend, offloads):
    """The guest's device is there; what carries its frames, or None."""
    where = backend.place
    where.make_guest()
    if backend.own_device:
        where.configure_guest(DEVICE)
        state = "on" if offloads else "off"
        place.run(*where.inside(where.guest, ["ethtool", "-K", DEVICE, "tx", state, "tso", state,
                                              "rx", state, "gro", state]))
        yield None
        return
    command = [setup.wire, "--socket", backend.sockets()[0], "--tap", DEVICE, "--any-back-end"]
    if not offloads:
        command.append("--plain")
    # A device does not wait for the guest's programs: iperf3 does not sleep when it begins and ends,
    # and each message then took a turn of 100 ms.
    with _ended(_pinned(setup, where.inside(where.guest, command), priority=2)) as wire:
        _wait_for(wire, b"connected")
        where.configure_guest(DEVICE, backend.guest_mtu)
        yield wire


def measure(setup, backend, workload):
    """One workload on one back end: the answer, as the generator's would be."""
    where = backend.place
    with contextlib.ExitStack() as stack:
        wire = stack.enter_context(_connected(setup, backend, workload.frames != "plain"))
        server = stack.enter_context(_ended(_pinned(setup, where.inside(
            where.world, ["iperf3", "-s", "-1", "-B", place.WORLD_ADDRESS, "--forceflush"]))))
        _wait_for(server, b"listening")
        watch = processor.Watch(setup, backend, {"wire": wire.pid} if wire else None)
        client = stack.enter_context(_ended(_pinned(setup, where.inside(
            where.guest, ["iperf3", "-c", place.WORLD_ADDRESS, "-t", str(SECONDS), "-J",
                          "--connect-timeout", "5000", *workload.arguments]))))
        said = json.loads(client.communicate(timeout=60)[0])
        answer = watch.stop()
    if "error" in said:
        # A figure of 0, which --check objects to; the other back ends go on.
        print(f"  {backend.name}, {workload.name}: iperf3: {said['error']}")
        return {**answer, "gbps": 0.0, "lost": 1}
    answer["lost"] = 0
    end = said["end"]
    answer["gbps"] = end["sum_received"]["bits_per_second"] / 1e9
    answer["retransmits"] = end["sum_sent"].get("retransmits", 0)
    answer["client_cpu_percent"] = end["cpu_utilization_percent"]["host_total"]
    answer["server_cpu_percent"] = end["cpu_utilization_percent"]["remote_total"]
    return answer
