/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 5382 REQ-4. */
#include "fixture.h"

#include <string.h>

#include "nat/nat_private.h"

static void init(struct fixture *f, bool answer)
{
	struct nat_config config = fixture_config();

	config.answer_syn = answer;
	fixture_init(f, &config);
}

/* How many frames the NAT wants sent now; the last one is in *ret_packet. */
static uint16_t tick(struct fixture *f, struct packet *ret_packet)
{
	struct packet *packets[SYN_HOLD_MAX];
	enum nat_verdict verdicts[SYN_HOLD_MAX];
	uint16_t n, all = 0;

	nat_tick(f->nat, f->now_ns);
	while ((n = nat_take(f->nat, packets, verdicts, SYN_HOLD_MAX)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			assert_int_equal(verdicts[i], NAT_VERDICT_WORLD);
			assert_checksums(packets[i]);
		}
		*ret_packet = *packets[n - 1];
		all += n;
	}
	assert_null(nat_check(f->nat));
	return all;
}

static void silent_for_six_seconds(void **state)
{
	struct packet p, answer;
	struct fixture f;

	init(&f, true);
	assert_dropped(
		&f, tcp_in(&f, &p, END(REMOTE, 7), END(OUTSIDE, 80), SYN), &p, NAT_DROP_NO_MAPPING);
	assert_false(nat_is_idle(f.nat));
	fixture_advance(&f, 3);
	/* It sends it again; that is the same one. */
	tcp_in(&f, &p, END(REMOTE, 7), END(OUTSIDE, 80), SYN);
	f.now_ns += 3 * SECOND - 1;
	assert_int_equal(tick(&f, &answer), 0);
	f.now_ns += 1;
	assert_int_equal(tick(&f, &answer), 1);
	assert_string_equal(source_of(&answer).address, OUTSIDE);
	assert_string_equal(destination_of(&answer).address, REMOTE);
	assert_int_equal(answer.head[answer.l4_offset], 3);
	assert_int_equal(answer.head[answer.l4_offset + 1], 3);
	make_tcp(&p, END(REMOTE, 7), END(OUTSIDE, 80), SYN, 0);
	assert_memory_equal(answer.head + answer.l4_offset + 8 + 12, p.head + p.l3_offset + 12, 12);
	fixture_advance(&f, 10);
	assert_int_equal(tick(&f, &answer), 0);
	assert_int_equal(nat_counters(f.nat)->icmp_sent, 1);
	assert_true(nat_is_idle(f.nat));

	fixture_fini(&f);
}

/* Whoever asked knows us by the host's address: the answer must speak of that one. */
static void answer_names_the_alias(void **state)
{
	struct nat_config config = fixture_config();
	struct packet p, answer;
	struct fixture f;

	config.answer_syn = true;
	config.alias_be = ip(HOST);
	for (int owns = 0; owns < 2; owns++) {
		config.alias_owns_range = owns;
		fixture_init(&f, &config);
		tcp_in(&f, &p, END(REMOTE, 7), END(OUTSIDE, 80), SYN);
		fixture_advance(&f, 7);
		assert_int_equal(tick(&f, &answer), 1);
		assert_string_equal(source_of(&answer).address, OUTSIDE); /* the host rewrites it */
		const uint8_t *quote = answer.head + answer.l4_offset + 8;
		make_tcp(&p, END(REMOTE, 7), END(owns ? HOST : OUTSIDE, 80), SYN, 0);
		assert_memory_equal(quote + 12, p.head + p.l3_offset + 12, 12);
		uint32_t sum = 0;
		for (int i = 0; i < 20; i += 2)
			sum += (uint32_t)(quote[i] << 8 | quote[i + 1]);
		assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
		fixture_fini(&f);
	}
}

/* The guest's own SYN makes a simultaneous open of it: no answer then. */
static void simultaneous_open(void **state)
{
	struct packet p, answer;
	struct fixture f;

	init(&f, true);
	tcp_in(&f, &p, END(REMOTE, 7), END(OUTSIDE, 4000), SYN);
	fixture_advance(&f, 5);
	tcp_out(&f, &p, END(GUEST, 4000), END(REMOTE, 7), SYN);
	fixture_advance(&f, 5);
	assert_int_equal(tick(&f, &answer), 0);
	fixture_fini(&f);
}

static void never_without_leave(void **state)
{
	struct packet p, answer;
	struct fixture f;

	init(&f, false);
	tcp_in(&f, &p, END(REMOTE, 7), END(OUTSIDE, 80), SYN);
	fixture_advance(&f, 60);
	assert_int_equal(tick(&f, &answer), 0);
	fixture_fini(&f);
}

static void only_syns(void **state)
{
	struct packet p, answer;
	struct fixture f;

	init(&f, true);
	tcp_in(&f, &p, END(REMOTE, 7), END(OUTSIDE, 80), ACK);
	tcp_in(&f, &p, END(REMOTE, 8), END(OUTSIDE, 80), RST);
	tcp_in(&f, &p, END(REMOTE, 9), END(OUTSIDE, 80), SYN | ACK);
	udp_in(&f, &p, END(REMOTE, 9), END(OUTSIDE, 80));
	fixture_advance(&f, 60);
	assert_int_equal(tick(&f, &answer), 0);
	fixture_fini(&f);
}

static void filtered_ones_too(void **state)
{
	struct packet p, answer;
	struct fixture f;

	init(&f, true);
	tcp_out(&f, &p, END(GUEST, 4000), END(REMOTE, 7), SYN);
	assert_dropped(&f, tcp_in(&f, &p, END(REMOTE2, 7), END(OUTSIDE, 4000), SYN), &p,
		NAT_DROP_FILTERED);
	fixture_advance(&f, 6);
	assert_int_equal(tick(&f, &answer), 1);
	assert_string_equal(destination_of(&answer).address, REMOTE2);
	fixture_fini(&f);
}

static void floods_are_bounded(void **state)
{
	struct packet p, answer;
	struct fixture f;
	uint32_t answers = 0;

	init(&f, true);
	for (uint16_t i = 0; i < 1000; i++)
		tcp_in(&f, &p, END(REMOTE, i), END(OUTSIDE, 80), SYN);
	fixture_advance(&f, 6);
	for (int i = 0; i < 10; i++)
		answers += tick(&f, &answer);
	assert_int_equal(answers, SYN_HOLD_MAX);
	/* And there is room again. */
	tcp_in(&f, &p, END(REMOTE, 7), END(OUTSIDE, 80), SYN);
	fixture_advance(&f, 6);
	assert_int_equal(tick(&f, &answer), 1);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silent_for_six_seconds),
		cmocka_unit_test(answer_names_the_alias),
		cmocka_unit_test(simultaneous_open),
		cmocka_unit_test(never_without_leave),
		cmocka_unit_test(only_syns),
		cmocka_unit_test(filtered_ones_too),
		cmocka_unit_test(floods_are_bounded),
	};

	return cmocka_run_group_tests_name("syn_hold", tests, NULL, NULL);
}
