# SPDX-License-Identifier: BSD-3-Clause
"""The back ends that are compared on the way from a guest to the world: through a TAP and a NAT.

Each has a place of its own (place.py), and runs in its host. Of chnet the NAT is its own; all others
leave it to the kernel, by a masquerade rule of nftables.
"""

import os
import re
import shutil
import subprocess
import time

import backends
import place

# ARP, and what IPv6 says when an interface is new, packets in one measurement at most.
STRAY_MAX = 30

TABLE = "the kernel keeps 262,144 connections (nf_conntrack_max, for the whole machine)"


class Uplink(backends.Backend):
    """What they have in common: the place, and what the generator is told."""

    def __init__(self, setup, directory):
        super().__init__(setup, directory)
        self.place = place.Place(os.path.basename(directory))

    guests = 1
    # Of a namespace as the guest (tcp.py): does it have a device without a socket? Its MTU.
    own_device = False
    guest_mtu = 1500

    def inside(self, *command):
        return self.place.inside(self.place.host, [str(word) for word in command])

    @property
    def generator(self):
        return ["--to", f"{self.place.tap_mac()},{place.WORLD_ADDRESS}", "--count", place.OUT,
                "--world", f"/run/netns/{self.place.world}"]

    def generator_command(self, command):
        return self.inside(*command)

    def await_socket(self, path):
        """Ready. Without connecting: one of them takes one connection in its life."""
        deadline = time.monotonic() + backends.START_SECONDS
        while not any(line.endswith(path) for line in
                      self.place.in_host("cat", "/proc/net/unix").splitlines()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.fail("did not become ready")
            time.sleep(0.001)
        self.ready_ns = time.monotonic_ns()

    def before(self):
        return self.place.arrived(), self.place.left()

    def after(self, before, workload, answer):
        """All that left the host arrived, with the host's address; but for the odd ARP packet."""
        arrived, left = self.place.arrived() - before[0], self.place.left() - before[1]
        if "packets" in answer:
            answer["stray"] = left - arrived
            answer["wrong"] += max(0, left - arrived - STRAY_MAX)

    def stop(self):
        super().stop()
        self.place.close()


class Chnet(Uplink, backends.Chnet):
    name = "chnet"
    about = "chnet-vhost on a TAP, with its own NAT"

    def command(self, ready_fd):
        command = [self.program(), "--ready-fd", ready_fd, "--tap", place.TAP,
                   "--new-sessions-per-guest", 0,
                   "--name", f"bench-{os.path.basename(self.directory)}"]
        for index, path in enumerate(self.sockets()):
            command += ["--socket", f"{path},mac=52:54:00:12:34:{0x56 + index:02x},"
                                    f"ip=172.16.0.{2 + index}"]
        return self.inside(*command)


class TwoGuests(Chnet):
    about = "chnet-vhost on a TAP, with a second guest"
    guests = 2


class Stateless(Chnet):
    """The host keeps no connections of the guests, so the NAT alone is at work."""

    about = "chnet-vhost on a TAP, the NAT with a block of ports of its own and 2 M sessions"

    def command(self, ready_fd):
        return [*super().command(ready_fd), "--outside-ports", "1024-65535",
                "--sessions", str(2 << 20)]

    def start(self):
        super().start()
        if "notrack" not in self.place.in_host("nft", "list", "ruleset"):
            self.fail("has a host that keeps connections all the same")


class Against(Chnet):
    name = "against"
    about = "the chnet-vhost of --against"
    check = backends.Against.check

    def program(self):
        return self.setup.against


class Testpmd(Uplink, backends.Testpmd):
    name = "testpmd"
    about = "DPDK testpmd, --forward-mode=io between net_vhost and net_tap; nftables"
    lacks = {"tso": "none of the large frames that net_vhost gives it comes out of net_tap, with "
                    "either meaning of the mbuf's flags"}

    def devices(self):
        return [f"net_vhost0,iface={self.sockets()[0]},queues=1,tso=1,legacy-ol-flags=1",
                f"net_tap0,iface={place.TAP}"]

    def start(self):
        super().start()
        self.place.masquerade()

    def pin(self):
        """net_tap reads when a signal has said so, which the first thread takes: that must not wait
        until a worker or a generator is throttled, 0.95 s later."""
        super().pin()
        if self.setup.realtime:
            os.sched_setscheduler(self.process.pid, os.SCHED_FIFO, os.sched_param(2))


class VhostUserNet(Uplink):
    """It ends when its guest does, so each measurement has a new one."""

    name = "vhost_user_net"
    about = "Cloud Hypervisor's vhost_user_net on a TAP; nftables"
    # It has no indirect descriptors.
    needs = {"tso": ("--layout", "apart")}
    lacks = {"1 M sessions": TABLE}

    @classmethod
    def check(cls, setup):
        if cls.name not in setup.peers:
            raise backends.Unusable(f"give --peer {cls.name}=PATH (it is no package)")
        if not os.access(setup.peers[cls.name], os.X_OK):
            raise backends.Unusable(f"{setup.peers[cls.name]} is not there")

    @property
    def generator(self):
        # It has no EVENT_IDX and no merged buffers.
        return [*super().generator, "--no-event-idx", "--no-mergeable", "--rx-buffer", "66000"]

    def start(self):
        path = self.sockets()[0]
        self.spawn(self.inside(self.setup.peers[self.name], "--net-backend",
                               f"ip={place.GATEWAY},mask=255.255.255.0,socket={path},"
                               f"num_queues=2,queue_size=256,tap={place.TAP}"),
                   stdin=subprocess.DEVNULL)
        self.await_socket(path)
        self.place.masquerade()

    def after(self, before, workload, answer):
        super().after(before, workload, answer)
        self.renew()

    def renew(self):
        self.process.wait(backends.START_SECONDS)
        self.start()
        self.pin()


class Passt(Uplink):
    """It ends the guest's connections and datagrams itself and makes its own, as any program does:
    there is neither a TAP nor a NAT."""

    name = "passt"
    about = "passt --vhost-user: no TAP, no NAT, sockets of the host for those of the guest"
    # By way of a program interpreter that is named on the command line, the last.
    workers = re.compile("^passt|^pasta|^ld-linux")
    lacks = {"tcp": "its frames are no connection", "tso": "its frames are no connection",
             "plain": "it has no offloads in any case"}
    # More do not fit into the receive buffer of its socket.
    needs = {"down": ("--window", "64")}
    # It offers no TSO, but frames as large as this.
    guest_mtu = 65520
    MAC = "52:54:00:00:00:01"

    @classmethod
    def check(cls, setup):
        path = setup.peers.get(cls.name) or shutil.which("passt")
        if not path:
            raise backends.Unusable("give --peer passt=PATH, or install one that has --vhost-user")
        told = subprocess.run([path, "--help"], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)
        if "--vhost-user" not in told.stdout + told.stderr:
            raise backends.Unusable(f"{path} has no --vhost-user (that of Debian 13 has)")

    @property
    def generator(self):
        return ["--to", f"{self.MAC},{place.WORLD_ADDRESS}", "--count", place.OUT,
                "--world", f"/run/netns/{self.place.world}", "--no-event-idx"]

    def start(self):
        path = self.sockets()[0]
        # It sends pings by sockets that need this.
        self.place.in_host("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
        self.spawn(self.inside(
            self.setup.peers.get(self.name) or "passt", "--vhost-user", "--foreground", "--quiet",
            "--socket", path, "--ipv4-only", "--interface", place.OUT, "--address", place.GUEST,
            "--netmask", "24", "--gateway", place.GATEWAY, "--mac-addr", self.MAC, "--dns", "none",
            "--outbound-if4", place.OUT, "--no-map-gw", "--tcp-ports", "none",
            "--udp-ports", "none", "--runas", "0"), stdin=subprocess.DEVNULL)
        self.await_socket(path)


class Cable(Uplink, backends.Bare):
    name = "limit-veth"
    about = "limit: the guest is a namespace on a veth pair, without a device; nftables"
    own_device = True

    def start(self):
        super().start()
        self.place.make_cable("eth0")
        self.place.masquerade()

    def stop(self):
        self.place.close()


class BareTap(Uplink, backends.Bare):
    name = "limit-tap"
    about = "limit: a bare loop of one writev() into a TAP for each frame; nftables"
    lacks = {"1 M sessions": TABLE}

    @property
    def generator(self):
        return [*super().generator, "--bare", "tap", "--tap", place.TAP, "--stations", "1"]

    def sockets(self):
        return []

    def start(self):
        super().start()
        self.place.make_tap()
        self.place.masquerade()

    def stop(self):
        self.place.close()
