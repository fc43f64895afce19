/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/frame.h"

#include <arpa/inet.h>

#include "backend/drop.h"
#include "tests/unit/backend/world.h"
#include "tests/unit/guest/dhcp_client.h"

#define BROADCAST_IP 0xffffffffu
#define MESSAGE_AT (14 + 20 + 8)

static struct dhcp_table table;

static struct world *make(enum world_kind kind)
{
	struct world *world = world_new(kind, NULL);

	memset(&table, 0, sizeof(table));
	assert_int_equal(worker_serve_dhcp(world->worker, &table, htonl(0x01010101)), 0);
	assert_int_equal(worker_bind_port(world->worker, 0, NULL, htonl(WORLD_GUEST_IP(0))), 0);
	worker_name_port(world->worker, 0, "web");
	world_introduce(world);
	return world;
}

static int setup_nat(void **state)
{
	*state = make(WORLD_NAT);
	return 0;
}

static int setup_none(void **state)
{
	*state = make(WORLD_NONE);
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* A client's message in a frame of guest `n`. */
static struct world_frame make_frame(unsigned int n, uint64_t to, uint32_t source,
	uint32_t destination, struct client_message message)
{
	struct world_frame frame = world_udp(to, WORLD_GUEST_MAC(n), source, destination, 68, 67);

	client_end(&message);
	assert_true(message.length <= 300);
	memset(frame.bytes + MESSAGE_AT, 0, 300);
	memcpy(frame.bytes + MESSAGE_AT, message.bytes, message.length);
	return frame;
}

static struct client_message discover(unsigned int n)
{
	uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, (uint8_t)(0x10 + n)};

	return client_start(DHCP_DISCOVER, mac, 0, 0);
}

static void ask(struct world *world, unsigned int n)
{
	struct world_frame frame = make_frame(n, WORLD_BROADCAST, 0, BROADCAST_IP, discover(n));

	world_in(world, (uint16_t)n, &frame);
}

static uint32_t offered(struct world *world, uint16_t port)
{
	const struct world_frame *reply = world_sent(world, port);
	const uint8_t *message = reply->bytes + MESSAGE_AT;

	assert_int_equal(world_source_mac(reply), WORLD_GATEWAY_MAC);
	assert_int_equal(world_source_ip(reply), WORLD_GATEWAY_IP);
	assert_int_equal(client_type(message, reply->length - MESSAGE_AT), DHCP_OFFER);
	assert_int_equal(client_find_address(message, reply->length - MESSAGE_AT, 6), 0x01010101);
	return client_yiaddr(message);
}

static void answer_goes_to_who_asked(void **state)
{
	struct world *world = *state;

	ask(world, 0);
	assert_int_equal(offered(world, 0), WORLD_GUEST_IP(0));
	world_expect(world, 1, 0, 0, 0);
	/* What others use is not given: their addresses were seen. */
	ask(world, 1);
	uint32_t ip = offered(world, 1);
	assert_true(ip != WORLD_GUEST_IP(0) && ip != WORLD_GUEST_IP(2) && ip != WORLD_GATEWAY_IP &&
		    ip != WORLD_OUTSIDE_IP);
	world_expect(world, 0, 1, 0, 0);
	assert_int_equal(world->stats.worker.dhcp_requests, 2);
	assert_int_equal(world->stats.worker.dhcp_replies, 2);
}

/* Every one of a burst is answered, although there is one frame to answer with. */
static void burst_is_answered(void **state)
{
	struct world *world = *state;
	static struct world_frame frames[8];

	for (unsigned int i = 0; i < 8; i++) {
		frames[i] = make_frame(0, WORLD_BROADCAST, 0, BROADCAST_IP, discover(0));
		frames[i].bytes[MESSAGE_AT + 4] = (uint8_t)i; /* the transaction */
	}
	world_in_burst(world, 0, frames, 8);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(world->guests[0].sent[i].bytes[MESSAGE_AT + 4], i);
	world_expect(world, 8, 0, 0, 0);
}

static void renewal_is_unicast(void **state)
{
	struct world *world = *state;
	uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 0x10};
	struct world_frame frame = make_frame(0, WORLD_GATEWAY_MAC, WORLD_GUEST_IP(0),
		WORLD_GATEWAY_IP, client_start(DHCP_REQUEST, mac, 0, WORLD_GUEST_IP(0)));

	world_in(world, 0, &frame);
	assert_int_equal(world_destination_ip(world_sent(world, 0)), WORLD_GUEST_IP(0));
	assert_int_equal(world_destination_mac(world_sent(world, 0)), WORLD_GUEST_MAC(0));
	world_expect(world, 1, 0, 0, 0);
}

static void address_follows_the_world(void **state)
{
	struct world *world = *state;

	ask(world, 1);
	uint32_t ip = offered(world, 1);
	world_expect(world, 0, 1, 0, 0);
	/* Another guest is seen with the offered address. */
	struct world_frame frame = world_arp(WORLD_BROADCAST, WORLD_GUEST_MAC(2), 1, ip, ip);
	world_in(world, 2, &frame);
	world->guests[0].sent_count = world->guests[1].sent_count = world->uplink.sent_count = 0;
	ask(world, 1);
	assert_true(offered(world, 1) != ip);
}

