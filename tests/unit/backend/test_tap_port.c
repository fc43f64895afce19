/* SPDX-License-Identifier: BSD-3-Clause */
/* The uplink's port over a socket that keeps frames apart, as a TAP's descriptor does. */
#include "tests/unit/backend/offload_frames.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "backend/stats.h"
#include "backend/tap_port.h"

#define HEADER sizeof(struct virtio_net_hdr_v1)

struct fixture {
	struct tap_port tap;
	struct port_stats stats;
	struct slots *slots;
	struct packet *packets[PORT_BURST];
	int kernel; /* the other end */
	uint64_t now_ns;
	uint8_t frame[HEADER + PACKET_LENGTH_MAX + 1];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fds[2];
	assert_non_null(f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(slots_new(&f->slots), 0);
	const struct tap_port_config config = {
		.fd = fds[0],
		.tso = true,
		.uso = true,
		.now_ns = &f->now_ns,
		.slots = f->slots,
		.stats = &f->stats,
	};
	assert_int_equal(tap_port_init(&f->tap, &config), 0);
	f->kernel = fds[1];
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	close(f->tap.fd);
	close(f->kernel);
	tap_port_fini(&f->tap);
	slots_free(f->slots);
	free(f);
	return 0;
}

/* The kernel sends a frame of `length` bytes that begins with `mark`. */
static void kernel_sends(struct fixture *f, uint32_t length, uint8_t mark)
{
	const struct virtio_net_hdr_v1 vnet = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
	memcpy(f->frame, &vnet, HEADER);
	for (uint32_t i = 0; i < length; i++)
		f->frame[HEADER + i] = (uint8_t)(mark + i);
	assert_int_equal(send(f->kernel, f->frame, HEADER + length, 0), HEADER + length);
}

/* What the kernel gets: its virtio header and bytes; returns their number, 0: nothing. */
static uint32_t kernel_receives(struct fixture *f, struct virtio_net_hdr_v1 *vnet)
{
	ssize_t got = recv(f->kernel, f->frame, sizeof(f->frame), 0);
	if (got < 0)
		return 0;
	assert_true((size_t)got >= HEADER);
	memcpy(vnet, f->frame, HEADER);
	return (uint32_t)((size_t)got - HEADER);
}

static uint16_t rx(struct fixture *f)
{
	return f->tap.port.ops->rx_burst(&f->tap.port, f->packets, PORT_BURST);
}

static void done(struct fixture *f)
{
	f->tap.port.ops->rx_done(&f->tap.port);
}

/* ---- from the kernel */

static void frames_of_every_length(void **state)
{
	struct fixture *f = *state;
	static uint8_t bytes[PACKET_LENGTH_MAX];
	const uint32_t lengths[] = {14, 15, 60, PACKET_HEAD_INITIAL - 1, PACKET_HEAD_INITIAL,
		PACKET_HEAD_INITIAL + 1, 1514, 65535, PACKET_LENGTH_MAX};
	uint64_t sum = 0;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		kernel_sends(f, lengths[i], (uint8_t)i);
		assert_int_equal(rx(f), 1);
		const struct packet *p = f->packets[0];
		assert_int_equal(frame_bytes(p, bytes, sizeof(bytes)), lengths[i]);
		for (uint32_t at = 0; at < lengths[i]; at++)
			assert_int_equal(bytes[at], (uint8_t)(i + at));
		assert_int_equal(p->vnet.flags, VIRTIO_NET_HDR_F_DATA_VALID);
		assert_int_not_equal(p->slot, 0);
		assert_int_equal(f->slots->free_count, SLOTS_COUNT - 1);
		done(f);
		assert_int_equal(f->slots->free_count, SLOTS_COUNT);
		sum += lengths[i];
	}
	assert_int_equal(rx(f), 0);
	done(f);
	assert_int_equal(f->slots->free_count, SLOTS_COUNT);
	assert_int_equal(f->stats.rx_packets, sizeof(lengths) / sizeof(lengths[0]));
	assert_int_equal(f->stats.rx_bytes, sum);
}

