# SPDX-License-Identifier: BSD-3-Clause
"""
The laboratory that the system tests work in.

Theory of operation. A test program calls main(). That moves it into mount, network, process and
IPC namespaces of its own (one fork: the child is process 1 of the new process namespace) with a
tmpfs over /run and /dev/shm, so nothing that a test does can be seen outside, and everything is
gone when the child ends, however it ends: the kernel kills what is left in the process namespace
and then frees the rest. The parent stays outside; it passes SIGINT and SIGTERM on, and kills the
child when its time is over.

Inside there are two network namespaces:

    guests -- chnet-vhost -- [host] 203.0.113.2 ---- 203.0.113.1 [world] 198.51.100.2

`host` has a default route to `world`; `world` knows no way to 172.16.0.0/24, so what arrives there
and is answered was translated.

Nothing here sleeps: every wait is for a line of output, an end of file, a process or a socket, and
has a limit after which the test fails.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import queue
import re
import select
import signal
import subprocess
import sys
import threading
import time
import traceback

SCRATCH = pathlib.Path("/run/lab")
BIN = pathlib.Path(os.environ.get("CHNET_BIN", "/usr/local/bin"))
CACHE = pathlib.Path(os.environ.get("CHNET_CACHE", "/var/tmp/chnet-cache"))

HOST_OUTSIDE = "203.0.113.2"
WORLD_GATEWAY = "203.0.113.1"
WORLD_SERVER = "198.51.100.2"

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x8000000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class Failure(AssertionError):
    """A test did not see what it must see."""


class Skip(Exception):
    """A test cannot run here; says why."""


def _check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _mount(source, target, kind, flags=0, data=None):
    _check(_libc.mount(source.encode(), str(target).encode(), kind.encode() if kind else None,
                       ctypes.c_ulong(flags), data.encode() if data else None),
           f"mount {target}")


def mount_tmpfs(target, options):
    """Hides what lies there for the rest of the laboratory's life, and from nobody outside."""
    _mount("tmpfs", target, "tmpfs", data=options)


# ---- isolation ---------------------------------------------------------------------------------


def _furnish():
    """Inside the new namespaces: file systems, and the two network namespaces."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    _mount("proc", "/proc", "proc")
    _mount("tmpfs", "/run", "tmpfs", data="mode=755")
    # User Mode Linux maps its memory from here, executable.
    _mount("tmpfs", "/dev/shm", "tmpfs", data="mode=1777,size=100%")
    SCRATCH.mkdir()
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    run("ip", "link", "set", "lo", "up")
    for name in ("host", "world"):
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "link", "add", "outside", "netns", "host", "type", "veth",
        "peer", "name", "inside", "netns", "world")
    for name, device, address in (("host", "outside", HOST_OUTSIDE),
                                  ("world", "inside", WORLD_GATEWAY)):
        run("ip", "-n", name, "address", "add", f"{address}/24", "dev", device)
        run("ip", "-n", name, "link", "set", device, "up")
    run("ip", "-n", "world", "address", "add", f"{WORLD_SERVER}/32", "dev", "lo")
    run("ip", "-n", "host", "route", "add", "default", "via", WORLD_GATEWAY)


def isolated(function, limit_s):
    """Runs function() in a laboratory of its own, at most so long; returns its exit status."""
    if os.geteuid() != 0:
        raise SystemExit("needs root: it makes namespaces")
    sys.stdout.flush()
    _check(_libc.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC), "unshare")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGTERM, lambda *_: _interrupt())
            signal.signal(signal.SIGINT, lambda *_: _interrupt())
            _furnish()
            status = function()
        except KeyboardInterrupt:
            status = 130
        except SystemExit as end:
            print(end.code)
        except BaseException:  # the child must not run the parent's code after it
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    for number in (signal.SIGINT, signal.SIGTERM):
        # A terminal's Ctrl-C reaches both processes; once is enough.
        signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM))
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(limit_s)
    _, status = os.waitpid(child, 0)
    signal.alarm(0)
    if os.WIFSIGNALED(status):
        print(f"# ended by signal {os.WTERMSIG(status)} (limit: {limit_s} s)")
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def _interrupt():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


# ---- tests -------------------------------------------------------------------------------------

_tests = []


def test(what):
    """Registers a test case; they run in the order of the file."""
    def register(function):
        _tests.append((what, function))
        return function
    return register


def _run_tests():
    failed = 0
    print(f"1..{len(_tests)}", flush=True)
    for number, (what, function) in enumerate(_tests, 1):
        started = time.monotonic()
        try:
            note = function()
            print(f"ok {number} - {what}")
            for line in (note or "").splitlines():
                print(f"#     {line}")
        except Skip as reason:
            print(f"ok {number} - {what} # SKIP {reason}")
        except Exception:
            failed += 1
            print(f"not ok {number} - {what}")
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
        print(f"#     {time.monotonic() - started:.1f} s", flush=True)
    for process in reversed(Process.alive):
        process.kill()
    if failed:
        Process.show_logs()
    return 1 if failed else 0


def main(limit_s=240):
    """Runs the registered tests; the last call of a test program."""
    sys.exit(isolated(_run_tests, limit_s))


def expect(condition, what):
    if not condition:
        raise Failure(what)


# ---- processes ---------------------------------------------------------------------------------


def enter(namespace):
    """Moves the calling thread into a network namespace."""
    with open(f"/run/netns/{namespace}", "rb") as handle:
        _check(_libc.setns(handle.fileno(), CLONE_NEWNET), f"setns {namespace}")


@contextlib.contextmanager
def inside(namespace):
    """Within it, sockets of this thread are made in that network namespace."""
    with open("/proc/thread-self/ns/net", "rb") as back:
        enter(namespace)
        try:
            yield
        finally:
            _check(_libc.setns(back.fileno(), CLONE_NEWNET), "setns back")


def run(*command, namespace=None, limit_s=30, check=True, **more):
    """Runs a command to its end; returns its output (stdout and stderr together)."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=limit_s, check=False,
                          preexec_fn=(lambda: enter(namespace)) if namespace else None, **more)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}")
    return done.stdout


