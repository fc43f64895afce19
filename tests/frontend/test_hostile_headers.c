/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtio-net headers that lie, and headers that another processor of the guest changes between our
 * check and our use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "tests/frontend/hostile_chain.h"

/* Without its upper byte it is below the least that is taken. */
#define MSS 1284
#define PAYLOAD 5000

static struct driver_frame frame;
static struct driver_frame got;

/* A TSO frame to the witness that is as it should be. */
static void make_tso(void)
{
	static uint8_t payload[PAYLOAD];
	struct frames_end from = fixture_end(HOSTILE_GUEST, 1000);
	struct frames_end to = fixture_end(HOSTILE_WITNESS, 2000);

	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length =
		frames_tcp(frame.bytes, &from, &to, 1, FRAMES_TCP_ACK, payload, sizeof(payload));
	frames_make_tso4(frame.bytes, frame.length, MSS, &frame.vnet);
}

typedef void lie(struct virtio_net_hdr_v1 *vnet);

struct header {
	lie *tell;
};

static void start_beyond(struct virtio_net_hdr_v1 *vnet)
{
	vnet->csum_start = 60000;
}

static void start_just_beyond(struct virtio_net_hdr_v1 *vnet)
{
	vnet->csum_start = (uint16_t)frame.length;
}

static void start_in_the_ip_header(struct virtio_net_hdr_v1 *vnet)
{
	vnet->csum_start = FRAMES_ETHERNET + 12;
}

static void start_zero(struct virtio_net_hdr_v1 *vnet)
{
	vnet->csum_start = vnet->csum_offset = 0;
}

static void offset_beyond(struct virtio_net_hdr_v1 *vnet)
{
	vnet->csum_offset = 60000;
}

static void start_and_offset_wrap(struct virtio_net_hdr_v1 *vnet)
{
	vnet->csum_start = vnet->csum_offset = UINT16_MAX;
}

static void field_cut_by_the_end(struct virtio_net_hdr_v1 *vnet)
{
	vnet->csum_start = (uint16_t)(frame.length - 1);
	vnet->csum_offset = 0;
}

static void tso_without_checksum(struct virtio_net_hdr_v1 *vnet)
{
	vnet->flags = 0;
}

static void size_zero(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_size = 0;
}

static void size_one(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_size = 1;
}

static void size_below_the_least(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_size = 7;
}

static void type_unknown(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_type = 0x77;
}

static void type_all_bits(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_type = UINT8_MAX;
}

static void type_ufo(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_type = VIRTIO_NET_HDR_GSO_UDP;
}

static void type_uso(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_type = 5;
}

static void type_ecn_alone(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_type = VIRTIO_NET_HDR_GSO_ECN;
}

static void type_of_the_other_family(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
}

/* The frame is dropped, and the next honest one comes. */
static void header_that_lies(struct fixture *fixture, const void *context, unsigned int turn)
{
	const struct header *header = context;

	(void)turn;
	make_tso();
	header->tell(&frame.vnet);
	fixture_send(fixture, HOSTILE_GUEST, &frame);
	hostile_pass(60);
}

static void all_ones(struct virtio_net_hdr_v1 *vnet)
{
	vnet->hdr_len = UINT16_MAX;
	vnet->num_buffers = UINT16_MAX;
}

static void header_length_zero(struct virtio_net_hdr_v1 *vnet)
{
	vnet->hdr_len = 0;
}

static void header_length_in_the_middle(struct virtio_net_hdr_v1 *vnet)
{
	vnet->hdr_len = 53;
}

static void size_beyond_the_frame(struct virtio_net_hdr_v1 *vnet)
{
	vnet->gso_size = UINT16_MAX;
}

static void flags_of_the_device(struct virtio_net_hdr_v1 *vnet)
{
	vnet->flags |= VIRTIO_NET_HDR_F_DATA_VALID | 0xf8;
}

