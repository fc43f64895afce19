#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""chnet setup and chnet cleanup: a network that stays, for VMs of a user without rights."""
import os
import pathlib
import shutil
import signal

import lab
from chnet import (CHNET, OUR_FILES, VMM, VMM_LOG, Run, case, chnet, environment, state,
                   vmm_arguments)
from wire import NamespaceGuest
from world import WebServer


def _user():
    folder = pathlib.Path(lab.SCRATCH / "user")
    folder.mkdir(exist_ok=True)
    os.chown(folder, 65534, 65534)
    os.chmod(lab.SCRATCH, 0o1777)
    OUR_FILES.update({str(folder), str(folder / "chnet")})
    return str(folder)


def _public():
    """A directory with chnet and the stand-in VMM that a user can read; theirs may be root's alone."""
    folder = lab.SCRATCH / "public"
    folder.mkdir(exist_ok=True)
    for path in (CHNET, *VMM.parent.glob("*.py")):
        shutil.copy(path, folder)
        (folder / path.name).chmod(0o755)
    OUR_FILES.update({str(folder), *map(str, folder.iterdir())})
    return folder


# What makes a user without rights of whatever follows.
NO_RIGHTS = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
             "--inh-caps=-all")


@case("setup, once and again; a user without rights runs a VM on it; cleanup")
def setup():
    # Everybody may open it on an ordinary host; not every test machine has it so.
    lab.run("sh", "-ec", "mount -t tmpfs tmpfs /dev/net; mknod -m 666 /dev/net/tun c 10 200")
    before = state()
    text = chnet("setup", SUDO_UID="65534")
    lab.expect("is set up for uid 65534" in text, text)
    stands = state()
    lab.expect("tap0 172.16.0.1/24" in stands["addresses"] and stands["forwarding"] == "1" and
               "masquerade" in stands["rules"], f"{stands}")
    text = chnet("setup", SUDO_UID="65534")
    lab.expect("was already set up" in text, text)
    lab.expect_same(stands, state())
    VMM_LOG.touch()
    os.chmod(VMM_LOG, 0o666)
    folder = _public()
    run = Run(program=folder / "chnet", CHNET_VMM=str(folder / "vmm.py"),
              wrapper=NO_RIGHTS, PYTHONDONTWRITEBYTECODE="1", XDG_RUNTIME_DIR=_user()).attached()
    lab.expect(any("by TAP, set up before" in line for line in run.lines), f"{run.lines}")
    text = chnet("cleanup", check=False)
    lab.expect("a VM runs on it" in text, text)
    text = chnet("status", check=False)
    lab.expect("the network 'default' is on a TAP" in text, text)
    for more in ({"XDG_RUNTIME_DIR": _user()}, {"XDG_RUNTIME_DIR": ""}):
        text = lab.run(*NO_RIGHTS, folder / "chnet", "cleanup", namespace="host", check=False,
                       env=environment(**more))
        lab.expect(text == "chnet: the network default was set up by root: sudo chnet cleanup\n",
                   text)
    run.signal(signal.SIGTERM)
    lab.expect(run.wait(20) == 0, f"{run.lines}")
    lab.expect_same(stands, state())
    text = chnet("cleanup")
    lab.expect("removed the network default" in text, text)
    lab.expect_same(before, state())
    lab.expect(chnet("cleanup") == "nothing to remove\n", "something was left")


@case("setup with other values replaces what was set up")
def setup_again():
    before = state()
    chnet("setup")
    chnet("setup", "--tap-name", "tap7", "--host-ip", "172.17.0.1/24")
    stands = state()
    lab.expect("tap7" in stands["links"] and "tap0" not in stands["links"], f"{stands['links']}")
    lab.expect(stands["forwarding"] == "1", "forwarding is off")
    for mode in ((), ("--tap",)):
        text = chnet("run", "--dry-run", *mode, "--", "--kernel", "idle")
        lab.expect("TAP tap7 is there" in text and "tap=tap7" in text and
                   "tap0" not in text and "ip " not in text, text)
    chnet("cleanup")
    lab.expect_same(before, state())


