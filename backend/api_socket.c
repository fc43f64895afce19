/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/api_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Clients that wait while there is no data plane. */
#define QUEUE 16
/* Of a run directory and a name; what the kernel does not take is refused by the claim. */
#define PATH_CAPACITY (RUN_DIRECTORY_CAPACITY + 64)

/* 0 with *ret_fd, or a negative errno; `path` is short enough. */
static int listen_at(const char *path, gid_t gid, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, path, strlen(path));
	/* Nobody connects before listen(), so the group may come after bind(). */
	mode_t mask = umask(0117);
	int result = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (!result && lchown(path, (uid_t)-1, gid) < 0 && errno != EPERM)
		result = -errno;
	if (!result && listen(fd, QUEUE) < 0)
		result = -errno;
	if (result)
		close(fd);
	else
		*ret_fd = fd;
	return result;
}

int api_socket_open(struct api_socket *socket, const struct run_directory *directory,
	const char *path, const char *name, gid_t gid, char *error, size_t size)
{
	char own[PATH_CAPACITY];

	*socket = (struct api_socket){.fd = -1};
	if (!path[0]) {
		snprintf(own, sizeof(own), "%s/%s.sock", directory->path, name);
		path = own;
	}
	int result = socket_claim_take(directory->fd, &path, 1, 0, &socket->claim, error, size);
	if (result)
		return result;
	result = listen_at(path, gid, &socket->fd);
	if (result) {
		snprintf(
			error, size, "socket %s: cannot listen there: %s", path, strerror(-result));
		api_socket_close(socket);
	}
	return result;
}

void api_socket_close(struct api_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
	socket_claim_release(socket->claim);
	socket->claim = NULL;
}
