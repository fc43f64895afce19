/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/dhcp_lease.h"

#include <errno.h>

#include "tests/unit/guest/dhcp_client.h"

#define NOW 1000

static struct dhcp_table table;
static struct dhcp_lan lan;

/* The MAC of the address plan's guest `n`, from 0. */
static const uint8_t *mac_of(unsigned int n)
{
	static uint8_t mac[6];

	memcpy(mac,
		(const uint8_t[]){
			0x52, 0x54, 0, 0x12, (uint8_t)((0x3456 + n) >> 8), (uint8_t)(0x3456 + n)},
		6);
	return mac;
}

static int setup(void **state)
{
	memset(&table, 0, sizeof(table));
	lan = (struct dhcp_lan){
		.lan_be = htonl(0xac100000),
		.prefix = 24,
		.gateway_be = htonl(0xac100001),
		.outside_be = htonl(0xac1000fe),
	};
	dhcp_table_adopt(&table, &lan);
	return 0;
}

/* The last byte of the address that a client gets and keeps; a negative errno. */
static int take(uint16_t port, const uint8_t *mac, uint32_t wanted, uint32_t now_s)
{
	struct dhcp_lease *lease;
	int error = dhcp_lease_choose(&table, &lan, port, mac, htonl(wanted), now_s, &lease);

	if (error)
		return error;
	assert_memory_equal(lease->mac, mac, 6);
	assert_int_equal(lease->port, port);
	dhcp_lease_set(lease, DHCP_STATE_HELD, now_s + 100, "");
	return (int)(ntohl(lease->ip_be) & 0xff);
}

static void test_plan(void **state)
{
	static const uint8_t other[] = {2, 0, 0, 0x12, 0x34, 0x58};
	/* The plan's MACs, in any order, have the plan's addresses. */
	assert_int_equal(take(3, mac_of(3), 0, NOW), 5);
	assert_int_equal(take(0, mac_of(0), 0, NOW), 2);
	assert_int_equal(take(1, mac_of(1), 0, NOW), 3);
	/* Another MAC with the same place in the plan has the next free address. */
	assert_int_equal(take(2, other, 0, NOW), 4);
	assert_int_equal(take(4, mac_of(2), 0, NOW), 6);
	/* And for good, on whatever port, also after the lease has ended. */
	assert_int_equal(take(9, mac_of(2), 0, NOW + 100000), 6);
}

static void test_never_given(void **state)
{
	lan.prefix = 29; /* .0 to .7 */
	lan.outside_be = htonl(0xac100006);
	lan.ports[7].ip_be = htonl(0xac100003);
	assert_int_equal(take(0, mac_of(1), 0, NOW), 4);
	assert_int_equal(take(0, mac_of(2), 0xac100000, NOW), 5);
	assert_int_equal(take(0, mac_of(3), 0xac100007, NOW), 2);
	for (uint32_t wanted = 0xac0fffff; wanted < 0xac10000a; wanted++)
		assert_int_equal(take(0, mac_of(4), wanted, NOW), -ENOSPC);
	/* The one whose address it is. */
	assert_int_equal(take(7, mac_of(4), 0xac100002, NOW), 3);
}

static void test_wanted(void **state)
{
	assert_int_equal(take(0, mac_of(0), 0xac100063, NOW), 0x63);
	assert_int_equal(take(0, mac_of(0), 0xac100064, NOW), 0x63);
	assert_int_equal(take(1, mac_of(1), 0xac100063, NOW), 3);
	assert_int_equal(take(2, mac_of(2), 0x08080808, NOW), 4);
}

static void test_bound(void **state)
{
	/* Someone has it already, from before it was bound. */
	assert_int_equal(take(1, mac_of(5), 0, NOW), 7);
	lan.ports[0].ip_be = htonl(0xac100007);
	assert_int_equal(take(0, mac_of(0), 0xac100063, NOW), 7);
	assert_int_equal(take(1, mac_of(5), 0xac100007, NOW), 8);
	/* The guest is installed anew, with another MAC. */
	assert_int_equal(take(0, mac_of(9), 0, NOW), 7);
	assert_null(dhcp_lease_find(&table, mac_of(0)));
	assert_non_null(dhcp_lease_find(&table, mac_of(9)));
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(take(0, mac_of(100 + i), 0, NOW), 7);
}

static uint32_t taken_be;
static uint8_t taken_mac[6];

static bool is_taken(void *context, uint32_t ip_be, const uint8_t mac[6])
{
	assert_ptr_equal(context, &taken_be);
	return ip_be == taken_be && memcmp(mac, taken_mac, 6) != 0;
}

