/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <errno.h>
#include <string.h>

#include "nat/icmp_send.h"
#include "nat/nat_private.h"

static struct fixture fixture;

static int setup(void **state)
{
	struct nat_config config = fixture_config();

	fixture_init(&fixture, &config);
	*state = &fixture;
	return 0;
}

static int send_from(
	struct fixture *f, const struct packet *p, uint16_t length, enum icmp_budget budget)
{
	const struct icmp_error error = {
		.type = 3,
		.code = 4,
		.mtu = 1400,
		.source_be = ip(GATEWAY),
		.about = p->head + p->l3_offset,
		.length = length,
		.verdict = NAT_VERDICT_INSIDE,
		.budget = budget,
	};

	return icmp_send(f->nat, &error);
}

static int send_about(struct fixture *f, const struct packet *p, uint16_t length)
{
	return send_from(f, p, length, ICMP_BUDGET_PATH);
}

static void fields(void **state)
{
	struct fixture *f = *state;
	struct packet about, *p;
	enum nat_verdict verdict;

	make_udp(&about, END(GUEST, 1), END(REMOTE, 2), 180);
	for (uint16_t length = 28; length <= 208; length += 13) {
		assert_int_equal(send_about(f, &about, length), 0);
		assert_int_equal(nat_take(f->nat, &p, &verdict, 1), 1);
		assert_int_equal(verdict, NAT_VERDICT_INSIDE);
		assert_checksums(p);
		assert_string_equal(source_of(p).address, GATEWAY);
		assert_string_equal(destination_of(p).address, GUEST);
		assert_int_equal(p->l3_length, 28 + length);
		assert_int_equal(p->length, 14 + 28 + length);
		assert_int_equal(p->head_length, p->length);
		assert_int_equal(p->head[p->l4_offset + 6] << 8 | p->head[p->l4_offset + 7], 1400);
		assert_memory_equal(
			p->head + p->l4_offset + 8, about.head + about.l3_offset, length);
	}
	/* More than the head has room for. */
	assert_int_equal(send_about(f, &about, 5000), 0);
	assert_int_equal(nat_take(f->nat, &p, &verdict, 1), 1);
	assert_int_equal(p->length, PACKET_HEAD_CAPACITY);
}

/* RFC 1812, 4.3.2.7. */
static void none_about_these(void **state)
{
	struct fixture *f = *state;
	struct packet about, error;

	make_udp(&about, END(GUEST, 1), END(REMOTE, 2), 20);
	make_icmp_error(&error, 3, 3, REMOTE, OUTSIDE, &about, 28);
	assert_int_equal(send_about(f, &error, 56), -EINVAL);
	make_udp(&about, END("224.0.0.1", 1), END(REMOTE, 2), 20);
	assert_int_equal(send_about(f, &about, 48), -EINVAL);
	make_udp(&about, END("0.0.0.0", 1), END(REMOTE, 2), 20);
	assert_int_equal(send_about(f, &about, 48), -EINVAL);
	make_udp(&about, END("127.0.0.1", 1), END(REMOTE, 2), 20);
	assert_int_equal(send_about(f, &about, 48), -EINVAL);
	make_udp(&about, END(GUEST, 1), END(REMOTE, 2), 20);
	assert_int_equal(send_about(f, &about, 27), -EINVAL);
	about.head[about.l3_offset + 7] = 1; /* a later fragment */
	assert_int_equal(send_about(f, &about, 48), -EINVAL);
	make_icmp(&about, 8, END(GUEST, 1), REMOTE, 20);
	assert_int_equal(send_about(f, &about, 48), 0);
}

static uint32_t send_many(struct fixture *f, const struct packet *about)
{
	struct packet *packets[16];
	enum nat_verdict verdicts[16];
	uint32_t sent = 0;

	nat_tick(f->nat, f->now_ns);
	while (send_about(f, about, 48) == 0) {
		sent++;
		if (sent % 16 == 0)
			assert_int_equal(nat_take(f->nat, packets, verdicts, 16), 16);
	}
	assert_int_equal(send_about(f, about, 48), -EBUSY);
	while (nat_take(f->nat, packets, verdicts, 16) > 0)
		;
	return sent;
}

static void rate_is_limited(void **state)
{
	struct fixture *f = *state;
	struct packet about;
	uint32_t sent = 0;

	make_udp(&about, END(GUEST, 1), END(REMOTE, 2), 20);
	assert_int_equal(send_many(f, &about), ICMP_SEND_BURST);
	for (int i = 0; i < 100; i++) {
		f->now_ns += SECOND / 20;
		sent += send_many(f, &about);
	}
	assert_int_equal(sent, 5 * ICMP_SEND_PER_SECOND);
	assert_int_equal(nat_counters(f->nat)->icmp_sent, sent + ICMP_SEND_BURST);
}

static void budgets_are_apart(void **state)
{
	struct fixture *f = *state;
	struct packet about;

	make_udp(&about, END(GUEST, 1), END(REMOTE, 2), 20);
	assert_int_equal(send_many(f, &about), ICMP_SEND_BURST);
	assert_int_equal(send_from(f, &about, 48, ICMP_BUDGET_REFUSED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fields, setup, fixture_tear_down),
		cmocka_unit_test_setup_teardown(none_about_these, setup, fixture_tear_down),
		cmocka_unit_test_setup_teardown(rate_is_limited, setup, fixture_tear_down),
		cmocka_unit_test_setup_teardown(budgets_are_apart, setup, fixture_tear_down),
	};

	return cmocka_run_group_tests_name("icmp_send", tests, NULL, NULL);
}
