/* SPDX-License-Identifier: BSD-3-Clause */
/* Large frames and partial checksums, carried through or completed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <string.h>

static struct driver_frame frame;
static struct driver_frame got;
static uint8_t payload[DRIVER_FRAME_MAX];

static void fill_payload(uint32_t seed)
{
	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + (i >> 8) + seed);
}

static struct frames_end end(unsigned int index)
{
	return fixture_end(index, (uint16_t)(5000 + index));
}

/* A TCP frame of guest 0 to guest 1 with `size` bytes of payload. */
static void make_tcp(uint32_t size)
{
	struct frames_end from = end(0);
	struct frames_end to = end(1);
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length =
		frames_tcp(frame.bytes, &from, &to, 0x01020304, FRAMES_TCP_ACK, payload, size);
}

static void make_udp(uint32_t size)
{
	struct frames_end from = end(0);
	struct frames_end to = end(1);
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_udp(frame.bytes, &from, &to, payload, size);
}

static void plug_pair(struct fixture *fixture, const struct frontend_options *receiver)
{
	struct frontend_options sender = fixture_options();
	fixture_start(fixture, 2, fixture_full, NULL);
	fixture_plug(fixture, 0, &sender);
	fixture_plug(fixture, 1, receiver);
	fixture_introduce(fixture);
}

/* Large frames of every awkward size arrive whole, and the header says how to cut them. */
static void carry_tso(struct fixture *fixture, const struct frontend_options *receiver)
{
	static const uint32_t sizes[] = {
		1449, 2896, 2897, 9000, 16384, 32767, 65535 - FRAMES_IPV4 - FRAMES_TCP};

	plug_pair(fixture, receiver);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill_payload(i);
		make_tcp(sizes[i]);
		frames_make_tso4(frame.bytes, frame.length, 1448, &frame.vnet);
		fixture_send(fixture, 0, &frame);
		fixture_receive(fixture, 1, &got);
		assert_int_equal(got.length, frame.length);
		assert_memory_equal(got.bytes, frame.bytes, frame.length);
		assert_true(frames_is_partial(got.bytes, got.length, &got.vnet));
		assert_int_equal(got.vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
		assert_int_equal(got.vnet.gso_size, 1448);
		assert_int_equal(got.vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
		assert_int_equal(got.vnet.hdr_len, frame.vnet.hdr_len);
	}
}

static void tso_into_mergeable_buffers(void **state)
{
	struct frontend_options options = fixture_options();
	carry_tso(*state, &options);
}

static void tso_into_large_buffers(void **state)
{
	struct frontend_options options = fixture_options();
	options.features &= ~FRONTEND_BIT(VIRTIO_NET_F_MRG_RXBUF);
	options.rx_buffer = 0;
	options.rx_slots = 64;
	carry_tso(*state, &options);
}

static void tso_into_many_small_pieces(void **state)
{
	struct frontend_options options = fixture_options();
	options.features &= ~FRONTEND_BIT(VIRTIO_NET_F_MRG_RXBUF);
	options.rx_buffer = 0;
	options.rx_slots = 16;
	options.rx_layout =
		(struct driver_layout){.header_apart = true, .piece = 4096, .indirect = true};
	carry_tso(*state, &options);
}

static void tso_out_of_many_pieces(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 2, NULL, NULL);
	fixture_plug(fixture, 1, &options);
	options.tx_layout = (struct driver_layout){.header_apart = true, .piece = 4096};
	fixture_plug(fixture, 0, &options);
	fixture_introduce(fixture);
	for (uint32_t i = 0; i < 200; i++) {
		fill_payload(i);
		make_tcp(65535 - FRAMES_IPV4 - FRAMES_TCP - i);
		frames_make_tso4(frame.bytes, frame.length, 1448, &frame.vnet);
		fixture_send(fixture, 0, &frame);
		fixture_expect(fixture, 1, &frame);
	}
}

/* A guest that cannot take TSO gets segments with complete checksums. */
static void tso_is_cut_for_a_guest_that_cannot_take_it(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static const uint32_t sizes[] = {1449, 2896, 2897, 20000, 65495};

	options.features = 0;
	options.rx_buffer = DRIVER_HEADER_LENGTH + 1514;
	plug_pair(fixture, &options);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill_payload(i);
		make_tcp(sizes[i]);
		frames_make_tso4(frame.bytes, frame.length, 1448, &frame.vnet);
		fixture_send(fixture, 0, &frame);
		for (uint32_t done = 0; done < sizes[i];) {
			struct frames_view view;
			uint32_t left = sizes[i] - done;
			fixture_receive(fixture, 1, &got);
			assert_int_equal(got.vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
			assert_int_equal(got.vnet.flags, 0);
			assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
			assert_true(view.checksum_ip);
			assert_true(view.checksum_l4);
			assert_int_equal(view.sequence, 0x01020304 + done);
			assert_int_equal(view.payload_length, left < 1448 ? left : 1448);
			assert_memory_equal(view.payload, payload + done, view.payload_length);
			done += view.payload_length;
		}
	}
	fixture_pass(fixture, 0, 1, 1514);
}