static void test_used_without_a_lease(void **state)
{
	lan.taken = is_taken;
	lan.context = &taken_be;
	taken_be = htonl(0xac100002);
	memcpy(taken_mac, mac_of(0), 6);
	assert_int_equal(take(1, mac_of(256), 0xac100002, NOW), 3); /* its place is .2, too */
	assert_int_equal(take(0, mac_of(0), 0xac100002, NOW), 2);
	/* A station appears at an address that is leased already: the client gets another. */
	taken_be = htonl(0xac100003);
	assert_int_equal(take(1, mac_of(256), 0xac100003, NOW), 4);
}

/* The port's own lease that was not renewed for longest makes room, no other. */
static void test_share_of_a_port(void **state)
{
	assert_int_equal(take(2, mac_of(50), 0, NOW - 100), 52);
	for (unsigned int i = 0; i < DHCP_LEASES_PORT; i++)
		assert_int_equal(take(0, mac_of(i), 0, NOW + i), 2 + i);
	assert_int_equal(take(0, mac_of(0), 0, NOW + 20), 2);
	assert_int_equal(take(0, mac_of(8), 0, NOW + 50), 10);
	assert_null(dhcp_lease_find(&table, mac_of(1)));
	assert_non_null(dhcp_lease_find(&table, mac_of(0)));
	assert_non_null(dhcp_lease_find(&table, mac_of(50)));
	assert_int_equal(take(1, mac_of(9), 0, NOW + 50), 11);
	/* Who was left out may come again. */
	assert_int_equal(take(0, mac_of(1), 0, NOW + 51), 3);
	assert_null(dhcp_lease_find(&table, mac_of(2)));
}

/* No port for ever: new MACs at each start of a guest. */
static void test_many_macs(void **state)
{
	for (unsigned int i = 0; i < 10 * DHCP_LEASES_MAX; i++)
		assert_true(take((uint16_t)(i % 3), mac_of(i), 0, NOW + i) > 0);
}

/* When the LAN is full, the address that was not used for longest goes to somebody else. */
static void test_full_lan(void **state)
{
	lan.prefix = 29;
	lan.outside_be = 0;
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(take((uint16_t)i, mac_of(i), 0, NOW + 10 - i), 2 + i);
	assert_int_equal(take(5, mac_of(5), 0, NOW + 50), -ENOSPC);
	assert_int_equal(take(5, mac_of(5), 0, NOW + 106), 6);
	assert_int_equal(take(4, mac_of(4), 0, NOW + 106), -ENOSPC);
}

static void test_declined(void **state)
{
	assert_int_equal(take(0, mac_of(0), 0, NOW), 2);
	dhcp_lease_set(dhcp_lease_find(&table, mac_of(0)), DHCP_STATE_DECLINED, NOW + 90, "");
	assert_null(dhcp_lease_find(&table, mac_of(0)));
	assert_int_equal(take(0, mac_of(0), 0xac100002, NOW), 3);
	assert_int_equal(take(1, mac_of(1), 0xac100002, NOW), 4);
	/* It counts for the port that declined. */
	for (unsigned int i = 0; i < DHCP_LEASES_PORT - 2; i++)
		assert_true(take(0, mac_of(10 + i), 0, NOW + 10) > 0);
	assert_int_equal(take(1, mac_of(5), 0xac100002, NOW + 10), 7);
	assert_true(take(0, mac_of(20), 0, NOW + 10) > 0);
	assert_int_equal(take(1, mac_of(30), 0xac100002, NOW + 10), 2);
}

/* A data plane died and another one takes over, with this LAN or that one. */
static void test_adopt(void **state)
{
	struct dhcp_lease lease;

	for (unsigned int i = 0; i < 6; i++)
		take((uint16_t)i, mac_of(i), 0, NOW);
	table.leases[1].sequence++;		   /* was being written */
	table.leases[2].ip_be = htonl(0xac100002); /* of the first one */
	memcpy(table.leases[3].mac, mac_of(0), 6);
	strcpy(table.leases[4].name, "no name");
	dhcp_table_adopt(&table, &lan);
	assert_true(dhcp_lease_read(&table, 0, &lease));
	assert_int_equal(lease.ip_be, htonl(0xac100002));
	for (unsigned int i = 1; i < 5; i++)
		assert_false(dhcp_lease_read(&table, i, &lease));
	assert_true(dhcp_lease_read(&table, 5, &lease));
	assert_memory_equal(lease.mac, mac_of(5), 6);
	assert_int_equal(take(1, mac_of(1), 0, NOW), 3);

	lan.gateway_be = htonl(0xac100002);
	lan.ports[9].ip_be = htonl(0xac100007);
	dhcp_table_adopt(&table, &lan);
	assert_null(dhcp_lease_find(&table, mac_of(0)));
	assert_null(dhcp_lease_find(&table, mac_of(5)));
	lan.lan_be = htonl(0x0a000000);
	dhcp_table_adopt(&table, &lan);
	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++)
		assert_false(dhcp_lease_read(&table, i, &lease));

	memset(&table, 0xff, sizeof(table)); /* of another version */
	dhcp_table_adopt(&table, &lan);
	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++)
		assert_false(dhcp_lease_read(&table, i, &lease));
}

