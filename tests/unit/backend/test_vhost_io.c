/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port as its worker sees it, over rings in memory of our own and without librte_vhost: what
 * drivers get that negotiated little or much, and what happens when the control side withdraws a
 * ring in the middle of a breath.
 */
#include "tests/unit/backend/offload_frames.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "backend/slots.h"
#include "backend/vhost_port.h"

#define MEMORY_SIZE (1u << 20)
#define GUEST_BASE 0x40000000ull
#define SIZE 64
#define BUFFER 2048
#define HEADER 12
#define QUEUE_AT(queue) ((queue)*0x8000u)
#define AVAIL_AT 0x1000
#define USED_AT 0x2000
#define DATA_AT 0x20000
#define BIT(n) (1ULL << (n))
#define GUEST_CSUM BIT(VIRTIO_NET_F_GUEST_CSUM)
#define GUEST_TSO (BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6))
#define GUEST_ECN BIT(VIRTIO_NET_F_GUEST_ECN)

struct queue {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct ring ring;
	int call_fd;
	uint16_t seen; /* used entries looked at */
};

struct fixture {
	uint8_t *memory;
	struct guest_memory regions;
	struct queue queues[VHOST_QUEUES];
	struct port_stats stats;
	struct worker_stats worker_stats;
	struct vhost_port vhost;
	struct packet packets[PORT_BURST];
};

static void start_queue(struct fixture *f, unsigned int index)
{
	struct queue *queue = &f->queues[index];
	uint8_t *base = f->memory + QUEUE_AT(index);
	queue->desc = (void *)base;
	queue->avail = (void *)(base + AVAIL_AT);
	queue->used = (void *)(base + USED_AT);
	queue->call_fd = eventfd(0, EFD_NONBLOCK);
	const struct ring_config config = {
		.desc = queue->desc,
		.avail = queue->avail,
		.used = queue->used,
		.memory = &f->regions,
		.size = SIZE,
		.version_1 = true,
		.call_fd = queue->call_fd,
		.kick_fd = -1,
		.stats = &f->stats,
		.worker_stats = &f->worker_stats,
	};
	assert_int_equal(ring_init(&queue->ring, &config), 0);
}

static int setup(void **state)
{
	struct fixture *f = aligned_alloc(64, (sizeof(*f) + 63) & ~(size_t)63);
	assert_non_null(f);
	memset(f, 0, sizeof(*f));
	assert_int_equal(posix_memalign((void **)&f->memory, 4096, MEMORY_SIZE), 0);
	memset(f->memory, 0, MEMORY_SIZE);
	f->regions = (struct guest_memory){
		.count = 1, .regions = {{GUEST_BASE, MEMORY_SIZE, f->memory}}};
	start_queue(f, VHOST_QUEUE_RECEIVE);
	start_queue(f, VHOST_QUEUE_TRANSMIT);
	f->vhost.port = (struct port){.ops = &vhost_port_ops, .stats = &f->stats};
	f->vhost.tx = &f->queues[VHOST_QUEUE_RECEIVE].ring;
	f->vhost.rx = &f->queues[VHOST_QUEUE_TRANSMIT].ring;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < VHOST_QUEUES; i++)
		close(f->queues[i].call_fd);
	free(f->memory);
	free(f);
	return 0;
}

/* ---- the driver's side */

static void post(struct queue *queue, uint16_t head, uint32_t length, uint16_t flags)
{
	queue->desc[head] = (struct vring_desc){
		GUEST_BASE + DATA_AT + (uint64_t)head * BUFFER, length, flags, 0};
	queue->avail->ring[queue->avail->idx % SIZE] = head;
	queue->avail->idx++;
}

static void post_receive(struct fixture *f, uint16_t count)
{
	struct queue *queue = &f->queues[VHOST_QUEUE_RECEIVE];
	for (uint16_t i = 0; i < count; i++)
		post(queue, queue->avail->idx % SIZE, BUFFER, VRING_DESC_F_WRITE);
}

