#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
`./dev demo`: two Linux guests behind chnet-vhost, what they reach, and how fast.

It runs in a laboratory of its own (lab.py), so nothing of it is left when it ends, Ctrl-C included.
"""
import contextlib
import json
import re
import signal
import sys
import time

import lab
import world
from guests import UmlGuest
from vhost import Vhost, sockets


class Report:
    """A table that grows while it is being looked at."""

    WIDTHS = (26, 46)

    def _rule(self, left, middle, right):
        print(left + middle.join("─" * (width + 2) for width in self.WIDTHS) + right, flush=True)

    def __enter__(self):
        self._rule("┌", "┬", "┐")
        return self

    def __exit__(self, *_):
        self._rule("└", "┴", "┘")

    def row(self, what, value):
        print("│ {:<{}} │ {:<{}} │".format(what, self.WIDTHS[0], value, self.WIDTHS[1]), flush=True)

    def rule(self):
        self._rule("├", "┼", "┤")


def _counters(vhost):
    """Ends chnet-vhost and returns the counters that it printed before, {name: value}."""
    vhost.signal(signal.SIGUSR1)
    vhost.wait_line(r"(^|\s)[a-z.]+[a-z0-9._]* \d+$")
    vhost.signal(signal.SIGTERM)
    lab.expect(vhost.wait() == 0, f"chnet-vhost ended badly: {vhost.lines[-5:]}")
    pairs = (re.search(r"(?:^|\s)([a-z]+\.[a-z0-9._]+) (\d+)$", line) for line in vhost.lines)
    return {pair[1]: int(pair[2]) for pair in pairs if pair}


def _drops(counters):
    """{reason: packets} over all ports."""
    found = {}
    for name, value in counters.items():
        reason = re.search(r"\.drop\.(.+)$", name)
        if reason:
            found[reason[1]] = found.get(reason[1], 0) + value
    return found


def _link_summary(guest):
    """Driver and address as the guest's own kernel shows them."""
    driver = guest.run("ethtool -i eth0 | sed -n 's/^driver: //p'")
    address = json.loads(guest.run("ip -j -4 address show dev eth0"))[0]["addr_info"][0]
    return f"{address['local']}/{address['prefixlen']}, driver {driver}"


def _show():
    started = time.monotonic()
    page_server = world.WebServer("world", lab.WORLD_SERVER)
    world.serve_iperf("world", lab.WORLD_SERVER)
    print("Two network namespaces, `host` and `world`; chnet-vhost runs in `host`.")
    begun = time.monotonic()
    vhost = Vhost(*sockets(2)).ready()
    print(f"chnet-vhost was ready after {time.monotonic() - begun:.2f} s; two guests boot …", flush=True)
    guests = [UmlGuest(f"guest{n}", lab.SCRATCH / f"guest{n}.sock") for n in range(2)]
    for number, guest in enumerate(guests):
        guest.booted()
        guest.configure(number)
    first, second = guests
    second.serve_iperf()

    with Report() as table:
        for number, guest in enumerate(guests, 1):
            table.row(f"guest {number}", _link_summary(guest))
        table.rule()
        table.row("ping to the gateway", f"{first.ping('172.16.0.1', count=20):.2f} ms")
        table.row("ping to the other guest", f"{first.ping(second.address, count=20):.2f} ms")
        table.row("ping beyond the NAT", f"{first.ping(lab.WORLD_SERVER, count=20):.2f} ms")
        page = first.run(f"curl -sS --max-time 10 http://{lab.WORLD_SERVER}/")
        lab.expect(page == world.PAGE.decode().strip(), page)
        table.row("page fetched", f"http://{lab.WORLD_SERVER}/ ({len(world.PAGE)} bytes)")
        table.row("the server saw", f"{page_server.clients[0]}, not {first.address}")
        table.rule()
        for what, guest, address, *options in (
                ("download from the world", first, lab.WORLD_SERVER, "-R"),
                ("upload to the world", first, lab.WORLD_SERVER),
                ("guest to guest", first, second.address)):
            table.row(what, f"{guest.tcp_rate(address, *options, seconds=3):.2f} Gbit/s")
        table.rule()
        for guest in guests:
            guest.kill()
        counters = _counters(vhost)
        table.row("NAT sessions", f"{counters.get('nat.sessions_created', 0)}")
        drops = _drops(counters)
        table.row("packets dropped", str(sum(drops.values())))
        for reason, count in sorted(drops.items(), key=lambda item: -item[1]):
            table.row(f"  {reason}", str(count))
    print(f"{time.monotonic() - started:.0f} s; everything that was built is gone again.")
    return 0


def _demo():
    try:
        return _show()
    except lab.Failure as failure:
        print(f"the demo failed: {failure}")
        lab.Process.show_logs()
        return 1
    finally:
        for process in reversed(lab.Process.alive):
            with contextlib.suppress(lab.Failure):
                process.kill()


if __name__ == "__main__":
    sys.exit(lab.isolated(_demo, 120))
