#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Process 1 of a test guest: loads the virtio_net driver and runs commands from the console.
# From the kernel's command line: LAB_NAME, and LAB_MODULES: modules in order, with commas between.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C
[ -x /bin/mount ] || /bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mount -t tmpfs tmpfs /tmp
stty raw -echo 2>/dev/null
hostname "$LAB_NAME"
ip link set lo up
for module in $(printf '%s' "$LAB_MODULES" | tr , ' '); do
	if ! insmod "$module"; then
		echo "no module $module"
		echo o >/proc/sysrq-trigger
	fi
done
echo "@@ready"
while read -r line; do
	printf '%s' "$line" | base64 -d >/tmp/command
	sh /tmp/command </dev/null 2>&1
	printf '\n@@done %d\n' $?
done
echo o >/proc/sysrq-trigger
