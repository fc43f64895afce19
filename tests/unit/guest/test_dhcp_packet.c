/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/dhcp_packet.h"

#include "backend/parse.h"
#include "tests/unit/frame.h"
#include "tests/unit/guest/dhcp_client.h"

#define NOW 1000
#define IP_AT 14
#define UDP_AT (IP_AT + 20)
#define MESSAGE_AT (UDP_AT + 8)

static const uint8_t mac[] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static const uint8_t gateway_mac[] = {0x02, 0x63, 0x68, 0x6e, 0x65, 0x01};

static struct dhcp_table table;
static struct dhcp_server server;
static struct dhcp_frame reply;

static int setup(void **state)
{
	memset(&table, 0, sizeof(table));
	server = (struct dhcp_server){
		.table = &table,
		.lan = {.lan_be = htonl(0xac100000), .prefix = 24, .gateway_be = htonl(0xac100001)},
		.mtu = 1500,
	};
	dhcp_table_adopt(&table, &server.lan);
	return 0;
}

static void store16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* The sum over pseudo-header, UDP header and payload: 0xffff when the checksum is right. */
static uint32_t udp_sum(const uint8_t *bytes, uint32_t ip_at)
{
	uint32_t length = (uint32_t)bytes[ip_at + 24] << 8 | bytes[ip_at + 25];
	uint32_t sum = frame_sum(17 + length, bytes + ip_at + 12, 8);

	return frame_sum(sum, bytes + ip_at + 20, length);
}

/* A DISCOVER in a broadcast from 0.0.0.0, with its checksums. Returns its length. */
static uint32_t make(uint8_t *bytes)
{
	static const uint8_t type_and_ip[] = {
		0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x11, 0, 0};
	struct client_message message = client_start(DHCP_DISCOVER, mac, 0, 0);

	client_end(&message);
	memset(bytes, 0xff, 6);
	memcpy(bytes + 6, mac, 6);
	memcpy(bytes + 12, type_and_ip, sizeof(type_and_ip));
	store16(bytes + IP_AT + 2, 28 + (uint32_t)message.length);
	memset(bytes + IP_AT + 12, 0, 4);
	memset(bytes + IP_AT + 16, 0xff, 4);
	store16(bytes + IP_AT + 10, 0xffff ^ frame_sum(0, bytes + IP_AT, 20));
	memset(bytes + UDP_AT, 0, 8);
	store16(bytes + UDP_AT, 68);
	store16(bytes + UDP_AT + 2, 67);
	store16(bytes + UDP_AT + 4, 8 + (uint32_t)message.length);
	memcpy(bytes + MESSAGE_AT, message.bytes, message.length);
	store16(bytes + UDP_AT + 6, 0xffff ^ udp_sum(bytes, IP_AT));
	return MESSAGE_AT + (uint32_t)message.length;
}

static enum dhcp_verdict serve(const uint8_t *bytes, uint32_t length, uint8_t vnet_flags)
{
	struct frame *f = frame_new(bytes, length, PACKET_HEAD_INITIAL, 50);

	f->packet.vnet.flags = vnet_flags;
	parse_packet(&f->packet);
	assert_int_equal(dhcp_packet_port(&f->packet), DHCP_PORT_SERVER);
	enum dhcp_verdict verdict =
		dhcp_packet_serve(&server, &f->packet, gateway_mac, NOW, &reply);
	frame_free(f);
	return verdict;
}