/* The network is stopped, and started: addresses stay, whoever asks first. */
static void test_reopen(void **state)
{
	static const uint8_t other[] = {2, 0, 0, 0x12, 0x34, 0x58};
	struct dhcp_lease lease;

	/* Both have the same place in the plan. */
	assert_int_equal(take(0, mac_of(2), 0, NOW), 4);
	assert_int_equal(take(1, other, 0, NOW), 5);
	table.leases[1].end_s = NOW + 2 * 86400; /* of another clock */
	assert_int_equal(take(2, mac_of(9), 0, NOW), 11);
	table.leases[2].sequence++; /* torn */
	dhcp_table_reopen(&table, NOW + 10);
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(dhcp_lease_read(&table, i, &lease));
		assert_int_equal(lease.port, DHCP_PORT_NONE);
		assert_int_equal(lease.state, i == 0 ? DHCP_STATE_HELD : DHCP_STATE_RELEASED);
		assert_int_equal(lease.end_s, i == 0 ? NOW + 100 : 0);
	}
	dhcp_table_adopt(&table, &lan);
	assert_null(dhcp_lease_find(&table, mac_of(9)));
	assert_int_equal(take(7, other, 0, NOW + 10), 5);
	assert_int_equal(take(8, mac_of(2), 0, NOW + 10), 4);
	/* The memory of another version is nobody's: nothing of it is touched. */
	table.layout ^= 1;
	memset(table.leases, 7, sizeof(table.leases));
	dhcp_table_reopen(&table, NOW);
	assert_int_equal(table.leases[0].port, 0x0707);
	assert_true(dhcp_table_is_empty(&table));
}

static void test_empty(void **state)
{
	assert_true(dhcp_table_is_empty(&table));
	take(0, mac_of(0), 0, NOW);
	assert_false(dhcp_table_is_empty(&table));
	dhcp_lease_set(&table.leases[0], DHCP_STATE_RELEASED, NOW, NULL);
	assert_false(dhcp_table_is_empty(&table));
	memset(&table, 0, sizeof(table));
	assert_true(dhcp_table_is_empty(&table));
}

/* A port goes: its leases are remembered, at none. */
static void test_leave(void **state)
{
	struct dhcp_lease lease;

	take(0, mac_of(0), 0, NOW);
	take(1, mac_of(1), 0, NOW);
	take(0, mac_of(2), 0, NOW);
	take(0, mac_of(3), 0, NOW);
	dhcp_lease_set(&table.leases[2], DHCP_STATE_DECLINED, NOW + 90, "");
	dhcp_lease_set(&table.leases[3], DHCP_STATE_HELD, NOW, NULL);
	dhcp_lease_leave(&table, 0, NOW + 5);
	static const struct {
		uint16_t port;
		enum dhcp_state state;
		uint32_t end_s;
	} expected[] = {{DHCP_PORT_NONE, DHCP_STATE_RELEASED, NOW + 5},
		{1, DHCP_STATE_HELD, NOW + 100}, {DHCP_PORT_NONE, DHCP_STATE_DECLINED, NOW + 90},
		{DHCP_PORT_NONE, DHCP_STATE_HELD, NOW}};
	for (unsigned int i = 0; i < 4; i++) {
		assert_true(dhcp_lease_read(&table, i, &lease));
		assert_int_equal(lease.port, expected[i].port);
		assert_int_equal(lease.state, expected[i].state);
		assert_int_equal(lease.end_s, expected[i].end_s);
	}
	/* Nobody else has the address, and its client has it again. */
	assert_int_equal(take(0, mac_of(256), 0xac100002, NOW + 5), 6);
	assert_int_equal(take(4, mac_of(0), 0, NOW + 6), 2);
	/* They count for no port. */
	for (unsigned int i = 0; i < DHCP_LEASES_PORT; i++)
		assert_true(take(0, mac_of(20 + i), 0, NOW + 5) > 0);
	assert_non_null(dhcp_lease_find(&table, mac_of(3)));
}

