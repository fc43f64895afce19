#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Drivers that are not Debian's own kernel's: EDK2's, iPXE's and U-Boot's in QEMU, a Linux from 6.17
on (the header has a descriptor of its own), and DPDK's virtio-user without a machine.

Each gets an address by DHCP and fetches the same noise through the NAT, which is compared.
"""
import hashlib
import json
import mmap
import os
import re
import shutil
import signal
import subprocess
import types
import zlib

import lab
import world
from guests import QemuGuest
from probe import qemu_machine, vhost_network
from vhost import Vhost, sockets

at = types.SimpleNamespace()
PACKAGES = lab.CACHE / "drivers"
FILES = lab.SCRATCH / "files"
# Of what TFTP brings, a block at a time; HTTP brings 1 MiB.
SIZE = 1 << 18
SERVER = lab.WORLD_SERVER
# A block of TFTP that makes a frame of 1,514 bytes.
BLOCK = 1468


def _package(name):
    """A file of the packages that ./dev test downloads."""
    path = PACKAGES / name
    if not path.exists():
        raise lab.Skip(f"no {path} (./dev test downloads it)")
    return path


def _network(number, memory, backend="memory-backend-memfd"):
    return vhost_network(lab.SCRATCH / f"guest{number}.sock", f"52:54:00:12:34:{0x56 + number:02x}",
                         memory, backend=backend)


def _type(process, line):
    process.popen.stdin.write(line.encode() + b"\r")
    process.popen.stdin.flush()


@lab.test("chnet-vhost, and servers of HTTP and TFTP in the world")
def serve():
    at.web = world.WebServer("world", SERVER)
    FILES.mkdir()
    at.noise = world.noise_block(0)
    (FILES / "noise").write_bytes(at.noise)
    at.start = at.noise[:SIZE][::-1]  # no part of the other
    (FILES / "start").write_bytes(at.start)
    lab.Process("dnsmasq", ["dnsmasq", "-d", "-C", "/dev/null", "--port=0", "--user=root",
                            "--pid-file", "--enable-tftp", f"--tftp-root={FILES}"],
                namespace="world").wait_line("TFTP root is")
    # TFTP answers from another port, which a host that masquerades lets nobody in from.
    at.vhost = Vhost(*sockets(7), "--outside-ports", "50000-59999").ready()


@lab.test("EDK2 (OVMF): DHCP, ping, TFTP in frames of 1,514 bytes, and HTTP, from its shell")
def edk2():
    code, variables = (_package(f"usr/share/OVMF/OVMF_{what}_4M.fd") for what in ("CODE", "VARS"))
    volume = lab.SCRATCH / "esp"
    volume.mkdir()
    for name in ("noise", "start"):
        shutil.copy(FILES / name, volume)
    shutil.copy(variables, lab.SCRATCH / "variables")
    # Its DHCP client works beside the shell.
    (volume / "startup.nsh").write_text(f"""@echo -off
connect -r
ifconfig -s eth0 dhcp
for %i run (1 100)
  ping -n 1 172.16.0.1
  if %lasterror% == 0 then
    goto up
  endif
  stall 100000
endfor
:up
ifconfig -l eth0
ping -n 1 {SERVER}
fs0:
tftp -s {BLOCK} {SERVER} start tftp.out
comp start tftp.out
echo TFTP %lasterror%
http http://{SERVER}/noise/1 http.out
comp noise http.out
echo HTTP %lasterror%
reset -s
""")
    guest = lab.Process("EDK2", qemu_machine(
        _network(0, 256), "-drive", f"if=pflash,format=raw,readonly=on,file={code}",
        "-drive", f"if=pflash,format=raw,file={lab.SCRATCH / 'variables'}",
        "-drive", f"file=fat:rw:{volume},format=raw,if=none,id=esp",
        "-device", "virtio-blk-pci,drive=esp,bootindex=1", memory=256), stdin=subprocess.PIPE)
    guest.wait_line("UEFI Interactive Shell", 60)
    # Any key ends its wait for one.
    _type(guest, "")
    guest.wait(120)
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", "\n".join(guest.lines))
    lab.expect(re.search(r"ipv4 address *: *172\.16\.0\.2\b", text), text)
    lab.expect(text.count("1 received, 0% packet loss") == 2, text)
    lab.expect("TFTP 0x0" in text and "HTTP 0x0" in text, text)
    lab.expect(text.count("no differences encountered") == 2, text)


@lab.test("iPXE: DHCP, HTTP, and TFTP in frames of 1,514 bytes, with eight receive buffers")
def ipxe():
    kernel = _package("boot/ipxe.lkrn")
    script, memory = lab.SCRATCH / "script.ipxe", lab.SCRATCH / "ipxe.memory"
    script.write_text(f"""#!ipxe
