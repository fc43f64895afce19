/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/backend/world.h"

#include <arpa/inet.h>

#include "backend/forward.h"
#include "tests/unit/frame.h"

#define ETHERTYPE_AT 12
#define L3_AT ETHERNET_HEADER_LENGTH
#define L4_AT (L3_AT + 20)

/* ---- ports */

static struct world_port *double_of(struct port *port)
{
	return (struct world_port *)port;
}

static void fill(struct packet *p, const struct world_frame *frame, uint8_t *rest)
{
	p->vnet = frame->vnet;
	p->length = frame->length;
	p->head_length =
		p->length < PACKET_HEAD_INITIAL ? (uint16_t)p->length : PACKET_HEAD_INITIAL;
	memcpy(p->head, frame->bytes, p->head_length);
	if (p->length > p->head_length)
		memcpy(rest, frame->bytes + p->head_length, p->length - p->head_length);
}

static uint16_t rx_guest(struct world_port *port, struct packet *packets[], uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		struct packet *p = packets[i];
		uint8_t *rest = port->waiting[i].bytes + PACKET_HEAD_INITIAL;
		fill(p, &port->waiting[i], rest);
		port->segments[i] = (struct iovec){rest, p->length - p->head_length};
		p->segments = &port->segments[i];
		p->segment_count = p->length > p->head_length;
	}
	return count;
}

static uint16_t rx_uplink(struct world_port *port, struct packet *packets[], uint16_t wanted)
{
	uint16_t count = 0;
	while (count < wanted) {
		struct slot *slot = slots_take(port->world->worker->slots);
		if (!slot)
			break;
		struct packet *p = &slot->packet;
		fill(p, &port->waiting[count], slot->buffer);
		slot->segment = (struct iovec){slot->buffer, p->length - p->head_length};
		p->segments = &slot->segment;
		p->segment_count = p->length > p->head_length;
		packets[count] = port->borrowed[count] = p;
		count++;
	}
	return count;
}

/* In bursts of 32 at most, as a TAP does, and as the vhost port may. */
static uint16_t rx_burst(struct port *base, struct packet *packets[], uint16_t max)
{
	struct world_port *port = double_of(base);
	uint16_t waiting = __atomic_load_n(&port->waiting_count, __ATOMIC_ACQUIRE);
	uint16_t count = waiting < WORLD_BURST ? waiting : WORLD_BURST;
	assert_true(max == PORT_BURST && !port->borrowed_count);
	port->borrowed_count = base->index == PORT_UPLINK ? rx_uplink(port, packets, count)
							  : rx_guest(port, packets, count);
	return port->borrowed_count;
}

static void rx_done(struct port *base)
{
	struct world_port *port = double_of(base);
	uint16_t count = port->borrowed_count;
	for (uint16_t i = 0; base->index == PORT_UPLINK && i < count; i++)
		slots_release(port->world->worker->slots, port->borrowed[i]);
	port->borrowed_count = 0;
	port->dones++;
	if (!count)
		return;
	memmove(port->waiting, port->waiting + count,
		(size_t)(port->waiting_count - count) * sizeof(port->waiting[0]));
	__atomic_store_n(
		&port->waiting_count, (uint16_t)(port->waiting_count - count), __ATOMIC_RELEASE);
}

static uint16_t tx_burst(struct port *base, struct packet *const packets[], uint16_t count)
{
	struct world_port *port = double_of(base);
	uint16_t taken = 0;
	uint16_t room = __atomic_load_n(&port->room, __ATOMIC_ACQUIRE);
	for (; taken < count && taken < room; taken++) {
		struct world_frame *frame = &port->sent[port->sent_count];
		assert_true(port->sent_count < WORLD_SENT_MAX);
		frame->vnet = packets[taken]->vnet;
		frame->length = frame_bytes(packets[taken], frame->bytes, sizeof(frame->bytes));
		__atomic_store_n(
			&port->sent_count, (uint16_t)(port->sent_count + 1), __ATOMIC_RELEASE);
	}
	if (room != WORLD_UNLIMITED)
		__atomic_sub_fetch(&port->room, taken, __ATOMIC_RELEASE);
	return taken;
}

static void tx_flush(struct port *base)
{
	double_of(base)->flushes++;
}

static uint64_t tx_settle(struct port *base, uint64_t now_ns, bool all)
{
	struct world_port *port = double_of(base);
	if (!port->settles)
		port->settle_dones = port->world->guests[0].dones;
	__atomic_add_fetch(&port->settles_all, all, __ATOMIC_RELEASE);
	__atomic_add_fetch(&port->settles, 1, __ATOMIC_RELEASE);
	return all ? UINT64_MAX : __atomic_load_n(&port->settle_due_ns, __ATOMIC_ACQUIRE);
}

static bool arm(struct port *base)
{
	struct world_port *port = double_of(base);
	__atomic_add_fetch(&port->arms, 1, __ATOMIC_RELEASE);
	return !__atomic_load_n(&port->readable, __ATOMIC_ACQUIRE);
}

