# SPDX-License-Identifier: BSD-3-Clause
"""`chnet run` as the tests start it, in the namespace `host`, with the stand-in VMM."""
import json
import os
import pathlib
import signal
import subprocess

import lab
from guests import Guest

CHNET = lab.BIN.parent / "control" / "chnet"
VMM = pathlib.Path(__file__).resolve().parent / "vmm.py"
VMM_LOG = lab.SCRATCH / "vmm.log"
# Files that tests make, beside those that lab.host_state() knows.
OUR_FILES = {str(VMM_LOG)}


def environment(path=None, **more):
    """chnet-vhost is in PATH, not beside chnet, in a build directory."""
    return {**os.environ, "PATH": f"{path or lab.BIN}:{os.environ['PATH']}", "CHNET_VMM": str(VMM),
            "VMM_LOG": str(VMM_LOG), "CHNET_BIN": str(lab.BIN), "CHNET_CACHE": str(lab.CACHE),
            **more}


def chnet(*arguments, check=True, **more):
    """Runs a verb to its end; returns its output."""
    return lab.run(CHNET, *arguments, namespace="host", check=check, env=environment(**more))


def state():
    """lab.host_state() without what is no difference to these tests."""
    found = lab.host_state()
    found["files"] = [path for path in found["files"] if path not in OUR_FILES]
    # Whether somebody has a TAP open shows in the routes.
    found["routes"] = [route.replace(" linkdown", "").strip() for route in found["routes"]]
    return found


class Run(Guest):
    """`chnet run OPTIONS -- VMM-ARGUMENTS`; the guest's console is its own."""

    def __init__(self, *options, kernel="idle", cmdline="", vmm=(), wrapper=(), name="run",
                 program=CHNET, path=None, **more):
        lab.Process.__init__(
            self, name, [*wrapper, program, "run", *options, "--", "--kernel", kernel,
                         *(["--cmdline", cmdline] if cmdline else []), *vmm],
            namespace="host", stdin=subprocess.PIPE, env=environment(path, **more))
        self.address = None

    def attached(self):
        self.wait_line("^idle: attached", 30)
        return self

    def wired(self, *guests):
        """With kernel="wire": each NamespaceGuest has got its device and addresses."""
        for _ in guests:
            self.wait_line("^connected", 30)
        for guest in guests:
            guest.configure()
        return self

    def end(self):
        """Tells the VM to end, which it does well."""
        self.signal(signal.SIGTERM)
        lab.expect(self.wait(20) == 0, f"{self.lines[-5:]}")

    def vmm(self):
        """Process id of the VMM."""
        return vmm_of(self.pid)


def case(what):
    """A test that, when it fails, leaves nothing running in the way of the next one."""
    def register(function):
        @lab.test(what)
        def run():
            try:
                return function()
            except BaseException:
                for process in reversed(lab.Process.alive):
                    process.kill()
                lab.wait_gone(monitors())
                chnet("cleanup", check=False)
                raise
        return run
    return register


def vmm_of(run):
    """Process id of the VMM of the `chnet run` with that process id."""
    (pid,) = [pid for pid, (parent, words) in lab.processes().items()
              if parent == run and "vmm.py" in words]
    return pid


def vmm_arguments():
    """What the VMM was started with last."""
    return json.loads(VMM_LOG.read_text().splitlines()[-1])


def monitors():
    """Process ids of chnet-vhost without those of data planes."""
    table = lab.processes()
    every = {pid: parent for pid, (parent, words) in table.items() if "chnet-vhost" in
             words.split(" ")[0]}
    return [pid for pid, parent in every.items() if parent not in every]
