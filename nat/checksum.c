/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sums of many bytes. A ones' complement sum of 64-bit words, folded, equals that of its 16-bit
 * words (RFC 1071, 2(C)), so the loop adds 8 bytes at a time and counts the carries apart; four
 * independent pairs keep the adders busy.
 */
#include "nat/checksum.h"

#include <string.h>

#include "backend/bytes.h"

static inline void add_carry(uint64_t *sum, uint64_t *carries, uint64_t word)
{
	*carries += __builtin_add_overflow(*sum, word, sum);
}

/* The last 0 to 7 bytes as a word with zeros behind them. */
static inline uint64_t load_tail(const uint8_t *p, size_t length)
{
	uint64_t word = 0;

	memcpy(&word, p, length);
	return word;
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *p = data;
	uint64_t sums[4] = {sum};
	uint64_t carries[4] = {0};

	for (; length >= 32; length -= 32, p += 32) {
		add_carry(&sums[0], &carries[0], load64_be(p));
		add_carry(&sums[1], &carries[1], load64_be(p + 8));
		add_carry(&sums[2], &carries[2], load64_be(p + 16));
		add_carry(&sums[3], &carries[3], load64_be(p + 24));
	}
	for (; length >= 8; length -= 8, p += 8)
		add_carry(&sums[0], &carries[0], load64_be(p));
	if (length > 0)
		add_carry(&sums[1], &carries[1], load_tail(p, length));

	sum = checksum_join(checksum_join(sums[0], sums[1]), checksum_join(sums[2], sums[3]));
	return checksum_join(sum, carries[0] + carries[1] + carries[2] + carries[3]);
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
