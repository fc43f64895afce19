/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/dns_names.h"

#include "tests/unit/guest/dhcp_client.h"

#define NOW 1000

static struct dhcp_table table;
static struct dns_names names;

static void set_lease(unsigned int i, uint16_t port, uint32_t ip, const char *name)
{
	table.leases[i] = (struct dhcp_lease){
		.ip_be = htonl(ip), .mac = {2, 0, 0, 0, 0, (uint8_t)i}, .port = port};
	dhcp_lease_set(&table.leases[i], DHCP_STATE_HELD, NOW + 10, name);
}

static int setup(void **state)
{
	memset(&table, 0, sizeof(table));
	names = (struct dns_names){.table = &table, .host_be = htonl(0xac100001)};
	set_lease(3, 0, 0xac100002, "web");
	set_lease(4, 1, 0xac100003, "db");
	set_lease(5, 2, 0xac100004, "db");
	strcpy(table.ports[2].name, "db");
	strcpy(table.ports[3].name, "fixed");
	table.ports[3].ip_be = htonl(0xac100009);
	return 0;
}

/* Looks up a name with dots; its address, or the result. */
static uint32_t find(const char *text, uint16_t type, enum dns_names_result *ret_result)
{
	struct dns_question question = {.type = type, .class_ = DNS_CLASS_IN};
	uint32_t address_be = 0;

	while (*text) {
		size_t length = strcspn(text, ".");
		question.name[question.name_length++] = (uint8_t)length;
		memcpy(question.name + question.name_length, text, length);
		question.name_length = (uint8_t)(question.name_length + length);
		text += length + (text[length] == '.');
	}
	question.name_length++;
	*ret_result = dns_names_find(&names, &question, NOW, &address_be);
	return ntohl(address_be);
}

static void expect_address(const char *text, uint32_t address)
{
	enum dns_names_result result;

	assert_int_equal(find(text, DNS_TYPE_A, &result), address);
	assert_int_equal(result, DNS_NAMES_FOUND);
}

static void expect_result(const char *text, uint16_t type, enum dns_names_result expected)
{
	enum dns_names_result result;

	assert_int_equal(find(text, type, &result), 0);
	assert_int_equal(result, expected);
}

static void test_found(void **state)
{
	expect_address("host.chnet", 0xac100001);
	expect_address("web.chnet", 0xac100002);
	/* hostname= is its port's alone. */
	expect_address("db.chnet", 0xac100004);
	expect_address("fixed.chnet", 0xac100009);
}

static void test_ours_but_nothing(void **state)
{
	expect_result("chnet", DNS_TYPE_A, DNS_NAMES_EMPTY);
	expect_result("web.chnet", 28, DNS_NAMES_EMPTY);
	expect_result("nobody.chnet", DNS_TYPE_A, DNS_NAMES_UNKNOWN);
	expect_result("nobody.chnet", 28, DNS_NAMES_UNKNOWN);
	expect_result("www.web.chnet", DNS_TYPE_A, DNS_NAMES_UNKNOWN);
	expect_result("w_b.chnet", DNS_TYPE_A, DNS_NAMES_UNKNOWN);
}

static void test_foreign(void **state)
{
	expect_result("", DNS_TYPE_A, DNS_NAMES_FOREIGN);
	expect_result("example.org", DNS_TYPE_A, DNS_NAMES_FOREIGN);
	expect_result("xchnet", DNS_TYPE_A, DNS_NAMES_FOREIGN);
	expect_result("web.chnet.org", DNS_TYPE_A, DNS_NAMES_FOREIGN);
	/* A label that ends as the domain is written on the wire. */
	expect_result("a\005chnet", DNS_TYPE_A, DNS_NAMES_FOREIGN);
	expect_result("b.a\005chnet", DNS_TYPE_A, DNS_NAMES_FOREIGN);
}

/* Only who has the lease now. */
static void test_leases_that_are_none(void **state)
{
	dhcp_lease_set(&table.leases[3], DHCP_STATE_HELD, NOW, NULL);
	expect_result("web.chnet", DNS_TYPE_A, DNS_NAMES_UNKNOWN);
	dhcp_lease_set(&table.leases[3], DHCP_STATE_RELEASED, NOW + 10, NULL);
	expect_result("web.chnet", DNS_TYPE_A, DNS_NAMES_UNKNOWN);
	dhcp_lease_set(&table.leases[3], DHCP_STATE_HELD, NOW + 1, NULL);
	expect_address("web.chnet", 0xac100002);
	names.table = NULL;
	expect_result("web.chnet", DNS_TYPE_A, DNS_NAMES_UNKNOWN);
	expect_address("host.chnet", 0xac100001);
}

/* A guest that is there wins over one of a network before, which wins over nobody. */
static void test_guests_at_no_port(void **state)
{
	set_lease(0, DHCP_PORT_NONE, 0xac100022, "web");
	expect_address("web.chnet", 0xac100002);
	set_lease(9, DHCP_PORT_NONE, 0xac100023, "old");
	expect_address("old.chnet", 0xac100023);
	/* hostname= is its port's alone, still. */
	set_lease(0, DHCP_PORT_NONE, 0xac100022, "db");
	expect_address("db.chnet", 0xac100004);
	dhcp_lease_set(&table.leases[5], DHCP_STATE_RELEASED, NOW, NULL);
	expect_result("db.chnet", DNS_TYPE_A, DNS_NAMES_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_found, setup),
		cmocka_unit_test_setup(test_ours_but_nothing, setup),
		cmocka_unit_test_setup(test_foreign, setup),
		cmocka_unit_test_setup(test_leases_that_are_none, setup),
		cmocka_unit_test_setup(test_guests_at_no_port, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
