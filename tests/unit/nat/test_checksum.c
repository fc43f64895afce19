/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The references here share nothing with the code under test: byte-wise sums in host arithmetic,
 * the examples printed in RFC 1071 and RFC 1624, and a captured IPv4 header.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "nat/checksum.h"

/* RFC 1071 word by word, in host byte order, folding at every step. */
static uint16_t reference_sum(const uint8_t *data, size_t length, uint32_t start)
{
	uint32_t sum = start;

	for (size_t i = 0; i < length; i++) {
		sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
		sum = sum % 0x10000 + sum / 0x10000;
	}
	return (uint16_t)(sum % 0x10000 + sum / 0x10000);
}

/* Equal as ones' complement numbers: 0x0000 and 0xffff are both zero. */
static void assert_same_sum(uint16_t a, uint16_t b)
{
	assert_int_equal(a == 0xffff ? 0 : a, b == 0xffff ? 0 : b);
}

static void fill_random(uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(random() >> 7);
}

static void rfc1071_example(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	assert_int_equal(ntohs(checksum_fold(checksum_add(0, bytes, sizeof(bytes)))), 0xddf2);
}

/* RFC 1624, section 4: HC = 0xDD2F, m = 0x5555, m' = 0x3285 must give 0x0000, not 0xFFFF. */
static void rfc1624_example(void **state)
{
	assert_int_equal(checksum_update16(htons(0xdd2f), htons(0x5555), htons(0x3285)), 0x0000);
	assert_int_equal(
		checksum_update_udp(htons(0xdd2f), checksum_delta16(htons(0x5555), htons(0x3285))),
		0xffff);
}