class Process:
    """A program in the background whose lines of output can be waited for."""

    alive = []
    every = []

    def __init__(self, name, command, namespace=None, stdin=None, **more):
        self.name = name
        self.lines = []
        self._queue = queue.SimpleQueue()
        self.popen = subprocess.Popen(
            [str(word) for word in command], stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=(lambda: enter(namespace)) if namespace else None, **more)
        self.pid = self.popen.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        Process.alive.append(self)
        Process.every.append(self)

    def _read(self):
        for raw in self.popen.stdout:
            line = raw.decode(errors="replace").rstrip("\r\n")
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put(None)

    def next_line(self, limit_s):
        """The next line not yet taken; None at the end of the output."""
        try:
            return self._queue.get(timeout=limit_s)
        except queue.Empty:
            raise Failure(f"{self.name}: no output for {limit_s} s; last: "
                          f"{self.lines[-5:]}") from None

    def wait_line(self, pattern, limit_s=20):
        """Takes lines until one matches; returns the match."""
        end = time.monotonic() + limit_s
        while True:
            line = self.next_line(max(0.01, end - time.monotonic()))
            if line is None:
                raise Failure(f"{self.name} ended before a line like {pattern!r}; last: "
                              f"{self.lines[-5:]}")
            match = re.search(pattern, line)
            if match:
                return match

    def wait(self, limit_s=20):
        """Waits for the end; returns the exit status (negative: the signal)."""
        try:
            status = self.popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {limit_s} s") from None
        self._reader.join(5)
        if self in Process.alive:
            Process.alive.remove(self)
        return status

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        """Kills it and its descendants, each by its number."""
        for pid in [self.pid, *descendants(self.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.wait()

    @classmethod
    def show_logs(cls):
        """The last lines of every program, for whoever looks into a failure."""
        for process in cls.every:
            for line in process.lines[-25:]:
                print(f"# {process.name}: {line}")


def processes():
    """{pid: (parent, command line)} of everything alive in the laboratory, zombies aside."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            if state not in "ZX":
                found[int(entry.name)] = (int(parent), words)
    return found


def descendants(pid):
    """Children of pid, their children, and so on."""
    table, found, todo = processes(), [], [pid]
    while todo:
        parent = todo.pop()
        children = [child for child, (above, _) in table.items() if above == parent]
        found += children
        todo += children
    return found


def children(pid, name):
    """Children of pid whose process has that name (/proc/PID/comm)."""
    found = []
    for child, (parent, _) in processes().items():
        with contextlib.suppress(OSError):
            comm = pathlib.Path(f"/proc/{child}/comm").read_text(encoding="utf-8").strip()
            if parent == pid and comm == name:
                found.append(child)
    return found


def wait_gone(pids, limit_s=10):
    """Waits until none of these processes is alive (they need not be children)."""
    end = time.monotonic() + limit_s
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                if not select.select([handle], [], [], max(0, end - time.monotonic()))[0]:
                    raise Failure(f"process {pid} is still there: {processes().get(pid)}")
            finally:
                os.close(handle)


# ---- what a host looks like --------------------------------------------------------------------


# What stays in /run by design (the directory, with nothing in it), what util-linux keeps there, and
# what the tests themselves do.
_KNOWN_FILES = {"/run/chnet", "/run/mount", str(SCRATCH), str(SCRATCH / "gibibyte")}


# Settings of the kernel that somebody may change, below /proc/sys/net; without what it counts there.
_SETTINGS = ("core", "ipv4", "ipv6/conf", "netfilter")
_COUNTED = {"nf_conntrack_count"}


def settings():
    """{path below /proc/sys/net: value} of `host`."""
    found = {}

    def read(folder):
        for entry in os.scandir(folder):
            if entry.is_dir():
                read(entry.path)
            elif entry.name not in _COUNTED:
                # Some can only be written.
                with contextlib.suppress(OSError):
                    handle = os.open(entry.path, os.O_RDONLY)
                    try:
                        found[entry.path] = os.read(handle, 4096)
                    finally:
                        os.close(handle)

    with inside("host"):
        for folder in _SETTINGS:
            read(f"/proc/sys/net/{folder}")
    return found


def sockets():
    """Sockets of `host` that wait for somebody (a connection that has ended is none)."""
    found = []
    with inside("host"):
        tables = pathlib.Path("/proc/thread-self/net")
        for kind in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet", "netlink", "unix"):
            with contextlib.suppress(FileNotFoundError):
                for line in (tables / kind).read_text(encoding="utf-8").splitlines()[1:]:
                    found.append((kind, line.split()))
    shown = {
        "tcp": lambda words: words[1] if words[3] == "0A" else None,
        "udp": lambda words: words[1],
        "raw": lambda words: words[1],
        "packet": lambda words: words[4],  # its interface's number
        "netlink": lambda words: words[1] if words[2] != "0" else None,  # its family; not the kernel's
        "unix": lambda words: words[7] if len(words) > 7 else None,
    }
    named = [(kind, shown[kind.rstrip("6")](words)) for kind, words in found]
    return sorted(f"{kind} {name}" for kind, name in named if name)


def _files():
    """Where a program could leave some: the laboratory's /run and /dev/shm, where guests have
    directories of their own."""
    yield from pathlib.Path("/run").rglob("*")
    for path in pathlib.Path("/dev/shm").iterdir():
        if not path.is_dir():
            yield path


def _is_ours(words):
    """Whether a command line is of our programs or of a VMM, wherever they were built."""
    return any(pathlib.PurePath(word).name.startswith(
                   ("chnet", "vmm.py", "cloud-hypervisor", "qemu-system"))
               for word in words.split()[:2])


def host_state():
    """All that a program could leave behind in `host`, to compare before with after."""
    links = json.loads(run("ip", "-j", "link", namespace="host"))
    addresses = json.loads(run("ip", "-j", "address", namespace="host"))
    return {
        "links": sorted(link["ifname"] for link in links),
        "addresses": sorted(f"{link['ifname']} {a['local']}/{a['prefixlen']}"
                            for link in addresses for a in link["addr_info"]
                            if a["family"] == "inet"),
        "routes": sorted(run("ip", "route", namespace="host").splitlines()),
        "rules": run("nft", "list", "ruleset", namespace="host"),
        "policy": sorted(run("ip", "rule", namespace="host").splitlines()),
        "forwarding": run("sysctl", "-n", "net.ipv4.ip_forward", namespace="host").strip(),
        "settings": settings(),
        "sockets": sockets(),
        "files": sorted(path for path in map(str, _files())
                        if path not in _KNOWN_FILES and not path.startswith("/run/netns")),
        "processes": sorted(words for _, words in processes().values() if _is_ours(words)),
    }


# What goes with another thing that is not compared.
_WITH = {"settings": "forwarding", "sockets": "processes"}


def expect_same(before, after, but=()):
    but = {*but, *(what for what, other in _WITH.items() if other in but)}
    for what, value in before.items():
        if what in but or after[what] == value:
            continue
        now = after[what]
        if isinstance(value, dict):
            value, now = (dict(sorted(one.items() - other.items()))
                          for one, other in ((value, now), (now, value)))
        raise Failure(f"{what} changed:\n  {value!r}\n  {now!r}")
