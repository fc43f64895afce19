/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "tests/unit/guest/dhcp_client.h"

static const uint8_t mac[] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

/* Read from a block of exactly its size, so that ASAN sees every step beyond it. */
static int read_message(const struct client_message *message, struct dhcp_request *request)
{
	uint8_t *bytes = test_malloc(message->length + !message->length);

	memcpy(bytes, message->bytes, message->length);
	int error = dhcp_message_read(bytes, message->length, request);
	test_free(bytes);
	return error;
}

/* RedoxOS' DISCOVER: options 53, 1, 1 and 255. */
static void test_shortest(void **state)
{
	struct client_message message = client_start(DHCP_DISCOVER, mac, 0x8000, 0);
	struct dhcp_request request;

	client_end(&message);
	assert_int_equal(read_message(&message, &request), 0);
	assert_int_equal(request.type, DHCP_DISCOVER);
	assert_true(request.broadcast);
	assert_memory_equal(request.mac, mac, 6);
	assert_int_equal(request.xid_be, htonl(0x12345678));
	assert_int_equal(request.ciaddr_be | request.requested_be | request.server_be, 0);
	assert_int_equal(request.client_id_length, 0);
	assert_string_equal(request.name, "");
}

static void test_all_options(void **state)
{
	struct client_message message = client_start(DHCP_REQUEST, mac, 0, 0xac100007);
	struct dhcp_request request;

	message.bytes[message.length++] = 0; /* padding */
	client_address(&message, 50, 0xac100005);
	client_address(&message, 54, 0xac100001);
	client_option(&message, 55, "\x01\x1a\xfe", 3);
	client_option(&message, 61, "\x01RTx", 4);
	client_option(&message, 12, "My-Guest.example.org", 20);
	client_option(&message, 200, "", 0);
	client_end(&message);
	/* What follows the end is not read. */
	client_address(&message, 50, 1);
	assert_int_equal(read_message(&message, &request), 0);
	assert_false(request.broadcast);
	assert_int_equal(request.ciaddr_be, htonl(0xac100007));
	assert_int_equal(request.requested_be, htonl(0xac100005));
	assert_int_equal(request.server_be, htonl(0xac100001));
	assert_true(request.wanted[0] == (1u << 1 | 1u << 26));
	assert_true(request.wanted[3] == UINT64_C(1) << (0xfe - 192));
	assert_int_equal(request.client_id_length, 4);
	assert_memory_equal(request.client_id, "\x01RTx", 4);
	assert_string_equal(request.name, "my-guest");
}

static void test_first_one_counts(void **state)
{
	struct client_message message = client_start(DHCP_DISCOVER, mac, 0, 0);
	struct dhcp_request request;

	client_address(&message, 50, 0xac100005);
	client_address(&message, 50, 0xac100006);
	client_option(&message, 53, "\x03", 1);
	assert_int_equal(read_message(&message, &request), 0);
	assert_int_equal(request.requested_be, htonl(0xac100005));
	assert_int_equal(request.type, DHCP_DISCOVER);
}