/* What nobody needs to believe is put right: the receiver sees a header that is true. */
static void header_that_is_mended(struct fixture *fixture, const void *context, unsigned int turn)
{
	const struct header *header = context;

	(void)turn;
	make_tso();
	header->tell(&frame.vnet);
	fixture_send(fixture, HOSTILE_GUEST, &frame);
	fixture_receive(fixture, HOSTILE_WITNESS, &got);
	assert_int_equal(got.length, frame.length);
	assert_int_equal(got.vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	if (got.vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
		assert_int_equal(got.vnet.hdr_len, FRAMES_ETHERNET + FRAMES_IPV4 + FRAMES_TCP);
		assert_int_equal(got.vnet.gso_size, MSS);
	} else {
		assert_int_equal(got.vnet.gso_size, 0);
	}
}

/* Another processor of guest 0, which flips one thing in a transmit buffer all the time. */
struct racer {
	volatile uint8_t *at; /* in guest memory */
	uint8_t values[2];
	bool stop;
};

static void *race(void *data)
{
	struct racer *racer = data;
	for (unsigned int i = 0; !__atomic_load_n(&racer->stop, __ATOMIC_RELAXED); i++)
		*racer->at = racer->values[i & 1];
	return NULL;
}

/* A byte of the buffer (virtio-net header first), and what is true of every frame that arrives. */
struct change {
	uint32_t offset;
	uint8_t values[2];   /* an honest one, and one that makes the frame refused */
	const char *counter; /* of the refused ones */
	void (*check)(void);
};

static void check_mac(void)
{
	struct frames_end own = fixture_end(HOSTILE_GUEST, 0);
	assert_memory_equal(got.bytes + 6, own.mac, 6);
}

static void check_gso(void)
{
	assert_int_equal(got.vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(got.vnet.gso_size, MSS);
	assert_int_equal(got.vnet.hdr_len, FRAMES_ETHERNET + FRAMES_IPV4 + FRAMES_TCP);
}

static void check_checksum(void)
{
	check_gso();
	assert_int_equal(got.vnet.csum_start, FRAMES_ETHERNET + FRAMES_IPV4);
	assert_int_equal(got.vnet.csum_offset, 16);
}

static void check_ip(void)
{
	check_gso();
	assert_int_equal(got.bytes[FRAMES_ETHERNET], 0x45);
}

#define VNET(field) offsetof(struct virtio_net_hdr_v1, field)
#define FRAME(offset) (DRIVER_HEADER_LENGTH + (offset))

/* Every frame is either what it was before the change or what it was behind it, all of it. */
static void header_changed_meanwhile(void **state)
{
	const struct hostile_case *c = *state;
	const struct change *change = c->context;
	struct fixture *fixture = hostile_fixture();
	struct driver *driver = &hostile_port()->driver;
	struct driver *witness = &fixture->ports[HOSTILE_WITNESS].driver;
	struct hostile_watch watch;
	struct racer racer = {.values = {change->values[0], change->values[1]}};
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
	unsigned int arrived = 0;
	pthread_t thread;
	int error;

	hostile_plug();
	make_tso();
	/* All frames lie in the slot that is handed out first. */
	uint64_t slot = driver->tx_buffers[driver->tx_free[driver->tx_free_count - 1]];
	racer.at =
		(volatile uint8_t *)guest_ram_at(&hostile_port()->ram, slot, 4096) + change->offset;
	hostile_begin(&watch, c->name);
	assert_int_equal(pthread_create(&thread, NULL, race, &racer), 0);
	do {
		fixture_send(fixture, HOSTILE_GUEST, &frame);
		assert_int_equal(driver_drain(driver, deadline_in(DEADLINE_STEP_MS)), 0);
		while ((error = driver_poll(witness, &got)) == 0) {
			arrived++;
			change->check();
		}
		assert_int_equal(error, -EAGAIN);
		/* Both must have been seen, or nothing raced: the other thread may be late. */
		assert_true(deadline_now_ns() < deadline);
	} while (hostile_goes_on(&watch, 2000) || !arrived || arrived == watch.turns);
	__atomic_store_n(&racer.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_in_range(arrived, 1, watch.turns - 1);
	hostile_counted(&watch, change->counter, watch.turns - arrived);
	hostile_end(&watch);
}

#define LIE(function)                                                                 \
	HOSTILE_CASE(#function, .act = header_that_lies, .plugged = true, .count = 1, \
		.context = &(const struct header){function}, .counter = "port.0.drop.vnet_header")
#define MENDED(function)                                                       \
	HOSTILE_CASE(#function, .act = header_that_is_mended, .plugged = true, \
		.context = &(const struct header){function})
#define CHANGED(title, ...)                                                       \
	{                                                                         \
		title, header_changed_meanwhile, hostile_setup, hostile_teardown, \
			(void *)(uintptr_t) & (const struct hostile_case)         \
		{                                                                 \
			.name = (title), .context = &(const struct change)        \
			{                                                         \
				__VA_ARGS__                                       \
			}                                                         \
		}                                                                 \
	}

static const struct CMUnitTest tests[] = {
	LIE(start_beyond),
	LIE(start_just_beyond),
	LIE(start_in_the_ip_header),
	LIE(start_zero),
	LIE(offset_beyond),
	LIE(start_and_offset_wrap),
	LIE(field_cut_by_the_end),
	LIE(tso_without_checksum),
	LIE(size_zero),
	LIE(size_one),
	LIE(size_below_the_least),
	LIE(type_unknown),
	LIE(type_all_bits),
	LIE(type_ufo),
	LIE(type_uso),
	LIE(type_ecn_alone),
	LIE(type_of_the_other_family),
	MENDED(all_ones),
	MENDED(header_length_zero),
	MENDED(header_length_in_the_middle),
	MENDED(size_beyond_the_frame),
	MENDED(flags_of_the_device),
	CHANGED("source address changed meanwhile", FRAME(11), {0x56, 0x57},
		"port.0.drop.spoofed_mac", check_mac),
	CHANGED("gso_size changed meanwhile", VNET(gso_size) + 1, {MSS >> 8, 0},
		"port.0.drop.vnet_header", check_gso),
	CHANGED("gso_type changed meanwhile", VNET(gso_type), {VIRTIO_NET_HDR_GSO_TCPV4, 3},
		"port.0.drop.vnet_header", check_gso),
	CHANGED("csum_start changed meanwhile", VNET(csum_start) + 1, {0, 0xea},
		"port.0.drop.vnet_header", check_checksum),
	CHANGED("IP version changed meanwhile", FRAME(FRAMES_ETHERNET), {0x45, 0x65},
		"port.0.drop.vnet_header", check_ip),
};

HOSTILE_MAIN(tests)
