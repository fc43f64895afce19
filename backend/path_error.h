/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "Fragmentation needed" on behalf of a guest whose link takes less than the LAN's (RFC 1191): the
 * guest itself never sees the datagram (withhold.h). The answer is made where the datagram is
 * dropped, in a port's tx_burst, and goes its way like a frame of that guest once the burst is
 * through, the NAT's included.
 *
 * One owner, a worker. One answer in a breath and in PATH_ERROR_INTERVAL_NS; the senders of other
 * datagrams will try again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/packet.h"

#define PATH_ERROR_INTERVAL_NS 1000000

struct path_error {
	struct packet packet;	/* the answer; `port` is the guest's in whose name it is */
	bool waits;		/* there is one */
	uint16_t next_id;	/* IPv4 identification of the next one */
	uint64_t next_ns;	/* CLOCK_MONOTONIC: none before */
	const uint64_t *now_ns; /* not owned: the worker's time */
};

/*
 * The parsed IPv4 datagram `p` was too long for the guest at `port`, whose link takes `mtu` bytes.
 * Nothing is done when it may be fragmented, when no error may be sent about it, or for too many.
 */
void path_error_add(struct path_error *error, const struct packet *p, uint16_t port, uint16_t mtu);
