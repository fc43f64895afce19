/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dns_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/host/namespace.h"

#define ADDRESS "10.9.0.1"

static const struct sockaddr_in at_53 = {.sin_family = AF_INET, .sin_port = 0x3500};

static struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in address = at_53;

	assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
	return address;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

static void expect_ours(int fd)
{
	struct sockaddr_in address, ours = address_of(ADDRESS);
	socklen_t size = sizeof(address);
	char name[16] = "";
	socklen_t length = sizeof(name);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(address.sin_addr.s_addr, ours.sin_addr.s_addr);
	assert_int_equal(address.sin_port, htons(53));
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length), 0);
	assert_string_equal(name, "tap9");
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static void test_open(void **state)
{
	struct dns_listen listen;
	struct sockaddr_in ours = address_of(ADDRESS);

	assert_int_equal(dns_listen_open(ours.sin_addr.s_addr, "tap9", &listen), 0);
	expect_ours(listen.udp_fd);
	expect_ours(listen.tcp_fd);
	assert_int_equal(option(listen.tcp_fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	assert_int_equal(option(listen.tcp_fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_true(option(listen.udp_fd, SOL_SOCKET, SO_RCVBUF) >= 2 << 20);
	dns_listen_close(&listen);
	assert_int_equal(listen.udp_fd, -1);
	assert_int_equal(listen.tcp_fd, -1);
	dns_listen_close(&listen);
}

/* Who has the port keeps it, and of ours nothing is left open. */
static void test_somebody_is_there(void **state)
{
	static const char *const addresses[] = {ADDRESS, "0.0.0.0"};
	const uint32_t ours_be = address_of(ADDRESS).sin_addr.s_addr;
	struct dns_listen opened = {.udp_fd = -7, .tcp_fd = -7};

	for (unsigned int i = 0; i < 4; i++) {
		struct sockaddr_in theirs = address_of(addresses[i / 2]);
		int type = i % 2 ? SOCK_STREAM : SOCK_DGRAM;
		int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&theirs, sizeof(theirs)), 0);
		if (type == SOCK_STREAM)
			assert_int_equal(listen(fd, 1), 0);
		assert_int_equal(dns_listen_open(ours_be, "tap9", &opened), -EADDRINUSE);
		assert_int_equal(opened.udp_fd, -7);
		assert_int_equal(opened.tcp_fd, -7);
		close(fd);
		assert_int_equal(dns_listen_open(ours_be, "tap9", &opened), 0);
		dns_listen_close(&opened);
		opened = (struct dns_listen){.udp_fd = -7, .tcp_fd = -7};
	}
}

static void test_no_interface(void **state)
{
	struct dns_listen opened;

	assert_int_equal(
		dns_listen_open(address_of(ADDRESS).sin_addr.s_addr, "tap8", &opened), -ENODEV);
	assert_int_equal(dns_listen_open(htonl(0x0a090002), "tap9", &opened), -EADDRNOTAVAIL);
}

/* Connections of the last server, which is gone, do not keep the next one from the port. */
static void test_old_connections(void **state)
{
	struct sockaddr_in ours = address_of(ADDRESS);
	struct dns_listen opened;

	assert_int_equal(dns_listen_open(ours.sin_addr.s_addr, "tap9", &opened), 0);
	/* Through loopback: the socket hears tap9 alone, so it is let off for once. */
	assert_int_equal(setsockopt(opened.tcp_fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0), 0);
	int guest = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(guest, (struct sockaddr *)&ours, sizeof(ours)), 0);
	struct pollfd wait = {.fd = opened.tcp_fd, .events = POLLIN};
	assert_int_equal(poll(&wait, 1, 20000), 1);
	int accepted = accept4(opened.tcp_fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(accepted >= 0);
	close(accepted); /* the server's end waits: TIME_WAIT */
	close(guest);
	dns_listen_close(&opened);
	assert_int_equal(dns_listen_open(ours.sin_addr.s_addr, "tap9", &opened), 0);
	dns_listen_close(&opened);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_somebody_is_there),
		cmocka_unit_test(test_no_interface),
		cmocka_unit_test(test_old_connections),
	};

	namespace_enter();
	namespace_run("ip tuntap add dev tap9 mode tap && ip address add " ADDRESS
		      "/24 dev tap9 && ip link set tap9 up");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
