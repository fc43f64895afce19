/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dns_listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DNS_PORT 53
#define BACKLOG 64
#define RECEIVE_BUFFER (2 << 20) /* bytes */

static int open_socket(uint32_t address_be, const char *tap, int type, int *ret_fd)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(DNS_PORT), .sin_addr.s_addr = address_be};
	const int on = 1, buffer = RECEIVE_BUFFER;

	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Old connections do not keep the port; for UDP the option would take it from others. */
	if ((type == SOCK_STREAM &&
		    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) ||
		/* Inherited by connections: an answer is written whole. */
		(type == SOCK_STREAM &&
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) ||
		/* Queries of many guests at once; without the right to more, the host's most. */
		(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0 &&
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)) < 0) ||
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, tap, (socklen_t)strlen(tap)) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		(type == SOCK_STREAM && listen(fd, BACKLOG) < 0)) {
		int error = -errno;
		close(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

int dns_listen_open(uint32_t address_be, const char *tap, struct dns_listen *ret_listen)
{
	struct dns_listen opened = {.udp_fd = -1, .tcp_fd = -1};

	int error = open_socket(address_be, tap, SOCK_DGRAM, &opened.udp_fd);
	if (!error)
		error = open_socket(address_be, tap, SOCK_STREAM, &opened.tcp_fd);
	if (error) {
		dns_listen_close(&opened);
		return error;
	}
	*ret_listen = opened;
	return 0;
}

void dns_listen_close(struct dns_listen *listen)
{
	if (listen->udp_fd >= 0)
		close(listen->udp_fd);
	if (listen->tcp_fd >= 0)
		close(listen->tcp_fd);
	*listen = (struct dns_listen){.udp_fd = -1, .tcp_fd = -1};
}
