/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a frame's stamp is in the payload of a datagram. */
#define STAMP_OFFSET (WORKLOAD_STAMP_OFFSET - FRAMES_ETHERNET - FRAMES_IPV4 - FRAMES_UDP)

/* A socket in that namespace; this thread stays where it is. */
static int socket_in(const char *path, int *ret_fd)
{
	int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(path, O_RDONLY | O_CLOEXEC);
	int error = 0;
	int fd = -1;
	if (back < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0) {
		error = -errno;
	} else {
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		error = fd < 0 ? -errno : 0;
		if (setns(back, CLONE_NEWNET) < 0 && !error)
			error = -errno;
	}
	*ret_fd = fd;
	if (there >= 0)
		close(there);
	if (back >= 0)
		close(back);
	return error;
}

int world_open(struct world *world, const char *path, const struct frames_end *target,
	const struct workload *workload, bool gso)
{
	const struct sockaddr_in own = {
		.sin_family = AF_INET,
		.sin_port = htons(target->port),
		.sin_addr.s_addr = htonl(target->ip),
	};

	*world = (struct world){.fd = -1, .gso = gso};
	world->payload = workload->frame_length - workload_headers(workload);
	world->bytes = calloc(WORLD_BURST, world->payload);
	if (!world->bytes)
		return -ENOMEM;
	for (unsigned int i = 0; i < WORLD_BURST; i++) {
		world->pieces[i] =
			(struct iovec){world->bytes + i * world->payload, world->payload};
		world->messages[i].msg_hdr.msg_iov = &world->pieces[i];
		world->messages[i].msg_hdr.msg_iovlen = 1;
	}
	int error = socket_in(path, &world->fd);
	if (error)
		return error;
	int segment = (int)world->payload;
	if (gso && setsockopt(world->fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)) < 0)
		return -errno;
	return bind(world->fd, (const struct sockaddr *)&own, sizeof(own)) < 0 ? -errno : 0;
}

void world_close(struct world *world)
{
	if (world->fd >= 0)
		close(world->fd);
	free(world->bytes);
	*world = (struct world){.fd = -1};
}

int world_learn(struct world *world)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	uint8_t byte;
	if (recvfrom(world->fd, &byte, sizeof(byte), 0, (struct sockaddr *)&from, &length) < 0)
		return -errno;
	return connect(world->fd, (const struct sockaddr *)&from, length) < 0 ? -errno : 0;
}

int world_send(struct world *world)
{
	for (unsigned int i = 0; i < WORLD_BURST; i++) {
		struct workload_stamp stamp = {world->sequence, ~world->sequence};
		memcpy(world->bytes + i * world->payload + STAMP_OFFSET, &stamp, sizeof(stamp));
		world->sequence++;
	}
	if (!world->gso) {
		int sent = sendmmsg(world->fd, world->messages, WORLD_BURST, 0);
		return sent < 0 ? -errno : sent;
	}
	size_t bytes = (size_t)WORLD_BURST * world->payload;
	return send(world->fd, world->bytes, bytes, 0) < 0 ? -errno : WORLD_BURST;
}
