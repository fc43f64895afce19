/* SPDX-License-Identifier: BSD-3-Clause */
/* Boxes in front of ports with as much room as a test says; what is held, for how long, and whose
 * slots it is. */
#include "tests/unit/frame.h"

#include "backend/outbox.h"

#define BOXES 3

struct double_port {
	struct port port; /* first */
	struct port_stats stats;
	uint16_t room;	 /* frames that it takes before it is full */
	uint32_t wanted; /* packet.length of the frame that comes next; each is one more */
	bool numbered;	 /* compare with wanted */
	unsigned int flushes;
};

struct fixture {
	struct slots *slots;
	struct double_port ports[BOXES];
	struct outbox boxes[BOXES];
	struct packet borrowed[OUTBOX_CAPACITY + 1]; /* frames of a guest */
	uint32_t next;				     /* number of the next frame */
};

static uint16_t tx_burst(struct port *base, struct packet *const packets[], uint16_t count)
{
	struct double_port *port = (struct double_port *)base;
	uint16_t taken = 0;
	for (; taken < count && port->room; taken++) {
		if (port->numbered)
			assert_int_equal(packets[taken]->length, port->wanted++);
		port->room--;
	}
	return taken;
}

static void tx_flush(struct port *base)
{
	((struct double_port *)base)->flushes++;
}

static const struct port_ops ops = {.tx_burst = tx_burst, .tx_flush = tx_flush};

