/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/udp.h"

#include <errno.h>

#include "tests/unit/probe/datagram.h"

static void test_what_is_written_can_be_read(void **state)
{
	uint8_t payload[64] = {0};
	struct ip_datagram datagram = {.protocol = FRAME_UDP, .payload = payload};
	struct udp_message message;

	datagram.length = udp_write(1234, 53, 5, payload);
	assert_int_equal(datagram.length, 13);
	assert_int_equal(udp_read(&datagram, &message), 0);
	assert_int_equal(message.source, 1234);
	assert_int_equal(message.destination, 53);
	assert_int_equal(message.length, 5);
	assert_ptr_equal(message.data, payload + 8);
}

static void test_a_length_that_lies_is_refused(void **state)
{
	uint8_t payload[64] = {0};
	struct ip_datagram datagram = {.protocol = FRAME_UDP, .payload = payload};
	struct udp_message message;

	datagram.length = udp_write(1, 2, 5, payload);
	payload[5]++;
	assert_int_equal(udp_read(&datagram, &message), -EBADMSG);
	payload[5] -= 2;
	assert_int_equal(udp_read(&datagram, &message), -EBADMSG);
	payload[5] = 7;
	datagram.length = 7;
	assert_int_equal(udp_read(&datagram, &message), -EBADMSG);
	datagram.protocol = FRAME_TCP;
	assert_int_equal(udp_read(&datagram, &message), -EPROTONOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_can_be_read),
		cmocka_unit_test(test_a_length_that_lies_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
