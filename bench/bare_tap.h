/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The least that a way into the host's network can do, as a yardstick: each frame of a station's
 * transmit ring is one writev() into a TAP, from the guest's memory, and what the TAP has to say is
 * read into receive buffers when nothing else is to be done. No check, no address is translated
 * (the kernel's own rules do that), nothing is joined or split.
 */
#pragma once

#include <stdbool.h>

#include "bench/bare_ring.h"

/* Opens the TAP `name` of this network namespace, with virtio-net headers and every offload that
 * the stations know. 0 and *ret_fd, or negative errno. */
int bare_tap_open(const char *name, int *ret_fd);

/* One turn over one station's rings. Returns 0 or negative errno. */
int bare_tap_turn(int fd, const struct virtqueue *tx, const struct virtqueue *rx,
	struct bare_progress *progress);
