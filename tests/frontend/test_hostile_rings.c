/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guests whose rings lie. Guest 0 is the hostile one; guests 1 and 2 are its neighbours and must
 * not notice. Every lie has its counter, costs guest 0 a chain or its ring, and after a reset or a
 * new connection guest 0 is served again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "tests/frontend/fixture.h"

#define QUEUE_SIZE 512
#define AREA_SIZE (256u << 10)
#define TABLE_ENTRIES 1024

/* Where an attack is mounted. */
struct stage {
	struct virtqueue *queue;
	struct vring_desc *desc;  /* the ring's table */
	struct vring_desc *table; /* room for an indirect one of TABLE_ENTRIES */
	uint64_t table_guest;	  /* its guest physical address */
	uint64_t area;		  /* AREA_SIZE bytes of guest memory that are really there */
	uint64_t end;		  /* the first address behind guest memory */
	uint16_t right;		  /* flags of a descriptor as it should be in this queue */
	uint16_t wrong;		  /* and with the wrong direction */
};

/* Writes one descriptor. */
static void put(
	struct vring_desc *desc, uint64_t guest, uint32_t length, uint16_t flags, uint16_t next)
{
	*desc = (struct vring_desc){.addr = guest, .len = length, .flags = flags, .next = next};
}

static void address_outside(const struct stage *s)
{
	put(&s->desc[0], s->end, 100, s->right, 0);
}

static void address_nowhere(const struct stage *s)
{
	put(&s->desc[0], UINT64_C(0xffff00000000), 100, s->right, 0);
}

static void address_at_the_edge(const struct stage *s)
{
	put(&s->desc[0], s->end - 50, 100, s->right, 0);
}

static void address_that_wraps(const struct stage *s)
{
	put(&s->desc[0], UINT64_MAX - 31, 100, s->right, 0);
}

static void length_that_overflows(const struct stage *s)
{
	put(&s->desc[0], s->area, UINT32_MAX, s->right, 0);
}

static void second_address_outside(const struct stage *s)
{
	put(&s->desc[0], s->area, 12, s->right | VRING_DESC_F_NEXT, 1);
	put(&s->desc[1], s->end + 4096, 100, s->right, 0);
}

static void loop_of_one(const struct stage *s)
{
	put(&s->desc[0], s->area, 1, s->right | VRING_DESC_F_NEXT, 0);
}

static void loop_of_two(const struct stage *s)
{
	put(&s->desc[0], s->area, 0, s->right | VRING_DESC_F_NEXT, 1);
	put(&s->desc[1], s->area, 0, s->right | VRING_DESC_F_NEXT, 0);
}

static void chain_through_the_whole_ring(const struct stage *s)
{
	for (uint16_t i = 0; i < QUEUE_SIZE; i++)
		put(&s->desc[i], s->area, 1, s->right | VRING_DESC_F_NEXT, (i + 1) % QUEUE_SIZE);
}

static void more_pieces_than_a_chain_may_have(const struct stage *s)
{
	for (uint16_t i = 0; i < 300; i++)
		put(&s->desc[i], s->area + i, 1, s->right | (i < 299 ? VRING_DESC_F_NEXT : 0),
			i + 1);
}

static void next_beyond_the_ring(const struct stage *s)
{
	put(&s->desc[0], s->area, 12, s->right | VRING_DESC_F_NEXT, QUEUE_SIZE);
}

static void next_far_beyond_the_ring(const struct stage *s)
{
	put(&s->desc[0], s->area, 12, s->right | VRING_DESC_F_NEXT, UINT16_MAX);
}

static void wrong_direction(const struct stage *s)
{
	put(&s->desc[0], s->area, 100, s->wrong, 0);
}

static void wrong_direction_behind(const struct stage *s)
{
	put(&s->desc[0], s->area, 12, s->right | VRING_DESC_F_NEXT, 1);
	put(&s->desc[1], s->area, 100, s->wrong, 0);
}

static void table_without_entries(const struct stage *s)
{
	put(&s->desc[0], s->table_guest, 0, VRING_DESC_F_INDIRECT, 0);
}

static void table_of_half_an_entry(const struct stage *s)
{
	put(&s->table[0], s->area, 100, s->right, 0);
	put(&s->desc[0], s->table_guest, 24, VRING_DESC_F_INDIRECT, 0);
}