static int setup(void **state)
{
	struct fixture *f = aligned_alloc(64, (sizeof(*f) + 63) & ~(size_t)63);
	assert_non_null(f);
	memset(f, 0, sizeof(*f));
	assert_int_equal(slots_new(&f->slots), 0);
	for (int i = 0; i < BOXES; i++) {
		f->ports[i].port = (struct port){.ops = &ops, .stats = &f->ports[i].stats};
		f->boxes[i] = (struct outbox){.port = &f->ports[i].port, .slots = f->slots};
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	slots_free(f->slots);
	free(f);
	return 0;
}

static uint64_t dropped(const struct fixture *f, int i)
{
	return f->ports[i].stats.drops[DROP_PORT_FULL];
}

/* A burst of `count` frames of the uplink for one box, or as many as there are slots. */
static uint16_t from_uplink(struct fixture *f, int i, uint16_t count, uint64_t now_ns)
{
	struct slot *burst[SLOTS_COUNT];
	uint16_t got = 0;
	while (got < count && (burst[got] = slots_take(f->slots))) {
		burst[got]->packet.length = f->next++;
		outbox_put(&f->boxes[i], &burst[got++]->packet);
	}
	outbox_flush(&f->boxes[i], now_ns);
	for (uint16_t at = 0; at < got; at++)
		slots_release(f->slots, &burst[at]->packet);
	return got;
}

static void from_guest(struct fixture *f, int i, uint16_t count, uint64_t now_ns)
{
	for (uint16_t at = 0; at < count; at++) {
		f->borrowed[at].slot = 0;
		f->borrowed[at].length = f->next++;
		outbox_put(&f->boxes[i], &f->borrowed[at]);
	}
	outbox_flush(&f->boxes[i], now_ns);
}

static void empty_box_says_nothing_to_its_port(void **state)
{
	struct fixture *f = *state;
	assert_true(outbox_flush(&f->boxes[0], 1));
	assert_int_equal(f->ports[0].flushes, 0);
}

static void all_goes_in_one_burst(void **state)
{
	struct fixture *f = *state;
	f->ports[0].room = 100;
	f->ports[0].numbered = true;
	from_guest(f, 0, 64, 1);
	assert_int_equal(f->ports[0].room, 36);
	assert_int_equal(f->ports[0].flushes, 1);
	assert_int_equal(f->boxes[0].count, 0);
	assert_int_equal(dropped(f, 0), 0);
}

static void guests_frames_are_not_held(void **state)
{
	struct fixture *f = *state;
	f->ports[0].room = 5;
	from_guest(f, 0, 64, 1);
	assert_int_equal(dropped(f, 0), 59);
	assert_int_equal(f->boxes[0].count, 0);
	assert_false(f->boxes[0].stalled);
}

static void more_than_fit_into_the_box_are_dropped(void **state)
{
	struct fixture *f = *state;
	f->ports[0].room = UINT16_MAX;
	from_guest(f, 0, OUTBOX_CAPACITY + 1, 1);
	assert_int_equal(dropped(f, 0), 1);
	assert_int_equal(UINT16_MAX - f->ports[0].room, OUTBOX_CAPACITY);
}

static void uplinks_frames_are_held_in_order(void **state)
{
	struct fixture *f = *state;
	f->ports[0].numbered = true;
	f->ports[0].room = 10;
	assert_int_equal(from_uplink(f, 0, 32, 1), 32);
	assert_int_equal(f->boxes[0].held, 22);
	assert_int_equal(f->boxes[0].count, 22);
	assert_int_equal(f->slots->free_count, SLOTS_COUNT - 22);

	/* Part of what is held, then the rest and a new burst behind it. */
	f->ports[0].room = 12;
	assert_false(outbox_flush(&f->boxes[0], 2));
	assert_int_equal(f->boxes[0].held, 10);
	assert_int_equal(f->slots->free_count, SLOTS_COUNT - 10);
	f->ports[0].room = 30;
	from_uplink(f, 0, 32, 3);
	assert_int_equal(f->boxes[0].held, 12);
	f->ports[0].room = 12;
	assert_true(outbox_flush(&f->boxes[0], 4));
	assert_int_equal(f->slots->free_count, SLOTS_COUNT);
	assert_int_equal(dropped(f, 0), 0);
	assert_int_equal(f->ports[0].wanted, 64);
}

static void guests_frames_behind_held_ones(void **state)
{
	struct fixture *f = *state;
	from_uplink(f, 0, 8, 1);
	f->ports[0].numbered = true;
	/* They may not overtake, and they may not stay. */
	f->ports[0].room = 4;
	from_guest(f, 0, 8, 2);
	assert_int_equal(f->boxes[0].held, 4);
	assert_int_equal(f->boxes[0].count, 4);
	assert_int_equal(dropped(f, 0), 8);
	/* Those that find room behind the held ones go; the burst of the uplink after them stays.
	 */
	f->ports[0].room = 4 + 3;
	f->ports[0].numbered = false;
	from_guest(f, 0, 8, 3);
	assert_int_equal(f->boxes[0].held, 0);
	assert_int_equal(dropped(f, 0), 13);
	assert_int_equal(f->slots->free_count, SLOTS_COUNT);
}

static void one_frame_in_several_boxes(void **state)
{
	struct fixture *f = *state;
	struct slot *slot = slots_take(f->slots);
	for (int i = 0; i < BOXES; i++)
		outbox_put(&f->boxes[i], &slot->packet);
	f->ports[1].room = 1;
	for (int i = 0; i < BOXES; i++)
		outbox_flush(&f->boxes[i], 1);
	slots_release(f->slots, &slot->packet);
	assert_int_equal(f->slots->free_count, SLOTS_COUNT - 1);
	f->ports[0].room = 1;
	assert_true(outbox_flush(&f->boxes[0], 2));
	assert_int_equal(f->slots->free_count, SLOTS_COUNT - 1);
	f->ports[2].room = 1;
	assert_true(outbox_flush(&f->boxes[2], 3));
	assert_int_equal(f->slots->free_count, SLOTS_COUNT);
}

static void who_takes_nothing_is_stalled(void **state)
{
	struct fixture *f = *state;
	const uint64_t start = 1000;
	from_uplink(f, 0, 8, start);
	assert_int_equal(f->boxes[0].held, 8);
	assert_false(outbox_flush(&f->boxes[0], start + OUTBOX_HOLD_NS - 1));
	assert_int_equal(f->boxes[0].held, 8);
	assert_true(outbox_flush(&f->boxes[0], start + OUTBOX_HOLD_NS));
	assert_int_equal(f->boxes[0].held, 0);
	assert_int_equal(dropped(f, 0), 8);
	assert_int_equal(f->slots->free_count, SLOTS_COUNT);
	/* Nothing is held for it any more, however long it takes. */
	from_uplink(f, 0, 8, start + 2 * OUTBOX_HOLD_NS);
	assert_int_equal(f->boxes[0].held, 0);
	assert_int_equal(dropped(f, 0), 16);
	/* Until it takes a frame. */
	f->ports[0].room = 1;
	from_uplink(f, 0, 8, start + 3 * OUTBOX_HOLD_NS);
	assert_int_equal(f->boxes[0].held, 7);
	assert_int_equal(dropped(f, 0), 16);
}

static void every_frame_taken_gives_more_time(void **state)
{
	struct fixture *f = *state;
	uint64_t now_ns = 1000;
	from_uplink(f, 0, 8, now_ns);
	for (int i = 1; i < 8; i++) {
		now_ns += OUTBOX_HOLD_NS - 1;
		f->ports[0].room = 1;
		assert_false(outbox_flush(&f->boxes[0], now_ns));
		assert_int_equal(f->boxes[0].held, 8 - i);
	}
	assert_int_equal(dropped(f, 0), 0);
}

/* What is given up takes what stands behind it along, each counted once. */
static void giving_up_with_more_in_the_box(void **state)
{
	struct fixture *f = *state;
	from_uplink(f, 0, 8, 1000);
	assert_int_equal(from_uplink(f, 0, 8, 1000 + OUTBOX_HOLD_NS), 8);
	assert_int_equal(f->boxes[0].count, 0);
	assert_int_equal(dropped(f, 0), 16);
	assert_int_equal(f->slots->free_count, SLOTS_COUNT);
}

/* However many guests take nothing, one slot is always left for the neighbours' next frame. */
static void slots_are_shared(void **state)
{
	struct fixture *f = *state;
	uint16_t held[BOXES] = {0};
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < BOXES; i++) {
			assert_true(from_uplink(f, i, 32, 1000) >= 1);
			assert_true(f->slots->free_count >= 1);
			held[i] = f->boxes[i].held;
		}
		if (round == 0)
			assert_in_range(held[0], 32, SLOTS_COUNT / 2);
	}
	/* Nobody was left with nothing, and nobody has more than half. */
	for (int i = 0; i < BOXES; i++)
		assert_in_range(held[i], 8, SLOTS_COUNT / 2);
	for (int i = 0; i < BOXES; i++) {
		f->ports[i].room = UINT16_MAX;
		assert_true(outbox_flush(&f->boxes[i], 1001));
	}
	assert_int_equal(f->slots->free_count, SLOTS_COUNT);
}

int main(void)
{
#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		BOX_TEST(empty_box_says_nothing_to_its_port),
		BOX_TEST(all_goes_in_one_burst),
		BOX_TEST(guests_frames_are_not_held),
		BOX_TEST(more_than_fit_into_the_box_are_dropped),
		BOX_TEST(uplinks_frames_are_held_in_order),
		BOX_TEST(guests_frames_behind_held_ones),
		BOX_TEST(one_frame_in_several_boxes),
		BOX_TEST(who_takes_nothing_is_stalled),
		BOX_TEST(every_frame_taken_gives_more_time),
		BOX_TEST(giving_up_with_more_in_the_box),
		BOX_TEST(slots_are_shared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
