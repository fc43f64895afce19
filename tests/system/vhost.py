# SPDX-License-Identifier: BSD-3-Clause
"""chnet-vhost as the tests start it, in the namespace `host`."""
import os
import select

import lab


class Vhost(lab.Process):
    """The monitor; `data_plane()` is its child. Guests can connect when ready() returns."""

    def __init__(self, *arguments, namespace="host", name="chnet-vhost", wrapper=(), **more):
        if not (lab.BIN / "chnet-vhost").exists():
            raise SystemExit(f"no chnet-vhost in {lab.BIN}: run this through ./dev, or set CHNET_BIN")
        self._ready, write_end = os.pipe()
        try:
            super().__init__(name, [*wrapper, lab.BIN / "chnet-vhost", *arguments,
                                    "--ready-fd", write_end],
                             namespace=namespace, pass_fds=(write_end,), **more)
        finally:
            os.close(write_end)

    def ready(self, limit_s=15):
        """Waits until guests can connect."""
        readable, _, _ = select.select([self._ready], [], [], limit_s)
        told = os.read(self._ready, 64) if readable else b""
        os.close(self._ready)
        lab.expect(told, f"{self.name} did not become ready; last: {self.lines[-5:]}")
        return self

    def children(self, name):
        """Process ids of the monitor's children of that name."""
        return lab.children(self.pid, name)

    def data_plane(self):
        """Process ids of data planes."""
        return self.children("chnet-dataplane")


def sockets(count):
    """--socket options for so many guests, with the addresses of docs/architecture.md."""
    options = []
    for number in range(count):
        options += ["--socket", f"{lab.SCRATCH}/guest{number}.sock,"
                    f"mac=52:54:00:12:34:{0x56 + number:02x},ip=172.16.0.{2 + number}"]
    return options