static void table_outside(const struct stage *s)
{
	put(&s->desc[0], s->end, 32, VRING_DESC_F_INDIRECT, 0);
}

static void table_cut_off_by_the_end(const struct stage *s)
{
	put(&s->desc[0], s->end - 16, 32, VRING_DESC_F_INDIRECT, 0);
}

static void table_of_four_gigabytes(const struct stage *s)
{
	put(&s->desc[0], s->table_guest, UINT32_MAX & ~15u, VRING_DESC_F_INDIRECT, 0);
}

static void table_with_a_successor(const struct stage *s)
{
	put(&s->table[0], s->area, 100, s->right, 0);
	put(&s->desc[0], s->table_guest, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1);
	put(&s->desc[1], s->area, 100, s->right, 0);
}

static void table_in_a_table(const struct stage *s)
{
	put(&s->table[0], s->table_guest + 16, 16, VRING_DESC_F_INDIRECT, 0);
	put(&s->table[1], s->area, 100, s->right, 0);
	put(&s->desc[0], s->table_guest, 16, VRING_DESC_F_INDIRECT, 0);
}

static void table_that_is_the_ring(const struct stage *s)
{
	put(&s->desc[0], s->queue->desc_guest, QUEUE_SIZE * 16, VRING_DESC_F_INDIRECT, 0);
}

static void table_with_a_loop(const struct stage *s)
{
	put(&s->table[0], s->area, 1, s->right | VRING_DESC_F_NEXT, 1);
	put(&s->table[1], s->area, 1, s->right | VRING_DESC_F_NEXT, 0);
	put(&s->desc[0], s->table_guest, 32, VRING_DESC_F_INDIRECT, 0);
}

static void table_with_next_beyond_it(const struct stage *s)
{
	put(&s->table[0], s->area, 12, s->right | VRING_DESC_F_NEXT, 2);
	put(&s->table[2], s->area, 100, s->right, 0);
	put(&s->desc[0], s->table_guest, 32, VRING_DESC_F_INDIRECT, 0);
}

static void table_with_an_address_outside(const struct stage *s)
{
	put(&s->table[0], s->end, 100, s->right, 0);
	put(&s->desc[0], s->table_guest, 16, VRING_DESC_F_INDIRECT, 0);
}

static void table_with_the_wrong_direction(const struct stage *s)
{
	put(&s->table[0], s->area, 100, s->wrong, 0);
	put(&s->desc[0], s->table_guest, 16, VRING_DESC_F_INDIRECT, 0);
}

static void table_longer_than_a_chain_may_be(const struct stage *s)
{
	for (uint16_t i = 0; i < TABLE_ENTRIES; i++)
		put(&s->table[i], s->area + i, 1,
			s->right | (i + 1 < TABLE_ENTRIES ? VRING_DESC_F_NEXT : 0), i + 1);
	put(&s->desc[0], s->table_guest, TABLE_ENTRIES * 16, VRING_DESC_F_INDIRECT, 0);
}

static void no_bytes(const struct stage *s)
{
	put(&s->desc[0], s->area, 0, s->right, 0);
}

static void header_cut_short(const struct stage *s)
{
	put(&s->desc[0], s->area, 11, s->right, 0);
}

static void header_without_a_frame(const struct stage *s)
{
	put(&s->desc[0], s->area, 12, s->right, 0);
}

static void frame_shorter_than_its_header(const struct stage *s)
{
	put(&s->desc[0], s->area, 12 + 13, s->right, 0);
}

static void frame_longer_than_any(const struct stage *s)
{
	put(&s->desc[0], s->area, 12 + 65535 + 19, s->right, 0);
}

static void pieces_that_add_up_beyond_32_bits(const struct stage *s)
{
	for (uint16_t i = 0; i < 250; i++)
		put(&s->desc[i], s->area, AREA_SIZE, s->right | (i < 249 ? VRING_DESC_F_NEXT : 0),
			i + 1);
}

struct attack {
	const char *name;
	void (*mount)(const struct stage *stage); /* the chain begins at descriptor 0 */
	const char *counter;			  /* behind "port.0.drop." */
};

/*
 * Chains that are wrong in either queue. A loop is seen as one when it is longer than its table; in
 * a large table it has more pieces than a chain may have before.
 */
