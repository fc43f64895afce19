/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What leaves by an interface, by the kernel's own count. A frame that joins several (TSO, USO) is
 * one to the kernel, so what was sent is told from the bytes: each frame there has headers of its
 * own, and the payload of as many frames of the workload as it took.
 */
#pragma once

#include <stdint.h>

#include "bench/workload.h"

struct counter {
	int packets_fd; /* /sys/class/net/NAME/statistics/tx_packets; -1: none */
	int bytes_fd;
};

/* Frames and bytes (with Ethernet headers) since the interface was made. */
struct counter_value {
	uint64_t packets;
	uint64_t bytes;
};

/* Of interface `name` in this network namespace. 0 or negative errno; counter_close() is due either
 * way. */
int counter_open(struct counter *counter, const char *name);
void counter_close(struct counter *counter);

/* 0 or negative errno. */
int counter_read(const struct counter *counter, struct counter_value *ret_value);

/* How many frames of the workload passed from one value to the other. */
double counter_frames(const struct workload *workload, const struct counter_value *from,
	const struct counter_value *to);
