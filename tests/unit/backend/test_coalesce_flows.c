/* SPDX-License-Identifier: BSD-3-Clause */
/* Many flows at a time: coalesce_case.h has the model. */
#include "tests/unit/backend/coalesce_case.h"

#include "backend/coalesce_match.h"

/* What waits is not overtaken by what does not and belongs to the same flow; others may pass. */
static void order_within_a_flow(void **state)
{
	struct fixture *f = *state;
	struct wish w = tcp(0, 1448), elsewhere = tcp(0, 0), last = tcp(1448, 0);
	elsewhere.port = 4001;
	last.flags |= FIN;
	add(f, &w);
	add(f, &elsewhere);
	take(f, false);
	assert_int_equal(f->written, 1);
	assert_int_equal(f->flows[1].out_count, 1);
	add(f, &last);
	take(f, false);
	assert_int_equal(f->written, 3);
	/* The same behind a tag. */
	add(f, &w);
	last.tagged = true;
	add(f, &last);
	take(f, false);
	finish(f, 5);
}

/* A segment of TCP of one of the flows, `number` counted from 0. */
static struct wish segment_of(uint32_t flow, uint32_t number)
{
	struct wish w = tcp(number * 1448, 1448);
	w.pair = (uint8_t)(flow / PORTS);
	w.port = (uint16_t)(4000 + flow % PORTS);
	return w;
}

static void add_round(struct fixture *f, uint32_t flows, uint32_t number)
{
	for (uint32_t flow = 0; flow < flows; flow++) {
		struct wish w = segment_of(flow, number);
		add(f, &w);
	}
}

static uint8_t hash_of(uint32_t flow)
{
	uint8_t bytes[COALESCE_FRAME_MAX];
	struct wish w = segment_of(flow, 0);
	struct frame *frame = frame_new(bytes, build(&w, bytes), 128, 1500);
	parse_packet(&frame->packet);
	uint8_t hash = coalesce_hash(&frame->packet);
	frame_free(frame);
	return hash;
}

/* As many as there are entries, each frame of another than the one before. */
static void many_flows_in_turn(void **state)
{
	struct fixture *f = *state;
	for (uint32_t number = 0; number < 19; number++) {
		add_round(f, COALESCE_ENTRIES, number);
		assert_int_equal(f->coalesce->open_count, COALESCE_ENTRIES);
		f->now_ns += COALESCE_GAP_NS / 2;
		assert_int_equal(coalesce_due_ns(f->coalesce), f->now_ns + COALESCE_GAP_NS / 2);
		take(f, false);
		assert_int_equal(f->written, 0);
	}
	finish(f, COALESCE_ENTRIES);
}

/* They are told apart, found, and closed wherever they are in their chain. */
static void flows_of_one_hash(void **state)
{
	struct fixture *f = *state;
	uint32_t flows[3], count = 0;
	for (uint32_t flow = 0; flow < FLOWS && count < 3; flow++)
		if (hash_of(flow) == hash_of(0))
			flows[count++] = flow;
	assert_int_equal(count, 3);
	for (uint32_t first = 0; first < 3; first++) {
		for (uint32_t number = 0; number < 4; number++)
			for (uint32_t i = 0; i < 3; i++) {
				struct wish w = segment_of(flows[i], number);
				add(f, &w);
			}
		assert_int_equal(f->coalesce->open_count, 3);
		for (uint32_t i = 0; i < 3; i++) {
			struct wish w = segment_of(flows[(first + i) % 3], 4);
			w.flags |= PSH;
			add(f, &w);
			assert_int_equal(f->coalesce->open_count, 2 - i);
		}
		finish(f, 3 * first + 3);
	}
}

/* What waits goes before its time, but for those that something came of last. */
static void more_flows_than_entries(void **state)
{
	struct fixture *f = *state;
	const struct packet *ready[3];
	uint16_t frames[3];
	struct wish w = segment_of(COALESCE_ENTRIES, 0), datagram = udp(0, 100);

	add_round(f, COALESCE_ENTRIES - 1, 0);
	datagram.pair = PAIRS - 1;
	add(f, &datagram);
	f->now_ns++;
	for (uint32_t flow = 0; flow < COALESCE_ENTRIES - 1; flow++)
		if (flow != 7 && flow != 70) {
			struct wish next = segment_of(flow, 1);
			add(f, &next);
		}
	assert_int_equal(f->coalesce->free_count, 0);
	assert_int_equal(coalesce_take(f->coalesce, f->now_ns, true, ready, frames, 3), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(frames[i], 1);
		kernel_takes(f, ready[i], 1);
	}
	assert_int_equal(f->flows[flow_of(PAIRS - 1, 4000)].out_count, 1);
	assert_int_equal(f->flows[7].out_count, 1);
	assert_int_equal(f->flows[70].out_count, 1);
	add(f, &w);
	finish(f, COALESCE_ENTRIES + 1);
}

