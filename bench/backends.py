# SPDX-License-Identifier: BSD-3-Clause
"""The back ends that are compared: how each is started, pinned, watched and stopped.

A back end serves two sockets in its directory. Its worker threads (those that move frames) run on
one processor alone; its other threads run where the scheduler puts them. With `realtime`, workers
get SCHED_FIFO, so that whatever else the machine does takes no time from them.
"""

import os
import re
import select
import shutil
import signal
import subprocess
import time

START_SECONDS = 30

# The best of those tried for testpmd (2176, 4224, 9600 and 32768 bytes; 4,096 to 32,768 of them):
# with the default of 2176 bytes its 64 KiB frames take four times as long.
MBUFS = ["--mbuf-size=9600", "--total-num-mbufs=8192"]


class Unusable(Exception):
    """This back end cannot be had here; the text says why."""


def threads(pid):
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except FileNotFoundError:
        return []


def thread_name(pid, tid):
    try:
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def thread_state(pid, tid):
    """One letter, as in proc(5)."""
    try:
        with open(f"/proc/{pid}/task/{tid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def cpu_ns(pids):
    """Processor time of all threads so far."""
    total = 0
    for pid in pids:
        for tid in threads(pid):
            try:
                with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                pass
    return total


def memory_kib(pid):
    """Resident and proportional set size."""
    found = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] in ("Rss:", "Pss:"):
                found[words[0]] = int(words[1])
    return found["Rss:"], found["Pss:"]


