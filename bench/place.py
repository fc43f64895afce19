# SPDX-License-Identifier: BSD-3-Clause
"""A host and the world beyond it, as network namespaces: each back end gets a pair of its own.

    guest 172.16.0.2 -- back end -- tap0 172.16.0.1 [host] 198.51.100.1 out --veth-- in 198.51.100.2 [world]

All pairs are the same, addresses included, so that back ends can be alive side by side and are
measured on the same path. What arrives in the world from the generator is counted and dropped by
an nftables rule at the veth's ingress: the kernel does that in the context of whoever sent it, on
the processor of the back end's worker, and no process in the world takes part. Only what carries
the host's own address, so has been translated, is counted there.
"""

import json
import subprocess

HOST_ADDRESS, WORLD_ADDRESS = "198.51.100.1", "198.51.100.2"
GATEWAY, LAN = "172.16.0.1", "172.16.0.0/24"
TAP, OUT, IN = "tap0", "out", "in"
# The generator's first guest (workload.c).
GUEST, GUEST_MAC = "172.16.0.2", "52:54:00:12:34:56"

# What the generator sends (workload.c) goes to these ports.
_WORLD_RULES = f"""
table netdev bench {{
  counter right {{ }}
  chain in {{
    type filter hook ingress device {IN} priority 0;
    ip saddr {HOST_ADDRESS} udp dport 5001-5100 counter name right drop
    ip saddr {HOST_ADDRESS} tcp dport 5001-5100 counter name right drop
  }}
}}"""

# The host of a back end that leaves the addresses to the kernel.
_MASQUERADE = f"""
table ip bench
delete table ip bench
table ip bench {{
  chain post {{
    type nat hook postrouting priority srcnat;
    ip saddr {LAN} oifname {OUT} masquerade
  }}
}}"""


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=30, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


class Place:
    """The two namespaces of one back end; they end with the script, or with close()."""

    def __init__(self, name):
        self.host, self.world = f"{name}-host", f"{name}-world"
        self.guest = None
        for namespace in (self.host, self.world):
            run("ip", "netns", "add", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        run("ip", "link", "add", OUT, "netns", self.host, "type", "veth",
            "peer", "name", IN, "netns", self.world)
        for namespace, device, address in ((self.host, OUT, HOST_ADDRESS),
                                           (self.world, IN, WORLD_ADDRESS)):
            run("ip", "-n", namespace, "address", "add", f"{address}/24", "dev", device)
            run("ip", "-n", namespace, "link", "set", device, "up")
        # A way out: what a back end does about the host's address starts from the default route.
        run("ip", "-n", self.host, "route", "add", "default", "via", WORLD_ADDRESS)
        self.in_world("nft", _WORLD_RULES)

    def close(self):
        for namespace in filter(None, (self.host, self.world, self.guest)):
            run("ip", "netns", "delete", namespace)

    def make_guest(self):
        """A namespace that can be a guest, once: somebody makes its device."""
        if self.guest:
            return
        self.guest = self.host.removesuffix("-host") + "-guest"
        run("ip", "netns", "add", self.guest)
        # No router solicitations and the like.
        run(*self.inside(self.guest, ["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"]))

    def configure_guest(self, device, mtu=1500):
        # A TAP drops what its queue has no room for; a guest's driver would stop the queue.
        run("ip", "-n", self.guest, "link", "set", device, "address", GUEST_MAC, "mtu", str(mtu),
            "txqueuelen", "10000", "up")
        run("ip", "-n", self.guest, "address", "replace", f"{GUEST}/24", "dev", device)
        run("ip", "-n", self.guest, "route", "replace", "default", "via", GATEWAY)

    @staticmethod
    def inside(namespace, command):
        """The command, in that namespace; the process stays the same one."""
        return ["ip", "netns", "exec", namespace, *command]

    def in_host(self, *command):
        return run(*self.inside(self.host, command))

    def in_world(self, *command):
        return run(*self.inside(self.world, command))

    def make_tap(self):
        """A TAP that whoever wants it opens."""
        run("ip", "-n", self.host, "tuntap", "add", TAP, "mode", "tap", "vnet_hdr")

    def make_cable(self, device):
        """A veth pair to the guest in the place of a TAP: no device, and nobody who carries."""
        self.make_guest()
        run("ip", "link", "add", TAP, "netns", self.host, "type", "veth",
            "peer", "name", device, "netns", self.guest)

    def masquerade(self):
        """The kernel forwards what comes from the TAP, and translates it."""
        devices = json.loads(run("ip", "-n", self.host, "-j", "address", "show", "dev", TAP))
        if not any(entry.get("local") == GATEWAY for entry in devices[0]["addr_info"]):
            run("ip", "-n", self.host, "address", "add", f"{GATEWAY}/24", "dev", TAP)
        run("ip", "-n", self.host, "link", "set", TAP, "up")
        # The generator answers no questions of ARP.
        run("ip", "-n", self.host, "neighbour", "replace", GUEST, "lladdr", GUEST_MAC,
            "nud", "permanent", "dev", TAP)
        self.in_host("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.in_host("nft", _MASQUERADE)

    def tap_mac(self):
        """What the guests send to."""
        return json.loads(run("ip", "-n", self.host, "-j", "link", "show", "dev", TAP))[0]["address"]

    def arrived(self):
        """Packets that the world has seen so far, translated as they must be."""
        rules = json.loads(self.in_world("nft", "-j", "list", "counters"))["nftables"]
        return next(entry["counter"]["packets"] for entry in rules if "counter" in entry)

    def left(self):
        """Packets that have left the host so far."""
        links = json.loads(run("ip", "-n", self.host, "-j", "-s", "link", "show", "dev", OUT))
        return links[0]["stats64"]["tx"]["packets"]