/* A fragment has no ports: all between its addresses, and nothing else, goes before it. */
static void fragments_close_what_they_could_overtake(void **state)
{
	struct fixture *f = *state;
	struct wish w = segment_of(3, 1);
	add_round(f, 3 * PORTS, 0);
	w.fragment = true;
	add(f, &w);
	assert_int_equal(f->coalesce->open_count, 2 * PORTS);
	take(f, false);
	assert_int_equal(f->written, PORTS + 1);
	/* The others go on, and so may those that were closed. */
	for (uint32_t flow = 0; flow < 3 * PORTS; flow++) {
		w = segment_of(flow, flow == 3 ? 2 : 1);
		add(f, &w);
	}
	finish(f, PORTS + 1 + 3 * PORTS);
}

/* Whose first frame, or last, came when is each flow's own matter. */
static void each_flow_waits_by_itself(void **state)
{
	struct fixture *f = *state;
	uint64_t start = f->now_ns;
	struct wish w = segment_of(0, 0);
	add(f, &w);
	f->now_ns = start + 10000;
	w = segment_of(1, 0);
	add(f, &w);
	f->now_ns = start + 15000;
	w = segment_of(0, 1);
	add(f, &w);
	/* The second is silent for longer, although it began later. */
	assert_int_equal(coalesce_due_ns(f->coalesce), start + 10000 + COALESCE_GAP_NS);
	f->now_ns = start + 10000 + COALESCE_GAP_NS;
	take(f, false);
	assert_int_equal(f->written, 1);
	assert_int_equal(f->flows[1].out_count, 1);
	assert_int_equal(coalesce_due_ns(f->coalesce), start + 15000 + COALESCE_GAP_NS);

	/* The first comes steadily: until its time is over, with a younger one more silent than it.
	 */
	uint32_t number = 2;
	for (; f->now_ns + COALESCE_GAP_NS / 2 < start + COALESCE_HOLD_NS; number++) {
		w = segment_of(0, number);
		add(f, &w);
		f->now_ns += COALESCE_GAP_NS / 2;
	}
	w = segment_of(2, 0);
	add(f, &w);
	w = segment_of(0, number);
	add(f, &w);
	assert_int_equal(coalesce_due_ns(f->coalesce), start + COALESCE_HOLD_NS);
	f->now_ns = start + COALESCE_HOLD_NS;
	take(f, false);
	assert_int_equal(f->written, 2);
	assert_int_equal(f->coalesce->open_count, 1);
	finish(f, 3);
}

static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* Anything in any order, with time passing. */
static void whatever_comes(void **state)
{
	struct fixture *f = *state;
	uint32_t sequence[PAIRS][PORTS] = {{0}};
	/* By and by more flows than there are entries. */
	for (seed = 1; f->listed < 40000;) {
		uint32_t some = 2 + f->listed / 3000;
		uint8_t pair = (uint8_t)rnd(some), flow = (uint8_t)rnd(some);
		uint32_t *at = &sequence[pair][flow];
		bool is_tcp = flow % 3 < 2;
		struct wish w = is_tcp ? tcp(*at, 1448) : udp((uint16_t)*at, 512);
		w.pair = pair;
		w.port = (uint16_t)(4000 + flow);
		w.partial = rnd(2);
		w.options = rnd(10) ? 12 : 0;
		if (!rnd(10))
			w.payload = (uint16_t)rnd(1449);
		if (!rnd(20))
			w.flags |= (uint8_t)rnd(256);
		if (!rnd(20))
			w.window++;
		w.wrong = w.payload && !w.partial && !rnd(20);
		w.fragmentable = !rnd(30);
		w.tagged = !rnd(40);
		w.fragment = !w.partial && !rnd(100);
		add(f, &w);
		*at += is_tcp ? w.payload : 1u;
		if (!rnd(20))
			*at += 100;
		f->now_ns += rnd(20000 / (some * some));
		if (!rnd(4))
			take(f, false);
		assert_int_equal(coalesce_due_ns(f->coalesce), due_of_all(f->coalesce));
	}
	take(f, true);
	/* It was worth it. */
	assert_in_range(f->written, 1000, 30000);
	finish(f, f->written);
}

int main(void)
{
#define COALESCE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		COALESCE_TEST(order_within_a_flow),
		COALESCE_TEST(many_flows_in_turn),
		COALESCE_TEST(flows_of_one_hash),
		COALESCE_TEST(more_flows_than_entries),
		COALESCE_TEST(fragments_close_what_they_could_overtake),
		COALESCE_TEST(each_flow_waits_by_itself),
		COALESCE_TEST(whatever_comes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
