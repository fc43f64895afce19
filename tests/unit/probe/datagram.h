/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames for the probe's tests, in heap blocks of just their size, so that ASAN sees every step
 * beyond them. */
#pragma once

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "guest/probe/ip.h"

#define GUEST_IP 0xac100002U
#define GATEWAY_IP 0xac100001U

static const struct frame_station station = {
	.mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
	.gateway_mac = {2, 0, 0, 0, 0, 1},
};

/* A copy that nobody may read beyond. */
static inline uint8_t *datagram_copy(const void *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	return copy;
}

/* What ip_read() says of the first `length` bytes. */
static inline int datagram_read(
	const uint8_t *frame, size_t length, struct ip_tally *tally, struct ip_datagram *ret)
{
	uint8_t *copy = datagram_copy(frame, length);
	int r = ip_read(copy, length, tally, ret);

	free(copy);
	return r;
}