@case("a VM on what was set up has its TAP and address; options that say otherwise are refused")
def elsewhere():
    before = state()
    chnet("setup", "--tap-name", "tap7", "--host-ip", "10.1.0.1")
    for options, more, guest in (((), {}, "10.1.0.2"), ((), {"GUEST_IP": "10.1.0.5"}, "10.1.0.5"),
                                 (("--tap-name", "tap7", "--host-ip", "10.1.0.1/24"), {},
                                  "10.1.0.2")):
        run = Run("--tap", *options, **more).attached()
        lab.expect(any(f"guest {guest}/24, gateway 10.1.0.1" in line for line in run.lines),
                   f"{run.lines}")
        lab.expect("tap=tap7," in vmm_arguments()[-1], f"{vmm_arguments()}")
        run.end()
    for options, says in ((("--host-ip", "172.16.0.1"), "with gateway 10.1.0.1/24: leave out"),
                          (("--tap-name", "tap0"), "on TAP tap7: leave out --tap-name tap0")):
        text = chnet("run", "--tap", *options, "--", "--kernel", "idle", check=False)
        lab.expect(says in text and text.count("\n") == 1, text)
    text = chnet("doctor", check=False)
    lab.expect("10.1.0.2" in text and "172.16.0" not in text, text)
    chnet("cleanup")
    lab.expect_same(before, state())


@case("forwarding that was on before stays on after cleanup")
def forwarding_stays():
    before = state()
    lab.run("sysctl", "-qw", "net.ipv4.ip_forward=1", namespace="host")
    chnet("setup")
    chnet("cleanup")
    lab.expect(state()["forwarding"] == "1", "it was switched off")
    lab.run("sysctl", "-qw", "net.ipv4.ip_forward=0", namespace="host")
    lab.expect_same(before, state())


def _page(namespace, address):
    """Whether the guest's page is had at that address and port; its kernel may refuse."""
    text = lab.run("curl", "-sS", "--max-time", "10", f"http://{address}/", namespace=namespace,
                   check=False)
    return "You are in the world" in text


@case("setup --forward: a port of the host leads to the guest, also one that comes later")
def forward():
    before = state()
    spec = ("--forward", "tcp:8080=172.16.0.2:80")
    chnet("setup", *spec)
    for _ in range(2):
        guest = NamespaceGuest(0)
        run = Run("--tap", kernel="wire").wired(guest)
        server = WebServer(guest.namespace, guest.address)
        for namespace, address in (("world", lab.HOST_OUTSIDE), ("host", lab.HOST_OUTSIDE),
                                   ("host", "127.0.0.1"), ("host", "172.16.0.1")):
            lab.expect(_page(namespace, f"{address}:8080"), f"{namespace} at {address}:8080")
        lab.expect(not _page("world", f"{lab.HOST_OUTSIDE}:8081"), "another port leads there, too")
        server.shutdown()
        server.server_close()
        run.end()
        guest.close()
    text = chnet("cleanup")
    lab.expect("removed the network default" in text, text)
    lab.expect_same(before, state())


@case("setup --forward once more is no harm; without, or with another, it is replaced")
def forward_again():
    before = state()
    spec = ("--forward", "tcp:8080=172.16.0.2:80")
    text = chnet("setup", *spec)
    lab.expect("is set up" in text, text)
    stands = state()
    text = chnet("setup", *spec)
    lab.expect("was already set up" in text, text)
    lab.expect_same(stands, state())
    chnet("setup", "--forward", "tcp:8090=172.16.0.2:80")
    rules = state()["rules"]
    lab.expect("dport 8090" in rules and "dport 8080" not in rules, rules)
    chnet("setup")
    lab.expect("dnat" not in state()["rules"], "a forward is left that nobody asked for")
    chnet("cleanup")
    lab.expect_same(before, state())


if __name__ == "__main__":
    lab.main(120)
