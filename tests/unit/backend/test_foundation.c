/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/foundation.h"
#include "control/host/host.h"
#include "guest/services/dhcp_lease.h"
#include "tests/unit/host/namespace.h"

#define FLOW_SIZE 65536
#define STATS_SIZE 4096

static struct options parse(const char *first, const char *second)
{
	char *argv[] = {"chnet-vhost", (char *)first, (char *)second};
	struct options options;
	enum options_action action;
	char error[OPTIONS_ERROR_CAPACITY];

	assert_int_equal(
		options_parse(second ? 3 : 2, argv, &options, &action, error, sizeof(error)), 0);
	return options;
}

static void nothing_is_left(void)
{
	assert_false(namespace_has_link("tap0"));
	assert_string_equal(namespace_output("ls -A /run/chnet"), "");
	assert_string_equal(namespace_output("nft list tables"), "");
	assert_string_equal(namespace_output("cat /proc/sys/net/ipv4/ip_forward"), "0\n");
	assert_string_equal(namespace_output("ls -A /run"), "chnet\n");
}

static void test_with_a_tap(void **state)
{
	struct options options = parse("--socket=/run/a.sock", NULL);
	struct foundation foundation;
	char error[FOUNDATION_ERROR_CAPACITY] = "";

	int result = foundation_init(&foundation, &options, FLOW_SIZE, STATS_SIZE, error);
	if (result)
		fail_msg("%s", error);
	assert_true(namespace_has_link("tap0"));
	assert_int_equal(host_tap(foundation.host)->queues, 1);
	assert_string_equal(namespace_output("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
	assert_int_equal(foundation.flows.size, FLOW_SIZE);
	assert_int_equal(foundation.leases.size, sizeof(struct dhcp_table));
	assert_int_equal(foundation.stats.size, STATS_SIZE);
	foundation_fini(&foundation);
	nothing_is_left();
	foundation_fini(&foundation);
}

static void test_with_the_kernels_nat(void **state)
{
	struct options options = parse("--socket=/run/a.sock", "--nat=kernel");
	struct foundation foundation;
	char error[FOUNDATION_ERROR_CAPACITY] = "";

	int result = foundation_init(&foundation, &options, FLOW_SIZE, STATS_SIZE, error);
	if (result)
		fail_msg("%s", error);
	assert_true(namespace_has_link("tap0"));
	assert_null(foundation.flows.address);
	foundation_fini(&foundation);
	nothing_is_left();
}

static void test_without_uplink(void **state)
{
	struct options options = parse("--socket=/run/a.sock", "--uplink=none");
	struct foundation foundation;
	char error[FOUNDATION_ERROR_CAPACITY] = "";

	assert_int_equal(foundation_init(&foundation, &options, FLOW_SIZE, STATS_SIZE, error), 0);
	assert_null(foundation.host);
	assert_null(foundation.flows.address);
	assert_non_null(foundation.stats.address);
	assert_false(namespace_has_link("tap0"));
	foundation_fini(&foundation);
	nothing_is_left();
}

static void test_busy_tap_undoes_the_claims(void **state)
{
	struct options options = parse("--socket=/run/a.sock", NULL);
	struct foundation foundation;
	char error[FOUNDATION_ERROR_CAPACITY] = "";

	namespace_run("ip tuntap add dev tap0 mode tap");
	assert_int_equal(
		foundation_init(&foundation, &options, FLOW_SIZE, STATS_SIZE, error), -EEXIST);
	assert_non_null(strstr(error, "tap0"));
	assert_null(strchr(error, '\n'));
	assert_true(namespace_has_link("tap0"));
	namespace_run("ip link delete tap0");
	nothing_is_left();
}

static void test_too_much_memory(void **state)
{
	struct options options = parse("--socket=/run/a.sock", NULL);
	struct foundation foundation;
	char error[FOUNDATION_ERROR_CAPACITY] = "";

	assert_true(foundation_init(&foundation, &options, SIZE_MAX / 2, STATS_SIZE, error) < 0);
	assert_non_null(strstr(error, "cannot get memory for 262144 sessions"));
	assert_non_null(strstr(error, " MiB are free: take fewer with --sessions"));
	nothing_is_left();
}

/* Leases outlive the network; where nothing was leased, nothing is left. */
static void test_leases_are_kept(void **state)
{
	struct options options = parse("--socket=/run/a.sock", "--uplink=none");
	struct foundation foundation;
	char error[FOUNDATION_ERROR_CAPACITY] = "";

	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			foundation_init(&foundation, &options, FLOW_SIZE, STATS_SIZE, error), 0);
		struct dhcp_table *table = foundation.leases.address;
		if (i == 0) {
			dhcp_table_adopt(table, &(struct dhcp_lan){.prefix = 24});
			table->leases[3].port = 7;
			dhcp_lease_set(&table->leases[3], DHCP_STATE_HELD, 1, "web");
		}
		assert_int_equal(table->leases[3].state, DHCP_STATE_HELD);
		assert_int_equal(table->leases[3].port, i == 0 ? 7 : DHCP_PORT_NONE);
		if (i == 1)
			memset(table->leases, 0, sizeof(table->leases));
		foundation_fini(&foundation);
		assert_string_equal(
			namespace_output("ls -A /run/chnet"), i == 0 ? "default.leases\n" : "");
	}
	/* Where no file can be, there are leases all the same. */
	assert_int_equal(mkdir("/run/chnet/default.leases", 0700), 0);
	assert_int_equal(foundation_init(&foundation, &options, FLOW_SIZE, STATS_SIZE, error), 0);
	assert_int_equal(foundation.leases.size, sizeof(struct dhcp_table));
	foundation_fini(&foundation);
	assert_int_equal(rmdir("/run/chnet/default.leases"), 0);
	nothing_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_a_tap),
		cmocka_unit_test(test_with_the_kernels_nat),
		cmocka_unit_test(test_without_uplink),
		cmocka_unit_test(test_busy_tap_undoes_the_claims),
		cmocka_unit_test(test_too_much_memory),
		cmocka_unit_test(test_leases_are_kept),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