static const struct attack chain_attacks[] = {
	{"address outside", address_outside, "ring_address"},
	{"address nowhere", address_nowhere, "ring_address"},
	{"address at the edge", address_at_the_edge, "ring_address"},
	{"address that wraps", address_that_wraps, "ring_address"},
	{"length that overflows", length_that_overflows, "ring_address"},
	{"second address outside", second_address_outside, "ring_address"},
	{"loop of one", loop_of_one, "ring_length"},
	{"loop of two", loop_of_two, "ring_length"},
	{"chain through the whole ring", chain_through_the_whole_ring, "ring_length"},
	{"more pieces than may be", more_pieces_than_a_chain_may_have, "ring_length"},
	{"next beyond the ring", next_beyond_the_ring, "ring_index"},
	{"next far beyond the ring", next_far_beyond_the_ring, "ring_index"},
	{"wrong direction", wrong_direction, "ring_direction"},
	{"wrong direction behind", wrong_direction_behind, "ring_direction"},
	{"table without entries", table_without_entries, "ring_indirect"},
	{"table of half an entry", table_of_half_an_entry, "ring_indirect"},
	{"table outside", table_outside, "ring_indirect"},
	{"table cut off by the end", table_cut_off_by_the_end, "ring_indirect"},
	{"table of 4 GiB", table_of_four_gigabytes, "ring_indirect"},
	{"table with a successor", table_with_a_successor, "ring_indirect"},
	{"table in a table", table_in_a_table, "ring_indirect"},
	{"table that is the ring", table_that_is_the_ring, "ring_indirect"},
	{"table with a loop", table_with_a_loop, "ring_loop"},
	{"table with next beyond it", table_with_next_beyond_it, "ring_index"},
	{"table with an address outside", table_with_an_address_outside, "ring_address"},
	{"table with the wrong direction", table_with_the_wrong_direction, "ring_direction"},
	{"table longer than may be", table_longer_than_a_chain_may_be, "ring_length"},
};