def children(pid):
    found = []
    for tid in threads(pid):
        try:
            with open(f"/proc/{pid}/task/{tid}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
        except FileNotFoundError:
            pass
    return found


class Backend:
    """One run of a back end. Subclasses say how it is started and when it is ready."""

    name = ""
    about = ""
    # Threads that move frames, by name.
    workers = re.compile("worker")
    # Does it take a whole processor even when there is nothing to do?
    polls = False
    # Do its workers get SCHED_FIFO, when anyone does?
    realtime = True
    # Ended by this: some take seconds to tidy up what their namespaces tidy up anyway.
    end_signal = signal.SIGTERM
    # How many guests it has, each with a socket.
    guests = 2
    # More arguments for the generator.
    generator = ()
    # Kinds of frames (or workloads) that it cannot carry, with the reason; kinds that take more
    # arguments.
    lacks = {}
    needs = {}

    def __init__(self, setup, directory):
        self.setup = setup
        self.directory = directory
        self.process = None
        self.started_ns = 0  # CLOCK_MONOTONIC
        self.ready_ns = 0
        self.log = os.path.join(directory, "log")
        os.makedirs(directory)

    @classmethod
    def check(cls, setup):
        """Raises Unusable."""

    def sockets(self):
        return [os.path.join(self.directory, str(guest)) for guest in range(self.guests)]

    def before(self):
        """Is about to be measured; what it returns is for after()."""
        return None

    def after(self, before, workload, answer):
        """Was measured: may add to the generator's answer, or object to it."""

    def renew(self):
        """Its guests have gone: it can have others."""

    def generator_command(self, command):
        """The generator's command, where it must run."""
        return command

    def pids(self):
        return [self.process.pid] + children(self.process.pid)

    def spawn(self, command, **how):
        with open(self.log, "wb") as log:
            self.started_ns = time.monotonic_ns()
            how.setdefault("stdout", log)
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen(command, stderr=log, **how)

    def start(self):
        raise NotImplementedError

    def fail(self, what):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            tail = "".join(log.readlines()[-20:])
        raise RuntimeError(f"{self.name}: {what}\n{tail}")

    def worker_threads(self):
        return [tid for pid in self.pids() for tid in threads(pid)
                if self.workers.search(thread_name(pid, tid))]

    def pin(self):
        """Gives the worker threads their processor."""
        deadline = time.monotonic() + START_SECONDS
        # A thread that has just been made has not given itself its name yet.
        while not self.worker_threads():
            if time.monotonic() > deadline:
                self.fail("no worker thread was found")
            time.sleep(0.001)
        for tid in self.worker_threads():
            os.sched_setaffinity(tid, {self.setup.backend_cpu})
            if self.setup.realtime and self.realtime:
                os.sched_setscheduler(tid, os.SCHED_FIFO, os.sched_param(1))

    def pause(self):
        """Not its turn: it must not take time from the one whose turn it is."""
        if not self.polls:
            return
        self.process.send_signal(signal.SIGSTOP)
        # The signal is taken by a thread without privileges, which may have to wait for its turn.
        deadline = time.monotonic() + START_SECONDS
        while any(thread_state(self.process.pid, tid) not in "TZ"
                  for tid in threads(self.process.pid)):
            if time.monotonic() > deadline:
                self.fail("does not stop")
            time.sleep(0.001)

    def resume(self):
        if self.polls:
            self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        self.resume()
        self.process.send_signal(self.end_signal)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
            self.process.wait()


class Chnet(Backend):
    name = "chnet"
    about = "chnet-vhost --uplink none: learning switch, one copy"

    @classmethod
    def check(cls, setup):
        if not os.access(setup.chnet, os.X_OK):
            raise Unusable(f"{setup.chnet} is not there")

    def program(self):
        return self.setup.chnet

    def command(self, ready_fd):
        command = [self.program(), "--uplink", "none", "--ready-fd", str(ready_fd),
                   "--name", f"bench-{os.path.basename(self.directory)}"]
        for path in self.sockets():
            command += ["--socket", path]
        return command

    def spawn_with(self, ready_fd):
        self.spawn(self.command(ready_fd), pass_fds=[ready_fd], stdin=subprocess.DEVNULL)

    def start(self):
        ours, theirs = os.pipe()
        try:
            self.spawn_with(theirs)
            os.close(theirs)
            theirs = -1
            if not select.select([ours], [], [], START_SECONDS)[0] or not os.read(ours, 16):
                self.fail("did not become ready")
        finally:
            os.close(ours)
            if theirs >= 0:
                os.close(theirs)
        self.ready_ns = time.monotonic_ns()


class Chnet4(Chnet):
    about = "the same with 4 guests"
    guests = 4


class Against(Chnet):
    name = "against"
    about = "the chnet-vhost of --against"

    @classmethod
    def check(cls, setup):
        if not setup.against:
            raise Unusable("--against was not given")
        if not os.access(setup.against, os.X_OK):
            raise Unusable(f"{setup.against} is not there")

    def program(self):
        return self.setup.against


def _sized(kind, guests):
    """The same kind with another number of guests."""
    return type(f"{kind.__name__}{guests}", (kind,), {
        "name": f"{kind.name}-{guests}", "about": f"the same with {guests} guests",
        "guests": guests})


Chnet8, Chnet64 = _sized(Chnet, 8), _sized(Chnet, 64)
Against8, Against64 = _sized(Against, 8), _sized(Against, 64)


class Testpmd(Backend):
    name = "testpmd"
    about = "DPDK testpmd, --forward-mode=io between two net_vhost ports: two copies"
    polls = True
    end_signal = signal.SIGKILL
    arguments = ("--forward-mode=io",)
    # What it says when it is ready.
    ready = b"Press enter to exit"

    @classmethod
    def check(cls, setup):
        if not shutil.which("dpdk-testpmd"):
            raise Unusable("dpdk-testpmd is not installed (package dpdk-dev)")

    def devices(self):
        # The offloads are offered as chnet offers them, and a frame's way through io mode keeps
        # them only with the older meaning of the mbuf's flags.
        return [f"net_vhost{index},iface={path},queues=1,tso=1,legacy-ol-flags=1"
                for index, path in enumerate(self.sockets())]

    def inside(self, *command):
        """The command, where this back end runs."""
        return list(command)

    def start(self):
        processors = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0)))
        command = ["stdbuf", "-oL", "dpdk-testpmd", "--no-huge", "-m", "512", "--no-pci",
                   "--no-telemetry", "--no-shconf", "--iova-mode=va",
                   "--lcores", f"0@({processors}),1@{self.setup.backend_cpu}"]
        for device in self.devices():
            command += ["--vdev", device]
        command += ["--", *self.arguments, "--nb-cores=1", "--auto-start",
                    "--no-lsc-interrupt", "--disable-link-check"] + MBUFS + self.setup.testpmd
        self.spawn(self.inside(*command), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.read_until(self.ready)
        self.ready_ns = time.monotonic_ns()

    def read_until(self, words):
        """What it says until it says that."""
        deadline = time.monotonic() + START_SECONDS
        seen = b""
        while words not in seen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                self.fail(f"did not say {words}")
            part = os.read(self.process.stdout.fileno(), 65536)
            if not part:
                self.fail("ended")
            seen += part
        return seen


class Testpmd4(Testpmd):
    about = "the same with two pairs of ports"
    guests = 4


class Testpmd8(Testpmd):
    """It cannot have 64: DPDK has room for 32 ports (RTE_MAX_ETHPORTS)."""

    name = "testpmd-8"
    about = "the same with 8 guests, a pair of ports for each two"
    guests = 8


class Bare(Backend):
    """No back end: a thread of the generator that takes its place (bench/bare_device.h)."""

    def start(self):
        self.started_ns = self.ready_ns = time.monotonic_ns()

    def sockets(self):
        return []

    def pids(self):
        return []

    def pin(self):
        pass

    def stop(self):
        pass


class BareCopy(Bare):
    name = "limit-copy"
    about = "limit: a bare loop that copies from ring to ring and checks nothing"
    generator = ("--bare", "copy")


class BareCopy8(BareCopy):
    name = "limit-copy-8"
    about = "the same with 8 guests: what so much memory costs"
    generator = ("--bare", "copy", "--stations", "8")


class BareCopy64(BareCopy):
    name = "limit-copy-64"
    about = "the same with 64 guests"
    generator = ("--bare", "copy", "--stations", "64")


class BareDrop(Bare):
    name = "limit-generator"
    about = "limit: the generator against a bare loop that copies nothing"
    generator = ("--bare", "drop")
