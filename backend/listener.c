/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Descriptors are given out from the lowest number on; a network has some thousands at most. */
#define DESCRIPTORS_MAX 65536

static bool is_listening(int fd)
{
	int listening = 0;
	socklen_t length = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening;
}

static bool is_bound_to(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNSPEC};
	socklen_t length = sizeof(address);

	return getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
	       address.sun_family == AF_UNIX &&
	       strncmp(address.sun_path, path, sizeof(address.sun_path)) == 0;
}

int listener_find(const char *path)
{
	for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++)
		if (is_bound_to(fd, path) && is_listening(fd))
			return fd;
	return -1;
}

/* Is it a descriptor whose reads and writes wait? */
static bool waits(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && !(flags & O_NONBLOCK);
}

int listener_unblock(const char *path)
{
	for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++)
		if (is_bound_to(fd, path) && !is_listening(fd) && waits(fd))
			return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	return -ENOENT;
}

void listener_shut(int fd)
{
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}