/* Checks the answer's headers at `ip_at`; returns its message. */
static const uint8_t *check_reply(uint8_t *bytes, uint32_t ip_at)
{
	uint32_t length = frame_bytes(&reply.packet, bytes, 1500);

	assert_memory_equal(bytes, mac, 6);
	assert_memory_equal(bytes + 6, gateway_mac, 6);
	assert_int_equal(bytes[ip_at] << 8 | bytes[ip_at + 1], 0x4500);
	assert_int_equal(bytes[ip_at + 2] << 8 | bytes[ip_at + 3], length - ip_at);
	assert_int_equal(frame_sum(0, bytes + ip_at, 20), 0xffff);
	assert_memory_equal(bytes + ip_at + 12, "\xac\x10\x00\x01\xff\xff\xff\xff", 8);
	assert_memory_equal(bytes + ip_at + 20, "\x00\x43\x00\x44", 4);
	assert_int_equal(udp_sum(bytes, ip_at), 0xffff);
	assert_int_equal(reply.packet.vnet.flags | reply.packet.vnet.gso_type, 0);
	assert_true(reply.packet.flags & PACKET_L4);
	assert_int_equal(client_type(bytes + ip_at + 28, length - ip_at - 28), DHCP_OFFER);
	return bytes + ip_at + 28;
}

static void test_answer(void **state)
{
	uint8_t bytes[1500], answer[1500];
	uint32_t length = make(bytes);

	assert_int_equal(serve(bytes, length, 0), DHCP_VERDICT_REPLY);
	assert_int_equal(client_yiaddr(check_reply(answer, IP_AT)), 0xac100002);
}

static void test_tag_is_kept(void **state)
{
	uint8_t bytes[1500], answer[1500];
	uint32_t length = make(bytes);

	memmove(bytes + 16, bytes + 12, length - 12);
	store16(bytes + 12, 0x8100);
	store16(bytes + 14, 7);
	assert_int_equal(serve(bytes, length + 4, 0), DHCP_VERDICT_REPLY);
	check_reply(answer, IP_AT + 4);
	assert_memory_equal(answer + 12, "\x81\x00\x00\x07\x08\x00", 6);
}

static void test_checksums(void **state)
{
	uint8_t bytes[1500];
	uint32_t length = make(bytes);

	bytes[MESSAGE_AT + 4] ^= 1; /* the transaction: no matter in itself */
	assert_int_equal(serve(bytes, length, 0), DHCP_VERDICT_MALFORMED);
	/* Left to the device, or left out. */
	length = make(bytes);
	store16(bytes + UDP_AT + 6, 0x1234);
	assert_int_equal(serve(bytes, length, VIRTIO_NET_HDR_F_NEEDS_CSUM), DHCP_VERDICT_REPLY);
	store16(bytes + UDP_AT + 6, 0);
	assert_int_equal(serve(bytes, length, 0), DHCP_VERDICT_REPLY);
	/* Of the IPv4 header. */
	bytes[IP_AT + 10] ^= 1;
	assert_int_equal(serve(bytes, length, 0), DHCP_VERDICT_MALFORMED);
}

static void test_fragment(void **state)
{
	uint8_t bytes[1500];
	uint32_t length = make(bytes);

	bytes[IP_AT + 6] = 0x20; /* more fragments */
	store16(bytes + IP_AT + 10, 0);
	store16(bytes + IP_AT + 10, 0xffff ^ frame_sum(0, bytes + IP_AT, 20));
	assert_int_equal(serve(bytes, length, 0), DHCP_VERDICT_MALFORMED);
}

/* Larger than an Ethernet frame, as only a guest with offloads sends it. */
static void test_large(void **state)
{
	static uint8_t bytes[4000];
	uint32_t length = make(bytes);

	store16(bytes + UDP_AT + 6, 0);
	for (uint32_t payload = 1500; payload <= 1501; payload++) {
		store16(bytes + IP_AT + 2, 28 + payload);
		store16(bytes + UDP_AT + 4, 8 + payload);
		store16(bytes + IP_AT + 10, 0);
		store16(bytes + IP_AT + 10, 0xffff ^ frame_sum(0, bytes + IP_AT, 20));
		assert_int_equal(serve(bytes, MESSAGE_AT + payload, 0),
			payload == 1500 ? DHCP_VERDICT_REPLY : DHCP_VERDICT_MALFORMED);
	}
	assert_true(length < 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_answer, setup),
		cmocka_unit_test_setup(test_tag_is_kept, setup),
		cmocka_unit_test_setup(test_checksums, setup),
		cmocka_unit_test_setup(test_fragment, setup),
		cmocka_unit_test_setup(test_large, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
