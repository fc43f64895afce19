/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/options_value.h"

static void test_mac(void **state)
{
	static const uint8_t expected[6] = {0x52, 0x54, 0xab, 0xCD, 0x00, 0xff};
	static const char *const bad[] = {"", "52:54:ab:cd:00", "52:54:ab:cd:00:f",
		"52:54:ab:cd:00:ff ", "52:54:ab:cd:00:fff", "52:54:ab:cd:00.ff",
		"5 :54:ab:cd:00:ff", "0x:54:ab:cd:00:ff"};
	uint8_t mac[6] = {1, 2, 3, 4, 5, 6};
	char text[OPTIONS_MAC_TEXT];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(options_read_mac(bad[i], mac), -EINVAL);
		assert_int_equal(mac[0], 1);
	}
	assert_int_equal(options_read_mac("52:54:ab:CD:00:fF", mac), 0);
	assert_memory_equal(mac, expected, 6);
	assert_string_equal(options_show_mac(mac, text), "52:54:ab:cd:00:ff");
}

static void test_ipv4(void **state)
{
	static const char *const bad[] = {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4 ",
		" 1.2.3.4", "1.2.3.04", "0x1.2.3.4", "::1"};
	uint32_t address = 7;
	char text[INET_ADDRSTRLEN];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(options_read_ipv4(bad[i], &address), -EINVAL);
		assert_int_equal(address, 7);
	}
	assert_int_equal(options_read_ipv4("1.2.3.255", &address), 0);
	assert_int_equal(address, htonl(0x010203ff));
	assert_string_equal(options_show_ipv4(address, text), "1.2.3.255");
}

static void test_word(void **state)
{
	static const struct options_word words[] = {{"one", 1}, {"two", 2}, {NULL, 0}};
	int value = 7;

	assert_int_equal(options_read_word(words, "two", &value), 0);
	assert_int_equal(value, 2);
	assert_int_equal(options_read_word(words, "tw", &value), -EINVAL);
	assert_int_equal(options_read_word(words, "", &value), -EINVAL);
	assert_int_equal(value, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