static void partial_checksum_stays_partial(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	plug_pair(fixture, &options);
	for (uint32_t size = 0; size <= 1400; size += 7) {
		fill_payload(size);
		if (size & 1)
			make_tcp(size);
		else
			make_udp(size);
		frames_make_partial(frame.bytes, frame.length, &frame.vnet);
		fixture_send(fixture, 0, &frame);
		fixture_receive(fixture, 1, &got);
		assert_int_equal(got.length, frame.length);
		assert_memory_equal(got.bytes, frame.bytes, frame.length);
		assert_true(frames_is_partial(got.bytes, got.length, &got.vnet));
	}
}

static void partial_checksum_is_completed_for_a_guest_without_it(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	options.features = FRONTEND_BIT(VIRTIO_NET_F_MRG_RXBUF);
	options.rx_buffer = 200;
	plug_pair(fixture, &options);
	for (uint32_t size = 0; size <= 1400; size += 7) {
		struct frames_view view;
		fill_payload(size);
		if (size & 1)
			make_tcp(size);
		else
			make_udp(size);
		frames_make_partial(frame.bytes, frame.length, &frame.vnet);
		fixture_send(fixture, 0, &frame);
		fixture_receive(fixture, 1, &got);
		assert_int_equal(got.vnet.flags, 0);
		assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
		assert_true(view.checksum_ip);
		assert_true(view.checksum_l4);
		assert_int_equal(view.payload_length, size);
		assert_memory_equal(view.payload, payload, size);
	}
}

static void complete_checksum_is_left_alone(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	plug_pair(fixture, &options);
	for (uint32_t size = 0; size <= 1400; size += 101) {
		fill_payload(size);
		make_tcp(size);
		/* Right or wrong: it is the guests' affair. */
		frame.bytes[50] ^= (uint8_t)size;
		fixture_send(fixture, 0, &frame);
		fixture_expect(fixture, 1, &frame);
		assert_int_equal(got.vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
	}
}

static void set_start_beyond(struct virtio_net_hdr_v1 *vnet)
{
	vnet->csum_start = 60000;
}

static void set_offset_beyond(struct virtio_net_hdr_v1 *vnet)
{
	vnet->csum_offset = 60000;
}

static void set_field_at_the_end(struct virtio_net_hdr_v1 *vnet)
{
	vnet->csum_start = (uint16_t)(frame.length - 1);
	vnet->csum_offset = 0;
}

static void set_gso_without_checksum(struct virtio_net_hdr_v1 *vnet)
{
	vnet->flags = 0;
}

static void set_gso_size_zero(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_size = 0;
}

static void set_gso_size_one(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_size = 1;
}

static void set_gso_unknown(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_type = 0x77;
}

static void set_gso_udp(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_type = VIRTIO_NET_HDR_GSO_UDP;
}

static void set_gso_other_family(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
}

static void header_that_lies_costs_the_frame(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static void (*const lies[])(struct virtio_net_hdr_v1 * vnet) = {
		set_start_beyond,
		set_offset_beyond,
		set_field_at_the_end,
		set_gso_without_checksum,
		set_gso_size_zero,
		set_gso_size_one,
		set_gso_unknown,
		set_gso_udp,
		set_gso_other_family,
	};
	const unsigned int count = sizeof(lies) / sizeof(lies[0]);

	plug_pair(fixture, &options);
	for (unsigned int i = 0; i < count; i++) {
		fill_payload(i);
		make_tcp(5000);
		frames_make_tso4(frame.bytes, frame.length, 1448, &frame.vnet);
		lies[i](&frame.vnet);
		fixture_send(fixture, 0, &frame);
		fixture_pass(fixture, 0, 1, 60);
	}
	assert_int_equal(fixture_counter(fixture, "port.0.drop.vnet_header"), count);
}

static void header_length_that_lies_is_mended(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	static const uint16_t lies[] = {0, 1, 14, 53, 55, 5000, 65535};

	plug_pair(fixture, &options);
	for (unsigned int i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		make_tcp(5000);
		frames_make_tso4(frame.bytes, frame.length, 1448, &frame.vnet);
		frame.vnet.hdr_len = lies[i];
		fixture_send(fixture, 0, &frame);
		fixture_receive(fixture, 1, &got);
		assert_int_equal(got.length, frame.length);
		assert_int_equal(got.vnet.hdr_len, FRAMES_ETHERNET + FRAMES_IPV4 + FRAMES_TCP);
	}
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(tso_into_mergeable_buffers),
	FIXTURE_TEST(tso_into_large_buffers),
	FIXTURE_TEST(tso_into_many_small_pieces),
	FIXTURE_TEST(tso_out_of_many_pieces),
	FIXTURE_TEST(tso_is_cut_for_a_guest_that_cannot_take_it),
	FIXTURE_TEST(partial_checksum_stays_partial),
	FIXTURE_TEST(partial_checksum_is_completed_for_a_guest_without_it),
	FIXTURE_TEST(complete_checksum_is_left_alone),
	FIXTURE_TEST(header_that_lies_costs_the_frame),
	FIXTURE_TEST(header_length_that_lies_is_mended),
};

FIXTURE_MAIN(tests)
