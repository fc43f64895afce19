/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/vhost_announce.h"

static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static const uint8_t other[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x99};

static void check(const struct vhost_announcement *announcement, const uint8_t *expected)
{
	struct packet packet;
	uint8_t padded[60] = {0};

	memset(&packet, 0x5a, sizeof(packet));
	memcpy(padded, expected, 42);
	vhost_announce_fill(announcement, &packet);
	assert_int_equal(packet.length, sizeof(padded));
	assert_int_equal(packet.head_length, sizeof(padded));
	assert_int_equal(packet.segment_count, 0);
	assert_int_equal(packet.vnet.flags, 0);
	assert_int_equal(packet.vnet.gso_type, 0);
	assert_memory_equal(packet.head, padded, sizeof(padded));
}

static void with_an_address_it_is_an_arp_announcement(void **state)
{
	static const uint8_t expected[] = "\xff\xff\xff\xff\xff\xff\x52\x54\x00\x12\x34\x56\x08\x06"
					  "\x00\x01\x08\x00\x06\x04\x00\x01"
					  "\x52\x54\x00\x12\x34\x56\xac\x10\x00\x02"
					  "\x00\x00\x00\x00\x00\x00\xac\x10\x00\x02";
	struct vhost_announcement announcement;
	(void)state;
	vhost_announce_init(&announcement, mac, htonl(0xac100002));
	check(&announcement, expected);
}

static void without_one_it_is_a_reverse_request(void **state)
{
	static const uint8_t expected[] = "\xff\xff\xff\xff\xff\xff\x52\x54\x00\x12\x34\x56\x80\x35"
					  "\x00\x01\x08\x00\x06\x04\x00\x03"
					  "\x52\x54\x00\x12\x34\x56\x00\x00\x00\x00"
					  "\x52\x54\x00\x12\x34\x56\x00\x00\x00\x00";
	struct vhost_announcement announcement;
	(void)state;
	vhost_announce_init(&announcement, mac, 0);
	check(&announcement, expected);
}

static void what_the_socket_says_wins(void **state)
{
	struct vhost_announcement announcement;
	(void)state;
	vhost_announce_init(&announcement, mac, 0);
	vhost_announce_ask(&announcement, other);
	assert_true(announcement.due);
	assert_memory_equal(announcement.mac, mac, 6);
	vhost_announce_reset(&announcement);
	assert_false(announcement.due);
	vhost_announce_ask(&announcement, NULL);
	assert_true(announcement.due);
	assert_memory_equal(announcement.mac, mac, 6);
}

static void what_a_front_end_says_goes_with_it(void **state)
{
	struct vhost_announcement announcement;
	(void)state;
	vhost_announce_init(&announcement, NULL, 0);
	vhost_announce_ask(&announcement, NULL);
	assert_false(announcement.due);
	vhost_announce_ask(&announcement, other);
	assert_true(announcement.due);
	assert_memory_equal(announcement.mac, other, 6);
	vhost_announce_reset(&announcement);
	vhost_announce_ask(&announcement, NULL);
	assert_false(announcement.due);
}

static void no_guest_has_the_address_of_a_group(void **state)
{
	static const uint8_t group[6] = {0x01, 0x00, 0x5e, 0, 0, 1};
	static const uint8_t zeros[6];
	struct vhost_announcement announcement;
	(void)state;
	vhost_announce_init(&announcement, NULL, 0);
	vhost_announce_ask(&announcement, group);
	assert_false(announcement.due);
	vhost_announce_ask(&announcement, zeros);
	assert_false(announcement.due);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_an_address_it_is_an_arp_announcement),
		cmocka_unit_test(without_one_it_is_a_reverse_request),
		cmocka_unit_test(what_the_socket_says_wins),
		cmocka_unit_test(what_a_front_end_says_goes_with_it),
		cmocka_unit_test(no_guest_has_the_address_of_a_group),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
