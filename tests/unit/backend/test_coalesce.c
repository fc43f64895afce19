/* SPDX-License-Identifier: BSD-3-Clause */
/* What is joined and what is not, and how long a frame waits: coalesce_case.h has the model. */
#include "tests/unit/backend/coalesce_case.h"

static void a_stream_becomes_large_frames(void **state)
{
	struct fixture *f = *state;
	/* 45 of 1,448 bytes fit into 65,535 with headers. */
	for (uint32_t i = 0; i < 100; i++) {
		struct wish w = tcp(0xffff0000u + i * 1448, 1448);
		w.partial = i % 3 == 0;
		w.options = 12;
		w.id = (uint16_t)(65500 + i);
		w.fragmentable = true;
		add(f, &w);
	}
	finish(f, 3);
}

static void datagrams_become_large_frames(void **state)
{
	struct fixture *f = *state;
	for (uint16_t i = 0; i < 100; i++) {
		struct wish w = udp((uint16_t)(65500 + i), 200);
		w.partial = i % 3 == 0;
		add(f, &w);
	}
	struct wish last = udp(64, 10);
	add(f, &last);
	/* 64 of them, and 36 with the short one. */
	finish(f, 2);
}

/* What differs from a frame that could be joined, and so cannot. */
static void every_difference_counts(void **state)
{
	struct fixture *f = *state;
	struct wish base = tcp(1448, 1448), cases[16];
	unsigned int count = 0;
	base.options = 12;
	base.fragmentable = true;
#define DIFFERENT(field, value)                 \
	do {                                    \
		cases[count] = base;            \
		cases[count++].field = (value); \
	} while (0)
	DIFFERENT(flags, ACK | FIN);
	DIFFERENT(flags, ACK | 0x40); /* ECE */
	DIFFERENT(flags, ACK | 0x80); /* CWR */
	DIFFERENT(flags, SYN);
	DIFFERENT(tos, 3);
	DIFFERENT(option_value, 9);
	DIFFERENT(options, 16);
	DIFFERENT(fragmentable, false);
	DIFFERENT(wrong, true);
	DIFFERENT(tagged, true);
	DIFFERENT(port, 4001);
	DIFFERENT(id, 9);
	DIFFERENT(payload, 1449);
	DIFFERENT(sequence, 1447);
	DIFFERENT(acknowledgement, 78);
	DIFFERENT(window, 501);
	for (unsigned int i = 0; i < count; i++) {
		struct wish first = base;
		first.sequence -= 1448;
		first.id--;
		f->written = 0;
		add(f, &first);
		add(f, &cases[i]);
		finish(f, 2);
		/* The undisturbed one can. */
		f->written = 0;
		add(f, &first);
		add(f, &base);
		finish(f, 1);
	}
}

static void datagrams_that_stay_alone(void **state)
{
	struct fixture *f = *state;
	struct wish first = udp(0, 100), longer = udp(1, 101), none = udp(1, 100);
	none.no_checksum = true;
	add(f, &first);
	add(f, &longer);
	finish(f, 2);
	add(f, &none);
	add(f, &none);
	finish(f, 4);
	/* A shorter one is the last. */
	struct wish shorter = udp(1, 99);
	add(f, &first);
	add(f, &shorter);
	add(f, &shorter);
	finish(f, 6);
}

static void what_the_kernel_cannot_is_not_done(void **state)
{
	struct fixture *f = *state;
	coalesce_free(f->coalesce);
	assert_int_equal(coalesce_new(false, false, &f->coalesce), 0);
	for (uint16_t i = 0; i < 4; i++) {
		struct wish t = tcp(i * 1448u, 1448), u = udp(i, 100);
		add(f, &t);
		add(f, &u);
	}
	finish(f, 8);
}

static void how_long_it_waits(void **state)
{
	struct fixture *f = *state;
	struct wish w = tcp(0, 1448), acknowledgement = tcp(0, 0), datagram = udp(0, 100);
	uint64_t start = f->now_ns;

	/* Neither an acknowledgement nor a datagram. */
	acknowledgement.pair = 1;
	datagram.pair = 2;
	add(f, &acknowledgement);
	add(f, &datagram);
	assert_int_equal(coalesce_due_ns(f->coalesce), 0);
	take(f, false);
	assert_int_equal(f->written, 2);

	/* A segment waits for the gap, counted from the last of its flow. */
	add(f, &w);
	assert_int_equal(coalesce_due_ns(f->coalesce), start + COALESCE_GAP_NS);
	f->now_ns += COALESCE_GAP_NS - 1;
	take(f, false);
	assert_int_equal(f->written, 2);
	w = tcp(1448, 1448);
	add(f, &w);
	assert_int_equal(coalesce_due_ns(f->coalesce), f->now_ns + COALESCE_GAP_NS);
	f->now_ns += COALESCE_GAP_NS;
	take(f, false);
	assert_int_equal(f->written, 3);

	/* Not for ever, however steadily they come. */
	uint64_t first = f->now_ns;
	for (uint32_t i = 2; f->now_ns < first + COALESCE_HOLD_NS; i++) {
		w = tcp(i * 1448, 1448);
		add(f, &w);
		take(f, false);
		assert_int_equal(f->written, 3);
		f->now_ns += COALESCE_GAP_NS / 2;
	}
	take(f, false);
	assert_int_equal(f->written, 4);

	/* PSH ends it at once. */
	w = tcp(5000000, 1448);
	add(f, &w);
	w = tcp(5000000 + 1448, 1448);
	w.flags |= PSH;
	add(f, &w);
	assert_int_equal(coalesce_due_ns(f->coalesce), 0);
	take(f, false);
	finish(f, 5);
}

int main(void)
{
#define COALESCE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		COALESCE_TEST(a_stream_becomes_large_frames),
		COALESCE_TEST(datagrams_become_large_frames),
		COALESCE_TEST(every_difference_counts),
		COALESCE_TEST(datagrams_that_stay_alone),
		COALESCE_TEST(what_the_kernel_cannot_is_not_done),
		COALESCE_TEST(how_long_it_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