/* Chains that are no frame. */
static const struct attack frame_attacks[] = {
	{"no bytes", no_bytes, "ring_length"},
	{"header cut short", header_cut_short, "ring_length"},
	{"header without a frame", header_without_a_frame, "ring_length"},
	{"frame shorter than its header", frame_shorter_than_its_header, "ring_length"},
	{"frame longer than any", frame_longer_than_any, "ring_length"},
	{"pieces beyond 32 bits", pieces_that_add_up_beyond_32_bits, "ring_length"},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static struct frontend_options hostile_options(void)
{
	struct frontend_options options = fixture_options();
	options.queue_size = QUEUE_SIZE;
	options.rx_slots = 64;
	return options;
}

static void plug_neighbours(struct fixture *fixture)
{
	struct frontend_options options = fixture_options();
	fixture_start(fixture, 3, NULL, NULL);
	fixture_plug(fixture, 1, &options);
	fixture_plug(fixture, 2, &options);
}

static struct stage set_stage(struct frontend *port, unsigned int index)
{
	struct virtqueue *queue = &port->driver.queues[index];
	const struct guest_ram_region *region = &port->ram.regions[0];
	uint64_t table = guest_ram_alloc(&port->ram, TABLE_ENTRIES * 16, 4096);
	uint64_t area = guest_ram_alloc(&port->ram, AREA_SIZE, 4096);

	assert_true(table && area);
	return (struct stage){
		.queue = queue,
		.desc = queue->desc,
		.table = guest_ram_at(&port->ram, table, TABLE_ENTRIES * 16),
		.table_guest = table,
		.area = area,
		.end = region->guest + region->size,
		.right = index == DRIVER_RX ? VRING_DESC_F_WRITE : 0,
		.wrong = index == DRIVER_RX ? 0 : VRING_DESC_F_WRITE,
	};
}

/* Makes descriptor `head` available, whatever it is, and kicks. */
static void offer(struct virtqueue *queue, uint16_t head)
{
	uint16_t idx = queue->avail->idx;
	queue->avail->ring[idx & (queue->options.size - 1)] = head;
	__atomic_store_n(&queue->avail->idx, (uint16_t)(idx + 1), __ATOMIC_RELEASE);
	virtqueue_kick(queue);
}

/* The driver takes the ring as it is: everything was used. */
static void adopt(struct virtqueue *queue)
{
	queue->avail_idx = queue->kicked_idx = queue->avail->idx;
	queue->used_idx = queue->used->idx;
	assert_int_equal(queue->used_idx, queue->avail_idx);
}

static void check_counter(struct fixture *fixture, const char *counter, uint64_t before)
{
	char name[64];
	snprintf(name, sizeof(name), "port.0.drop.%s", counter);
	assert_int_equal(fixture_counter(fixture, name), before + 1);
}

/* An honest guest 0 again, by a reset or by a new connection. */
static void heal(struct fixture *fixture, bool reconnect)
{
	struct frontend *port = &fixture->ports[0];
	if (reconnect) {
		frontend_disconnect(port);
		assert_int_equal(frontend_connect(port, fixture->sockets[0]), 0);
	} else {
		assert_int_equal(frontend_reset(port), 0);
	}
	assert_int_equal(frontend_activate(port), 0);
	fixture_introduce(fixture);
	fixture_pass(fixture, 0, 1, 1514);
	fixture_pass(fixture, 1, 0, 1514);
	assert_int_equal(driver_drain(&port->driver, deadline_in(DEADLINE_STEP_MS)), 0);
}

/* How often each reason has been counted so far; an attack adds one. */
struct tally {
	const char *counter;
	uint64_t count;
};

static uint64_t *tally_of(struct tally *tallies, const char *counter)
{
	while (tallies->counter && strcmp(tallies->counter, counter) != 0)
		tallies++;
	tallies->counter = counter;
	return &tallies->count;
}

/* In a transmit queue a wrong chain is given back, and the ring goes on. */
static void refuse_chains(struct fixture *fixture, const struct attack *attacks, size_t count)
{
	struct frontend_options options = hostile_options();
	struct tally tallies[16] = {{NULL, 0}};

	plug_neighbours(fixture);
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	struct frontend *port = &fixture->ports[0];
	struct stage stage = set_stage(port, DRIVER_TX);
	for (size_t i = 0; i < count; i++) {
		print_message("%s\n", attacks[i].name);
		assert_int_equal(driver_drain(&port->driver, deadline_in(DEADLINE_STEP_MS)), 0);
		attacks[i].mount(&stage);
		offer(stage.queue, 0);
		fixture_fence(fixture, 1, 2);
		adopt(stage.queue);
		fixture_check_alive(fixture);
		uint64_t *tally = tally_of(tallies, attacks[i].counter);
		check_counter(fixture, attacks[i].counter, *tally);
		++*tally;
		fixture_pass(fixture, 0, 1, 100);
	}
}

static void wrong_chains_to_send(void **state)
{
	refuse_chains(*state, chain_attacks, LENGTH(chain_attacks));
}

static void chains_that_are_no_frame(void **state)
{
	refuse_chains(*state, frame_attacks, LENGTH(frame_attacks));
}

/* In a receive queue a wrong chain breaks the ring, until the driver resets it. */
static void wrong_chains_to_receive(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = hostile_options();
	struct tally tallies[16] = {{NULL, 0}};
	static struct driver_frame frame;

	plug_neighbours(fixture);
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	struct frontend *port = &fixture->ports[0];
	struct stage stage = set_stage(port, DRIVER_RX);
	for (size_t i = 0; i < LENGTH(chain_attacks); i++) {
		print_message("%s\n", chain_attacks[i].name);
		assert_int_equal(frontend_reset(port), 0);
		driver_clear(&port->driver);
		assert_int_equal(frontend_resume(port), 0);
		chain_attacks[i].mount(&stage);
		offer(stage.queue, 0);
		fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 60);
		fixture_send(fixture, 1, &frame);
		fixture_fence(fixture, 1, 2);
		assert_int_equal(stage.queue->used->idx, 0);
		fixture_check_alive(fixture);
		uint64_t *tally = tally_of(tallies, chain_attacks[i].counter);
		check_counter(fixture, chain_attacks[i].counter, *tally);
		++*tally;
		heal(fixture, i & 1);
	}
}

