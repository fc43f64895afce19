# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch with DPDK as a back end: a learning bridge between vhost-user ports, its poll mode
thread on the worker's processor. Database, sockets and logs lie in the back end's directory, and the
programs come from the folder that bench/open_vswitch fills: no service of the machine takes part."""

import os
import re
import signal
import socket
import subprocess
import time

import backends
import relay


class OpenVSwitch(backends.Backend):
    name = "ovs-dpdk"
    about = "Open vSwitch, DPDK: a learning bridge (NORMAL) between dpdkvhostuser ports"
    workers = re.compile("^pmd-")
    polls = True
    # Its main thread has to take part when a guest comes or goes, and finds no time beside a worker
    # and a generator that both never yield: no guest is connected within 10 s.
    realtime = False
    end_signal = signal.SIGKILL
    lacks = {"tso": "userspace-tso-enable is off, as it is by default: see ovs-dpdk-tso"}
    settings = ()  # more of other_config

    @classmethod
    def check(cls, setup):
        if not os.access(cls.path(setup, cls.DAEMON), os.X_OK):
            raise backends.Unusable("it is not there (./dev bench unpacks Debian's packages)")

    DAEMON = "usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
    SCHEMA = "usr/share/openvswitch/vswitch.ovsschema"

    @staticmethod
    def path(setup, name):
        return os.path.join(setup.open_vswitch, name)

    def __init__(self, setup, directory):
        super().__init__(setup, directory)
        self.database = None
        self.remote = f"unix:{os.path.join(directory, 'db')}"
        self.environment = {**os.environ, "OVS_RUNDIR": directory, "OVS_LOGDIR": directory,
                            "OVS_DBDIR": directory,
                            "OVS_PKGDATADIR": self.path(setup, "usr/share/openvswitch")}

    def tool(self, name, *arguments):
        done = subprocess.run([self.path(self.setup, name), *arguments], env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=backends.START_SECONDS, check=False)
        if done.returncode:
            self.fail(f"{name}: {done.stdout}{done.stderr}")
        return done.stdout

    def configure(self, *arguments, wait=True):
        return self.tool("usr/bin/ovs-vsctl", f"--db={self.remote}", "--timeout=25",
                         *([] if wait else ["--no-wait"]), *arguments)

    @staticmethod
    def listens(path):
        """Its file is there before anybody listens."""
        with socket.socket(socket.AF_UNIX) as made:
            return made.connect_ex(path) == 0

    def start_database(self):
        store = os.path.join(self.directory, "conf.db")
        self.tool("usr/bin/ovsdb-tool", "create", store, self.path(self.setup, self.SCHEMA))
        with open(self.log, "ab") as log:
            # pylint: disable=consider-using-with
            self.database = subprocess.Popen(
                [self.path(self.setup, "usr/sbin/ovsdb-server"), store,
                 f"--remote=p{self.remote}"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + backends.START_SECONDS
        while not self.listens(os.path.join(self.directory, "db")):
            if self.database.poll() is not None or time.monotonic() > deadline:
                self.fail("its database did not start")
            time.sleep(0.001)

    def port_type(self, _path):
        return ["type=dpdkvhostuser"]

    def start(self):
        with open(self.log, "wb"):
            pass
        self.start_database()
        self.configure("init", wait=False)
        self.configure(
            "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
            f"other_config:pmd-cpu-mask={1 << self.setup.backend_cpu:#x}",
            # One pool of 262,144 buffers for all ports does not fit into the memory below.
            "other_config:per-port-memory=true", *self.settings,
            # Without --legacy-mem it would add --in-memory, which wants huge pages.
            "other_config:dpdk-extra=--no-huge --legacy-mem -m 1024 --no-pci --no-telemetry "
            "--no-shconf --iova-mode=va", wait=False)
        # In a network of its own: it makes a TAP of a fixed name.
        self.spawn(["unshare", "--net", self.path(self.setup, self.DAEMON), self.remote],
                   env=self.environment, stdin=subprocess.DEVNULL)
        self.configure("add-br", "bench", "--", "set", "bridge", "bench", "datapath_type=netdev")
        for path in self.sockets():
            port = os.path.basename(path)
            self.configure("add-port", "bench", port, "--",
                           "set", "Interface", port, *self.port_type(path))
        deadline = time.monotonic() + backends.START_SECONDS
        while not all(os.path.exists(path) for path in self.sockets()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.fail("did not make its sockets")
            time.sleep(0.001)
        self.ready_ns = time.monotonic_ns()

    def stop(self):
        super().stop()
        if self.database and self.database.poll() is None:
            self.database.kill()
            self.database.wait()


class FourGuests(OpenVSwitch):
    about = "the same with 4 guests"
    guests = 4


class Tso(OpenVSwitch):
    """It offers TSO only at ports where it is the one that connects (its log: "disabling host
    segmentation offloading support")."""

    name = "ovs-dpdk-tso"
    about = "the same with userspace-tso-enable, dpdkvhostuserclient ports"
    lacks = {"udp": "see ovs-dpdk"}
    settings = ("other_config:userspace-tso-enable=true",)

    def __init__(self, setup, directory):
        super().__init__(setup, directory)
        self.relays = [relay.Relay(path, f"{path}.back") for path in self.sockets()]

    def port_type(self, path):
        return ["type=dpdkvhostuserclient", f"options:vhost-server-path={path}.back"]

    def stop(self):
        super().stop()
        for one in self.relays:
            one.close()
