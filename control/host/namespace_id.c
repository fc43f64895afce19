/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/namespace_id.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE /* Linux 5.14 */
#define SO_NETNS_COOKIE 71
#endif

int namespace_id(uint64_t *ret_id)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(*ret_id);
	struct stat namespace;
	uint64_t cookie;
	int r;

	if (fd < 0)
		return -errno;
	r = getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length);
	close(fd);
	if (r == 0) {
		*ret_id = cookie;
		return 0;
	}
	if (stat("/proc/self/ns/net", &namespace) < 0)
		return -errno;
	*ret_id = namespace.st_ino;
	return 0;
}
