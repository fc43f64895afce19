# SPDX-License-Identifier: BSD-3-Clause
"""What chnet is meant to reach, and whether a run shows it. What was not measured is not met, and
neither is what a peer was measured for that did not get its processor."""

import dataclasses

import report


@dataclasses.dataclass(frozen=True)
class Aim:
    """The median of a ratio (chnet's figure divided by that of `peer`), or without a peer of the
    figure of `of`, is at least `low` or at most `high`."""

    scenario: str
    line: str  # of its table
    peer: str = ""
    low: float = None
    high: float = None
    of: str = "chnet"
    unit: str = ""

    def value(self, scenarios):
        """The summary that it is about, or None."""
        entry = scenarios.get(self.scenario, {}).get("results", {}).get(self.line)
        if not entry:
            return None
        found = entry["ratios"].get(self.peer) if self.peer else entry["backends"].get(self.of)
        return found if found and found["values"] else None

    def doubtful(self, scenarios):
        """Whether others took the processor of a peer that polls."""
        scenario = scenarios[self.scenario]
        figure = scenario["results"][self.line]["backends"].get(self.peer, {})
        return self.peer in scenario.get("polling", ()) and report.starved(figure)

    def met(self, summary):
        return ((self.low is None or summary["median"] >= self.low)
                and (self.high is None or summary["median"] <= self.high))

    def row(self, scenarios):
        """What, aim, seen, met or not."""
        limit = f"≥ {self.low:g}" if self.high is None else f"≤ {self.high:g}"
        summary = self.value(scenarios)
        what = f"{self.scenario}: {self.line}" + (f", / {self.peer}" if self.peer else
                                                  f", {self.of}" if self.of != "chnet" else "")
        if not summary:
            return [what, f"{limit}{self.unit}", "not measured", "–"]
        verdict = "met" if self.met(summary) else "missed"
        if self.doubtful(scenarios):
            verdict = "in doubt"
        return [what, f"{limit}{self.unit}", report.spread(summary), verdict]


def _at_most(scenario, lines, peer, high):
    return tuple(Aim(scenario, line, peer, high=high) for line in lines)


# Of one guest's rate 10 or 25 % are lost at most: one divided by the other.
_LOST_10, _LOST_25 = 1 / (1 - 0.10), 1 / (1 - 0.25)
_MANY = ("64 B, one sends", "64 B, half of them send", "1500 B, half of them send")

AIMS = (
    Aim("guests", "64 B", "testpmd", low=1.3),
    Aim("guests", "64 B", "ovs-dpdk", low=4),
    Aim("guests", "1500 B", "testpmd", low=2),
    Aim("guests", "1500 B", "ovs-dpdk", low=5),
    Aim("guests", "64 KiB TSO", "testpmd", low=2),
    Aim("guests", "64 KiB TSO", "limit-copy", low=0.7),
    Aim("world", "up, UDP 1472 B of payload", "vhost_user_net", low=5),
    Aim("world", "up, TCP 1500 B, one frame in flight", "vhost_user_net", low=5),
    Aim("tcp", "TCP down, no offloads", "vhost_user_net", low=1),
    Aim("world", "up, TCP 64 KiB TSO", "limit-tap", low=0.75),
    *_at_most("world", ("ping, busy, p50", "ping, busy, p99", "ping, one a ms, p50",
                        "ping, one a ms, p99"), "vhost_user_net", 1),
    *_at_most("many", _MANY, "chnet-8", round(_LOST_10, 3)),
    *_at_most("many", _MANY, "chnet-64", round(_LOST_25, 3)),
    Aim("nat", "hit, out", of="64000 sessions", high=60, unit=" cycles"),
    Aim("nat", "hit, in", of="64000 sessions", high=60, unit=" cycles"),
    Aim("nat", "rate out, divided by that of 1000", of="1000000 sessions", low=0.5),
    Aim("rest", "idle, % of a core", of="chnet-64", high=0.5, unit=" %"),
)


def rows(scenarios):
    """The table of them all."""
    return [["aim (chnet's figure, or divided by a peer's)", "wanted", "seen", ""],
            *(aim.row(scenarios) for aim in AIMS)]


def show(scenarios, stream):
    print("\nwhat is aimed at", file=stream)
    report.table(rows(scenarios), stream)
    found = [row[-1] for row in rows(scenarios)[1:]]
    print(f"  {found.count('met')} met, {found.count('missed')} missed, {found.count('–')} not "
          "measured", file=stream)
    if "in doubt" in found:
        print(f"  {found.count('in doubt')} in doubt: others took the peer's processor; run it with "
              "nothing else at work", file=stream)