static void disarm(struct port *base)
{
	__atomic_add_fetch(&double_of(base)->disarms, 1, __ATOMIC_RELEASE);
}

static bool arm_room(struct port *base)
{
	struct world_port *port = double_of(base);
	__atomic_add_fetch(&port->room_arms, 1, __ATOMIC_RELEASE);
	return !__atomic_load_n(&port->room, __ATOMIC_ACQUIRE);
}

static const struct port_ops ops = {
	.rx_burst = rx_burst,
	.rx_done = rx_done,
	.tx_burst = tx_burst,
	.tx_flush = tx_flush,
	.tx_settle = tx_settle,
	.arm = arm,
	.disarm = disarm,
	.arm_room = arm_room,
};

/* ---- the world */

static uint64_t number(uint64_t mac)
{
	uint64_t turned = 0;
	for (int i = 0; i < 6; i++)
		turned |= (mac >> (40 - 8 * i) & 0xff) << (8 * i);
	return turned;
}

static void add_port(struct world *world, struct world_port *port, uint16_t index)
{
	port->port =
		(struct port){.ops = &ops, .stats = &world->stats.ports[index], .index = index};
	port->world = world;
	port->room = WORLD_UNLIMITED;
	worker_add_port(world->worker, &port->port);
}

static void add_nat(struct world *world)
{
	const struct nat_config config = {
		.inside_be = htonl(WORLD_LAN),
		.inside_prefix = 24,
		.outside_be = htonl(WORLD_OUTSIDE_IP),
		.gateway_be = htonl(WORLD_GATEWAY_IP),
		.port_low = 1024,
		.port_high = 65535,
		.sessions = 256,
		.counters = &world->stats.nat,
	};
	size_t size = nat_memory_size(&config);
	assert_true(size > 0);
	world->flow_memory = aligned_alloc(4096, size);
	assert_non_null(world->flow_memory);
	memset(world->flow_memory, 0, size);
	assert_int_equal(nat_new(&config, world->flow_memory, size, world->worker->now_ns, NULL,
				 &world->worker->nat),
		0);
}

struct world *world_new(enum world_kind kind, struct quiesce *quiesce)
{
	const struct network network = {
		.lan_be = htonl(WORLD_LAN),
		.mask_be = htonl(0xffffff00),
		.prefix = 24,
		.gateway_be = htonl(WORLD_GATEWAY_IP),
		.outside_be = kind == WORLD_NAT ? htonl(WORLD_OUTSIDE_IP) : 0,
		.gateway_mac = number(WORLD_GATEWAY_MAC),
		.nat_mac = number(WORLD_NAT_MAC),
		.has_uplink = kind != WORLD_NONE,
	};
	struct world *world = aligned_alloc(64, (sizeof(*world) + 63) & ~(size_t)63);
	assert_non_null(world);
	memset(world, 0, sizeof(*world));
	world->quiesce = quiesce;
	assert_int_equal(
		worker_new(&network, quiesce, &world->stats, WORLD_GUESTS, &world->worker), 0);
	world->worker->now_ns = 1000000000;
	for (uint16_t i = 0; i < WORLD_GUESTS; i++)
		add_port(world, &world->guests[i], i);
	if (kind != WORLD_NONE)
		add_port(world, &world->uplink, PORT_UPLINK);
	if (kind == WORLD_NAT)
		add_nat(world);
	return world;
}

void world_free(struct world *world)
{
	worker_free(world->worker);
	free(world->flow_memory);
	free(world);
}

struct world_port *world_port(struct world *world, uint16_t index)
{
	return index == PORT_UPLINK ? &world->uplink : &world->guests[index];
}

void world_in_burst(
	struct world *world, uint16_t index, const struct world_frame *frames, uint16_t count)
{
	struct world_port *port = world_port(world, index);
	struct packet *packets[PORT_BURST];
	memcpy(port->waiting, frames, count * sizeof(frames[0]));
	port->waiting_count = count;
	while (port->waiting_count) {
		for (uint16_t i = 0; i < PORT_BURST; i++)
			packets[i] = &world->worker->packets[i];
		uint16_t got = rx_burst(&port->port, packets, PORT_BURST);
		assert_true(got > 0);
		if (index == PORT_UPLINK)
			forward_from_uplink(world->worker, packets, got);
		else
			forward_from_guest(world->worker, &port->port, packets, got);
		rx_done(&port->port);
	}
}

void world_in(struct world *world, uint16_t index, const struct world_frame *frame)
{
	world_in_burst(world, index, frame, 1);
}

void world_expect(
	struct world *world, unsigned int g0, unsigned int g1, unsigned int g2, unsigned int uplink)
{
	const unsigned int wanted[] = {g0, g1, g2, uplink};
	for (uint16_t i = 0; i < 4; i++) {
		struct world_port *port = world_port(world, i < 3 ? i : PORT_UPLINK);
		if (port->sent_count != wanted[i])
			fail_msg("port %u was sent %u frames, not %u", i, port->sent_count,
				wanted[i]);
		port->sent_count = 0;
	}
}