static void captured_ipv4_header(void **state)
{
	static const uint8_t header[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
		0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

	assert_int_equal(ntohs(checksum_ipv4_header(header, sizeof(header))), 0xb861);
	assert_int_equal(checksum_finish(checksum_add(0, header, sizeof(header))), 0);
}

static void sums_of_all_lengths_and_alignments(void **state)
{
	uint8_t data[500];

	fill_random(data, sizeof(data));
	for (size_t offset = 0; offset < 64; offset++)
		for (size_t length = 0; length <= sizeof(data) - offset; length++)
			assert_int_equal(
				ntohs(checksum_fold(checksum_add(0, data + offset, length))),
				reference_sum(data + offset, length, 0));
}

/* Where a vector's lanes might run over, or its end be read twice. */
static void sums_of_long_pieces(void **state)
{
	static const size_t lengths[] = {1386, 1460, 1472, 9000, 65535};
	static uint8_t data[65535 + 64];

	fill_random(data, sizeof(data));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (size_t offset = 0; offset < 64; offset++)
			assert_int_equal(ntohs(checksum_fold(checksum_add(
						 0x1234567890abcdef, data + offset, lengths[i]))),
				reference_sum(data + offset, lengths[i],
					ntohs(checksum_fold(0x1234567890abcdef))));
}

static void carries_are_kept(void **state)
{
	uint8_t data[65535];

	memset(data, 0xff, sizeof(data));
	assert_int_equal(ntohs(checksum_fold(checksum_add(UINT64_MAX, data, sizeof(data)))),
		reference_sum(data, sizeof(data), 0xffff));
	data[0] = 0;
	data[40000] = 1;
	assert_int_equal(ntohs(checksum_fold(checksum_add(UINT64_MAX, data, sizeof(data)))),
		reference_sum(data, sizeof(data), 0xffff));
}

static void pieces_of_odd_length(void **state)
{
	uint8_t data[301];

	fill_random(data, sizeof(data));
	for (int round = 0; round < 2000; round++) {
		size_t offset = 0;
		uint64_t sum = 0;

		while (offset < sizeof(data)) {
			size_t length = (size_t)random() % 40;

			if (length > sizeof(data) - offset)
				length = sizeof(data) - offset;
			sum = checksum_add_at(sum, data + offset, length, offset);
			offset += length;
		}
		assert_same_sum(ntohs(checksum_fold(sum)), reference_sum(data, sizeof(data), 0));
	}
}

static void pseudo_header_ipv4(void **state)
{
	static const uint8_t pseudo[] = {172, 16, 0, 2, 198, 51, 100, 2, 0, 17, 0xff, 0xee};
	uint32_t source, destination;

	memcpy(&source, pseudo, 4);
	memcpy(&destination, pseudo + 4, 4);
	assert_int_equal(
		ntohs(checksum_fold(checksum_pseudo_ipv4(source, destination, 17, 0xffee))),
		reference_sum(pseudo, sizeof(pseudo), 0));
}

static void pseudo_header_ipv6(void **state)
{
	uint8_t pseudo[40] = {0};

	fill_random(pseudo, 32);
	pseudo[33] = 1; /* length 0x00012345 */
	pseudo[34] = 0x23;
	pseudo[35] = 0x45;
	pseudo[39] = 58;
	assert_int_equal(
		ntohs(checksum_fold(checksum_pseudo_ipv6(pseudo, pseudo + 16, 58, 0x12345))),
		reference_sum(pseudo, sizeof(pseudo), 0));
}

/* A rewrite of address and port by one joined delta equals a sum of the changed packet. */
static void incremental_equals_full(void **state)
{
	uint8_t data[64];

	for (int round = 0; round < 20000; round++) {
		uint32_t old32, new32 = (uint32_t)random();
		uint16_t old16, new16 = (uint16_t)random(), checksum, folded, delta;

		fill_random(data, sizeof(data));
		memcpy(&old32, data + 12, 4);
		memcpy(&old16, data + 20, 2);
		folded = htons(reference_sum(data, sizeof(data), 0));
		checksum = (uint16_t)~folded;
		delta = checksum_delta_join(
			checksum_delta32(old32, new32), checksum_delta16(old16, new16));
		memcpy(data + 12, &new32, 4);
		memcpy(data + 20, &new16, 2);

		checksum = checksum_update(checksum, delta);
		assert_int_equal(ntohs(checksum), (uint16_t)~reference_sum(data, sizeof(data), 0));
		assert_same_sum(ntohs(checksum_update_partial(folded, delta)),
			reference_sum(data, sizeof(data), 0));
		/* A receiver that sums the packet and the field gets all ones. */
		assert_int_equal(reference_sum(data, sizeof(data), ntohs(checksum)), 0xffff);
	}
}

static void short_forms_agree(void **state)
{
	uint16_t checksum = htons(0x1c46);

	checksum = checksum_update32(checksum, htonl(0xac100002), htonl(0xac1000fe));
	checksum = checksum_update32(checksum, htonl(0xac1000fe), htonl(0xac100002));
	assert_int_equal(ntohs(checksum), 0x1c46);
}

static void udp_zero(void **state)
{
	static const uint8_t zeros[8] = {0};
	static const uint8_t ones[2] = {0xff, 0xff};

	/* None stays none, whatever changes. */
	assert_int_equal(checksum_update_udp(0, htons(0x1234)), 0);
	/* A sum of 0xffff would invert to zero, which UDP sends as 0xffff. */
	assert_int_equal(checksum_finish(checksum_add(0, ones, 2)), 0);
	assert_int_equal(checksum_finish_udp(checksum_add(0, ones, 2)), 0xffff);
	assert_int_equal(checksum_finish_udp(checksum_add(0, zeros, 8)), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc1071_example),
		cmocka_unit_test(rfc1624_example),
		cmocka_unit_test(captured_ipv4_header),
		cmocka_unit_test(sums_of_all_lengths_and_alignments),
		cmocka_unit_test(sums_of_long_pieces),
		cmocka_unit_test(carries_are_kept),
		cmocka_unit_test(pieces_of_odd_length),
		cmocka_unit_test(pseudo_header_ipv4),
		cmocka_unit_test(pseudo_header_ipv6),
		cmocka_unit_test(incremental_equals_full),
		cmocka_unit_test(short_forms_agree),
		cmocka_unit_test(udp_zero),
	};

	return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
