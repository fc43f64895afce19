/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/echo.h"

#include "tests/unit/probe/datagram.h"

static void test_an_answer_is_recognised(void **state)
{
	uint8_t payload[FRAME_IP_PAYLOAD], reply[FRAME_IP_PAYLOAD];
	struct ip_datagram datagram = {.protocol = FRAME_ICMP, .payload = payload};

	datagram.length = echo_write(7, 300, payload);
	assert_int_equal(datagram.length, 64);
	assert_false(echo_answers(&datagram, 7, 300));
	assert_int_equal(echo_reply(&datagram, reply), 64);
	datagram.payload = reply;
	assert_true(echo_answers(&datagram, 7, 300));
	assert_false(echo_answers(&datagram, 8, 300));
	assert_false(echo_answers(&datagram, 7, 301));
	reply[40]++;
	assert_false(echo_answers(&datagram, 7, 300));
	reply[40]--;
	datagram.length--;
	assert_false(echo_answers(&datagram, 7, 300));
}

static void test_only_requests_are_answered(void **state)
{
	uint8_t payload[FRAME_IP_PAYLOAD], reply[FRAME_IP_PAYLOAD];
	struct ip_datagram datagram = {.protocol = FRAME_ICMP, .payload = payload};

	datagram.length = echo_write(7, 300, payload);
	payload[1] = 1;
	assert_int_equal(echo_reply(&datagram, reply), 0);
	payload[1] = 0;
	payload[0] = 3;
	assert_int_equal(echo_reply(&datagram, reply), 0);
	payload[0] = 8;
	datagram.protocol = FRAME_UDP;
	assert_int_equal(echo_reply(&datagram, reply), 0);
	datagram.protocol = FRAME_ICMP;
	datagram.length = FRAME_IP_PAYLOAD + 1;
	assert_int_equal(echo_reply(&datagram, reply), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_is_recognised),
		cmocka_unit_test(test_only_requests_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
