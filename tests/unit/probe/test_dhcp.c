/* SPDX-License-Identifier: BSD-3-Clause */
/* The client against servers that tell the truth, and servers that do not. */
#include "guest/probe/dhcp.h"

#include <errno.h>

#include "tests/unit/probe/datagram.h"

#define XID 0x01020304U

/* An answer without options, DISCOVER's reply. */
static void begin(uint8_t *message)
{
	memset(message, 0, DHCP_MESSAGE);
	message[0] = 2;
	message[4] = 1;
	message[5] = 2;
	message[6] = 3;
	message[7] = 4;
	memcpy(message + 16, (const uint8_t[]){172, 16, 0, 2}, 4);
	memcpy(message + 28, station.mac, 6);
	memcpy(message + 236, (const uint8_t[]){0x63, 0x82, 0x53, 0x63}, 4);
}

/* What the client makes of these options, right up to the end of the message. */
static int read_options(const uint8_t *options, size_t length, struct dhcp_lease *lease)
{
	uint8_t message[DHCP_MESSAGE + 64], *copy;
	int r;

	begin(message);
	memcpy(message + 240, options, length);
	copy = datagram_copy(message, 240 + length);
	r = dhcp_read(copy, 240 + length, station.mac, htonl(XID), lease);
	free(copy);
	return r;
}

static void test_an_offer_is_read(void **state)
{
	static const uint8_t options[] = {53, 1, 2, 0, 1, 4, 255, 255, 255, 0, 3, 4, 172, 16, 0, 1,
		6, 8, 172, 16, 0, 1, 1, 1, 1, 1, 51, 4, 0, 0, 0xa8, 0xc0, 54, 4, 172, 16, 0, 1, 99,
		0, 255, 53, 1, 5};
	struct dhcp_lease lease = {0};

	assert_int_equal(read_options(options, sizeof(options), &lease), 0);
	assert_int_equal(lease.kind, DHCP_OFFER);
	assert_int_equal(lease.ip_be, htonl(GUEST_IP));
	assert_int_equal(lease.mask_be, htonl(0xffffff00));
	assert_int_equal(lease.router_be, htonl(GATEWAY_IP));
	assert_int_equal(lease.dns_be, htonl(GATEWAY_IP));
	assert_int_equal(lease.server_be, htonl(GATEWAY_IP));
	assert_int_equal(lease.lease_s, 43200);
}

static void test_options_that_lie_are_malformed(void **state)
{
	static const struct {
		uint8_t options[8];
		size_t length;
	} cases[] = {{{53}, 1}, {{53, 1}, 2}, {{53, 2, 2, 2}, 4}, {{53, 0}, 2},
		{{3, 4, 1, 2, 3}, 5}, {{3, 0}, 2}, {{3, 3, 1, 2, 3}, 5}, {{6, 5, 1, 2, 3, 4, 5}, 7},
		{{54, 3, 1, 2, 3}, 5}, {{1, 5, 1, 2, 3, 4, 5}, 7}, {{99, 255, 0}, 3}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dhcp_lease lease = {.kind = 77};

		assert_int_equal(read_options(cases[i].options, cases[i].length, &lease), -EBADMSG);
		assert_int_equal(lease.kind, 77);
	}
}

static void test_what_answers_somebody_else_is_left_alone(void **state)
{
	uint8_t message[DHCP_MESSAGE];
	struct dhcp_lease lease;

	begin(message);
	assert_int_equal(dhcp_read(message, DHCP_MESSAGE, station.mac, htonl(XID + 1), &lease),
		-EPROTONOSUPPORT);
	assert_int_equal(dhcp_read(message, DHCP_MESSAGE, station.gateway_mac, htonl(XID), &lease),
		-EPROTONOSUPPORT);
	message[0] = 1;
	assert_int_equal(dhcp_read(message, DHCP_MESSAGE, station.mac, htonl(XID), &lease),
		-EPROTONOSUPPORT);
	message[0] = 2;
	assert_int_equal(dhcp_read(message, 239, station.mac, htonl(XID), &lease), -EBADMSG);
	message[236]++;
	assert_int_equal(
		dhcp_read(message, DHCP_MESSAGE, station.mac, htonl(XID), &lease), -EBADMSG);
}

static void test_requests_ask_for_what_was_offered(void **state)
{
	const struct dhcp_lease offer = {.ip_be = htonl(GUEST_IP), .server_be = htonl(GATEWAY_IP)};
	uint8_t message[DHCP_MESSAGE];

	dhcp_write(station.mac, htonl(XID), NULL, message);
	assert_int_equal(message[0], 1);
	assert_memory_equal(message + 28, station.mac, 6);
	assert_memory_equal(message + 240, ((const uint8_t[]){53, 1, 1, 55, 3, 1, 3, 6, 255}), 9);
	dhcp_write(station.mac, htonl(XID), &offer, message);
	assert_memory_equal(message + 240,
		((const uint8_t[]){
			53, 1, 3, 50, 4, 172, 16, 0, 2, 54, 4, 172, 16, 0, 1, 55, 3, 1, 3, 6, 255}),
		21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_offer_is_read),
		cmocka_unit_test(test_options_that_lie_are_malformed),
		cmocka_unit_test(test_what_answers_somebody_else_is_left_alone),
		cmocka_unit_test(test_requests_ask_for_what_was_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
