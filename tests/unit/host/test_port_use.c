/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/port_use.h"
#include "tests/unit/host/namespace.h"

static int open_at(int type, const char *text, uint16_t port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(text), .sin_port = htons(port)};
	int fd = socket(AF_INET, type, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int check(const char *text, uint16_t port, uint8_t protocol)
{
	return port_use_check((struct in_addr){inet_addr(text)}, port, protocol, true);
}

static void free_ports_are_free_and_stay_so(void **state)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(check("0.0.0.0", 80, IPPROTO_TCP), 0);
		assert_int_equal(check("127.0.0.1", 80, IPPROTO_TCP), 0);
		assert_int_equal(check("0.0.0.0", 65535, IPPROTO_UDP), 0);
	}
}

static void a_listener_is_in_the_way_at_its_address(void **state)
{
	int fd = open_at(SOCK_STREAM, "127.0.0.1", 8080);

	assert_int_equal(check("127.0.0.1", 8080, IPPROTO_TCP), -EADDRINUSE);
	assert_int_equal(check("0.0.0.0", 8080, IPPROTO_TCP), -EADDRINUSE);
	assert_int_equal(check("127.0.0.2", 8080, IPPROTO_TCP), 0);
	assert_int_equal(check("127.0.0.1", 8081, IPPROTO_TCP), 0);
	assert_int_equal(check("127.0.0.1", 8080, IPPROTO_UDP), 0);
	close(fd);
	assert_int_equal(check("0.0.0.0", 8080, IPPROTO_TCP), 0);
}

static void a_listener_at_every_address_is_in_the_way_everywhere(void **state)
{
	int tcp = open_at(SOCK_STREAM, "0.0.0.0", 8080), udp = open_at(SOCK_DGRAM, "0.0.0.0", 53);

	assert_int_equal(check("127.0.0.1", 8080, IPPROTO_TCP), -EADDRINUSE);
	assert_int_equal(check("0.0.0.0", 8080, IPPROTO_TCP), -EADDRINUSE);
	assert_int_equal(check("127.0.0.1", 53, IPPROTO_UDP), -EADDRINUSE);
	assert_int_equal(check("0.0.0.0", 53, IPPROTO_UDP), -EADDRINUSE);
	close(tcp);
	close(udp);
}

/* One that lets others share its port is a listener all the same. */
static void a_shared_udp_port_is_in_use(void **state)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
	const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(5353)};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(check("0.0.0.0", 5353, IPPROTO_UDP), -EADDRINUSE);
	close(fd);
}

/* What is left of a connection that the host closed first. */
static void a_connection_that_ends_is_not_in_the_way(void **state)
{
	int listener = open_at(SOCK_STREAM, "127.0.0.1", 8080);
	const struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_addr.s_addr = inet_addr("127.0.0.1"),
		.sin_port = htons(8080)};
	int client = socket(AF_INET, SOCK_STREAM, 0), on = 1, server;
	char byte;

	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
	server = accept(listener, NULL, NULL);
	close(listener);
	close(server);
	assert_int_equal(read(client, &byte, 1), 0);
	close(client);
	assert_int_equal(check("127.0.0.1", 8080, IPPROTO_TCP), 0);
}

static void addresses_of_others(void **state)
{
	const struct in_addr later_be = {inet_addr("192.0.2.1")};
	int fd;

	assert_int_equal(check("192.0.2.1", 8090, IPPROTO_TCP), -EADDRNOTAVAIL);
	assert_int_equal(port_use_check(later_be, 8090, IPPROTO_TCP, false), 0);
	fd = open_at(SOCK_STREAM, "0.0.0.0", 8090);
	assert_int_equal(port_use_check(later_be, 8090, IPPROTO_TCP, false), -EADDRINUSE);
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_ports_are_free_and_stay_so),
		cmocka_unit_test(a_listener_is_in_the_way_at_its_address),
		cmocka_unit_test(a_listener_at_every_address_is_in_the_way_everywhere),
		cmocka_unit_test(a_shared_udp_port_is_in_use),
		cmocka_unit_test(a_connection_that_ends_is_not_in_the_way),
		cmocka_unit_test(addresses_of_others),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
