/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Opens /proc/sys/NAME. */
static int sysctl_open(const char *name, int flags)
{
	char path[256];
	int length = snprintf(path, sizeof(path), "/proc/sys/%s", name);
	int fd;

	/* An interface may be named a..b. */
	if (length < 0 || (size_t)length >= sizeof(path) || strstr(path, "/../"))
		return -EINVAL;
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fd;
}

int sysctl_read(const char *name, char *value, size_t size)
{
	int fd = sysctl_open(name, O_RDONLY);
	ssize_t length;
	int error;

	if (fd < 0)
		return fd;
	/* The kernel gives a value that fits whole in one read. */
	length = read(fd, value, size);
	error = errno;
	close(fd);
	if (length < 0)
		return -error;
	if ((size_t)length == size)
		return -ENOSPC;
	if (length > 0 && value[length - 1] == '\n')
		length--;
	value[length] = '\0';
	return 0;
}

int sysctl_write(const char *name, const char *value)
{
	int fd = sysctl_open(name, O_WRONLY);
	ssize_t length;
	int error;

	if (fd < 0)
		return fd;
	length = write(fd, value, strlen(value));
	error = errno;
	close(fd);
	return length < 0 ? -error : 0;
}
