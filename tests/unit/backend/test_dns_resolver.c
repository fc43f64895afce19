/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dns_resolver.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[] = "/tmp/chnet-resolver-XXXXXX";
static char path[64], other[64];
static struct dns_resolver resolver;

static int setup_all(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/resolv.conf", directory);
	snprintf(other, sizeof(other), "%s/other", directory);
	return 0;
}

static int teardown_all(void **state)
{
	unlink(path);
	unlink(other);
	return rmdir(directory);
}

static int setup(void **state)
{
	unlink(path);
	resolver = (struct dns_resolver){.path = path, .own_be = htonl(0xac100001)};
	return 0;
}

static void write_file(const char *where, const char *text)
{
	FILE *file = fopen(where, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The addresses, with a blank behind each. */
static void expect_servers(const char *expected)
{
	char text[512] = "", one[INET6_ADDRSTRLEN];

	dns_resolver_refresh(&resolver);
	for (unsigned int i = 0; i < resolver.count; i++) {
		const struct sockaddr_storage *address = &resolver.servers[i].address;
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
		bool is_v4 = address->ss_family == AF_INET;

		assert_int_equal(is_v4 ? v4->sin_port : v6->sin6_port, htons(53));
		assert_int_equal(resolver.servers[i].length, is_v4 ? sizeof(*v4) : sizeof(*v6));
		assert_non_null(inet_ntop(address->ss_family,
			is_v4 ? (const void *)&v4->sin_addr : &v6->sin6_addr, one, sizeof(one)));
		strcat(strcat(text, one), " ");
	}
	assert_string_equal(text, expected);
}

static void test_file(void **state)
{
	write_file(path, "# comment\nsearch example.org\n nameserver\t192.0.2.1 \n"
			 "nameserver 2001:db8::1\nnameserver\nnameserver nonsense\n"
			 "options edns0\nnameserver 127.0.0.53\nnameserver 192.0.2.9\n");
	expect_servers("192.0.2.1 2001:db8::1 127.0.0.53 ");
}

static void test_without(void **state)
{
	expect_servers("127.0.0.1 ");
	write_file(path, "search example.org\n");
	expect_servers("127.0.0.1 ");
	/* Ourselves: a loop. */
	write_file(path, "nameserver 172.16.0.1\nnameserver 192.0.2.2\n");
	expect_servers("192.0.2.2 ");
}

static void test_changes(void **state)
{
	/* Files of different sizes: clocks of files are coarse. */
	write_file(path, "nameserver 192.0.2.1\n");
	expect_servers("192.0.2.1 ");
	write_file(path, "nameserver 192.0.2.22\n");
	expect_servers("192.0.2.22 ");
	write_file(other, "nameserver 192.0.2.3\n");
	assert_int_equal(rename(other, path), 0);
	expect_servers("192.0.2.3 ");
	/* A link that leads elsewhere. */
	assert_int_equal(unlink(path), 0);
	expect_servers("127.0.0.1 ");
	write_file(other, "nameserver 192.0.2.4\n");
	assert_int_equal(symlink(other, path), 0);
	expect_servers("192.0.2.4 ");
	write_file(other, "nameserver 192.0.2.50\n");
	expect_servers("192.0.2.50 ");
}

static void test_link_local(void **state)
{
	const struct sockaddr_in6 *address =
		(const struct sockaddr_in6 *)&resolver.servers[0].address;

	write_file(path, "nameserver fe80::1%lo\n");
	expect_servers("fe80::1 ");
	assert_int_equal(address->sin6_scope_id, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_file, setup),
		cmocka_unit_test_setup(test_without, setup),
		cmocka_unit_test_setup(test_changes, setup),
		cmocka_unit_test_setup(test_link_local, setup),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
