/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/run/plan.h"

static int set_up(void **state)
{
	unsetenv("TAP_NAME");
	unsetenv("HOST_IP");
	unsetenv("GUEST_IP");
	unsetenv("GUEST_MAC");
	setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
	return 0;
}

static struct cloud_hypervisor_request one = {.nic_count = 1};

static struct plan_wishes wishes_default(void)
{
	return (struct plan_wishes){.network = "default", .request = &one};
}

static struct plan plan_good(
	const struct plan_wishes *wishes, const struct plan_taken *taken, size_t count)
{
	struct plan plan;
	char error[PLAN_ERROR_SIZE] = "";

	if (plan_make(wishes, "chnet-vhost", taken, count, &plan, error) < 0)
		fail_msg("%s", error);
	return plan;
}

static void assert_guest(const struct plan *plan, size_t index, const char *ip, uint8_t last)
{
	const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, last};

	assert_int_equal(plan->options.sockets[index].ip_be, inet_addr(ip));
	assert_memory_equal(plan->options.sockets[index].mac, mac, sizeof(mac));
}

static void test_first_guest(void **state)
{
	struct plan_wishes wishes = wishes_default();
	struct plan plan = plan_good(&wishes, NULL, 0);
	char socket[PLAN_PATH_SIZE + 32];

	assert_guest(&plan, 0, "172.16.0.2", 0x56);
	assert_string_equal(plan.options.tap, "tap0");
	snprintf(socket, sizeof(socket), "%s/default.0.vhost", plan.directory);
	assert_string_equal(plan.options.sockets[0].path, socket);
	assert_string_equal(plan.backend.words[0], "chnet-vhost");
	plan_fini(&plan);
}

static void test_next_free(void **state)
{
	static const struct plan_taken taken[] = {
		{.mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
			.has_mac = true,
			.ip_be = 0x020010ac},				     /* 172.16.0.2 */
		{.mac = {0x52, 0x54, 0, 0x12, 0x34, 0x58}, .has_mac = true}, /* no address */
		{.ip_be = 0x040010ac},					     /* 172.16.0.4 */
	};
	struct cloud_hypervisor_request two = {.nic_count = 2};
	struct plan_wishes wishes = wishes_default();
	struct plan plan;

	wishes.request = &two;
	plan = plan_good(&wishes, taken, 3);
	assert_guest(&plan, 0, "172.16.0.3", 0x57);
	assert_guest(&plan, 1, "172.16.0.5", 0x59);
	plan_fini(&plan);
}

static void test_environment(void **state)
{
	struct plan_wishes wishes = wishes_default();
	struct plan plan;

	setenv("TAP_NAME", "vmtap0", 1);
	setenv("HOST_IP", "10.9.0.254/24", 1);
	setenv("GUEST_IP", "10.9.0.7", 1);
	setenv("GUEST_MAC", "52:54:00:12:34:99", 1);
	plan = plan_good(&wishes, NULL, 0);
	assert_guest(&plan, 0, "10.9.0.7", 0x99);
	assert_string_equal(plan.options.tap, "vmtap0");
	assert_int_equal(plan.options.host_ip_be, inet_addr("10.9.0.254"));
	plan_fini(&plan);

	/* options win */
	unsetenv("GUEST_IP");
	wishes.tap = "tap9";
	wishes.host_ip = "10.8.0.1/16";
	plan = plan_good(&wishes, NULL, 0);
	assert_guest(&plan, 0, "10.8.0.2", 0x99);
	assert_string_equal(plan.options.tap, "tap9");
	plan_fini(&plan);
}

static void test_mac_of_the_arguments(void **state)
{
	struct cloud_hypervisor_request request = {
		.nics = {{.has_mac = true, .mac = {0x52, 0x54, 0, 0x12, 0x34, 1}}}, .nic_count = 2};
	struct plan_wishes wishes = wishes_default();
	struct plan plan;

	wishes.request = &request;
	wishes.hostname = "web";
	plan = plan_good(&wishes, NULL, 0);
	assert_guest(&plan, 0, "172.16.0.2", 1);
	assert_guest(&plan, 1, "172.16.0.3", 0x56);
	assert_string_equal(plan.options.sockets[0].hostname, "web");
	assert_string_equal(plan.options.sockets[1].hostname, "");
	plan_fini(&plan);
}

static void test_forwards(void **state)
{
	static const char *const forwards[] = {"tcp:8080=172.16.0.2:80", "udp:53=172.16.0.2:53"};
	struct plan_wishes wishes = wishes_default();
	struct plan plan;

	wishes.forwards = forwards;
	wishes.forward_count = 2;
	plan = plan_good(&wishes, NULL, 0);
	assert_int_equal(plan.options.forward_count, 2);
	assert_int_equal(plan.options.forwards[0].listen_port, 8080);
	plan_fini(&plan);
}

static void assert_refused(const struct plan_wishes *wishes, const struct plan_taken *taken,
	size_t count, int expected, const char *says)
{
	struct plan plan;
	char error[PLAN_ERROR_SIZE] = "";

	assert_int_equal(plan_make(wishes, "chnet-vhost", taken, count, &plan, error), expected);
	if (!strstr(error, says))
		fail_msg("'%s' does not say '%s'", error, says);
}

static void test_refuses(void **state)
{
	static const char *const forwards[] = {"tcp:80=10.0.0.1:80"};
	struct plan_taken taken[13];
	struct plan_wishes wishes = wishes_default();

	wishes.host_ip = "172.16.0";
	assert_refused(&wishes, NULL, 0, -EINVAL, "--host-ip 172.16.0");
	wishes = wishes_default();
	wishes.tap = "a/b";
	assert_refused(&wishes, NULL, 0, -EINVAL, "--tap a/b");
	wishes = wishes_default();
	wishes.forwards = forwards;
	wishes.forward_count = 1;
	assert_refused(&wishes, NULL, 0, -EINVAL, "outside the LAN");
	wishes = wishes_default();
	setenv("GUEST_MAC", "x", 1);
	assert_refused(&wishes, NULL, 0, -EINVAL, "GUEST_MAC");
	unsetenv("GUEST_MAC");
	/* 14 hosts: gateway, NAT, and 12 guests at most */
	for (uint32_t i = 0; i < 13; i++)
		taken[i] = (struct plan_taken){.ip_be = htonl(0xac100002 + i)};
	wishes.host_ip = "172.16.0.1/28";
	assert_refused(&wishes, taken, 13, -ENOSPC, "every address");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_first_guest, set_up),
		cmocka_unit_test_setup(test_next_free, set_up),
		cmocka_unit_test_setup(test_environment, set_up),
		cmocka_unit_test_setup(test_mac_of_the_arguments, set_up),
		cmocka_unit_test_setup(test_forwards, set_up),
		cmocka_unit_test_setup(test_refuses, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
