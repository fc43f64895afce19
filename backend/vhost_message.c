/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/vhost_message.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bit of SEND_RARP's protocol feature. */
#define PROTOCOL_RARP (UINT64_C(1) << 2)

static const enum vhost_message_kind kinds[] = {
	[MESSAGE_GET_FEATURES] = VHOST_MESSAGE_PLAIN,
	[MESSAGE_SET_FEATURES] = VHOST_MESSAGE_DEVICE,
	[MESSAGE_SET_OWNER] = VHOST_MESSAGE_PLAIN,
	[MESSAGE_RESET_OWNER] = VHOST_MESSAGE_DEVICE,
	[MESSAGE_SET_MEM_TABLE] = VHOST_MESSAGE_DEVICE,
	[MESSAGE_SET_LOG_BASE] = VHOST_MESSAGE_DEVICE,
	[MESSAGE_SET_LOG_FD] = VHOST_MESSAGE_DEVICE,
	[MESSAGE_SET_VRING_NUM] = VHOST_MESSAGE_RING,
	[MESSAGE_SET_VRING_ADDR] = VHOST_MESSAGE_RING,
	[MESSAGE_SET_VRING_BASE] = VHOST_MESSAGE_RING,
	[MESSAGE_GET_VRING_BASE] = VHOST_MESSAGE_RING,
	[MESSAGE_SET_VRING_KICK] = VHOST_MESSAGE_RING,
	[MESSAGE_SET_VRING_CALL] = VHOST_MESSAGE_RING,
	[MESSAGE_SET_VRING_ERR] = VHOST_MESSAGE_RING,
	[MESSAGE_GET_PROTOCOL_FEATURES] = VHOST_MESSAGE_PLAIN,
	[MESSAGE_SET_PROTOCOL_FEATURES] = VHOST_MESSAGE_PLAIN,
	[MESSAGE_GET_QUEUE_NUM] = VHOST_MESSAGE_PLAIN,
	[MESSAGE_SET_VRING_ENABLE] = VHOST_MESSAGE_RING,
	/* The worker takes its part up when the rings go on. */
	[MESSAGE_SEND_RARP] = VHOST_MESSAGE_DEVICE,
	[MESSAGE_NET_SET_MTU] = VHOST_MESSAGE_PLAIN,
	[MESSAGE_SET_BACKEND_REQ_FD] = VHOST_MESSAGE_PLAIN,
	[MESSAGE_SET_STATUS] = VHOST_MESSAGE_PLAIN,
	[MESSAGE_GET_STATUS] = VHOST_MESSAGE_PLAIN,
};

_Static_assert(VHOST_MESSAGE_FOREIGN == 0, "what is not in the table is foreign");

enum vhost_message_kind vhost_message_kind(const struct vhost_message *message)
{
	return message->request < sizeof(kinds) / sizeof(kinds[0]) ? kinds[message->request]
								   : VHOST_MESSAGE_FOREIGN;
}

#if VHOST_MESSAGE_FDS_KNOWN
/* Does a mapping of the file up to `end` stand? Whole blocks, as the library maps it: one of huge
 * pages is not unmapped otherwise. */
static bool maps(int fd, uint64_t end, uint64_t block)
{
	uint64_t length;

	if (!end || !block || __builtin_add_overflow(end, block - 1, &length))
		return false;
	length -= length % block;
	void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (at == MAP_FAILED)
		return false;
	munmap(at, length);
	return true;
}

static bool can_hold(int fd, const struct vhost_message_region *region)
{
	struct stat file;
	uint64_t end;

	return fstat(fd, &file) == 0 &&
	       !__builtin_add_overflow(region->offset, region->size, &end) &&
	       (!S_ISREG(file.st_mode) || (uint64_t)file.st_size >= end) && region->size &&
	       maps(fd, end, (uint64_t)file.st_blksize);
}
#endif

bool vhost_message_files_can_hold(const struct vhost_message *message)
{
#if VHOST_MESSAGE_FDS_KNOWN
	uint32_t count = message->payload.memory.count;
	if (count > VHOST_MESSAGE_REGIONS_MAX || message->fd_count < (int)count)
		return true; /* the library refuses it, with its own words */
	for (uint32_t i = 0; i < count; i++) {
		const struct vhost_message_region region = message->payload.memory.regions[i];
		if (!can_hold(message->fds[i], &region))
			return false;
	}
#endif
	return true;
}

int vhost_message_fd(const struct vhost_message *message)
{
	int fd = -1;
#if VHOST_MESSAGE_FDS_KNOWN
	if (message->fd_count > 0)
		fd = message->fds[0];
#endif
	return fd;
}

uint32_t vhost_message_log_answer(uint64_t protocol_features)
{
	const struct vhost_message *message = NULL;
	return protocol_features & PROTOCOL_RARP ? 0 : sizeof(message->payload.log);
}

void vhost_message_close_fds(struct vhost_message *message)
{
#if VHOST_MESSAGE_FDS_KNOWN
	for (int i = 0; i < message->fd_count && i < VHOST_MESSAGE_REGIONS_MAX; i++) {
		if (message->fds[i] >= 0)
			close(message->fds[i]);
		message->fds[i] = -1;
	}
	message->fd_count = 0;
#endif
}