static void burst_has_an_end(void **state)
{
	struct fixture *f = *state;
	for (int i = 0; i < TAP_BURST + 3; i++)
		kernel_sends(f, 60, (uint8_t)i);
	assert_int_equal(rx(f), TAP_BURST);
	for (int i = 0; i < TAP_BURST; i++)
		assert_int_equal(f->packets[i]->head[0], i);
	done(f);
	assert_int_equal(rx(f), 3);
	assert_int_equal(f->packets[2]->head[0], TAP_BURST + 2);
	done(f);
	assert_int_equal(f->slots->free_count, SLOTS_COUNT);
}

static void held_slots_are_not_read_into(void **state)
{
	struct fixture *f = *state;
	kernel_sends(f, 60, 1);
	assert_int_equal(rx(f), 1);
	struct packet *held = f->packets[0];
	slots_hold(f->slots, held);
	done(f);
	for (int i = 0; i < TAP_BURST; i++)
		kernel_sends(f, 60, 99);
	assert_int_equal(rx(f), TAP_BURST);
	done(f);
	assert_int_equal(held->head[0], 1);
	slots_release(f->slots, held);
	assert_int_equal(f->slots->free_count, SLOTS_COUNT);
}

static void as_many_as_there_are_slots(void **state)
{
	struct fixture *f = *state;
	while (f->slots->free_count > 2)
		assert_non_null(slots_take(f->slots));
	for (int i = 0; i < 5; i++)
		kernel_sends(f, 60, (uint8_t)i);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rx(f), 2);
		assert_int_equal(f->packets[1]->head[0], 2 * i + 1);
		done(f);
	}
	assert_int_equal(rx(f), 1);
	done(f);
	assert_int_equal(f->slots->free_count, 2);
}

/* The worker takes an empty burst for an empty TAP, and waits for the next edge: a frame that is
 * none must not look like that. */
static void runts_do_not_end_a_burst(void **state)
{
	struct fixture *f = *state;
	kernel_sends(f, 13, 1);
	kernel_sends(f, 0, 1);
	kernel_sends(f, 60, 2);
	kernel_sends(f, 5, 1);
	kernel_sends(f, 61, 3);
	assert_int_equal(rx(f), 2);
	assert_int_equal(f->packets[0]->head[0], 2);
	assert_int_equal(f->packets[1]->head[0], 3);
	done(f);
	assert_int_equal(f->stats.drops[DROP_MALFORMED], 3);
	assert_int_equal(f->slots->free_count, SLOTS_COUNT);
}

/* ---- to the kernel */

static void tx(struct fixture *f, struct packet *const packets[], uint16_t count)
{
	assert_int_equal(f->tap.port.ops->tx_burst(&f->tap.port, packets, count), count);
	f->tap.port.ops->tx_flush(&f->tap.port);
}

/* Returns when the next frame is due. */
static uint64_t settle(struct fixture *f, bool all)
{
	return f->tap.port.ops->tx_settle(&f->tap.port, f->now_ns, all);
}

