/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/hostile_chain.h"

#include <sched.h>

void hostile_offer(struct virtqueue *queue, uint16_t head)
{
	uint16_t idx = queue->avail->idx;
	queue->avail->ring[idx & (queue->options.size - 1)] = head;
	__atomic_store_n(&queue->avail->idx, (uint16_t)(idx + 1), __ATOMIC_RELEASE);
	virtqueue_kick(queue);
}

struct hostile_stage hostile_stage(unsigned int index)
{
	struct hostile_room room = hostile_room();
	struct frontend *port = hostile_port();
	struct virtqueue *queue = &port->driver.queues[index];
	const struct guest_ram_region *last = &port->ram.regions[port->ram.count - 1];

	return (struct hostile_stage){
		.queue = queue,
		.desc = queue->desc,
		.table = guest_ram_at(&port->ram, room.table, HOSTILE_TABLE_ENTRIES * 16),
		.table_guest = room.table,
		.area = room.area,
		.end = last->guest + last->size,
		.right = index == DRIVER_RX ? VRING_DESC_F_WRITE : 0,
		.wrong = index == DRIVER_RX ? 0 : VRING_DESC_F_WRITE,
	};
}

/* Waits until everything that was made available was used, and takes the ring as it is then. */
static void adopt(struct virtqueue *queue)
{
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);

	while (__atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE) != queue->avail->idx) {
		if (deadline_now_ns() >= deadline)
			fail_msg("a refused chain is not given back");
		sched_yield();
	}
	queue->avail_idx = queue->kicked_idx = queue->used_idx = queue->avail->idx;
}

void hostile_chain_to_send(struct fixture *fixture, const void *context, unsigned int turn)
{
	const struct hostile_chain *chain = context;
	struct hostile_stage stage = hostile_stage(DRIVER_TX);

	(void)fixture;
	(void)turn;
	chain->lie(&stage);
	hostile_offer(stage.queue, 0);
	adopt(stage.queue);
}

void hostile_chain_to_receive(struct fixture *fixture, const void *context, unsigned int turn)
{
	const struct hostile_chain *chain = context;
	struct frontend *port = hostile_port();
	struct hostile_stage stage = hostile_stage(DRIVER_RX);

	(void)fixture;
	(void)turn;
	assert_int_equal(frontend_reset(port), 0);
	driver_clear(&port->driver);
	assert_int_equal(frontend_resume(port), 0);
	chain->lie(&stage);
	hostile_offer(stage.queue, 0);
	hostile_poke();
	assert_int_equal(stage.queue->used->idx, 0);
}