static void drop(
	struct world *world, unsigned int n, const struct world_frame *frame, unsigned int why)
{
	uint64_t before = world_drops(world, (uint16_t)n, why);

	world_in(world, (uint16_t)n, frame);
	world_expect(world, 0, 0, 0, 0);
	assert_int_equal(world_drops(world, (uint16_t)n, why), before + 1);
}

static void drops_are_counted(void **state)
{
	struct world *world = *state;
	struct world_frame frame = make_frame(0, WORLD_BROADCAST, 0, BROADCAST_IP, discover(0));

	frame.bytes[MESSAGE_AT + 236] ^= 1;
	drop(world, 0, &frame, DROP_DHCP_MALFORMED);
	frame = make_frame(0, WORLD_BROADCAST, 0, BROADCAST_IP, discover(1));
	drop(world, 0, &frame, DROP_DHCP_REFUSED);
	uint8_t prefix = world->worker->dhcp->lan.prefix;
	world->worker->dhcp->lan.prefix = 30; /* without an address for guests */
	world->worker->dhcp->lan.outside_be = htonl(WORLD_LAN + 2);
	frame = make_frame(1, WORLD_BROADCAST, 0, BROADCAST_IP, discover(1));
	drop(world, 1, &frame, DROP_DHCP_NO_ADDRESS);
	world->worker->dhcp->lan.prefix = prefix;
	/* Servers among guests: to a guest, to all, in a frame to all. */
	frame = world_udp(WORLD_GUEST_MAC(0), WORLD_GUEST_MAC(1), WORLD_GUEST_IP(1),
		WORLD_GUEST_IP(0), 67, 68);
	drop(world, 1, &frame, DROP_DHCP_SERVER);
	frame = world_udp(
		WORLD_GUEST_MAC(0), WORLD_GUEST_MAC(1), WORLD_GUEST_IP(1), BROADCAST_IP, 67, 68);
	drop(world, 1, &frame, DROP_DHCP_SERVER);
	frame = world_udp(
		WORLD_BROADCAST, WORLD_GUEST_MAC(1), WORLD_GUEST_IP(1), WORLD_REMOTE_IP, 67, 68);
	drop(world, 1, &frame, DROP_DHCP_SERVER);
}

/* The same ports, but not DHCP of this network. */
static void others_go_their_way(void **state)
{
	struct world *world = *state;
	struct world_frame frame = world_udp(WORLD_GUEST_MAC(1), WORLD_GUEST_MAC(0),
		WORLD_GUEST_IP(0), WORLD_GUEST_IP(1), 68, 67);

	world_in(world, 0, &frame);
	world_expect(world, 0, 1, 0, 0);
	frame = world_udp(
		WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_REMOTE_IP, 68, 67);
	world_in(world, 0, &frame);
	frame = world_udp(
		WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), WORLD_REMOTE_IP, 67, 68);
	world_in(world, 0, &frame);
	world_expect(world, 0, 0, 0, 2);
	assert_int_equal(world->stats.worker.dhcp_requests, 0);
}

/* A port that goes takes its address and name along; its lease is at no port any more. */
static void removed_port(void **state)
{
	struct world *world = *state;
	const struct dhcp_port *port = &world->worker->dhcp->lan.ports[0];
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 0x10};

	assert_string_equal(port->name, "web");
	assert_int_equal(port->ip_be, htonl(WORLD_GUEST_IP(0)));
	ask(world, 0);
	const struct dhcp_lease *lease = dhcp_lease_find(&table, mac);
	assert_non_null(lease);
	assert_int_equal(lease->port, 0);
	worker_remove_port(world->worker, 0);
	assert_string_equal(port->name, "");
	assert_int_equal(port->ip_be, 0);
	assert_ptr_equal(dhcp_lease_find(&table, mac), lease);
	assert_int_equal(lease->port, DHCP_PORT_NONE);
	assert_int_equal(lease->state, DHCP_STATE_RELEASED);
	/* Bound to the MAC elsewhere, it is there at once. */
	assert_int_equal(worker_bind_port(world->worker, 1, NULL, 0), 0);
	assert_int_equal(lease->port, DHCP_PORT_NONE);
	assert_int_equal(worker_bind_port(world->worker, 1, mac, 0), 0);
	assert_int_equal(lease->port, 1);
	worker_empty_port(world->worker, 1);
	assert_int_equal(lease->port, DHCP_PORT_NONE);
}

static void without_an_uplink(void **state)
{
	struct world *world = *state;

	ask(world, 0);
	assert_int_equal(offered(world, 0), WORLD_GUEST_IP(0));
	world_expect(world, 1, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answer_goes_to_who_asked, setup_nat, teardown),
		cmocka_unit_test_setup_teardown(burst_is_answered, setup_nat, teardown),
		cmocka_unit_test_setup_teardown(renewal_is_unicast, setup_nat, teardown),
		cmocka_unit_test_setup_teardown(address_follows_the_world, setup_nat, teardown),
		cmocka_unit_test_setup_teardown(drops_are_counted, setup_nat, teardown),
		cmocka_unit_test_setup_teardown(others_go_their_way, setup_nat, teardown),
		cmocka_unit_test_setup_teardown(removed_port, setup_nat, teardown),
		cmocka_unit_test_setup_teardown(without_an_uplink, setup_none, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