static void written_whole_with_the_header_in_front(void **state)
{
	struct fixture *f = *state;
	uint8_t whole[512], partial[512];
	struct virtio_net_hdr_v1 vnet;
	for (unsigned int i = 0; i < 2; i++) {
		const struct offload_frame *o = &offload_frames[i];
		uint32_t length = offload_frame_load(o, whole, partial, sizeof(partial));
		struct frame *frame = frame_new(partial, length, 60, 9);
		struct packet *const packets[] = {&frame->packet};
		frame->packet.vnet = offload_frame_vnet(o);
		/* What is the guest's word, or means nothing to the kernel. */
		frame->packet.vnet.flags |= VIRTIO_NET_HDR_F_DATA_VALID;
		frame->packet.vnet.num_buffers = 7;
		tx(f, packets, 1);
		assert_int_equal(kernel_receives(f, &vnet), 0);
		assert_int_equal(settle(f, false), UINT64_MAX);
		assert_int_equal(kernel_receives(f, &vnet), length);
		assert_memory_equal(f->frame + HEADER, partial, length);
		assert_int_equal(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(vnet.num_buffers, 0);
		assert_int_equal(vnet.csum_start, o->csum_start);
		assert_int_equal(frame->packet.vnet.num_buffers, 7);
		frame_free(frame);
	}
	assert_int_equal(f->stats.tx_packets, 2);
}

static void as_many_pieces_as_a_frame_may_have(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[PACKET_HEAD_INITIAL + PACKET_SEGMENTS_MAX];
	struct virtio_net_hdr_v1 vnet;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(3 * i);
	struct frame *frame = frame_new(bytes, sizeof(bytes), PACKET_HEAD_INITIAL, 1);
	struct packet *const packets[] = {&frame->packet};
	assert_int_equal(frame->packet.segment_count, PACKET_SEGMENTS_MAX);
	tx(f, packets, 1);
	settle(f, true);
	assert_int_equal(kernel_receives(f, &vnet), sizeof(bytes));
	assert_memory_equal(f->frame + HEADER, bytes, sizeof(bytes));
	frame_free(frame);
}

static void large_frames(void **state)
{
	struct fixture *f = *state;
	uint8_t whole[512], partial[512];
	const struct offload_frame *o = &offload_frames[OFFLOAD_TCP4];
	struct virtio_net_hdr_v1 vnet;
	uint32_t length = offload_frame_load(o, whole, partial, sizeof(partial));
	for (int gso = 1; gso >= 0; gso--) {
		struct frame *frame = frame_new(partial, length, 128, 7);
		struct packet *const packets[] = {&frame->packet};
		frame->packet.vnet = offload_frame_vnet(o);
		frame->packet.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		frame->packet.vnet.gso_size = 20;
		parse_packet(&frame->packet);
		assert_int_equal(parse_vnet(&frame->packet), 0);
		uint32_t headers = frame->packet.vnet.hdr_len, left = length - headers;
		f->tap.tso = gso;
		tx(f, packets, 1);
		if (gso) {
			assert_int_equal(kernel_receives(f, &vnet), length);
			assert_int_equal(vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
			assert_int_equal(vnet.gso_size, 20);
			assert_int_equal(vnet.hdr_len, headers);
			left = 0;
		}
		while (left) {
			uint32_t payload = left < 20 ? left : 20;
			assert_int_equal(kernel_receives(f, &vnet), headers + payload);
			assert_int_equal(vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
			assert_int_equal(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
			left -= payload;
		}
		assert_int_equal(kernel_receives(f, &vnet), 0);
		frame_free(frame);
	}
	assert_int_equal(f->stats.tx_packets, 1 + 4);
}

/* A parsed TCP frame of `payload` bytes at `sequence`, with a partial checksum. */
static struct frame *tcp_frame(uint8_t sequence, uint32_t payload, uint8_t flags)
{
	uint8_t whole[512], bytes[2048] = {0};
	uint32_t headers = 66;
	offload_frame_load(&offload_frames[OFFLOAD_TCP4], whole, bytes, sizeof(whole));
	bytes[16] = (uint8_t)((headers - 14 + payload) >> 8);
	bytes[17] = (uint8_t)(headers - 14 + payload);
	bytes[20] = 0x40; /* DF */
	bytes[24] = bytes[25] = 0;
	uint32_t sum = frame_sum(0, bytes + 14, 20);
	bytes[24] = (uint8_t)(~sum >> 8);
	bytes[25] = (uint8_t)~sum;
	bytes[41] = sequence;
	bytes[47] = flags;
	memset(bytes + headers, sequence, payload);
	struct frame *frame = frame_new(bytes, headers + payload, 128, 1500);
	frame->packet.vnet = offload_frame_vnet(&offload_frames[OFFLOAD_TCP4]);
	parse_packet(&frame->packet);
	assert_int_equal(parse_vnet(&frame->packet), 0);
	return frame;
}

static void small_frames_of_a_flow_go_as_one(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr_v1 vnet;
	struct frame *frames[3] = {
		tcp_frame(0, 100, 0x10), tcp_frame(100, 100, 0x10), tcp_frame(200, 30, 0x18)};
	struct packet *const packets[] = {
		&frames[0]->packet, &frames[1]->packet, &frames[2]->packet};
	f->now_ns = 1000;
	tx(f, packets, 2);
	assert_int_equal(settle(f, false), 1000 + COALESCE_GAP_NS);
	assert_int_equal(kernel_receives(f, &vnet), 0);
	tx(f, packets + 2, 1);
	assert_int_equal(settle(f, false), UINT64_MAX);
	assert_int_equal(kernel_receives(f, &vnet), 66 + 230);
	assert_int_equal(vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(vnet.gso_size, 100);
	assert_int_equal(f->stats.tx_packets, 3);
	assert_int_equal(f->stats.tx_bytes, 66 + 230);
	for (int i = 0; i < 3; i++)
		frame_free(frames[i]);
}

/* What waits is written before a large frame, which does not wait. */
static void large_frames_overtake_nothing(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr_v1 vnet;
	struct frame *small = tcp_frame(0, 100, 0x10), *large = tcp_frame(100, 200, 0x10);
	struct packet *const packets[] = {&small->packet, &large->packet};
	large->packet.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	large->packet.vnet.gso_size = 100;
	large->packet.vnet.hdr_len = 66;
	tx(f, packets, 2);
	assert_int_equal(kernel_receives(f, &vnet), 166);
	assert_int_equal(kernel_receives(f, &vnet), 266);
	frame_free(small);
	frame_free(large);
}

/* A neighbour's large frame ends nobody's waiting. */
static void large_frames_leave_other_flows_alone(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr_v1 vnet;
	struct frame *small[2] = {tcp_frame(0, 100, 0x10), tcp_frame(100, 100, 0x18)};
	struct frame *large = tcp_frame(0, 200, 0x10);
	struct packet *const packets[] = {&small[0]->packet, &large->packet, &small[1]->packet};
	large->packet.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	large->packet.vnet.gso_size = 100;
	large->packet.vnet.hdr_len = 66;
	large->packet.head[35] ^= 1; /* another port */
	f->now_ns = 1000;
	tx(f, packets, 3);
	assert_int_equal(kernel_receives(f, &vnet), 266);
	assert_int_equal(settle(f, false), UINT64_MAX);
	assert_int_equal(kernel_receives(f, &vnet), 266);
	assert_int_equal(vnet.gso_size, 100);
	assert_int_equal(kernel_receives(f, &vnet), 0);
	for (int i = 0; i < 2; i++)
		frame_free(small[i]);
	frame_free(large);
}

/* More frames that cannot be joined than there is room for: written in order, none lost. */
static void more_than_may_wait(void **state)
{
	struct fixture *f = *state;
	const uint16_t count = COALESCE_ENTRIES + 20;
	struct virtio_net_hdr_v1 vnet;
	for (uint16_t i = 0; i < count; i++) {
		uint8_t bytes[60] = {(uint8_t)i};
		struct frame *frame = frame_new(bytes, 60, 60, 1);
		struct packet *const packets[] = {&frame->packet};
		tx(f, packets, 1);
		frame_free(frame);
	}
	settle(f, true);
	for (uint16_t i = 0; i < count; i++) {
		assert_int_equal(kernel_receives(f, &vnet), 60);
		assert_int_equal(f->frame[HEADER], (uint8_t)i);
	}
	assert_int_equal(kernel_receives(f, &vnet), 0);
}

static void tx_segments(struct fixture *f, uint16_t flows, uint8_t sequence)
{
	for (uint16_t i = 0; i < flows; i++) {
		struct frame *frame = tcp_frame(sequence, 100, 0x10);
		struct packet *const packets[] = {&frame->packet};
		frame->packet.head[35] = (uint8_t)i; /* of the port */
		tx(f, packets, 1);
		frame_free(frame);
	}
}

/* When there is no room, what need not wait makes it. */
static void what_waits_for_its_flow_goes_last(void **state)
{
	struct fixture *f = *state;
	const uint16_t flows = COALESCE_ENTRIES - 10;
	struct virtio_net_hdr_v1 vnet;
	tx_segments(f, flows, 0);
	for (uint16_t i = 0; i < 11; i++) {
		struct frame *frame = frame_new((uint8_t[60]){0}, 60, 60, 1);
		struct packet *const packets[] = {&frame->packet};
		tx(f, packets, 1);
		frame_free(frame);
	}
	for (uint16_t i = 0; i < 10; i++)
		assert_int_equal(kernel_receives(f, &vnet), 60);
	assert_int_equal(kernel_receives(f, &vnet), 0);
	tx_segments(f, flows, 100);
	settle(f, true);
	assert_int_equal(kernel_receives(f, &vnet), 60);
	for (uint16_t i = 0; i < flows; i++) {
		assert_int_equal(kernel_receives(f, &vnet), 266);
		assert_int_equal(f->frame[HEADER + 35], i);
	}
	assert_int_equal(kernel_receives(f, &vnet), 0);
}

/* And when all of it waits, some of it goes: what did so for longest. */
static void not_all_that_waits_goes(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr_v1 vnet;
	tx_segments(f, COALESCE_ENTRIES, 0);
	assert_int_equal(kernel_receives(f, &vnet), 0);
	tx_segments(f, 1, 200); /* does not follow, and needs an entry of its own */
	for (uint16_t i = 0; i < PORT_BURST; i++) {
		assert_int_equal(kernel_receives(f, &vnet), 166);
		assert_int_equal(f->frame[HEADER + 35], i);
	}
	assert_int_equal(kernel_receives(f, &vnet), 0);
}

static void what_the_kernel_refuses_is_counted(void **state)
{
	struct fixture *f = *state;
	const uint8_t bytes[60] = {1};
	struct frame *frame = frame_new(bytes, 60, 60, 1);
	struct packet *const packets[] = {&frame->packet, &frame->packet};
	close(f->kernel);
	f->kernel = -1;
	signal(SIGPIPE, SIG_IGN);
	tx(f, packets, 2);
	settle(f, true);
	assert_int_equal(f->stats.drops[DROP_UPLINK_WRITE], 2);
	assert_int_equal(f->stats.tx_packets, 0);
	assert_int_equal(f->stats.tx_bytes, 0);
	/* Nor is there anything to read, however long we look. */
	assert_int_equal(rx(f), 0);
	done(f);
	assert_int_equal(f->slots->free_count, SLOTS_COUNT);
	frame_free(frame);
}

static void nothing_to_arm(void **state)
{
	struct fixture *f = *state;
	assert_true(f->tap.port.ops->arm(&f->tap.port));
	f->tap.port.ops->disarm(&f->tap.port);
	assert_false(f->tap.port.ops->arm_room(&f->tap.port));
	assert_int_equal(f->tap.port.index, PORT_UPLINK);
}

int main(void)
{
#define TAP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TAP_TEST(frames_of_every_length),
		TAP_TEST(burst_has_an_end),
		TAP_TEST(held_slots_are_not_read_into),
		TAP_TEST(as_many_as_there_are_slots),
		TAP_TEST(runts_do_not_end_a_burst),
		TAP_TEST(written_whole_with_the_header_in_front),
		TAP_TEST(as_many_pieces_as_a_frame_may_have),
		TAP_TEST(large_frames),
		TAP_TEST(small_frames_of_a_flow_go_as_one),
		TAP_TEST(large_frames_overtake_nothing),
		TAP_TEST(large_frames_leave_other_flows_alone),
		TAP_TEST(more_than_may_wait),
		TAP_TEST(what_waits_for_its_flow_goes_last),
		TAP_TEST(not_all_that_waits_goes),
		TAP_TEST(what_the_kernel_refuses_is_counted),
		TAP_TEST(nothing_to_arm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
