/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/dhcp.h"

#include "tests/unit/guest/dhcp_client.h"

#define NOW 1000
#define GATEWAY 0xac100001
#define FIRST 0xac100002

static const uint8_t mac[] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static const uint8_t other_mac[] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x57};
static const uint8_t broadcast[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static struct dhcp_table table;
static struct dhcp_server server;
static struct dhcp_output output;

static int setup(void **state)
{
	memset(&table, 0, sizeof(table));
	server = (struct dhcp_server){
		.table = &table,
		.lan = {.lan_be = htonl(0xac100000),
			.prefix = 24,
			.gateway_be = htonl(GATEWAY),
			.outside_be = htonl(0xac1000fe)},
		.dns_be = htonl(GATEWAY),
		.mtu = 1500,
	};
	dhcp_table_adopt(&table, &server.lan);
	return 0;
}

static enum dhcp_verdict serve(uint16_t port, const uint8_t *from, struct client_message message)
{
	client_end(&message);
	return dhcp_serve(&server, port, from, message.bytes, message.length, NOW, &output);
}

static void expect_reply(enum dhcp_verdict verdict, int type, uint32_t yiaddr)
{
	assert_int_equal(verdict, DHCP_VERDICT_REPLY);
	assert_int_equal(client_type(output.message, output.length), type);
	assert_int_equal(client_yiaddr(output.message), yiaddr);
	assert_int_equal(client_find_address(output.message, output.length, 54), GATEWAY);
}

static struct client_message message_with(
	uint8_t type, uint32_t ciaddr, uint32_t requested, uint32_t server_id)
{
	struct client_message message = client_start(type, mac, 0, ciaddr);

	if (requested)
		client_address(&message, 50, requested);
	if (server_id)
		client_address(&message, 54, server_id);
	return message;
}

static enum dhcp_verdict ask(uint32_t ciaddr, uint32_t requested, uint32_t server_id)
{
	return serve(0, mac, message_with(DHCP_REQUEST, ciaddr, requested, server_id));
}

static void lease_first(void)
{
	expect_reply(serve(0, mac, client_start(DHCP_DISCOVER, mac, 0, 0)), DHCP_OFFER, FIRST);
	expect_reply(ask(0, FIRST, GATEWAY), DHCP_ACK, FIRST);
}

static void test_discover_and_request(void **state)
{
	expect_reply(serve(0, mac, client_start(DHCP_DISCOVER, mac, 0, 0)), DHCP_OFFER, FIRST);
	assert_int_equal(output.destination_be, INADDR_BROADCAST);
	assert_memory_equal(output.mac, mac, 6);
	assert_int_equal(dhcp_lease_find(&table, mac)->state, DHCP_STATE_OFFERED);
	expect_reply(ask(0, FIRST, GATEWAY), DHCP_ACK, FIRST);
	assert_int_equal(output.destination_be, INADDR_BROADCAST);
	assert_int_equal(client_find_address(output.message, output.length, 51), DHCP_LEASE_S);
	assert_int_equal(dhcp_lease_find(&table, mac)->state, DHCP_STATE_HELD);
	assert_int_equal(dhcp_lease_find(&table, mac)->end_s, NOW + DHCP_LEASE_S);
}

static void test_broadcast_flag(void **state)
{
	expect_reply(serve(0, mac, client_start(DHCP_DISCOVER, mac, 0x8000, 0)), DHCP_OFFER, FIRST);
	assert_int_equal(output.destination_be, INADDR_BROADCAST);
	assert_memory_equal(output.mac, broadcast, 6);
}

static void test_selecting(void **state)
{
	serve(0, mac, client_start(DHCP_DISCOVER, mac, 0, 0));
	/* Another address than the offered one. */
	expect_reply(ask(0, FIRST + 1, GATEWAY), DHCP_NAK, 0);
	assert_int_equal(output.destination_be, INADDR_BROADCAST);
	assert_memory_equal(output.mac, broadcast, 6);
	/* Another server. */
	assert_int_equal(ask(0, 0x0a000005, 0x0a000001), DHCP_VERDICT_SILENT);
	assert_int_equal(dhcp_lease_find(&table, mac)->state, DHCP_STATE_RELEASED);
	/* Nothing at all. */
	assert_int_equal(ask(0, 0, GATEWAY), DHCP_VERDICT_MALFORMED);
}

static void test_init_reboot(void **state)
{
	/* Not remembered, but free. */
	expect_reply(ask(0, FIRST + 7, 0), DHCP_ACK, FIRST + 7);
	expect_reply(ask(0, FIRST + 7, 0), DHCP_ACK, FIRST + 7);
	expect_reply(ask(0, FIRST + 8, 0), DHCP_NAK, 0);
	/* Of another network. */
	expect_reply(ask(0, 0xc0a80005, 0), DHCP_NAK, 0);
}

static void test_renewing_and_rebinding(void **state)
{
	lease_first();
	expect_reply(ask(FIRST, 0, 0), DHCP_ACK, FIRST);
	assert_int_equal(output.destination_be, htonl(FIRST));
	assert_memory_equal(output.mac, mac, 6);
	expect_reply(ask(FIRST + 1, 0, 0), DHCP_NAK, 0);
	assert_int_equal(output.destination_be, INADDR_BROADCAST);
	/* Somebody else's. */
	struct client_message message = client_start(DHCP_REQUEST, other_mac, 0, FIRST);
	expect_reply(serve(1, other_mac, message), DHCP_NAK, 0);
}

static void test_decline(void **state)
{
	lease_first();
	assert_int_equal(serve(0, mac, message_with(DHCP_DECLINE, 0, FIRST + 1, GATEWAY)),
		DHCP_VERDICT_SILENT);
	expect_reply(ask(0, FIRST, 0), DHCP_ACK, FIRST);
	assert_int_equal(
		serve(0, mac, message_with(DHCP_DECLINE, 0, FIRST, GATEWAY)), DHCP_VERDICT_SILENT);
	expect_reply(serve(0, mac, client_start(DHCP_DISCOVER, mac, 0, 0)), DHCP_OFFER, FIRST + 1);
	/* An address that was set with ip= has no alternative. */
	server.lan.ports[1].ip_be = htonl(FIRST + 9);
	struct client_message message = client_start(DHCP_REQUEST, other_mac, 0, FIRST + 9);
	expect_reply(serve(1, other_mac, message), DHCP_ACK, FIRST + 9);
	message = client_start(DHCP_DECLINE, other_mac, 0, 0);
	client_address(&message, 50, FIRST + 9);
	assert_int_equal(serve(1, other_mac, message), DHCP_VERDICT_SILENT);
	expect_reply(serve(1, other_mac, client_start(DHCP_DISCOVER, other_mac, 0, 0)), DHCP_OFFER,
		FIRST + 9);
}

static void test_release(void **state)
{
	lease_first();
	assert_int_equal(
		serve(0, mac, client_start(DHCP_RELEASE, mac, 0, FIRST + 1)), DHCP_VERDICT_SILENT);
	assert_int_equal(dhcp_lease_find(&table, mac)->state, DHCP_STATE_HELD);
	assert_int_equal(
		serve(0, mac, client_start(DHCP_RELEASE, mac, 0, FIRST)), DHCP_VERDICT_SILENT);
	assert_int_equal(dhcp_lease_find(&table, mac)->state, DHCP_STATE_RELEASED);
	expect_reply(serve(0, mac, client_start(DHCP_DISCOVER, mac, 0, 0)), DHCP_OFFER, FIRST);
}

static void test_inform(void **state)
{
	expect_reply(serve(0, mac, client_start(DHCP_INFORM, mac, 0, FIRST + 3)), DHCP_ACK, 0);
	assert_int_equal(output.destination_be, htonl(FIRST + 3));
	assert_int_equal(client_find_address(output.message, output.length, 51), 0);
	assert_int_equal(client_find_address(output.message, output.length, 3), GATEWAY);
	assert_null(dhcp_lease_find(&table, mac));
}

static void test_a_question_does_not_shorten_a_lease(void **state)
{
	lease_first();
	expect_reply(serve(0, mac, client_start(DHCP_DISCOVER, mac, 0, 0)), DHCP_OFFER, FIRST);
	assert_int_equal(dhcp_lease_find(&table, mac)->state, DHCP_STATE_HELD);
	assert_int_equal(dhcp_lease_find(&table, mac)->end_s, NOW + DHCP_LEASE_S);
}

static void test_names(void **state)
{
	struct client_message message = message_with(DHCP_REQUEST, 0, FIRST, 0);
	const uint8_t *value;

	client_option(&message, 12, "Web", 3);
	client_option(&message, 55, "\x0c", 1);
	expect_reply(serve(0, mac, message), DHCP_ACK, FIRST);
	assert_string_equal(dhcp_lease_find(&table, mac)->name, "web");
	assert_int_equal(client_find(output.message, output.length, 12, &value), 3);
	/* hostname= wins. */
	strcpy(server.lan.ports[0].name, "db");
	expect_reply(serve(0, mac, message), DHCP_ACK, FIRST);
	assert_string_equal(dhcp_lease_find(&table, mac)->name, "db");
	assert_int_equal(client_find(output.message, output.length, 12, &value), 2);
	assert_memory_equal(value, "db", 2);
}

static void test_refused(void **state)
{
	static const uint8_t group[] = {0x53, 0x54, 0, 0x12, 0x34, 0x56};
	struct client_message message = client_start(DHCP_DISCOVER, mac, 0, 0);

	/* In another's name. */
	assert_int_equal(serve(1, other_mac, message), DHCP_VERDICT_REFUSED);
	assert_int_equal(
		serve(0, group, client_start(DHCP_DISCOVER, group, 0, 0)), DHCP_VERDICT_REFUSED);
	/* Through a relay agent. */
	message.bytes[24] = 10;
	assert_int_equal(serve(0, mac, message), DHCP_VERDICT_REFUSED);
	/* Types of a server's, and none. */
	static const uint8_t types[] = {0, DHCP_OFFER, DHCP_ACK, DHCP_NAK, 9, 255};
	for (size_t i = 0; i < sizeof(types); i++)
		assert_int_equal(
			serve(0, mac, client_start(types[i], mac, 0, 0)), DHCP_VERDICT_MALFORMED);
	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++)
		assert_int_equal(table.leases[i].state, DHCP_STATE_FREE);
}

static void test_no_address(void **state)
{
	server.lan.prefix = 30; /* the gateway and one guest */
	expect_reply(serve(1, mac, client_start(DHCP_DISCOVER, mac, 0, 0)), DHCP_OFFER, FIRST);
	assert_int_equal(serve(0, other_mac, client_start(DHCP_DISCOVER, other_mac, 0, 0)),
		DHCP_VERDICT_NO_ADDRESS);
	expect_reply(
		serve(0, other_mac, client_start(DHCP_REQUEST, other_mac, 0, FIRST)), DHCP_NAK, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_discover_and_request, setup),
		cmocka_unit_test_setup(test_broadcast_flag, setup),
		cmocka_unit_test_setup(test_selecting, setup),
		cmocka_unit_test_setup(test_init_reboot, setup),
		cmocka_unit_test_setup(test_renewing_and_rebinding, setup),
		cmocka_unit_test_setup(test_decline, setup),
		cmocka_unit_test_setup(test_release, setup),
		cmocka_unit_test_setup(test_inform, setup),
		cmocka_unit_test_setup(test_a_question_does_not_shorten_a_lease, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_no_address, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
