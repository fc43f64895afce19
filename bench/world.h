/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The world's side of a conversation, for the way down: a UDP socket in another network namespace
 * that learns from a guest's datagram where that came from, as the NAT shows it, and sends there.
 *
 * It belongs to the generator's own thread: the kernel's work up to the host's TAP is then done on
 * the generator's processor, and takes nothing from the back end's worker.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "bench/workload.h"

/* Datagrams of one call; as many segments of one large one fit into 64 KiB at 1472 bytes. */
#define WORLD_BURST 32

struct world {
	int fd;		   /* -1: none */
	bool gso;	   /* one datagram that the kernel cuts, instead of a burst of them */
	uint32_t payload;  /* bytes of a datagram */
	uint32_t sequence; /* of the next stamp */
	uint8_t *bytes;	   /* WORLD_BURST payloads, one behind the other */
	struct iovec pieces[WORLD_BURST];
	struct mmsghdr messages[WORLD_BURST];
};

/*
 * Makes the socket in the network namespace whose file is `path`, at the address and port that
 * `target` has (host byte order). 0 or negative errno; world_close() is due either way.
 */
int world_open(struct world *world, const char *path, const struct frames_end *target,
	const struct workload *workload, bool gso);
void world_close(struct world *world);

/* Takes what has come from the guest and remembers the sender. 0, -EAGAIN or another errno. */
int world_learn(struct world *world);

/* Sends a burst, stamped. Returns how many datagrams, or negative errno. */
int world_send(struct world *world);
