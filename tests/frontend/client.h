/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The front end's side of a vhost-user connection: one message out, one answer in. Written from the
 * vhost-user specification (QEMU, docs/interop/vhost-user.rst), sharing nothing with librte_vhost.
 *
 * It sends whatever it is told to, in any order: what a VMM does with it is frontend.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Requests of the front end. */
enum client_request {
	CLIENT_GET_FEATURES = 1,
	CLIENT_SET_FEATURES = 2,
	CLIENT_SET_OWNER = 3,
	CLIENT_RESET_OWNER = 4,
	CLIENT_SET_MEM_TABLE = 5,
	CLIENT_SET_LOG_BASE = 6,
	CLIENT_SET_LOG_FD = 7,
	CLIENT_SET_VRING_NUM = 8,
	CLIENT_SET_VRING_ADDR = 9,
	CLIENT_SET_VRING_BASE = 10,
	CLIENT_GET_VRING_BASE = 11,
	CLIENT_SET_VRING_KICK = 12,
	CLIENT_SET_VRING_CALL = 13,
	CLIENT_SET_VRING_ERR = 14,
	CLIENT_GET_PROTOCOL_FEATURES = 15,
	CLIENT_SET_PROTOCOL_FEATURES = 16,
	CLIENT_GET_QUEUE_NUM = 17,
	CLIENT_SET_VRING_ENABLE = 18,
	CLIENT_SEND_RARP = 19,
	CLIENT_GET_INFLIGHT_FD = 31,
	CLIENT_SET_INFLIGHT_FD = 32,
};

/* Bits of the header's flags. */
#define CLIENT_FLAG_VERSION 0x1u
#define CLIENT_FLAG_REPLY 0x4u
#define CLIENT_FLAG_NEED_REPLY 0x8u

/* Protocol feature bits. */
#define CLIENT_PROTOCOL_MQ 0
#define CLIENT_PROTOCOL_LOG_SHMFD 1
#define CLIENT_PROTOCOL_RARP 2
#define CLIENT_PROTOCOL_REPLY_ACK 3
#define CLIENT_PROTOCOL_CONFIG 9
#define CLIENT_PROTOCOL_INFLIGHT_SHMFD 12
#define CLIENT_PROTOCOL_CONFIGURE_MEM_SLOTS 15
#define CLIENT_PROTOCOL_DEVICE_STATE 19

#define CLIENT_FDS_MAX 8
/* The longest payload that is sent or understood here, bytes. */
#define CLIENT_PAYLOAD_MAX 512

/* Little endian, as everything below. */
struct client_header {
	uint32_t request; /* enum client_request */
	uint32_t flags;	  /* CLIENT_FLAG_* */
	uint32_t size;	  /* bytes of payload that follow */
} __attribute__((packed));

/* Payload of SET_VRING_NUM, _BASE, _ENABLE and GET_VRING_BASE. */
struct client_vring_state {
	uint32_t index; /* of the ring */
	uint32_t value;
};

/* Payload of SET_VRING_ADDR: addresses are the front end's own, not the guest's. */
struct client_vring_addr {
	uint32_t index; /* of the ring */
	uint32_t flags; /* bit 0: log writes to the used ring */
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log_guest; /* guest physical address of the used ring, for the log */
};

struct client_memory_region {
	uint64_t guest;	      /* guest physical address */
	uint64_t size;	      /* bytes */
	uint64_t user;	      /* address in the front end */
	uint64_t mmap_offset; /* bytes, in the file that comes with it */
};

/* Payload of SET_MEM_TABLE; only `count` regions of it are sent. */
struct client_memory_table {
	uint32_t count;
	uint32_t padding;
	struct client_memory_region regions[8];
};

/* Payload of GET_INFLIGHT_FD and SET_INFLIGHT_FD. */
struct client_inflight {
	uint64_t mmap_size;   /* bytes */
	uint64_t mmap_offset; /* bytes */
	uint16_t queues;
	uint16_t queue_size;
} __attribute__((packed));

_Static_assert(sizeof(struct client_header) == 12, "wire size");
_Static_assert(sizeof(struct client_vring_addr) == 40, "wire size");
_Static_assert(sizeof(struct client_memory_region) == 32, "wire size");
_Static_assert(sizeof(struct client_memory_table) == 8 + 8 * 32, "wire size");
_Static_assert(sizeof(struct client_inflight) == 20, "wire size");

struct client {
	int fd;		/* the connection, -1 without one */
	bool reply_ack; /* REPLY_ACK was negotiated: every request that has no answer asks for one
			 */
};

/* Connects to the back end that listens at `path`. 0 or negative errno, then fd is -1. */
int client_connect(struct client *client, const char *path);

/* A socket that listens at `path`, in place of whatever is there; its file stays. Or negative
 * errno. */
int client_listen(const char *path);
/* Waits until the back end connects to that socket, which is closed either way: as Cloud Hypervisor
 * does with vhost_mode=server. 0, -ETIMEDOUT or another negative errno, then fd is -1. */
int client_accept(struct client *client, int listener);

void client_disconnect(struct client *client);

/* Sends one message as it stands. 0 or negative errno (-EPIPE: the back end hung up). */
int client_send(struct client *client, uint32_t request, uint32_t flags, const void *payload,
	uint32_t size, const int *fds, unsigned int fd_count);

/*
 * Receives the answer to `request`. `payload` has room for `size` bytes; *ret_size (when not NULL)
 * says how many came. *ret_fd (when not NULL) is the first descriptor that came with it or -1; the
 * caller owns it. 0, -ECONNRESET when the back end hung up, -ETIMEDOUT, or -EPROTO for anything
 * that is not this answer.
 */
int client_receive(struct client *client, uint32_t request, void *payload, uint32_t size,
	uint32_t *ret_size, int *ret_fd);

/*
 * Sends a request that has no answer of its own, and with REPLY_ACK waits until it was done. 0,
 * -EREMOTEIO when the back end refused it, or an error of the two calls above.
 */
int client_set(struct client *client, uint32_t request, const void *payload, uint32_t size,
	const int *fds, unsigned int fd_count);

/* The same with a payload of one number. */
int client_set_u64(struct client *client, uint32_t request, uint64_t value);
/* The same for a ring's state. */
int client_set_vring(struct client *client, uint32_t request, uint32_t index, uint32_t value);
/* SET_VRING_KICK, _CALL or _ERR; a negative `fd` tells the back end to poll. */
int client_set_vring_fd(struct client *client, uint32_t request, uint32_t index, int fd);

/* Asks for a number. 0 or an error as above. */
int client_get_u64(struct client *client, uint32_t request, uint64_t *ret_value);
/* GET_VRING_BASE. */
int client_get_vring_base(struct client *client, uint32_t index, uint32_t *ret_base);

/* Waits until the back end has hung up. 0, or -ETIMEDOUT; what it still says is thrown away. */
int client_wait_hangup(struct client *client);
