/* SPDX-License-Identifier: BSD-3-Clause */
/* What the back end offers, and that it offers the same for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <errno.h>
#include <string.h>

#define OFFER                                                                                  \
	(FRONTEND_BIT(VIRTIO_F_VERSION_1) | FRONTEND_BIT(VIRTIO_NET_F_MRG_RXBUF) |             \
		FRONTEND_BIT(VIRTIO_NET_F_CSUM) | FRONTEND_BIT(VIRTIO_NET_F_GUEST_CSUM) |      \
		FRONTEND_BIT(VIRTIO_NET_F_HOST_TSO4) | FRONTEND_BIT(VIRTIO_NET_F_HOST_TSO6) |  \
		FRONTEND_BIT(VIRTIO_NET_F_HOST_ECN) | FRONTEND_BIT(VIRTIO_NET_F_GUEST_TSO4) |  \
		FRONTEND_BIT(VIRTIO_NET_F_GUEST_TSO6) | FRONTEND_BIT(VIRTIO_NET_F_GUEST_ECN) | \
		FRONTEND_BIT(VIRTIO_RING_F_INDIRECT_DESC) |                                    \
		FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX) | FRONTEND_BIT(FRONTEND_F_LOG_ALL) |     \
		FRONTEND_BIT(FRONTEND_F_PROTOCOL_FEATURES))

/* With profile=redox. */
#define OFFER_PLAIN                                                                        \
	(FRONTEND_BIT(VIRTIO_F_VERSION_1) | FRONTEND_BIT(VIRTIO_RING_F_INDIRECT_DESC) |    \
		FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX) | FRONTEND_BIT(FRONTEND_F_LOG_ALL) | \
		FRONTEND_BIT(FRONTEND_F_PROTOCOL_FEATURES))

/* The protocol features without which Cloud Hypervisor cannot do its work. */
#define OFFER_PROTOCOL                                                                \
	(FRONTEND_BIT(CLIENT_PROTOCOL_MQ) | FRONTEND_BIT(CLIENT_PROTOCOL_LOG_SHMFD) | \
		FRONTEND_BIT(CLIENT_PROTOCOL_REPLY_ACK))

static void offer_is_exact(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 1, NULL, NULL);
	fixture_plug(fixture, 0, &options);
	assert_int_equal(fixture->ports[0].offered, OFFER);
	assert_int_equal(fixture->ports[0].offered_protocol & OFFER_PROTOCOL, OFFER_PROTOCOL);
	assert_true(fixture->ports[0].queue_num >= DRIVER_QUEUES);
}

static void offer_is_the_same_after_reconnect(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	struct frontend *port = &fixture->ports[0];

	fixture_start(fixture, 1, NULL, NULL);
	fixture_plug(fixture, 0, &options);
	uint64_t protocol = port->offered_protocol;
	/* A guest that acks next to nothing must not narrow what the next one is offered. */
	options.features = 0;
	fixture_unplug(fixture, 0);
	fixture_plug(fixture, 0, &options);
	assert_int_equal(port->offered, OFFER);
	assert_int_equal(frontend_reconnect(port, fixture->sockets[0]), 0);
	assert_int_equal(port->offered, OFFER);
	assert_int_equal(port->offered_protocol, protocol);
}

static void offer_is_the_same_after_a_restart_of_the_data_plane(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 2, NULL, NULL);
	fixture_plug(fixture, 0, &options);
	fixture_plug(fixture, 1, &options);
	fixture_introduce(fixture);
	/* A frame that was sent on but not given back would rightly be sent again. */
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(
			driver_drain(&fixture->ports[i].driver, deadline_in(DEADLINE_STEP_MS)), 0);
	fixture_restart_dataplane(fixture, 2);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(fixture->ports[i].offered, OFFER);
	fixture_introduce(fixture);
	fixture_stream(fixture, 0, 1, 1000);
	fixture_stream(fixture, 1, 0, 1000);
}

