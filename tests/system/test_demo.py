#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`./dev demo`: the table, and that nothing is left, also after Ctrl-C in the middle of it."""
import os
import pathlib
import re
import signal

import lab

DEMO = ["/usr/bin/python3", pathlib.Path(__file__).with_name("demo.py")]


def _left():
    """Everything that the demo could leave: processes, namespaces, files, mounts, devices."""
    return {
        "processes": sorted(words for _, words in lab.processes().values()),
        "files": sorted(str(path) for folder in ("/run", "/dev/shm")
                        for path in pathlib.Path(folder).iterdir()),
        "mounts": pathlib.Path("/proc/self/mounts").read_text(),
        "links": lab.run("ip", "-br", "link"),
    }


@lab.test("the demo shows its table, and leaves nothing")
def whole():
    before = _left()
    demo = lab.Process("demo", DEMO)
    status = demo.wait(60)
    text = "\n".join(demo.lines)
    lab.expect(status == 0, f"status {status}\n{text}")
    for row in ("guest 1 .*172.16.0.2/24, driver virtio_net", "guest 2 .*172.16.0.3/24",
                r"ping to the gateway .*\d ms", r"page fetched .*198\.51\.100\.2",
                r"the server saw .*203\.0\.113\.2", r"download .*[1-9].* Gbit/s",
                r"upload .*[1-9].* Gbit/s", r"guest to guest .*[1-9].* Gbit/s",
                r"NAT sessions .*[1-9]", r"packets dropped .*\d"):
        lab.expect(re.search(row, text), f"no row like {row!r}\n{text}")
    lab.expect_same(before, _left())


def _interrupted(number, at):
    before = _left()
    demo = lab.Process("interrupted demo", DEMO)
    demo.wait_line(at, 30)
    # As a terminal does: to the whole process group.
    os.killpg(demo.pid, number)
    status = demo.wait(20)
    lab.expect(status == 130, f"status {status}: {demo.lines[-5:]}")
    lab.expect_same(before, _left())


@lab.test("Ctrl-C while the guests boot leaves nothing")
def interrupted_early():
    _interrupted(signal.SIGINT, "guests boot")


@lab.test("Ctrl-C in the middle of the table leaves nothing")
def interrupted_late():
    _interrupted(signal.SIGINT, "page fetched")


@lab.test("SIGTERM in the middle of the table leaves nothing")
def terminated():
    _interrupted(signal.SIGTERM, "page fetched")


if __name__ == "__main__":
    lab.main(200)
