/* SPDX-License-Identifier: BSD-3-Clause */
/* Indices that cannot be: the ring stands still until its driver resets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/hostile_chain.h"

/* What is wrong in one of guest 0's queues. */
struct lie {
	unsigned int queue; /* DRIVER_RX or DRIVER_TX */
	bool jump;	    /* avail.idx, not a head */
	uint16_t value;	    /* the head; or how far avail.idx is ahead of used.idx */
	uint16_t frames;    /* honest ones that are sent before it */
};

static void tell(const struct lie *lie)
{
	struct virtqueue *queue = &hostile_port()->driver.queues[lie->queue];

	for (uint16_t i = 0; i < lie->frames; i++)
		hostile_pass(60);
	/* Everything that was shown has been used. */
	assert_int_equal(driver_drain(&hostile_port()->driver, deadline_in(DEADLINE_STEP_MS)), 0);
	if (lie->jump) {
		uint16_t idx = (uint16_t)(queue->used->idx + lie->value);
		__atomic_store_n(&queue->avail->idx, idx, __ATOMIC_RELEASE);
		virtqueue_kick(queue);
	} else {
		hostile_offer(queue, lie->value);
	}
}

static void index_that_cannot_be(void **state)
{
	const struct hostile_case *c = *state;
	const struct lie *lie = c->context;
	struct hostile_watch watch;
	struct frontend *port = hostile_port();

	hostile_plug();
	hostile_begin(&watch, c->name);
	do {
		assert_int_equal(frontend_reset(port), 0);
		driver_clear(&port->driver);
		assert_int_equal(frontend_resume(port), 0);
		tell(lie);
		uint16_t used = port->driver.queues[lie->queue].used->idx;
		hostile_poke();
		hostile_counted(&watch, "port.0.drop.ring_index", watch.turns + 1);
		/* It does not go on when the index is right again. */
		port->driver.queues[lie->queue].avail->idx = used;
		hostile_poke();
		assert_int_equal(port->driver.queues[lie->queue].used->idx, used);
	} while (hostile_goes_on(&watch, HOSTILE_TIMES));
	hostile_counted(&watch, "worker.rings_broken", watch.turns);
	hostile_end(&watch);
}

#define CASE(title, ...)                                                      \
	{                                                                     \
		title, index_that_cannot_be, hostile_setup, hostile_teardown, \
			(void *)(uintptr_t) & (const struct hostile_case)     \
		{                                                             \
			.name = (title), .context = &(const struct lie)       \
			{                                                     \
				__VA_ARGS__                                   \
			}                                                     \
		}                                                             \
	}
#define BOTH(title, ...)                                         \
	CASE(title " to send", .queue = DRIVER_TX, __VA_ARGS__), \
		CASE(title " to receive", .queue = DRIVER_RX, __VA_ARGS__)

static const struct CMUnitTest tests[] = {
	BOTH("the first head beyond the ring", .value = HOSTILE_QUEUE_SIZE),
	BOTH("head beyond the ring", .value = HOSTILE_QUEUE_SIZE + 1),
	BOTH("head 32768", .value = 32768),
	BOTH("head 65535", .value = UINT16_MAX),
	BOTH("avail.idx one too far", .jump = true, .value = HOSTILE_QUEUE_SIZE + 1),
	BOTH("avail.idx jumps by 32767", .jump = true, .value = 32767),
	BOTH("avail.idx jumps by 32768", .jump = true, .value = 32768),
	BOTH("avail.idx goes back before the start", .jump = true, .value = UINT16_MAX),
	CASE("avail.idx goes back under way", .queue = DRIVER_TX, .jump = true,
		.value = (uint16_t)-2, .frames = 5),
	CASE("avail.idx jumps under way", .queue = DRIVER_TX, .jump = true,
		.value = HOSTILE_QUEUE_SIZE + 1, .frames = 5),
};

HOSTILE_MAIN(tests)