static void control_queue_is_offered_only_when_asked_for(void **state)
{
	struct fixture *fixture = *state;
	static const char *const suffixes[] = {",ctrl-vq=on", NULL};
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 2, suffixes, NULL);
	fixture_plug(fixture, 0, &options);
	fixture_plug(fixture, 1, &options);
	assert_int_equal(fixture->ports[0].offered, OFFER | FRONTEND_BIT(VIRTIO_NET_F_CTRL_VQ));
	assert_int_equal(fixture->ports[1].offered, OFFER);
	fixture_introduce(fixture);
}

/* What it is not offered it is not sent either, nor may it be: both ways to a neighbour with all.
 */
static void redox_is_offered_no_offloads(void **state)
{
	struct fixture *fixture = *state;
	static const char *const suffixes[] = {",profile=redox", ",profile=full"};
	struct frontend_options options = fixture_options(), plain = options;

	fixture_start(fixture, 2, suffixes, NULL);
	plain.features &= OFFER_PLAIN;
	fixture_plug(fixture, 0, &plain);
	fixture_plug(fixture, 1, &options);
	assert_int_equal(fixture->ports[0].offered, OFFER_PLAIN);
	assert_int_equal(fixture->ports[1].offered, OFFER);
	fixture->udp = true;
	fixture_introduce(fixture);
	fixture_stream(fixture, 0, 1, 1000);
	for (uint32_t length = 60; length <= 1500; length++)
		fixture_pass(fixture, 1, 0, length);
}

static void front_end_without_reply_ack_works(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 2, NULL, NULL);
	options.no_reply_ack = true;
	fixture_plug(fixture, 0, &options);
	options.no_reply_ack = false;
	fixture_plug(fixture, 1, &options);
	/* Nothing says when the messages have been worked off, but GET_FEATURES is behind them. */
	uint64_t features;
	assert_int_equal(
		client_get_u64(&fixture->ports[0].client, CLIENT_GET_FEATURES, &features), 0);
	fixture_introduce(fixture);
	fixture_stream(fixture, 0, 1, 100);
}

static void feature_that_was_not_offered_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	struct frontend *port = &fixture->ports[0];

	fixture_start(fixture, 1, NULL, NULL);
	fixture->plugged[0] = true;
	assert_int_equal(frontend_init(port, &options), 0);
	assert_int_equal(frontend_connect(port, fixture->sockets[0]), 0);
	int error = client_set_u64(
		&port->client, CLIENT_SET_FEATURES, OFFER | FRONTEND_BIT(VIRTIO_F_RING_PACKED));
	assert_true(error == -EREMOTEIO || error == -ECONNRESET);
	/* The next guest is not the worse for it. */
	fixture_unplug(fixture, 0);
	fixture_plug(fixture, 0, &options);
}

static void firmware_comes_before_the_kernel(void **state)
{
	struct fixture *fixture = *state;
	struct frontend_options options = fixture_options();
	struct frontend *port = &fixture->ports[0];

	fixture_start(fixture, 2, NULL, NULL);
	fixture_plug(fixture, 1, &options);
	fixture_plug(fixture, 0, &options);
	/* Activate, reset, activate; each time the guest's rings begin anew. */
	for (int i = 0; i < 5; i++) {
		fixture_introduce(fixture);
		fixture_stream(fixture, 0, 1, 50);
		fixture_stream(fixture, 1, 0, 50);
		assert_int_equal(driver_drain(&port->driver, deadline_in(DEADLINE_STEP_MS)), 0);
		assert_int_equal(frontend_reset(port), 0);
		for (int queue = 0; queue < DRIVER_QUEUES; queue++)
			assert_int_equal(
				port->saved_base[queue], port->driver.queues[queue].used->idx);
		assert_int_equal(frontend_activate(port), 0);
	}
	fixture_introduce(fixture);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(offer_is_exact),
	FIXTURE_TEST(offer_is_the_same_after_reconnect),
	FIXTURE_TEST(offer_is_the_same_after_a_restart_of_the_data_plane),
	FIXTURE_TEST(control_queue_is_offered_only_when_asked_for),
	FIXTURE_TEST(redox_is_offered_no_offloads),
	FIXTURE_TEST(front_end_without_reply_ack_works),
	FIXTURE_TEST(feature_that_was_not_offered_is_refused),
	FIXTURE_TEST(firmware_comes_before_the_kernel),
};

FIXTURE_MAIN(tests)
