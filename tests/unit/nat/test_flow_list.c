/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include "nat/nat_private.h"

#define ALL UINT32_MAX

/* The whole table, `max` at a time; returns how many there are, and checks their order. */
static uint32_t count_all(struct fixture *f, uint32_t max)
{
	struct nat_flow flows[64];
	uint32_t cursor = 0, total = 0, calls = 0;
	int64_t last = -1;

	assert_true(max <= 64);
	while (cursor != ALL) {
		uint32_t count = nat_flow_list(f->nat, f->now_ns, &cursor, flows, max);

		assert_true(count <= max);
		for (uint32_t i = 0; i < count; i++) {
			assert_true(flows[i].number > last);
			last = flows[i].number;
		}
		total += count;
		assert_true(++calls < 10000);
	}
	return total;
}

static void an_empty_table_has_none(void **state)
{
	struct fixture *f = *state;
	struct nat_flow flow;
	uint32_t cursor = 0;

	assert_int_equal(nat_flow_list(f->nat, f->now_ns, &cursor, &flow, 1), 0);
	assert_int_equal(cursor, ALL);
}

static void shows_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct nat_flow flows[3];
	struct packet p;
	uint32_t cursor = 0;

	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 53));
	const uint16_t length = (uint16_t)(p.length - 14);
	fixture_advance(f, 10);
	udp_in(f, &p, END(REMOTE, 53), END(OUTSIDE, 5000));
	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 53));
	tcp_out(f, &p, END(GUEST2, 6000), END(REMOTE2, 80), SYN);
	assert_int_equal(nat_flow_list(f->nat, f->now_ns, &cursor, flows, 3), 2);
	assert_int_equal(cursor, ALL);
	const struct nat_flow *udp = &flows[0], *tcp = &flows[1];
	assert_int_equal(udp->protocol, IPPROTO_UDP);
	assert_false(udp->inbound);
	assert_int_equal(udp->inside_be, ip(GUEST));
	assert_int_equal(udp->outside_be, ip(OUTSIDE));
	assert_int_equal(udp->remote_be, ip(REMOTE));
	assert_int_equal(udp->inside_port_be, htons(5000));
	assert_int_equal(udp->outside_port_be, htons(5000));
	assert_int_equal(udp->remote_port_be, htons(53));
	assert_int_equal(udp->bytes_out, 2 * length);
	assert_int_equal(udp->bytes_in, length);
	assert_in_range(udp->age_s, 9, 10);
	assert_in_range(udp->left_s, 298, 300);
	assert_int_equal(tcp->protocol, IPPROTO_TCP);
	assert_int_equal(tcp->inside_be, ip(GUEST2));
	assert_int_equal(tcp->remote_port_be, htons(80));
	assert_int_equal(tcp->age_s, 0);
	assert_in_range(tcp->left_s, 238, 240);
	assert_string_not_equal(tcp->state, udp->state);
}

/* No session is shown twice or left out, whatever the length of a page. */
static void pages_are_whole(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	for (uint16_t i = 0; i < 100; i++)
		udp_out(f, &p, END(GUEST, (uint16_t)(10000 + i)), END(REMOTE, 53));
	for (uint32_t max = 1; max <= 64; max += 7)
		assert_int_equal(count_all(f, max), 100);
}

/* A worker carries this out between two bursts. */
static void a_call_is_bounded(void **state)
{
	struct nat_flow flows[64];
	struct fixture *f = *state;
	uint32_t cursor = 0, calls = 0;
	struct packet p;

	for (uint16_t i = 0; i < 1100; i++)
		udp_out(f, &p, END(GUEST, (uint16_t)(10000 + i)), END(REMOTE, 53));
	/* All have expired, and nobody has swept: the places are looked at for nothing. */
	fixture_advance(f, 1000);
	while (cursor != ALL) {
		uint32_t before = cursor;

		assert_int_equal(nat_flow_list(f->nat, f->now_ns, &cursor, flows, 64), 0);
		assert_true(cursor == ALL || cursor - before == NAT_FLOW_STEPS);
		calls++;
	}
	assert_int_equal(calls, 1100 / NAT_FLOW_STEPS + 1);
}

static void those_that_have_run_out_are_not_shown(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 5000));
	fixture_advance(f, 200);
	udp_out(f, &p, END(GUEST, 5001), END(REMOTE, 5000));
	assert_int_equal(count_all(f, 8), 2);
	fixture_advance(f, 101);
	assert_int_equal(count_all(f, 8), 1);
	fixture_advance(f, 200);
	assert_int_equal(count_all(f, 8), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_table_has_none),
		TEST(shows_what_is_there),
		TEST(pages_are_whole),
		TEST(a_call_is_bounded),
		TEST(those_that_have_run_out_are_not_shown),
	};

	return cmocka_run_group_tests_name("flow_list", tests, NULL, NULL);
}
