/* SPDX-License-Identifier: BSD-3-Clause */
/* Time-outs of everything but TCP (test_tcp_state), and the sweep. */
#include "fixture.h"

#include "nat/nat_private.h"

/* RFC 4787 REQ-5 and REQ-6: 300 s, refreshed by the guest and by nobody else. */
static void udp(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 5000));
	for (int i = 0; i < 3; i++) {
		fixture_advance(f, 299);
		assert_int_equal(
			udp_in(f, &p, END(REMOTE, 5000), END(OUTSIDE, 5000)), NAT_VERDICT_INSIDE);
		assert_int_equal(
			udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 5000)), NAT_VERDICT_WORLD);
	}
	fixture_advance(f, 299);
	assert_int_equal(udp_in(f, &p, END(REMOTE, 5000), END(OUTSIDE, 5000)), NAT_VERDICT_INSIDE);
	fixture_advance(f, 2);
	assert_int_equal(udp_in(f, &p, END(REMOTE, 5000), END(OUTSIDE, 5000)), NAT_VERDICT_DROP);
	assert_int_equal(nat_counters(f->nat)->sessions_live, 0);
	assert_int_equal(nat_counters(f->nat)->mappings_live, 0);
	assert_int_equal(nat_counters(f->nat)->sessions_expired, 1);
}

/* RFC 5508 REQ-2. */
static void icmp(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	make_icmp(&p, 8, END(GUEST, 5), REMOTE, 8);
	send_out(f, &p);
	fixture_advance(f, 59);
	make_icmp(&p, 0, END(REMOTE, 5), OUTSIDE, 8);
	assert_int_equal(send_in(f, &p), NAT_VERDICT_INSIDE);
	fixture_advance(f, 2);
	make_icmp(&p, 0, END(REMOTE, 5), OUTSIDE, 8);
	assert_int_equal(send_in(f, &p), NAT_VERDICT_DROP);
}

static void each_is_settable(void **state)
{
	static const struct nat_timeouts timeouts = {
		.udp_s = 130,
		.udp_well_known_s = 7,
		.icmp_s = 9,
		.tcp_partial_s = 11,
	};
	struct nat_config config = fixture_config();
	struct packet p, echo, syn, dns;
	struct fixture f;

	config.timeouts = timeouts;
	fixture_init(&f, &config);
	udp_out(&f, &p, END(GUEST, 1), END(REMOTE, 5000));
	udp_out(&f, &dns, END(GUEST, 2), END(REMOTE, 53));
	make_icmp(&echo, 8, END(GUEST, 3), REMOTE, 8);
	send_out(&f, &echo);
	tcp_out(&f, &syn, END(GUEST, 4), END(REMOTE, 80), SYN);
	for (uint64_t second = 0; second < 140; second++) {
		uint64_t live = (second <= 130) + (second <= 7) + (second <= 9) + (second <= 11);

		while (nat_tick(f.nat, f.now_ns))
			;
		/* The sweep may be a round late, but never early. */
		assert_true(nat_counters(f.nat)->sessions_live >= live);
		assert_null(nat_check(f.nat));
		fixture_advance(&f, 1);
	}
	assert_int_equal(nat_counters(f.nat)->sessions_live, 0);
	fixture_fini(&f);
}

/* A tick makes a bounded number of steps, and all of them are done in one round. */
static void sweep_is_bounded_and_complete(void **state)
{
	struct nat_config config = fixture_config();
	uint64_t before, ticks = 0;
	struct fixture f;
	struct packet p;
	bool behind;

	config.sessions = 22501; /* one guest gets 8/9 of it */
	fixture_init(&f, &config);
	for (uint32_t i = 0; i < 20000; i++) {
		struct packet *packet = &p;
		enum nat_verdict verdict;

		make_udp(&p, END(GUEST, (uint16_t)(i % 100)),
			END(REMOTE, (uint16_t)(5000 + i / 100)), 0);
		nat_out_burst(f.nat, &packet, &verdict, 1, f.now_ns);
		assert_int_equal(verdict, NAT_VERDICT_WORLD);
	}
	assert_int_equal(nat_counters(f.nat)->mappings_live, 100);
	fixture_advance(&f, 301);
	do {
		before = nat_counters(f.nat)->sessions_live;
		behind = nat_tick(f.nat, f.now_ns);
		assert_true(before - nat_counters(f.nat)->sessions_live <= EXPIRE_CLOSES_MAX);
		ticks++;
	} while (behind);
	assert_int_equal(nat_counters(f.nat)->sessions_live, 0);
	assert_int_equal(nat_counters(f.nat)->mappings_live, 0);
	assert_int_equal(ticks, (20000 + EXPIRE_CLOSES_MAX - 1) / EXPIRE_CLOSES_MAX);
	assert_null(nat_check(f.nat));
	fixture_fini(&f);
}

/* At ten ticks a second, what expires is swept within two rounds. */
static void sweep_keeps_up(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	for (uint16_t i = 0; i < 50; i++)
		udp_out(f, &p, END(GUEST, i), END(REMOTE, 5000));
	assert_false(nat_is_idle(f->nat));
	fixture_advance(f, 301);
	for (int i = 0; i < 170; i++) {
		nat_tick(f->nat, f->now_ns);
		f->now_ns += SECOND / 10;
	}
	assert_int_equal(nat_counters(f->nat)->sessions_live, 0);
	assert_true(nat_is_idle(f->nat));
	assert_null(nat_check(f->nat));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(udp, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(icmp, fixture_set_up, fixture_tear_down),
		cmocka_unit_test(each_is_settable),
		cmocka_unit_test(sweep_is_bounded_and_complete),
		cmocka_unit_test_setup_teardown(sweep_keeps_up, fixture_set_up, fixture_tear_down),
	};

	return cmocka_run_group_tests_name("expire", tests, NULL, NULL);
}