/* At the port that is bound to the MAC, before its client says anything. */
static void test_settle(void **state)
{
	take(0, mac_of(0), 0, NOW);
	take(1, mac_of(1), 0, NOW);
	dhcp_lease_settle(&table, &lan, 5, mac_of(0));
	assert_int_equal(table.leases[0].port, 0);
	dhcp_table_reopen(&table, NOW);
	dhcp_lease_settle(&table, &lan, 5, mac_of(0));
	assert_int_equal(table.leases[0].port, 5);
	assert_int_equal(table.leases[1].port, DHCP_PORT_NONE);
	dhcp_lease_settle(&table, &lan, 5, mac_of(7));
	assert_null(dhcp_lease_find(&table, mac_of(7)));
	/* Not with an address that is another port's, or another one than the port's own. */
	lan.ports[9].ip_be = htonl(0xac100003);
	dhcp_lease_settle(&table, &lan, 6, mac_of(1));
	assert_int_equal(table.leases[1].port, DHCP_PORT_NONE);
	lan.ports[6].ip_be = htonl(0xac100008);
	lan.ports[9].ip_be = 0;
	dhcp_lease_settle(&table, &lan, 6, mac_of(1));
	assert_int_equal(table.leases[1].port, DHCP_PORT_NONE);
	lan.ports[6].ip_be = htonl(0xac100003);
	dhcp_lease_settle(&table, &lan, 6, mac_of(1));
	assert_int_equal(table.leases[1].port, 6);
}

/* What is at no port makes room when there is none: first what was given back, then the rest. */
static void test_full_of_the_past(void **state)
{
	lan.prefix = 29;
	lan.outside_be = 0;
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(take((uint16_t)i, mac_of(i), 0, NOW), 2 + i);
	dhcp_lease_set(&table.leases[3], DHCP_STATE_RELEASED, NOW + 1, NULL);
	dhcp_table_reopen(&table, NOW + 2);
	dhcp_table_adopt(&table, &lan);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(take((uint16_t)i, mac_of(i), 0, NOW + 3), 2 + i);
	assert_int_equal(take(5, mac_of(5), 0, NOW + 3), 5);
	assert_int_equal(take(6, mac_of(6), 0, NOW + 3), 6);
	assert_int_equal(take(7, mac_of(7), 0, NOW + 3), -ENOSPC);
}

/* Neither is the table full of guests that came and went. */
static void test_many_guests(void **state)
{
	lan.prefix = 16;
	for (unsigned int i = 0; i < 3 * DHCP_LEASES_MAX; i++) {
		assert_true(take((uint16_t)(i % DHCP_PORTS_MAX), mac_of(i), 0, NOW + i) >= 0);
		dhcp_lease_leave(&table, (uint16_t)(i % DHCP_PORTS_MAX), NOW + 1 + i);
	}
	for (unsigned int i = 2 * DHCP_LEASES_MAX; i < 3 * DHCP_LEASES_MAX; i++)
		assert_non_null(dhcp_lease_find(&table, mac_of(i)));
}

static void test_read(void **state)
{
	struct dhcp_lease lease = {0};

	take(7, mac_of(3), 0, NOW);
	dhcp_lease_set(&table.leases[0], DHCP_STATE_HELD, NOW + 5, "web");
	assert_true(dhcp_lease_read(&table, 0, &lease));
	assert_int_equal(lease.ip_be, htonl(0xac100005));
	assert_int_equal(lease.port, 7);
	assert_int_equal(lease.end_s, NOW + 5);
	assert_string_equal(lease.name, "web");
	table.leases[0].sequence++;
	assert_false(dhcp_lease_read(&table, 0, &lease));
	table.leases[0].sequence++;
	/* Without a terminating zero, it gets one. */
	memset(table.leases[0].name, 'a', DHCP_NAME_CAPACITY);
	assert_true(dhcp_lease_read(&table, 0, &lease));
	assert_int_equal(strlen(lease.name), DHCP_NAME_CAPACITY - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_plan, setup),
		cmocka_unit_test_setup(test_never_given, setup),
		cmocka_unit_test_setup(test_wanted, setup),
		cmocka_unit_test_setup(test_bound, setup),
		cmocka_unit_test_setup(test_used_without_a_lease, setup),
		cmocka_unit_test_setup(test_share_of_a_port, setup),
		cmocka_unit_test_setup(test_many_macs, setup),
		cmocka_unit_test_setup(test_full_lan, setup),
		cmocka_unit_test_setup(test_declined, setup),
		cmocka_unit_test_setup(test_adopt, setup),
		cmocka_unit_test_setup(test_reopen, setup),
		cmocka_unit_test_setup(test_empty, setup),
		cmocka_unit_test_setup(test_leave, setup),
		cmocka_unit_test_setup(test_settle, setup),
		cmocka_unit_test_setup(test_full_of_the_past, setup),
		cmocka_unit_test_setup(test_many_guests, setup),
		cmocka_unit_test_setup(test_read, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
