/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user messages as librte_vhost hands them to its extension hooks.
 *
 * The wire layout comes first (vhost-user specification, "Message Specification"). Behind it the
 * library keeps the descriptors that came with the message; that part is private to the library,
 * has the same layout from 22.11 to 24.11, and is read only where RTE_VERSION says so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_version.h>

enum vhost_request {
	MESSAGE_GET_FEATURES = 1,
	MESSAGE_SET_FEATURES = 2,
	MESSAGE_SET_OWNER = 3,
	MESSAGE_RESET_OWNER = 4,
	MESSAGE_SET_MEM_TABLE = 5,
	MESSAGE_SET_LOG_BASE = 6,
	MESSAGE_SET_LOG_FD = 7,
	MESSAGE_SET_VRING_NUM = 8,
	MESSAGE_SET_VRING_ADDR = 9,
	MESSAGE_SET_VRING_BASE = 10,
	MESSAGE_GET_VRING_BASE = 11,
	MESSAGE_SET_VRING_KICK = 12,
	MESSAGE_SET_VRING_CALL = 13,
	MESSAGE_SET_VRING_ERR = 14,
	MESSAGE_GET_PROTOCOL_FEATURES = 15,
	MESSAGE_SET_PROTOCOL_FEATURES = 16,
	MESSAGE_GET_QUEUE_NUM = 17,
	MESSAGE_SET_VRING_ENABLE = 18,
	MESSAGE_SEND_RARP = 19,
	MESSAGE_NET_SET_MTU = 20,
	MESSAGE_SET_BACKEND_REQ_FD = 21,
	MESSAGE_SET_STATUS = 39,
	MESSAGE_GET_STATUS = 40,
};

/*
 * The protocol features that may be offered: those that need none but the requests above. Bits 0
 * MQ, 1 LOG_SHMFD, 2 RARP, 3 REPLY_ACK, 4 NET_MTU, 5 BACKEND_REQ (User Mode Linux needs it),
 * 10 BACKEND_SEND_FD, 16 STATUS.
 */
#define VHOST_MESSAGE_PROTOCOL_FEATURES UINT64_C(0x1043f)

/* What a request is to a port. */
enum vhost_message_kind {
	/* Of a feature that is not offered. The library would serve some all the same:
	 * GET_INFLIGHT_FD, say, clears as many gigabytes as the front end names. */
	VHOST_MESSAGE_FOREIGN,
	VHOST_MESSAGE_PLAIN,  /* touches no ring */
	VHOST_MESSAGE_DEVICE, /* changes what rings stand on: memory, features, log */
	VHOST_MESSAGE_RING,   /* changes one ring, which payload.state.index names */
};

#define VHOST_MESSAGE_REGIONS_MAX 8
#define VHOST_MESSAGE_INDEX_MASK 0xff
#define VHOST_MESSAGE_NO_FD (1u << 8)

struct vhost_message_region {
	uint64_t guest;	 /* guest physical address */
	uint64_t size;	 /* bytes */
	uint64_t user;	 /* address in the front end */
	uint64_t offset; /* of the first byte in the file */
};

struct vhost_message {
	uint32_t request; /* enum vhost_request */
	uint32_t flags;
	uint32_t size; /* of the payload, bytes */
	union {
		uint64_t u64;
		struct {
			uint32_t index;
			uint32_t number;
		} state;
		struct {
			uint32_t count;
			uint32_t padding;
			struct vhost_message_region regions[VHOST_MESSAGE_REGIONS_MAX];
		} memory;
		struct {
			uint64_t size;	 /* of the dirty log, bytes */
			uint64_t offset; /* of its first byte in the file */
		} log;
		uint8_t library[632]; /* the library's largest payload */
	} payload;
	int fds[VHOST_MESSAGE_REGIONS_MAX];
	int fd_count;
} __attribute__((packed));

_Static_assert(offsetof(struct vhost_message, payload) == 12, "vhost-user header");
_Static_assert(
	offsetof(struct vhost_message, fds) == 644, "struct vhu_msg_context of librte_vhost");

/* Is the layout behind the payload the one that we know? */
#define VHOST_MESSAGE_FDS_KNOWN \
	(RTE_VERSION >= RTE_VERSION_NUM(22, 11, 0, 0) && RTE_VERSION < RTE_VERSION_NUM(25, 3, 0, 0))

enum vhost_message_kind vhost_message_kind(const struct vhost_message *message);

/* The ring that a VHOST_MESSAGE_RING names; the library has refused what the mask would hide. */
static inline uint32_t vhost_message_ring(const struct vhost_message *message)
{
	return message->payload.state.index & VHOST_MESSAGE_INDEX_MASK;
}

/*
 * SET_MEM_TABLE: can each region be mapped, and is all of it in its file? A file that is too short
 * would fault within the library, before any hook knows of the region; of one that cannot be mapped
 * (for reading alone, sealed, a pipe, more than there are addresses) the library keeps the
 * descriptor open for ever.
 */
bool vhost_message_files_can_hold(const struct vhost_message *message);

/* The descriptor that came along, or -1 when there is none. It stays the message's. */
int vhost_message_fd(const struct vhost_message *message);

/*
 * SET_LOG_BASE: how many bytes of its payload belong into the answer, by the protocol features that
 * the front end acked. The specification names no payload. Front ends on rust-vmm's library (Cloud
 * Hypervisor) wait for the message's own 16 bytes and never go on without; QEMU expects none.
 *
 * RARP tells them apart: QEMU has acked it, when offered, since the release that brought both it
 * and the shared log, and it is offered to everyone; Cloud Hypervisor never acks it. A wrong guess
 * about QEMU would do no harm, since it reads whatever payload an answer has and looks at the
 * request's number only: so whoever does not ack RARP gets the 16 bytes.
 */
uint32_t vhost_message_log_answer(uint64_t protocol_features);

/* Closes the descriptors that came along: due whenever the library does not see the message. */
void vhost_message_close_fds(struct vhost_message *message);
