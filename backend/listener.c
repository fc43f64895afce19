/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Descriptors are given out from the lowest number on; a network has some thousands at most. */
#define DESCRIPTORS_MAX 65536

/* As many are looked at in one system call. */
#define STRIDE 1024

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

/* A stream to another socket, from one without a name: what connect() makes. */
static bool is_dialled(int fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNSPEC};
	socklen_t length = sizeof(address), peer = sizeof(address), size = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
	       getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
	       address.sun_family == AF_UNIX && length == sizeof(address.sun_family) &&
	       getpeername(fd, (struct sockaddr *)&address, &peer) == 0;
}

/* Those of `count` descriptors from `first` on; one system call finds which of them are open. */
static int unblock_dialled(int first, unsigned int count)
{
	struct pollfd fds[STRIDE];

	for (unsigned int i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = first + (int)i};
	if (poll(fds, count, 0) < 0)
		return -errno;
	for (unsigned int i = 0; i < count; i++) {
		int fd = fds[i].fd;
		if (!(fds[i].revents & POLLNVAL) && is_dialled(fd) && waits(fd) &&
			fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
			return -errno;
	}
	return 0;
}

int listener_unblock_dialled(void)
{
	struct rlimit limit;
	int error = 0;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	/* poll() takes no more than there may be. */
	unsigned int stride = limit.rlim_cur < STRIDE ? (unsigned int)limit.rlim_cur : STRIDE;
	for (int first = STDERR_FILENO + 1; !error && first < DESCRIPTORS_MAX; first += (int)stride)
		error = unblock_dialled(first, stride);
	return error;
}

void listener_shut(int fd)
{
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
}
