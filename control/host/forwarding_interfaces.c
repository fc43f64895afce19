/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/forwarding_interfaces.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/host/sysctl.h"

#define PATH_SIZE 128

/* Names the setting of an interface. 0, or -ENAMETOOLONG when that is none. */
static int setting(char path[PATH_SIZE], const char *interface, size_t length)
{
	int written =
		snprintf(path, PATH_SIZE, "net/ipv4/conf/%.*s/forwarding", (int)length, interface);

	return written < PATH_SIZE ? 0 : -ENAMETOOLONG;
}

size_t forwarding_interfaces_list(char *lines, size_t size)
{
	DIR *all = opendir("/proc/sys/net/ipv4/conf");
	char path[PATH_SIZE], value[16];
	size_t length = 0;

	lines[0] = '\0';
	for (struct dirent *entry; all && (entry = readdir(all));) {
		const char *name = entry->d_name;

		/* "all" is net.ipv4.ip_forward itself. */
		if (name[0] == '.' || strcmp(name, "all") == 0 ||
			setting(path, name, strlen(name)) < 0 ||
			sysctl_read(path, value, sizeof(value)) < 0 || value[0] == '0' ||
			length + strlen(name) + 4 > size)
			continue;
		length += (size_t)snprintf(
			lines + length, size - length, "\n%c%s\n", FORWARDING_INTERFACE, name);
	}
	if (all)
		closedir(all);
	return length;
}

int forwarding_interfaces_restore(const char *lines)
{
	char path[PATH_SIZE], value[16];
	int first = 0;

	for (; *lines; lines += strcspn(lines, "\n")) {
		lines += strspn(lines, "\n");
		size_t length = strcspn(lines, "\n");

		if (lines[0] != FORWARDING_INTERFACE || setting(path, lines + 1, length - 1) < 0)
			continue;
		int r = sysctl_read(path, value, sizeof(value));
		if (r == 0 && value[0] == '0')
			r = sysctl_write(path, "1");
		if (r < 0 && r != -ENOENT && first == 0)
			first = r;
	}
	return first;
}
