# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: scenarios, their workloads, and who takes part."""

import dataclasses

import backends
import ovs
import uplinks


@dataclasses.dataclass(frozen=True)
class Workload:
    """One thing that is measured, of each back end of its scenario in turn."""

    name: str
    unit: str
    fields: tuple  # of the generator's answer: one line of the table each
    arguments: tuple  # for the tool
    quick: bool = True  # also in --quick
    frames: str = "udp"  # kind of frames, for those back ends that lack one
    tool: str = "generator"  # or iperf3

    def label(self, field):
        return self.name if len(self.fields) == 1 else f"{self.name}, {field[:-3]}"

    @property
    def round_trip(self):
        return "latency" in self.arguments


def _rate(name, *arguments, gbps=False, quick=True, frames="udp"):
    kind = () if frames == "udp" else ("--kind", frames)
    unit, field = ("Gbit/s", "gbps") if gbps else ("Mpps", "mpps")
    return Workload(name, unit, (field,), (*kind, *arguments), quick, frames)


def _round_trip(name, *arguments, quick=True, frames="udp"):
    kind = () if frames == "udp" else ("--kind", frames)
    return Workload(name, "us", ("p50_us", "p99_us", "p999_us"),
                    ("--mode", "latency", *kind, *arguments), quick, frames)


def _down(name, *arguments, quick=True):
    return Workload(name, "Mpps", ("mpps",), ("--mode", "down", *arguments), quick, "down")


def _tcp(name, *arguments, quick=True, frames="kernel"):
    return Workload(name, "Gbit/s", ("gbps",), arguments, quick, frames, "iperf3")


@dataclasses.dataclass(frozen=True)
class Scenario:
    """Back ends of these kinds are alive at the same time, and take turns."""

    name: str
    about: str
    kinds: tuple
    workloads: tuple


MTU = ("--size", "1514")

SCENARIOS = (
    Scenario(
        "guests", "guest to guest: the first sends, the second receives",
        (backends.Testpmd, ovs.OpenVSwitch, ovs.Tso, backends.Against, backends.Chnet,
         backends.BareCopy, backends.BareDrop),
        (_rate("64 B", "--size", "64"),
         _rate("512 B", "--size", "512", quick=False),
         _rate("1500 B", "--size", "1500"),
         _rate("64 KiB TSO", gbps=True, frames="tso"),
         _rate("64 B both ways", "--size", "64", "--both", quick=False),
         _rate("1500 B both ways", "--size", "1500", "--both", quick=False),
         _round_trip("round trip, busy"),
         _round_trip("round trip, one in 100 us", "--interval", "100", quick=False),
         _round_trip("round trip, one a ms", "--interval", "1000"))),
    Scenario(
        "world", "guest to world, through NAT and TAP",
        (uplinks.VhostUserNet, uplinks.Passt, uplinks.Testpmd, uplinks.Against, uplinks.Chnet,
         uplinks.BareTap),
        (_rate("up, UDP 64 B frames", "--size", "64"),
         _rate("up, UDP 1472 B of payload", *MTU),
         _rate("up, TCP 1500 B, no offloads", *MTU, "--stream", gbps=True, frames="tcp"),
         _rate("up, TCP 1500 B, one frame in flight", *MTU, "--stream", "--window", "1",
               "--layout", "apart", gbps=True, frames="tcp"),
         _rate("up, TCP 1500 B, 64 flows in turn", *MTU, "--stream", "--flows", "64", gbps=True,
               frames="tcp", quick=False),
         _rate("up, TCP 64 KiB TSO", "--stream", gbps=True, frames="tso"),
         _rate("up, TCP 64 KiB TSO, 64 flows in turn", "--stream", "--flows", "64", gbps=True,
               frames="tso", quick=False),
         _down("down, UDP 64 B frames", "--size", "64"),
         _down("down, UDP 1472 B of payload", *MTU),
         _down("down, UDP 1472 B, sent as GSO", *MTU, "--gso", quick=False),
         _round_trip("ping, busy", frames="icmp"),
         _round_trip("ping, one in 100 us", "--interval", "100", quick=False, frames="icmp"),
         _round_trip("ping, one a ms", "--interval", "1000", frames="icmp"))),
    Scenario(
        "tcp", "TCP between two kernels: a namespace as the guest, iperf3 there and in the world",
        (uplinks.VhostUserNet, uplinks.Passt, uplinks.Against, uplinks.Chnet, uplinks.Cable),
        (_tcp("TCP up"),
         _tcp("TCP down", "--reverse", quick=False),
         _tcp("TCP up, no offloads", frames="plain", quick=False),
         _tcp("TCP down, no offloads", "--reverse", frames="plain"),
         _tcp("TCP up, 64 connections", "--parallel", "64", quick=False))),
    Scenario(
        "loaded", "guest to world and back, while another guest sends UDP of 1500 B as fast as it can",
        (uplinks.TwoGuests,),
        (_round_trip("ping, busy, under load", "--load", frames="icmp"),
         _round_trip("ping, one a ms, under load", "--load", "--interval", "1000", frames="icmp",
                     quick=False))),
    Scenario(
        "loaded-guests", "guest to guest, while another pair sends 1500 B as fast as it can",
        (backends.Testpmd4, ovs.FourGuests, backends.Chnet4),
        (_round_trip("round trip, busy, under load", "--load", quick=False),
         _round_trip("round trip, one a ms, under load", "--load", "--interval", "1000",
                     quick=False))),
    Scenario(
        "many", "guest to guest, with more guests on the same worker",
        (backends.Testpmd, backends.Testpmd8, backends.Against, backends.Against8,
         backends.Against64, backends.Chnet, backends.Chnet8, backends.Chnet64, backends.BareCopy,
         backends.BareCopy8, backends.BareCopy64),
        (_rate("64 B, one sends", "--size", "64", "--active", "1"),
         _rate("64 B, half of them send", "--size", "64", quick=False),
         _rate("1500 B, half of them send", *MTU),
         _round_trip("round trip, busy, many", quick=False))),
    Scenario(
        "sessions", "guest to world, UDP of 64 B: in how many NAT sessions",
        (uplinks.VhostUserNet, uplinks.Stateless, uplinks.BareTap),
        (_rate("1 session", "--size", "64", quick=False),
         _rate("64 k sessions", "--size", "64", "--flows", str(64 << 10), "--warm-up-frames",
               str(64 << 10)),
         _rate("1 M sessions", "--size", "64", "--flows", str(1 << 20), "--warm-up-frames",
               str(1 << 20), quick=False),
         _rate("new sessions only", "--size", "64", "--flows", "4900000"))),
)


@dataclasses.dataclass(frozen=True)
class Rest:
    """Measured of each of these alone when nothing is to be done, and at 100,000 frames a second."""

    name: str
    about: str
    kinds: tuple


RESTS = (
    Rest("rest", "with two guests that do nothing, and at 100,000 frames a second between them",
         (backends.Testpmd, ovs.OpenVSwitch, backends.Against, backends.Chnet, backends.Chnet64)),
    Rest("rest-world",
         "with one guest that does nothing, and at 100,000 frames a second to the world",
         (uplinks.VhostUserNet, uplinks.Passt, uplinks.Testpmd, uplinks.Against, uplinks.Chnet)),
)