static void test_names(void **state)
{
	static const struct {
		const char *text;
		uint8_t length;
		const char *name;
	} cases[] = {
		{"web", 4, "web"}, /* its terminating zero counted in */
		{"WEB1", 4, "web1"},
		{"a", 1, "a"},
		{"web.", 4, "web"},
		{".web", 4, ""},
		{"-web", 4, ""},
		{"web-", 4, ""},
		{"we_b", 4, ""},
		{"w\xc3\xa4", 3, ""},
		{"w b", 3, ""},
		{"", 0, ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct client_message message = client_start(DHCP_DISCOVER, mac, 0, 0);
		struct dhcp_request request;

		client_option(&message, 12, cases[i].text, cases[i].length);
		assert_int_equal(read_message(&message, &request), 0);
		assert_string_equal(request.name, cases[i].name);
	}
	char name[DHCP_NAME_CAPACITY];
	uint8_t longest[DHCP_NAME_CAPACITY];
	memset(longest, 'a', sizeof(longest));
	assert_true(dhcp_name_read(longest, sizeof(longest) - 1, name));
	assert_int_equal(strlen(name), 63);
	assert_false(dhcp_name_read(longest, sizeof(longest), name));
}

/* Options that went to the fields `file` and `sname` (RFC 2132, 9.3). */
static void test_overload(void **state)
{
	struct client_message message = client_start(DHCP_REQUEST, mac, 0, 0);
	struct dhcp_request request;

	memcpy(message.bytes + 108, "\x32\x04\xac\x10\x00\x05\xff", 7);
	memcpy(message.bytes + 44, "\x36\x04\xac\x10\x00\x01\xff", 7);
	struct client_message plain = message;
	client_end(&plain);
	assert_int_equal(read_message(&plain, &request), 0);
	assert_int_equal(request.requested_be | request.server_be, 0);

	client_option(&message, 52, "\x03", 1);
	client_end(&message);
	assert_int_equal(read_message(&message, &request), 0);
	assert_int_equal(request.requested_be, htonl(0xac100005));
	assert_int_equal(request.server_be, htonl(0xac100001));

	/* One that reaches beyond its field does not go on in the next. */
	message.bytes[44] = 61;
	message.bytes[45] = 63;
	assert_int_equal(read_message(&message, &request), -EBADMSG);
	message.bytes[45] = 62;
	assert_int_equal(read_message(&message, &request), 0);
	assert_int_equal(request.client_id_length, 62);
}

static void test_malformed(void **state)
{
	static const struct {
		uint8_t number, length;
	} wrong[] = {{53, 0}, {53, 2}, {50, 3}, {50, 8}, {54, 5}, {52, 2}, {52, 0}};
	struct client_message message = client_start(DHCP_REQUEST, mac, 0, 0);
	struct client_message changed;
	struct dhcp_request request;

	client_address(&message, 50, 0xac100005);
	/* Cut at every length: whole only where an option ends. */
	struct client_message whole = message;
	for (message.length = 0; message.length <= whole.length; message.length++) {
		bool ends = message.length == 243 || message.length == whole.length;
		assert_int_equal(read_message(&message, &request), ends ? 0 : -EBADMSG);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		changed = client_start(DHCP_REQUEST, mac, 0, 0);
		changed.length = 240;
		client_option(&changed, wrong[i].number, "\x01\x01\x01\x01\x01\x01\x01\x01",
			wrong[i].length);
		client_option(&changed, 53, "\x03", 1);
		assert_int_equal(read_message(&changed, &request), -EBADMSG);
	}
	changed = whole;
	changed.bytes[239] ^= 1; /* the cookie */
	assert_int_equal(read_message(&changed, &request), -EBADMSG);
	changed = whole;
	changed.length = 240; /* BOOTP: no type */
	assert_int_equal(read_message(&changed, &request), -EBADMSG);
	changed = client_start(DHCP_REQUEST, mac, 0, 0);
	client_option(&changed, 52, "\x04", 1);
	assert_int_equal(read_message(&changed, &request), -EBADMSG);
}

static void test_not_for_us(void **state)
{
	static const struct {
		unsigned int at;
		uint8_t value;
	} cases[] = {{0, 2}, {1, 6}, {2, 16}, {24, 10}, {27, 1}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct client_message message = client_start(DHCP_DISCOVER, mac, 0, 0);
		struct dhcp_request request;

		message.bytes[cases[i].at] = cases[i].value;
		assert_int_equal(read_message(&message, &request), -EPROTONOSUPPORT);
	}
}

static const struct dhcp_answer answer = {
	.type = DHCP_OFFER,
	.server_be = 0x010010ac,
	.yiaddr_be = 0x020010ac,
	.lease_s = 43200,
	.lan_be = 0x000010ac,
	.prefix = 24,
	.router_be = 0x010010ac,
	.dns_be = 0x010010ac,
	.mtu = 1500,
	.name = "web",
	.domain = "chnet",
};

static void test_write(void **state)
{
	struct dhcp_request request = {
		.xid_be = htonl(0x12345678), .flags_be = htons(0x8000), .ciaddr_be = 7};
	uint8_t message[DHCP_MESSAGE_MAX];
	const uint8_t *value;

	memcpy(request.mac, mac, 6);
	size_t length = dhcp_message_write(&request, &answer, message);
	assert_int_equal(length, 300);
	assert_memory_equal(message, "\x02\x01\x06\x00\x12\x34\x56\x78\0\0\x80\0", 12);
	assert_memory_equal(message + 12, "\0\0\0\0\xac\x10\x00\x02\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(message + 28, mac, 6);
	assert_int_equal(client_type(message, length), DHCP_OFFER);
	assert_int_equal(client_find_address(message, length, 54), 0xac100001);
	assert_int_equal(client_find_address(message, length, 1), 0xffffff00);
	assert_int_equal(client_find_address(message, length, 3), 0xac100001);
	assert_int_equal(client_find_address(message, length, 6), 0xac100001);
	assert_int_equal(client_find_address(message, length, 51), 43200);
	assert_int_equal(client_find_address(message, length, 58), 21600);
	assert_int_equal(client_find_address(message, length, 59), 37800);
	/* Nobody asked for these. */
	static const uint8_t extra[] = {12, 15, 26, 28, 61};
	for (size_t i = 0; i < sizeof(extra); i++)
		assert_int_equal(client_find(message, length, extra[i], &value), -1);
}

static void test_write_wanted(void **state)
{
	struct dhcp_request request = {.client_id_length = 3,
		.client_id = {1, 2, 3},
		.wanted = {UINT64_C(1) << 12 | 1 << 15 | 1 << 26 | 1 << 28}};
	uint8_t message[DHCP_MESSAGE_MAX];
	const uint8_t *value;

	size_t length = dhcp_message_write(&request, &answer, message);
	assert_int_equal(client_find(message, length, 12, &value), 3);
	assert_memory_equal(value, "web", 3);
	assert_int_equal(client_find(message, length, 15, &value), 5);
	assert_memory_equal(value, "chnet", 5);
	assert_int_equal(client_find(message, length, 26, &value), 2);
	assert_memory_equal(value, "\x05\xdc", 2);
	assert_int_equal(client_find_address(message, length, 28), 0xac1000ff);
	assert_int_equal(client_find(message, length, 61, &value), 3);
	assert_memory_equal(value, "\x01\x02\x03", 3);

	/* A NAK has no settings. */
	struct dhcp_answer nak = answer;
	nak.type = DHCP_NAK;
	nak.yiaddr_be = 0;
	length = dhcp_message_write(&request, &nak, message);
	assert_int_equal(client_find_address(message, length, 54), 0xac100001);
	static const uint8_t settings[] = {1, 3, 6, 12, 15, 26, 28, 51, 58, 59};
	for (size_t i = 0; i < sizeof(settings); i++)
		assert_int_equal(client_find(message, length, settings[i], &value), -1);
}

/* The largest client identifier leaves room for what a client must have. */
static void test_write_largest(void **state)
{
	struct dhcp_request request = {
		.client_id_length = 255, .wanted = {~0ull, ~0ull, ~0ull, ~0ull}};
	uint8_t *message = test_malloc(DHCP_MESSAGE_MAX);
	const uint8_t *value;

	struct dhcp_answer shortest = answer;
	shortest.name = "a";
	size_t length = dhcp_message_write(&request, &shortest, message);
	assert_true(length <= DHCP_MESSAGE_MAX);
	assert_int_equal(client_find(message, length, 12, &value), -1);
	assert_int_equal(client_find(message, length, 61, &value), 255);
	assert_int_equal(client_find_address(message, length, 3), 0xac100001);
	assert_int_equal(client_find_address(message, length, 59), 37800);
	assert_int_equal(client_find(message, length, 15, &value), -1);
	test_free(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shortest),
		cmocka_unit_test(test_all_options),
		cmocka_unit_test(test_first_one_counts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_overload),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_not_for_us),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_wanted),
		cmocka_unit_test(test_write_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
