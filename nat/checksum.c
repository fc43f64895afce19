/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sums of many bytes. A ones' complement sum of 64-bit words, folded, equals that of its 16-bit
 * words (RFC 1071, 2(C)), so 8 bytes are added at a time, and 64 with vectors of two words, which
 * need nothing but what every x86-64 has.
 *
 * A vector has no carry, so two sums are made: one of the words, which loses what leaves its 64
 * bits, and one of their upper halves alone, which loses nothing. What the upper halves came to,
 * taken from the first, leaves what the lower halves did. That holds for up to 2^31 words.
 */
#include "nat/checksum.h"

#include <string.h>

#include "backend/bytes.h"

/* Two words at a time. */
typedef uint64_t words __attribute__((vector_size(16)));

#define BLOCK (4 * sizeof(words))

/* Adds `length` bytes, a multiple of BLOCK. */
static uint64_t add_blocks(uint64_t sum, const uint8_t *p, size_t length)
{
	words all = {0}, upper = {0};

	for (const uint8_t *end = p + length; p < end; p += BLOCK) {
		words a, b, c, d;

		memcpy(&a, p, sizeof(a));
		memcpy(&b, p + sizeof(words), sizeof(b));
		memcpy(&c, p + 2 * sizeof(words), sizeof(c));
		memcpy(&d, p + 3 * sizeof(words), sizeof(d));
		all += (a + b) + (c + d);
		upper += ((a >> 32) + (b >> 32)) + ((c >> 32) + (d >> 32));
	}
	words halves = all - (upper << 32) + upper;
	return checksum_join(checksum_join(sum, halves[0]), halves[1]);
}

/* Adds the last 0 to 7 bytes. */
static inline uint64_t add_tail(uint64_t sum, const uint8_t *p, size_t length)
{
	uint64_t tail = 0;

	if (length & 4) {
		tail += load32_be(p);
		p += 4;
	}
	if (length & 2) {
		tail += load16_be(p);
		p += 2;
	}
	if (length & 1) {
		uint16_t last = 0;

		memcpy(&last, p, 1);
		tail += last;
	}
	return checksum_join(sum, tail);
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *p = data;

	if (length >= BLOCK) {
		size_t blocks = length - length % BLOCK;

		sum = add_blocks(sum, p, blocks);
		p += blocks;
		length -= blocks;
	}
	for (; length >= 8; length -= 8, p += 8)
		sum = checksum_join(sum, load64_be(p));
	return add_tail(sum, p, length);
}

uint64_t checksum_add_at(uint64_t sum, const void *data, size_t length, size_t offset)
{
	uint64_t piece = checksum_add(0, data, length);

	/* At an odd offset each byte lies in the other half of its word (RFC 1071, 2(B)). */
	if (offset % 2 != 0)
		piece = __builtin_bswap16(checksum_fold(piece));
	return checksum_join(sum, piece);
}

uint64_t checksum_pseudo_ipv6(
	const void *source, const void *destination, uint8_t next_header, uint32_t length)
{
	uint64_t sum = (uint64_t)__builtin_bswap32(length) + __builtin_bswap32(next_header);

	sum = checksum_add(sum, source, 16);
	return checksum_add(sum, destination, 16);
}

uint16_t checksum_ipv4_header(const void *header, size_t length)
{
	uint16_t field;

	memcpy(&field, (const uint8_t *)header + 10, sizeof(field));
	return checksum_update(
		checksum_finish(checksum_add(0, header, length)), checksum_delta16(field, 0));
}