/* The next frame in the receive queue: its virtio header and bytes. Returns its length, 0: none. */
static uint32_t received(struct fixture *f, struct virtio_net_hdr_v1 *vnet, uint8_t *bytes)
{
	struct queue *queue = &f->queues[VHOST_QUEUE_RECEIVE];
	if (queue->seen == queue->used->idx)
		return 0;
	const struct vring_used_elem *used = &queue->used->ring[queue->seen++ % SIZE];
	const uint8_t *buffer = f->memory + DATA_AT + used->id * BUFFER;
	memcpy(vnet, buffer, HEADER);
	assert_in_range(used->len, HEADER + 14, BUFFER);
	memcpy(bytes, buffer + HEADER, used->len - HEADER);
	return used->len - HEADER;
}

static uint64_t interrupts(struct queue *queue)
{
	uint64_t count = 0;
	return read(queue->call_fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* ---- frames */

static struct packet *plain(struct fixture *f, int at, uint32_t length)
{
	struct packet *p = &f->packets[at];
	memset(p, 0, sizeof(*p));
	p->length = length;
	p->head_length = (uint16_t)length;
	memset(p->head, at + 1, length);
	return p;
}

static struct frame *offload(unsigned int which, uint8_t *whole, uint32_t *ret_length)
{
	static uint8_t partial[512];
	const struct offload_frame *o = &offload_frames[which];
	uint32_t length = offload_frame_load(o, whole, partial, sizeof(partial));
	struct frame *frame = frame_new(partial, length, PACKET_HEAD_INITIAL, 7);
	frame->packet.vnet = offload_frame_vnet(o);
	parse_packet(&frame->packet);
	*ret_length = length;
	return frame;
}

/* TCP over IPv4 with 61 bytes of payload, to be cut into pieces of `size`. */
static struct frame *large(uint16_t size, bool ecn)
{
	uint8_t whole[512];
	uint32_t length;
	struct frame *frame = offload(OFFLOAD_TCP4, whole, &length);
	frame->packet.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | (ecn ? VIRTIO_NET_HDR_GSO_ECN : 0);
	frame->packet.vnet.gso_size = size;
	assert_int_equal(parse_vnet(&frame->packet), 0);
	return frame;
}

#define LARGE_PAYLOAD 61

static uint16_t tx(struct fixture *f, struct packet *const packets[], uint16_t count)
{
	uint16_t sent = vhost_port_ops.tx_burst(&f->vhost.port, packets, count);
	vhost_port_ops.tx_flush(&f->vhost.port);
	return sent;
}

static uint16_t tx_one(struct fixture *f, struct packet *p)
{
	return tx(f, &p, 1);
}

/* ---- what a driver can take */

static void drivers_without_checksums_get_whole_ones(void **state)
{
	struct fixture *f = *state;
	uint8_t whole[512], bytes[BUFFER];
	struct virtio_net_hdr_v1 vnet;
	uint32_t length;
	post_receive(f, SIZE);
	for (unsigned int i = 0; i < OFFLOAD_COUNT; i++) {
		struct frame *frame = offload(i, whole, &length);
		/* What is elsewhere than the first header was completed on the way in. */
		assert_int_equal(parse_vnet(&frame->packet), 0);
		assert_int_equal(tx_one(f, &frame->packet), 1);
		assert_int_equal(received(f, &vnet, bytes), length);
		assert_memory_equal(bytes, whole, length);
		assert_int_equal(vnet.flags, 0);
		assert_int_equal(vnet.csum_start, 0);
		assert_int_equal(vnet.num_buffers, 1);
		frame_free(frame);
	}
}

static void drivers_with_checksums_get_partial_ones(void **state)
{
	struct fixture *f = *state;
	uint8_t whole[512], bytes[BUFFER];
	struct virtio_net_hdr_v1 vnet;
	uint32_t length;
	f->vhost.features = GUEST_CSUM;
	post_receive(f, 1);
	struct frame *frame = offload(OFFLOAD_UDP4, whole, &length);
	assert_int_equal(tx_one(f, &frame->packet), 1);
	assert_int_equal(received(f, &vnet, bytes), length);
	assert_memory_not_equal(bytes, whole, length);
	assert_int_equal(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(vnet.csum_start, 34);
	assert_int_equal(vnet.csum_offset, 6);
	frame_free(frame);
}

static void validity_is_for_those_who_asked(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[BUFFER];
	struct virtio_net_hdr_v1 vnet;
	const uint64_t features[] = {0, GUEST_CSUM};
	post_receive(f, 2);
	for (int i = 0; i < 2; i++) {
		struct packet *p = plain(f, 0, 60);
		p->vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
		f->vhost.features = features[i];
		assert_int_equal(tx_one(f, p), 1);
		assert_int_equal(received(f, &vnet, bytes), 60);
		assert_int_equal(vnet.flags, i ? VIRTIO_NET_HDR_F_DATA_VALID : 0);
	}
}

struct tso_case {
	uint64_t features;
	bool ecn;
	bool whole;
};

static const struct tso_case tso_cases[] = {
	{0, false, false}, {GUEST_CSUM, false, false}, {GUEST_CSUM | GUEST_TSO, false, true},
	{GUEST_CSUM | GUEST_TSO, true, false}, {GUEST_CSUM | GUEST_TSO | GUEST_ECN, true, true},
	{GUEST_CSUM | GUEST_ECN | BIT(VIRTIO_NET_F_GUEST_TSO6), false, false},
	{GUEST_TSO | GUEST_ECN, false, false}, /* TSO without checksums is none */
};

static void large_frames_are_cut_for_those_who_must(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[BUFFER];
	struct virtio_net_hdr_v1 vnet;
	for (size_t i = 0; i < sizeof(tso_cases) / sizeof(tso_cases[0]); i++) {
		const struct tso_case *c = &tso_cases[i];
		struct frame *frame = large(20, c->ecn);
		uint32_t headers = frame->packet.vnet.hdr_len, payload = 0, pieces = 0, length;
		f->vhost.features = c->features;
		post_receive(f, c->whole ? 1 : 4);
		uint16_t before = f->queues[VHOST_QUEUE_RECEIVE].used->idx;
		assert_int_equal(tx_one(f, &frame->packet), 1);
		while ((length = received(f, &vnet, bytes))) {
			pieces++;
			payload += length - headers;
			assert_int_equal(vnet.gso_type,
				c->whole ? frame->packet.vnet.gso_type : VIRTIO_NET_HDR_GSO_NONE);
			bool partial = vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
			assert_int_equal(partial, !!(c->features & GUEST_CSUM));
		}
		assert_int_equal(pieces, c->whole ? 1 : 4);
		assert_int_equal(payload, LARGE_PAYLOAD);
		assert_int_equal(f->queues[VHOST_QUEUE_RECEIVE].used->idx - before, (int)pieces);
		frame_free(frame);
	}
}

/* A frame that its sender keeps for us waits until all of its pieces find room. */
static void pieces_of_a_frame_that_can_wait(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[BUFFER];
	struct virtio_net_hdr_v1 vnet;
	struct frame *frame = large(20, false);
	frame->packet.slot = 1;
	post_receive(f, 3);
	assert_int_equal(tx_one(f, &frame->packet), 0);
	assert_int_equal(received(f, &vnet, bytes), 0);
	post_receive(f, 1);
	assert_int_equal(tx_one(f, &frame->packet), 1);
	for (int i = 0; i < 4; i++)
		assert_true(received(f, &vnet, bytes) > 0);
	assert_int_equal(f->stats.drops[DROP_PORT_FULL], 0);
	frame_free(frame);
}

/* One that cannot wait is better cut short than not sent: TCP sends the rest again. */
static void pieces_of_a_frame_that_cannot_wait(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[BUFFER];
	struct virtio_net_hdr_v1 vnet;
	struct frame *frame = large(20, false);
	assert_int_equal(tx_one(f, &frame->packet), 0); /* no room at all */
	post_receive(f, 3);
	assert_int_equal(tx_one(f, &frame->packet), 1);
	for (int i = 0; i < 3; i++)
		assert_true(received(f, &vnet, bytes) > 0);
	assert_int_equal(received(f, &vnet, bytes), 0);
	assert_int_equal(f->stats.drops[DROP_PORT_FULL], 1);
	frame_free(frame);
}

/* A ring that could never hold all pieces gets what it can hold. */
static void more_pieces_than_the_ring_has_entries(void **state)
{
	struct fixture *f = *state;
	struct frame *frame = large(8, false);
	frame->packet.slot = 1;
	f->queues[VHOST_QUEUE_RECEIVE].ring.size = 4;
	f->queues[VHOST_QUEUE_RECEIVE].ring.mask = 3;
	post_receive(f, 4);
	assert_int_equal(tx_one(f, &frame->packet), 1);
	assert_int_equal(f->queues[VHOST_QUEUE_RECEIVE].used->idx, 4);
	assert_int_equal(f->stats.drops[DROP_PORT_FULL], 1);
	frame_free(frame);
}

static void order_is_kept_and_room_is_the_end(void **state)
{
	struct fixture *f = *state;
	uint8_t whole[512], bytes[BUFFER];
	struct virtio_net_hdr_v1 vnet;
	uint32_t length;
	struct frame *frame = offload(OFFLOAD_UDP4, whole, &length);
	struct packet *const packets[] = {
		plain(f, 0, 60), plain(f, 1, 61), &frame->packet, plain(f, 2, 62), plain(f, 3, 63)};
	const uint32_t lengths[] = {60, 61, length, 62, 63};
	for (uint16_t room = 0; room <= 5; room++) {
		post_receive(f, room);
		assert_int_equal(tx(f, packets, 5), room);
		for (uint16_t i = 0; i < room; i++)
			assert_int_equal(received(f, &vnet, bytes), lengths[i]);
		assert_int_equal(received(f, &vnet, bytes), 0);
		assert_int_equal(interrupts(&f->queues[VHOST_QUEUE_RECEIVE]), room > 0);
	}
	frame_free(frame);
}

/* ---- without rings */

static void parked_port(void **state)
{
	struct fixture *f = *state;
	struct packet *const packets[] = {plain(f, 0, 60), plain(f, 1, 60)};
	struct packet *room[PORT_BURST] = {&f->packets[2]};
	f->vhost.rx = NULL;
	f->vhost.tx = NULL;
	assert_int_equal(tx(f, packets, 2), 2);
	assert_int_equal(f->stats.drops[DROP_PORT_DOWN], 2);
	assert_int_equal(vhost_port_ops.rx_burst(&f->vhost.port, room, PORT_BURST), 0);
	vhost_port_ops.rx_done(&f->vhost.port);
	assert_true(vhost_port_ops.arm(&f->vhost.port)); /* resuming wakes the worker */
	vhost_port_ops.disarm(&f->vhost.port);
	assert_false(vhost_port_ops.arm_room(&f->vhost.port));
	vhost_port_break(&f->vhost);
	assert_int_equal(f->worker_stats.rings_broken, 0);
}

/* The grace period lasts until the end of the breath: what was begun is finished. */
static void ring_withdrawn_between_burst_and_flush(void **state)
{
	struct fixture *f = *state;
	struct packet *const packets[] = {plain(f, 0, 60)};
	struct queue *queue = &f->queues[VHOST_QUEUE_RECEIVE];
	post_receive(f, 1);
	assert_int_equal(vhost_port_ops.tx_burst(&f->vhost.port, packets, 1), 1);
	f->vhost.tx = NULL;
	vhost_port_ops.tx_flush(&f->vhost.port);
	assert_int_equal(queue->used->idx, 1);
	assert_int_equal(interrupts(queue), 1);
	/* And it is not touched in the next one. */
	queue->used->idx = 77;
	queue->ring.last_used = 99;
	vhost_port_ops.tx_flush(&f->vhost.port);
	assert_int_equal(queue->used->idx, 77);
}

static void ring_withdrawn_between_burst_and_done(void **state)
{
	struct fixture *f = *state;
	struct queue *queue = &f->queues[VHOST_QUEUE_TRANSMIT];
	struct packet *room[PORT_BURST];
	for (int i = 0; i < PORT_BURST; i++)
		room[i] = &f->packets[i];
	post(queue, 5, HEADER + 60, 0);
	assert_int_equal(vhost_port_ops.rx_burst(&f->vhost.port, room, PORT_BURST), 1);
	f->vhost.rx = NULL;
	vhost_port_ops.rx_done(&f->vhost.port);
	assert_int_equal(queue->used->idx, 1);
	assert_int_equal(queue->used->ring[0].id, 5);
	vhost_port_ops.rx_done(&f->vhost.port);
	assert_int_equal(queue->used->idx, 1);
}

/* ---- notifications and faults */

static void armed_for_frames(void **state)
{
	struct fixture *f = *state;
	struct queue *queue = &f->queues[VHOST_QUEUE_TRANSMIT];
	assert_true(vhost_port_ops.arm(&f->vhost.port));
	assert_int_equal(queue->used->flags, 0);
	vhost_port_ops.disarm(&f->vhost.port);
	assert_int_equal(queue->used->flags, VRING_USED_F_NO_NOTIFY);
	post(queue, 0, HEADER + 60, 0);
	assert_false(vhost_port_ops.arm(&f->vhost.port));
	assert_int_equal(queue->used->flags, VRING_USED_F_NO_NOTIFY);
}

static void armed_for_room(void **state)
{
	struct fixture *f = *state;
	struct queue *queue = &f->queues[VHOST_QUEUE_RECEIVE];
	struct packet *p = plain(f, 0, 60);
	assert_int_equal(tx_one(f, p), 0);
	assert_int_equal(queue->used->flags, VRING_USED_F_NO_NOTIFY);
	assert_true(vhost_port_ops.arm_room(&f->vhost.port));
	assert_int_equal(queue->used->flags, 0);
	post_receive(f, 1);
	assert_false(vhost_port_ops.arm_room(&f->vhost.port));
	assert_int_equal(tx_one(f, p), 1);
	assert_int_equal(queue->used->flags, VRING_USED_F_NO_NOTIFY);
}

static void broken_rings_stand_still(void **state)
{
	struct fixture *f = *state;
	struct packet *room[PORT_BURST] = {&f->packets[1]};
	post_receive(f, 1);
	post(&f->queues[VHOST_QUEUE_TRANSMIT], 0, HEADER + 60, 0);
	vhost_port_break(&f->vhost);
	vhost_port_break(&f->vhost);
	assert_int_equal(f->worker_stats.rings_broken, 2);
	assert_int_equal(tx_one(f, plain(f, 0, 60)), 1);
	assert_int_equal(f->stats.drops[DROP_PORT_DOWN], 1);
	assert_int_equal(vhost_port_ops.rx_burst(&f->vhost.port, room, 1), 0);
	vhost_port_ops.rx_done(&f->vhost.port);
	assert_true(vhost_port_ops.arm(&f->vhost.port)); /* nobody waits for it */
	assert_false(vhost_port_ops.arm_room(&f->vhost.port));
	assert_int_equal(f->queues[0].used->idx + f->queues[1].used->idx, 0);
}

int main(void)
{
#define IO_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		IO_TEST(drivers_without_checksums_get_whole_ones),
		IO_TEST(drivers_with_checksums_get_partial_ones),
		IO_TEST(validity_is_for_those_who_asked),
		IO_TEST(large_frames_are_cut_for_those_who_must),
		IO_TEST(pieces_of_a_frame_that_can_wait),
		IO_TEST(pieces_of_a_frame_that_cannot_wait),
		IO_TEST(more_pieces_than_the_ring_has_entries),
		IO_TEST(order_is_kept_and_room_is_the_end),
		IO_TEST(parked_port),
		IO_TEST(ring_withdrawn_between_burst_and_flush),
		IO_TEST(ring_withdrawn_between_burst_and_done),
		IO_TEST(armed_for_frames),
		IO_TEST(armed_for_room),
		IO_TEST(broken_rings_stand_still),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