const struct world_frame *world_sent(struct world *world, uint16_t index)
{
	assert_true(world_port(world, index)->sent_count > 0);
	return &world_port(world, index)->sent[0];
}

uint64_t world_drops(const struct world *world, uint16_t port, unsigned int reason)
{
	return world->stats.ports[port].drops[reason];
}

void world_introduce(struct world *world)
{
	for (uint16_t i = 0; i < WORLD_GUESTS; i++) {
		const struct world_frame frame = world_arp(WORLD_BROADCAST, WORLD_GUEST_MAC(i), 1,
			WORLD_GUEST_IP(i), WORLD_GUEST_IP(i));
		world_in(world, i, &frame);
	}
	for (uint16_t i = 0; i < WORLD_GUESTS; i++)
		world->guests[i].sent_count = 0;
	world->uplink.sent_count = 0;
}

/* ---- frames */

static void store(struct world_frame *frame, unsigned int at, uint64_t value, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		frame->bytes[at + i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

static uint64_t load(const struct world_frame *frame, unsigned int at, unsigned int size)
{
	uint64_t value = 0;
	for (unsigned int i = 0; i < size; i++)
		value = value << 8 | frame->bytes[at + i];
	return value;
}

struct world_frame world_other(uint64_t to, uint64_t from, uint16_t ethertype)
{
	struct world_frame frame = {.length = 60};
	store(&frame, 0, to, 6);
	store(&frame, 6, from, 6);
	store(&frame, ETHERTYPE_AT, ethertype, 2);
	return frame;
}

static struct world_frame ipv4(uint64_t to, uint64_t from, uint32_t source, uint32_t destination,
	uint8_t protocol, uint16_t length)
{
	struct world_frame frame = world_other(to, from, 0x0800);
	frame.length = (uint32_t)L4_AT + length;
	store(&frame, L3_AT, 0x4500, 2);
	store(&frame, L3_AT + 2, 20u + length, 2);
	frame.bytes[L3_AT + 8] = 64;
	frame.bytes[L3_AT + 9] = protocol;
	store(&frame, L3_AT + 12, source, 4);
	store(&frame, L3_AT + 16, destination, 4);
	store(&frame, L3_AT + 10, 0xffff ^ frame_sum(0, frame.bytes + L3_AT, 20), 2);
	return frame;
}

struct world_frame world_udp(uint64_t to, uint64_t from, uint32_t source, uint32_t destination,
	uint16_t source_port, uint16_t destination_port)
{
	struct world_frame frame = ipv4(to, from, source, destination, 17, 8 + 300);
	store(&frame, L4_AT, source_port, 2);
	store(&frame, L4_AT + 2, destination_port, 2);
	store(&frame, L4_AT + 4, 8 + 300, 2);
	for (unsigned int i = 0; i < 300; i++)
		frame.bytes[L4_AT + 8 + i] = (uint8_t)i;
	return frame;
}

struct world_frame world_echo(uint64_t to, uint64_t from, uint32_t source, uint32_t destination)
{
	struct world_frame frame = ipv4(to, from, source, destination, 1, 8 + 32);
	store(&frame, L4_AT, 0x0800, 2);
	store(&frame, L4_AT + 4, 0x1234, 2);
	store(&frame, L4_AT + 2, 0xffff ^ frame_sum(0, frame.bytes + L4_AT, 40), 2);
	return frame;
}

struct world_frame world_arp(
	uint64_t to, uint64_t from, uint16_t operation, uint32_t sender, uint32_t target)
{
	struct world_frame frame = world_other(to, from, 0x0806);
	frame.length = L3_AT + 28;
	store(&frame, L3_AT, UINT64_C(0x000108000604), 6);
	store(&frame, L3_AT + 6, operation, 2);
	store(&frame, L3_AT + 8, from, 6);
	store(&frame, L3_AT + 14, sender, 4);
	store(&frame, L3_AT + 24, target, 4);
	return frame;
}

struct world_frame world_tagged(const struct world_frame *frame, uint16_t type, uint16_t tag)
{
	struct world_frame tagged = *frame;
	memcpy(tagged.bytes + 16, frame->bytes + 12, frame->length - 12);
	store(&tagged, 12, type, 2);
	store(&tagged, 14, tag, 2);
	tagged.length += 4;
	return tagged;
}

uint64_t world_destination_mac(const struct world_frame *frame)
{
	return load(frame, 0, 6);
}

uint64_t world_source_mac(const struct world_frame *frame)
{
	return load(frame, 6, 6);
}

uint32_t world_source_ip(const struct world_frame *frame)
{
	return (uint32_t)load(frame, L3_AT + 12, 4);
}

uint32_t world_destination_ip(const struct world_frame *frame)
{
	return (uint32_t)load(frame, L3_AT + 16, 4);
}

uint16_t world_load16(const struct world_frame *frame, unsigned int offset)
{
	return (uint16_t)load(frame, offset, 2);
}