/* Indices that cannot be break the ring, in either queue. */
static void indices_that_cannot_be(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = hostile_options();
	static struct driver_frame frame;
	static const uint16_t heads[] = {QUEUE_SIZE, QUEUE_SIZE + 1, 32768, UINT16_MAX};
	static const uint16_t jumps[] = {QUEUE_SIZE + 1, 32767, 32768, UINT16_MAX};
	uint64_t count = 0;

	plug_neighbours(fixture);
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	struct frontend *port = &fixture->ports[0];
	for (unsigned int i = 0; i < DRIVER_QUEUES * (LENGTH(heads) + LENGTH(jumps)); i++) {
		struct virtqueue *queue = &port->driver.queues[i % DRIVER_QUEUES];
		unsigned int which = i / DRIVER_QUEUES;
		assert_int_equal(frontend_reset(port), 0);
		driver_clear(&port->driver);
		assert_int_equal(frontend_resume(port), 0);
		if (which < LENGTH(heads)) {
			offer(queue, heads[which]);
		} else {
			queue->avail->idx = jumps[which - LENGTH(heads)];
			virtqueue_kick(queue);
		}
		fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 60);
		fixture_send(fixture, 1, &frame);
		fixture_fence(fixture, 1, 2);
		assert_int_equal(queue->used->idx, 0);
		fixture_check_alive(fixture);
		count++;
		assert_int_equal(fixture_counter(fixture, "port.0.drop.ring_index"), count);
		assert_int_equal(fixture_counter(fixture, "worker.rings_broken"), count);
		heal(fixture, i & 1);
	}
}

/* Buffers that are the ring itself, or each other: the guest's own loss. */
static void buffers_that_overlap_the_ring(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = hostile_options();
	static struct driver_frame frame;

	plug_neighbours(fixture);
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	struct frontend *port = &fixture->ports[0];
	struct virtqueue *rx = &port->driver.queues[DRIVER_RX];
	const uint64_t places[] = {rx->desc_guest, rx->avail_guest, rx->used_guest,
		port->driver.queues[DRIVER_TX].desc_guest,
		port->driver.queues[DRIVER_TX].avail_guest,
		port->driver.queues[DRIVER_TX].used_guest};
	for (unsigned int i = 0; i < LENGTH(places); i++) {
		assert_int_equal(frontend_reset(port), 0);
		driver_clear(&port->driver);
		assert_int_equal(frontend_resume(port), 0);
		for (uint16_t j = 0; j < 16; j++) {
			put(&rx->desc[j], places[i], 2048, VRING_DESC_F_WRITE, 0);
			offer(rx, j);
		}
		for (int j = 0; j < 16; j++) {
			fixture_number(fixture, &frame, 1, fixture_end(0, 0).mac, 1514);
			fixture_send(fixture, 1, &frame);
			virtqueue_kick(&port->driver.queues[DRIVER_TX]);
		}
		fixture_fence(fixture, 1, 2);
		fixture_check_alive(fixture);
		/* The ring may have sent anything meanwhile; then an honest one starts. */
		frontend_disconnect(port);
		assert_int_equal(frontend_connect(port, fixture->sockets[0]), 0);
		while (driver_poll(&fixture->ports[1].driver, &frame) == 0)
			;
		while (driver_poll(&fixture->ports[2].driver, &frame) == 0)
			;
		heal(fixture, true);
	}
}

/* Writes nonsense into a guest's rings and buffers until told to stop. */
struct scribbler {
	struct frontend *port;
	uint32_t seed;
	bool stop;
};

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Nonsense that is nearly right, or nothing of it would be looked at twice. */
static void scribble(struct scribbler *scribbler)
{
	struct frontend *port = scribbler->port;
	uint32_t *seed = &scribbler->seed;
	struct virtqueue *queue = &port->driver.queues[next_random(seed) % DRIVER_QUEUES];
	struct vring_desc *desc = &queue->desc[next_random(seed) % 16];
	uint64_t memory = port->ram.regions[0].size;
	uint16_t *header = guest_ram_at(&port->ram, port->driver.tx_buffers[0], 64);

	switch (next_random(seed) % 8) {
	case 0:
		desc->addr = next_random(seed) % (memory + 8192);
		break;
	case 1:
		desc->len = next_random(seed) % 70000;
		break;
	case 2:
		desc->flags = next_random(seed) & 7;
		break;
	case 3:
		desc->next = next_random(seed) % 17;
		break;
	case 4:
		queue->avail->ring[next_random(seed) % QUEUE_SIZE] = next_random(seed) % 16;
		break;
	case 5:
		header[next_random(seed) % 32] = (uint16_t)next_random(seed);
		break;
	case 6:
		desc->addr = port->driver.tx_buffers[0];
		desc->flags = queue == &port->driver.queues[DRIVER_RX] ? VRING_DESC_F_WRITE : 0;
		break;
	case 7:
		__atomic_store_n(
			&queue->avail->idx, (uint16_t)(queue->used->idx + 8), __ATOMIC_RELEASE);
		virtqueue_kick(queue);
		break;
	}
}

