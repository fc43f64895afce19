/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/host_mac.h"

#define ID_A "0123456789abcdef0123456789abcdef"
#define ID_B "0123456789abcdef0123456789abcdee"

static void derives(void **state)
{
	uint8_t a[LINK_MAC_LENGTH], b[LINK_MAC_LENGTH];

	host_mac_derive(ID_A, "tap0", a);
	assert_int_equal(a[0], 0x02);
	host_mac_derive(ID_A, "tap0", b);
	assert_memory_equal(a, b, sizeof(a));
	host_mac_derive(ID_A, "tap1", b);
	assert_memory_not_equal(a, b, sizeof(a));
	host_mac_derive(ID_B, "tap0", b);
	assert_memory_not_equal(a, b, sizeof(a));
	/* the end of one text is not the start of the other */
	host_mac_derive("ab", "c", a);
	host_mac_derive("a", "bc", b);
	assert_memory_not_equal(a, b, sizeof(a));
}

static int stable_with(const char *content, uint8_t mac[LINK_MAC_LENGTH])
{
	char path[] = "/tmp/test-host-mac-XXXXXX";
	int fd = mkstemp(path);
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
	r = host_mac_stable(path, "tap0", mac);
	unlink(path);
	return r;
}

static void reads_the_machines_id(void **state)
{
	uint8_t expected[LINK_MAC_LENGTH], mac[LINK_MAC_LENGTH];

	host_mac_derive(ID_A, "tap0", expected);
	assert_int_equal(stable_with(ID_A "\n", mac), 0);
	assert_memory_equal(mac, expected, sizeof(mac));
	assert_int_equal(stable_with("uninitialized\n", mac), -ENOENT);
	assert_int_equal(stable_with("", mac), -ENOENT);
	assert_int_equal(host_mac_stable("/missing/id", "tap0", mac), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(derives),
		cmocka_unit_test(reads_the_machines_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
