/* SPDX-License-Identifier: BSD-3-Clause */
#include "options_case.h"

#include <arpa/inet.h>

#include "backend/nat_setup.h"
#include "backend/shared_memory.h"
#include "backend/stats.h"
#include "nat/nat.h"

#define ARGUMENTS(...) ((const char *const[]){"--socket", "/run/a.sock", __VA_ARGS__, NULL})
#define SESSIONS "--sessions=1024"

static struct options options;
static struct stats stats;
static struct shared_memory flows;

static int setup(void **state)
{
	options = options_good(ARGUMENTS(SESSIONS));
	struct nat_config config = options_nat_config(&options);

	memset(&stats, 0, sizeof(stats));
	return shared_memory_init(&flows, "flows", nat_memory_size(&config));
}

static int teardown(void **state)
{
	shared_memory_fini(&flows);
	return 0;
}

/* A new data plane with these forwards finds what the last one left. */
static struct nat *start(const char *const arguments[])
{
	struct nat *nat = NULL;

	options = options_good(arguments);
	const struct dataplane_config config = {
		.options = &options,
		.flow_memory = flows.address,
		.flow_memory_size = flows.size,
		.forwards = options.forwards,
		.forward_count = options.forward_count,
		.stats = &stats,
	};
	assert_int_equal(nat_setup_new(&config, NULL, 1000000000, &nat), 0);
	return nat;
}

static void expect_forward(const struct nat_forward *forward, uint8_t protocol,
	uint16_t outside_port, const char *inside, uint16_t inside_port, uint16_t count)
{
	assert_int_equal(forward->protocol, protocol);
	assert_int_equal(forward->outside_port, outside_port);
	assert_int_equal(forward->inside_be, inet_addr(inside));
	assert_int_equal(forward->inside_port, inside_port);
	assert_int_equal(forward->count, count);
}

static void forwards_are_those_of_the_options(void **state)
{
	struct nat_forward list[4];
	struct nat *nat = start(ARGUMENTS(SESSIONS, "--forward=tcp:8080=172.16.0.2:80",
		"--forward=udp:127.0.0.1:5000-5010=172.16.0.3:6000-6010"));

	assert_int_equal(nat_forward_list(nat, list, 4), 2);
	expect_forward(&list[0], IPPROTO_TCP, 8080, "172.16.0.2", 80, 1);
	expect_forward(&list[1], IPPROTO_UDP, 5000, "172.16.0.3", 6000, 11);
	nat_free(nat);
}

static void the_next_data_plane_finds_them_once(void **state)
{
	struct nat_forward list[4];

	for (int i = 0; i < 3; i++) {
		struct nat *nat = start(ARGUMENTS(SESSIONS, "--forward=tcp:8080=172.16.0.2:80",
			"--forward=udp:53=172.16.0.2:53"));
		assert_int_equal(nat_forward_list(nat, list, 4), 2);
		nat_free(nat);
	}
}

static void what_is_not_wanted_any_more_goes(void **state)
{
	struct nat_forward list[4];

	nat_free(start(ARGUMENTS(SESSIONS, "--forward=tcp:8080=172.16.0.2:80",
		"--forward=tcp:8081=172.16.0.2:81", "--forward=tcp:8082=172.16.0.2:82")));
	/* 8080 leads elsewhere, 8081 stays, 8082 becomes part of a range. */
	struct nat *nat = start(ARGUMENTS(SESSIONS, "--forward=tcp:8082-8083=172.16.0.2:82-83",
		"--forward=tcp:8080=172.16.0.3:80", "--forward=tcp:8081=172.16.0.2:81"));
	assert_int_equal(nat_forward_list(nat, list, 4), 3);
	for (int i = 0; i < 3; i++) {
		switch (list[i].outside_port) {
		case 8080:
			expect_forward(&list[i], IPPROTO_TCP, 8080, "172.16.0.3", 80, 1);
			break;
		case 8081:
			expect_forward(&list[i], IPPROTO_TCP, 8081, "172.16.0.2", 81, 1);
			break;
		default:
			expect_forward(&list[i], IPPROTO_TCP, 8082, "172.16.0.2", 82, 2);
			break;
		}
	}
	nat_free(nat);
	nat = start(ARGUMENTS(SESSIONS));
	assert_int_equal(nat_forward_list(nat, list, 4), 0);
	nat_free(nat);
}

static void a_full_table_of_forwards_changes_as_a_whole(void **state)
{
	static struct host_forward forwards[HOST_FORWARDS_MAX];
	struct nat_forward list[HOST_FORWARDS_MAX];

	for (uint16_t round = 0; round < 2; round++) {
		struct nat *nat = NULL;
		const struct dataplane_config config = {
			.options = &options,
			.flow_memory = flows.address,
			.flow_memory_size = flows.size,
			.forwards = forwards,
			.forward_count = HOST_FORWARDS_MAX,
			.stats = &stats,
		};

		for (uint16_t i = 0; i < HOST_FORWARDS_MAX; i++)
			forwards[i] = (struct host_forward){
				.to_be.s_addr = inet_addr("172.16.0.2"),
				.listen_port = (uint16_t)(1000 + i),
				.to_port = (uint16_t)(1000 + i + round),
				.count = 1,
				.protocol = IPPROTO_TCP,
			};
		assert_int_equal(nat_setup_new(&config, NULL, 1000000000, &nat), 0);
		assert_int_equal(nat_forward_list(nat, list, HOST_FORWARDS_MAX), HOST_FORWARDS_MAX);
		for (uint16_t i = 0; i < HOST_FORWARDS_MAX; i++)
			assert_int_equal(list[i].inside_port, list[i].outside_port + round);
		nat_free(nat);
	}
}

static void a_forward_that_nat_refuses_is_an_error(void **state)
{
	const struct host_forward forward = {
		.to_be.s_addr = inet_addr("192.0.2.1"),
		.listen_port = 80,
		.to_port = 80,
		.count = 1,
		.protocol = IPPROTO_TCP,
	};
	const struct dataplane_config config = {
		.options = &options,
		.flow_memory = flows.address,
		.flow_memory_size = flows.size,
		.forwards = &forward,
		.forward_count = 1,
		.stats = &stats,
	};
	struct nat *nat = NULL;

	assert_int_equal(nat_setup_new(&config, NULL, 1000000000, &nat), -ENETUNREACH);
	assert_null(nat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(forwards_are_those_of_the_options, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_next_data_plane_finds_them_once, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_wanted_any_more_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_full_table_of_forwards_changes_as_a_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_forward_that_nat_refuses_is_an_error, setup, teardown),
	};

	options_clear_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