static void *scribble_on(void *data)
{
	struct scribbler *scribbler = data;
	while (!__atomic_load_n(&scribbler->stop, __ATOMIC_RELAXED))
		scribble(scribbler);
	return NULL;
}

/* Exchanges frames while guest 0 may send anything: what comes from it is skipped. */
static void exchange_beside(struct fixture *fixture, unsigned int from, unsigned int to)
{
	static struct driver_frame sent;
	static struct driver_frame got;
	fixture_number(fixture, &sent, from, fixture_end(to, 0).mac, 60);
	fixture_send(fixture, from, &sent);
	do
		fixture_receive(fixture, to, &got);
	while (got.length != sent.length || memcmp(got.bytes, sent.bytes, sent.length) != 0);
}

static void memory_that_changes_all_the_time(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = hostile_options();
	/* Bound, so that guest 0 cannot take its neighbours' addresses by chance. */
	static const char *const suffixes[] = {
		",mac=52:54:00:12:34:56", ",mac=52:54:00:12:34:57", ",mac=52:54:00:12:34:58"};
	struct frontend_options honest = fixture_options();

	fixture_start(fixture, 3, suffixes, NULL);
	fixture_plug(fixture, 1, &honest);
	fixture_plug(fixture, 2, &honest);
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	for (uint32_t round = 1; round <= 100; round++) {
		struct scribbler scribbler = {.port = &fixture->ports[0], .seed = round * 7919};
		pthread_t thread;
		assert_int_equal(frontend_reset(&fixture->ports[0]), 0);
		assert_int_equal(frontend_activate(&fixture->ports[0]), 0);
		assert_int_equal(pthread_create(&thread, NULL, scribble_on, &scribbler), 0);
		for (int i = 0; i < 20; i++) {
			exchange_beside(fixture, 1, 2);
			exchange_beside(fixture, 2, 1);
		}
		__atomic_store_n(&scribbler.stop, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		fixture_check_alive(fixture);
	}
	/* What it has sent is gone through before it is honest again. */
	frontend_disconnect(&fixture->ports[0]);
	assert_int_equal(frontend_connect(&fixture->ports[0], fixture->sockets[0]), 0);
	static struct driver_frame frame;
	for (unsigned int i = 1; i < 3; i++)
		while (driver_poll(&fixture->ports[i].driver, &frame) == 0)
			;
	heal(fixture, true);
}

static void *kick_on(void *data)
{
	struct scribbler *scribbler = data;
	while (!__atomic_load_n(&scribbler->stop, __ATOMIC_RELAXED)) {
		virtqueue_kick(&scribbler->port->driver.queues[DRIVER_TX]);
		virtqueue_kick(&scribbler->port->driver.queues[DRIVER_RX]);
	}
	return NULL;
}

static void guest_that_kicks_in_a_loop(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = hostile_options();
	struct scribbler scribbler = {.port = &fixture->ports[0]};
	pthread_t thread;

	plug_neighbours(fixture);
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	assert_int_equal(pthread_create(&thread, NULL, kick_on, &scribbler), 0);
	fixture_stream(fixture, 1, 2, 5000);
	fixture_stream(fixture, 2, 1, 5000);
	__atomic_store_n(&scribbler.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	fixture_pass(fixture, 0, 1, 60);
	fixture_pass(fixture, 1, 0, 60);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(wrong_chains_to_send),
	FIXTURE_TEST(chains_that_are_no_frame),
	FIXTURE_TEST(wrong_chains_to_receive),
	FIXTURE_TEST(indices_that_cannot_be),
	FIXTURE_TEST(buffers_that_overlap_the_ring),
	FIXTURE_TEST(memory_that_changes_all_the_time),
	FIXTURE_TEST(guest_that_kicks_in_a_loop),
};

FIXTURE_MAIN(tests)
