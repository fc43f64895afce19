/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/text.h"

#include <errno.h>

#include "tests/unit/probe/datagram.h"

static void test_numbers_are_written(void **state)
{
	struct text text;

	text_clear(&text);
	text_number(&text, 0);
	text_add(&text, " ");
	text_number(&text, UINT32_MAX);
	text_add(&text, " ");
	text_tenths(&text, 1234);
	text_add(&text, " ");
	text_tenths(&text, 7);
	assert_string_equal(text.bytes, "0 4294967295 123.4 0.7");
}

static void test_hexadecimal_has_at_least_so_many_digits(void **state)
{
	struct text text;

	text_clear(&text);
	text_hex(&text, 0, 1);
	text_add(&text, " ");
	text_hex(&text, 0xab, 4);
	text_add(&text, " ");
	text_hex(&text, 0x8000000000abcdefULL, 2);
	assert_string_equal(text.bytes, "0 00ab 8000000000abcdef");
}

static void test_addresses_are_written(void **state)
{
	struct text text;

	text_clear(&text);
	text_ipv4(&text, htonl(GATEWAY_IP));
	text_add(&text, " ");
	text_mac(&text, station.mac);
	assert_string_equal(text.bytes, "172.16.0.1 52:54:00:12:34:56");
}

static void test_a_line_that_is_too_long_is_cut(void **state)
{
	struct text text;

	text_clear(&text);
	for (int i = 0; i < TEXT_CAPACITY; i++)
		text_add(&text, "ab");
	assert_int_equal(text.length, TEXT_CAPACITY - 1);
	assert_int_equal(strlen(text.bytes), TEXT_CAPACITY - 1);
}

static void read_number(const char *line, int r, uint32_t number, size_t length)
{
	char *copy = (char *)datagram_copy(line, strlen(line));
	const char *at = copy;
	uint32_t found = 77;

	assert_int_equal(text_read_number(&at, copy + strlen(line), &found), r);
	assert_int_equal(found, r == 0 ? number : 77);
	assert_int_equal(at - copy, length);
	free(copy);
}

static void test_numbers_are_read(void **state)
{
	read_number("0", 0, 0, 1);
	read_number("4294967295x", 0, UINT32_MAX, 10);
	read_number("4294967296", -EINVAL, 0, 0);
	read_number("99999999999", -EINVAL, 0, 0);
	read_number("", -EINVAL, 0, 0);
	read_number("-1", -EINVAL, 0, 0);
}

static void read_ipv4(const char *line, int r, uint32_t address)
{
	char *copy = (char *)datagram_copy(line, strlen(line));
	const char *at = copy;
	uint32_t found = 77;

	assert_int_equal(text_read_ipv4(&at, copy + strlen(line), &found), r);
	assert_int_equal(found, r == 0 ? htonl(address) : 77);
	free(copy);
}

static void test_addresses_are_read(void **state)
{
	read_ipv4("172.16.0.1", 0, GATEWAY_IP);
	read_ipv4("255.255.255.255", 0, UINT32_MAX);
	read_ipv4("172.16.0.256", -EINVAL, 0);
	read_ipv4("172.16.0", -EINVAL, 0);
	read_ipv4("172.16.0.", -EINVAL, 0);
	read_ipv4("172..0.1", -EINVAL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_written),
		cmocka_unit_test(test_hexadecimal_has_at_least_so_many_digits),
		cmocka_unit_test(test_addresses_are_written),
		cmocka_unit_test(test_a_line_that_is_too_long_is_cut),
		cmocka_unit_test(test_numbers_are_read),
		cmocka_unit_test(test_addresses_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
