/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/port_use.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static int take(int fd, struct in_addr address_be, uint16_t port, uint8_t protocol, bool present)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr = address_be,
		.sin_port = htons(port),
	};
	int on = 1;

	/* For UDP it would let us share the port with another that has set it. */
	if (protocol == IPPROTO_TCP &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (!present && setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0)
		return -errno;
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int port_use_check(struct in_addr address_be, uint16_t port, uint8_t protocol, bool present)
{
	int type = protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = take(fd, address_be, port, protocol, present);
	close(fd);
	return r;
}
