/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for tests: a packet whose bytes behind the head lie in exactly sized heap blocks, so that
 * ASAN sees every step beyond them.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#include "backend/packet.h"

struct frame {
	struct packet packet;
	struct iovec segments[PACKET_SEGMENTS_MAX];
	void *blocks[PACKET_SEGMENTS_MAX]; /* what frame_free() frees */
	uint16_t blocks_count;
};

/* Copies `length` bytes: the first `head` into the head, the rest in pieces of `piece` bytes. */
static inline struct frame *frame_new(
	const void *bytes, uint32_t length, uint32_t head, uint32_t piece)
{
	struct frame *f = aligned_alloc(_Alignof(struct frame), sizeof(*f));
	struct packet *p = &f->packet;

	memset(f, 0, sizeof(*f));
	head = head < length ? head : length;
	memcpy(p->head, bytes, head);
	p->length = length;
	p->head_length = (uint16_t)head;
	p->segments = f->segments;
	for (uint32_t at = head; at < length;) {
		uint32_t n = length - at < piece ? length - at : piece;
		void *block = malloc(n);

		assert_true(f->blocks_count < PACKET_SEGMENTS_MAX);
		memcpy(block, (const uint8_t *)bytes + at, n);
		f->blocks[f->blocks_count] = block;
		f->segments[f->blocks_count++] = (struct iovec){.iov_base = block, .iov_len = n};
		at += n;
	}
	p->segment_count = f->blocks_count;
	return f;
}

static inline void frame_free(struct frame *f)
{
	if (f == NULL)
		return;
	for (uint16_t i = 0; i < f->blocks_count; i++)
		free(f->blocks[i]);
	free(f);
}

/* Bytes written as hex digits; white space between them does not count. Returns how many. */
static inline uint32_t frame_hex(const char *hex, uint8_t *bytes, uint32_t capacity)
{
	uint32_t n = 0;
	unsigned int byte;

	for (; *hex != '\0'; hex++) {
		if (*hex == ' ' || *hex == '\n')
			continue;
		assert_true(n < capacity);
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		bytes[n++] = (uint8_t)byte;
		hex++;
	}
	return n;
}

/* The frame's bytes, gathered without packet.c. Returns its length. */
static inline uint32_t frame_bytes(const struct packet *p, uint8_t *bytes, uint32_t capacity)
{
	uint32_t n = p->head_length;

	assert_true(p->length <= capacity && n <= p->length);
	memcpy(bytes, p->head, n);
	for (uint16_t i = 0; i < p->segment_count; i++) {
		assert_true(n + p->segments[i].iov_len <= p->length);
		memcpy(bytes + n, p->segments[i].iov_base, p->segments[i].iov_len);
		n += (uint32_t)p->segments[i].iov_len;
	}
	assert_int_equal(n, p->length);
	return n;
}

/* RFC 1071 in its plainest form, as a reference: the folded sum, not inverted, in host order. */
static inline uint32_t frame_sum(uint32_t sum, const uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}