ifconf -c dhcp net0
route
imgfetch --name over-http http://{SERVER}/noise/1
imgfetch --name over-tftp tftp://{SERVER}/start
imgstat
""")
    guest = lab.Process("iPXE", qemu_machine(
        _network(1, 256, f"memory-backend-file,mem-path={memory}"), "-kernel", kernel,
        # SeaBIOS has no other output, and gives iPXE the serial line.
        "-initrd", script, memory=256, machine="q35,graphics=off"))
    guest.wait_line(r"net0: 172\.16\.0\.3/255\.255\.255\.0 gw 172\.16\.0\.1", 60)
    for way, size in (("http", len(at.noise)), ("tftp", SIZE)):
        guest.wait_line(rf"over-{way} : {size} bytes", 60)
    # This iPXE has no command for a hash, but its memory is a file.
    with open(memory, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as whole:
        for way, content in (("HTTP", at.noise), ("TFTP", at.start)):
            lab.expect(whole.find(content) >= 0, f"what {way} brought is not in its memory")
    guest.kill()


@lab.test("U-Boot: DHCP, TFTP in frames of 1,514 bytes, ping")
def u_boot():
    bios = _package("usr/lib/u-boot/qemu-x86_64/u-boot.rom")
    guest = lab.Process("U-Boot", qemu_machine(
        _network(2, 256), "-bios", bios, memory=256, machine="pc"), stdin=subprocess.PIPE)
    guest.wait_line("^Net: ", 60)
    # Any key ends its wait for one.
    _type(guest, "")
    _type(guest, "pci enum; virtio scan; "
          f"dhcp 1000000 {SERVER}:start && crc32 1000000 {SIZE:x} && ping 172.16.0.1")
    guest.wait_line(r"DHCP client bound to address 172\.16\.0\.4", 60)
    found = guest.wait_line(r"crc32 for .* ==> ([0-9a-f]{8})", 60)[1]
    lab.expect(int(found, 16) == zlib.crc32(at.start), found)
    guest.wait_line("host 172.16.0.1 is alive", 20)
    guest.kill()


# What a guest's udhcpc calls.
_LEASE = r"""#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev eth0
ip route add default via "$router"
"""


def _linux(number, mebibytes, properties=""):
    """Boots it; DHCP, ping, UDP and TCP. Returns it and its kernel's version."""
    guest = QemuGuest(f"linux{number}", lab.SCRATCH / f"guest{number}.sock",
                      f"52:54:00:12:34:{0x56 + number:02x}", "new-cloud-kernel", properties)
    guest.booted()
    version = re.search(r"\d+\.\d+\S*", guest.run("uname -r"))[0]
    lab.expect(tuple(map(int, version.split(".")[:2])) >= (6, 17), f"this is Linux {version}")
    guest.run(f"printf %s '{_LEASE}' >/tmp/lease; chmod +x /tmp/lease; ip link set eth0 up; "
              "udhcpc -q -n -i eth0 -s /tmp/lease")
    lab.expect(f"172.16.0.{2 + number}/24" in guest.run("ip address show dev eth0"),
               "another address")
    guest.ping(SERVER)
    text = guest.run(f"tftp -g -b {BLOCK} -l /tmp/start -r start {SERVER} && sha256sum /tmp/start")
    lab.expect(hashlib.sha256(at.start).hexdigest() in text, text)
    text = guest.run(f"wget -q -O - http://{SERVER}/noise/{mebibytes} | sha256sum")
    lab.expect(world.noise_sum(mebibytes) in text, text)
    return guest, version


@lab.test("Linux from 6.17 on: DHCP, ping, UDP and TCP through the NAT, kill -9 of the data plane")
def linux():
    guest, version = _linux(3, 16)
    at.web.moved = 0
    guest.start(f"wget -q -O - http://{SERVER}/noise/32 | sha256sum")
    at.web.wait_moved(8)
    (victim,) = at.vhost.data_plane()
    os.kill(victim, signal.SIGKILL)
    lab.wait_gone([victim])
    text = guest.finish(limit_s=90)
    lab.expect(world.noise_sum(32) in text, text)
    lab.expect(at.vhost.data_plane() != [victim], "no other data plane")
    guest.kill()
    return f"Linux {version}"


@lab.test("Linux from 6.17 on, without offloads: the same")
def linux_plain():
    guest, _ = _linux(4, 4, ",csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,"
                            "guest_ecn=off,guest_ufo=off,host_tso4=off,host_tso6=off,host_ecn=off,"
                            "host_ufo=off,mrg_rxbuf=off")
    guest.kill()


@lab.test("DPDK's virtio-user: testpmd answers 2,000 pings, and counts as many frames as we do")
def virtio_user():
    program = _package("usr/bin/dpdk-testpmd")
    ports = [f"--vdev=net_virtio_user{n},path={lab.SCRATCH}/guest{5 + n}.sock,"
             f"mac=52:54:00:12:34:{0x5b + n:02x},queues=1,queue_size=256" for n in range(2)]
    guest = lab.Process("testpmd", [
        "stdbuf", "-oL", program, "--no-pci", "--no-huge", "-m", "128", "--no-shconf", "--no-telemetry", "-l", "0,1",
        *ports, "--", "--forward-mode=icmpecho", "--total-num-mbufs=4096"], stdin=subprocess.PIPE)
    guest.wait_line("Press enter to exit", 60)
    for number in range(2):
        text = lab.run("ping", "-n", "-q", "-c", "1000", "-i", "0.002", "-W", "10",
                       f"172.16.0.{7 + number}", namespace="host", limit_s=60)
        lab.expect(" 1000 received" in text, text)
    _type(guest, "\n")
    lab.expect(guest.wait() == 0, f"{guest.lines}")
    text = "\n".join(guest.lines)
    seen = [tuple(map(int, pair)) for pair in re.findall(
        r"statistics for port \d.*\n *RX-packets: (\d+).*\n *TX-packets: (\d+)", text)]
    counters = json.loads(lab.run("curl", "-sS", "--unix-socket", "/run/chnet/default.sock",
                                  "http://chnet/v1/counters"))["ports"]
    ours = [(counters[5 + n]["tx_packets"], counters[5 + n]["rx_packets"]) for n in range(2)]
    lab.expect(seen == ours and min(map(min, seen)) >= 1000, f"testpmd: {seen}, ours: {ours}")


if __name__ == "__main__":
    lab.main(300)
