/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/packet.h"

#include <errno.h>
#include <string.h>

/* Moves up to `wanted` bytes out of the first segment behind the head's valid bytes. */
static void pull_from_first(struct packet *p, uint32_t wanted)
{
	struct iovec *first = p->segments;
	uint32_t n = first->iov_len < wanted ? (uint32_t)first->iov_len : wanted;

	memcpy(p->head + p->head_length, first->iov_base, n);
	p->head_length = (uint16_t)(p->head_length + n);
	first->iov_base = (uint8_t *)first->iov_base + n;
	first->iov_len -= n;
	if (first->iov_len == 0) {
		p->segments++;
		p->segment_count--;
	}
}

int packet_pull(struct packet *p, uint32_t length)
{
	if (length <= p->head_length)
		return 0;
	if (length > p->length || length > PACKET_HEAD_CAPACITY)
		return -EMSGSIZE;

	while (p->head_length < length && p->segment_count > 0)
		pull_from_first(p, length - p->head_length);
	return 0;
}

int packet_read(const struct packet *p, uint32_t offset, void *buffer, uint32_t length)
{
	uint8_t *to = buffer;
	uint32_t start = p->head_length; /* where the segment lies in the frame */

	if (offset > p->length || length > p->length - offset)
		return -EMSGSIZE;

	if (offset < p->head_length) {
		uint32_t n = p->head_length - offset;

		n = n < length ? n : length;
		memcpy(to, p->head + offset, n);
		to += n;
		offset += n;
		length -= n;
	}
	for (uint16_t i = 0; length > 0 && i < p->segment_count; i++) {
		const struct iovec *segment = &p->segments[i];
		uint32_t skip = offset - start;

		if (skip < segment->iov_len) {
			uint32_t n = (uint32_t)segment->iov_len - skip;

			n = n < length ? n : length;
			memcpy(to, (const uint8_t *)segment->iov_base + skip, n);
			to += n;
			offset += n;
			length -= n;
		}
		start += (uint32_t)segment->iov_len;
	}
	return 0;
}

void packet_trim(struct packet *p, uint32_t length)
{
	uint32_t left;
	uint16_t kept = 0;

	if (length >= p->length)
		return;
	p->length = length;
	if (length <= p->head_length) {
		p->head_length = (uint16_t)length;
		p->segment_count = 0;
		return;
	}
	for (left = length - p->head_length; left > 0 && kept < p->segment_count; kept++) {
		struct iovec *segment = &p->segments[kept];

		if (segment->iov_len > left)
			segment->iov_len = left;
		left -= (uint32_t)segment->iov_len;
	}
	p->segment_count = kept;
}

int packet_store(const struct packet *p, void *buffer, uint32_t capacity, struct packet *copy,
	struct iovec *ret_segment)
{
	uint32_t length = p->length - p->head_length;

	if (length > capacity)
		return -ENOSPC;

	*copy = *p;
	packet_read(p, p->head_length, buffer, length);
	*ret_segment = (struct iovec){.iov_base = buffer, .iov_len = length};
	copy->slot = 0;
	copy->segments = ret_segment;
	copy->segment_count = length > 0 ? 1 : 0;
	return 0;
}
