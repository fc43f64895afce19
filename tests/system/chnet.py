# SPDX-License-Identifier: BSD-3-Clause
"""`chnet run` as the tests start it, in the namespace `host`, with the stand-in VMM."""
import json
import os
import pathlib
import subprocess

import lab
from guests import Guest

CHNET = lab.BIN.parent / "control" / "chnet"
VMM = pathlib.Path(__file__).resolve().parent / "vmm.py"
VMM_LOG = lab.SCRATCH / "vmm.log"


def environment(path=None, **more):
    """chnet-vhost is in PATH, not beside chnet, in a build directory."""
    return {**os.environ, "PATH": f"{path or lab.BIN}:{os.environ['PATH']}", "CHNET_VMM": str(VMM),
            "VMM_LOG": str(VMM_LOG), "CHNET_BIN": str(lab.BIN), "CHNET_CACHE": str(lab.CACHE),
            **more}


def chnet(*arguments, check=True, **more):
    """Runs a verb to its end; returns its output."""
    return lab.run(CHNET, *arguments, namespace="host", check=check, env=environment(**more))


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

    def vmm(self):
        """Process id of the VMM."""
        return vmm_of(self.pid)


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
