/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/sd_notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int sd_notify_send(const char *state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path || !*path)
		return 0;
	if (path[0] != '/' && path[0] != '@')
		return -EINVAL;
	size_t length = strlen(path);
	if (length > sizeof(address.sun_path) - 1)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@') /* abstract: a zero byte first, and no terminating zero */
		address.sun_path[0] = 0;
	else
		length++;

	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	ssize_t sent = sendto(
		fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
	int error = sent < 0 ? -errno : 0;
	close(fd);
	return error;
}
