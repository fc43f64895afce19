/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dns_child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/dns_counters.h"
#include "guest/services/dhcp_lease.h"
#include "tests/unit/host/namespace.h"

#define GATEWAY 0xac100001
#define ELSEWHERE 0x01010101
#define PATIENCE_MS 20000

static struct options options;
static struct foundation foundation;
static struct dns_child dns;
static uint32_t dns_be;

static void parse(const char *more)
{
	char *argv[] = {"chnet-vhost", "--socket=/run/a.sock", (char *)more};
	enum options_action action;
	char error[OPTIONS_ERROR_CAPACITY];

	assert_int_equal(
		options_parse(more ? 3 : 2, argv, &options, &action, error, sizeof(error)), 0);
}

static void start(const char *more)
{
	char error[FOUNDATION_ERROR_CAPACITY] = "";

	parse(more);
	if (foundation_init(&foundation, &options, 4096, 4096, error) < 0)
		fail_msg("%s", error);
	dns_child_start(&dns, &foundation, &options, &dns_be);
}

static int stop(void **state)
{
	dns_child_stop(&dns);
	assert_int_equal(dns.pid, 0);
	assert_int_equal(dns.listen.udp_fd, -1);
	foundation_fini(&foundation);
	return 0;
}

/* Asks for host.chnet as the host may, through the TAP's own address; the answer's length. */
static ssize_t ask(void)
{
	static const uint8_t query[] = {0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 'h', 'o', 's', 't',
		5, 'c', 'h', 'n', 'e', 't', 0, 0, 1, 0, 1};
	struct sockaddr_in gateway = {
		.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(GATEWAY)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	uint8_t answer[512];
	ssize_t length = -1;

	/* The server hears the TAP alone, which nobody has plugged in here. */
	assert_int_equal(setsockopt(dns.listen.udp_fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0), 0);
	assert_int_equal(
		sendto(fd, query, sizeof(query), 0, (struct sockaddr *)&gateway, sizeof(gateway)),
		sizeof(query));
	if (poll(&wait, 1, PATIENCE_MS) == 1)
		length = recv(fd, answer, sizeof(answer), 0);
	close(fd);
	return length;
}

static void test_it_serves(void **state)
{
	const struct dns_counters *counters;

	start(NULL);
	assert_int_equal(dns_be, htonl(GATEWAY));
	assert_true(dns.pid > 0);
	assert_int_equal(ask(), 28 + 16);
	counters = foundation.dns.address;
	assert_int_equal(counters->queries_udp, 1);
	/* Nobody, without rights. */
	assert_string_equal(namespace_output("cat /proc/%d/comm", dns.pid), "chnet-dns\n");
	assert_string_equal(
		namespace_output("sed -n 's/^Uid:[[:space:]]*//p' /proc/%d/status", dns.pid),
		"65534\t65534\t65534\t65534\n");
	assert_string_equal(
		namespace_output("sed -n 's/^CapBnd:[[:space:]]*//p' /proc/%d/status", dns.pid),
		"0000000000000000\n");
	assert_string_equal(
		namespace_output("sed -n 's/^CapPrm:[[:space:]]*//p' /proc/%d/status", dns.pid),
		"0000000000000000\n");
	/* Of the memory that is shared, its own counters to write and leases to read. */
	assert_string_equal(
		namespace_output("awk '$2 ~ /s$/ { print $2, $6 }' /proc/%d/maps | sort", dns.pid),
		"r--s /run/chnet/default.leases\nrw-s /memfd:chnet-dns\n");
}

static void test_another_one_after_its_death(void **state)
{
	siginfo_t info;

	start(NULL);
	assert_int_equal(ask(), 28 + 16);
	for (uint64_t now_ns = 1; now_ns < 4; now_ns++) {
		pid_t before = dns.pid;
		assert_int_equal(kill(before, SIGKILL), 0);
		assert_int_equal(waitid(P_PID, (id_t)before, &info, WEXITED | WNOWAIT), 0);
		dns_child_reap(&dns, now_ns);
		assert_true(dns.pid > 0 && dns.pid != before);
		assert_int_equal(ask(), 28 + 16);
	}
	/* Counters go on. */
	assert_int_equal(((const struct dns_counters *)foundation.dns.address)->queries_udp, 4);
	/* Nobody has died: nothing happens. */
	pid_t before = dns.pid;
	dns_child_reap(&dns, 4);
	assert_int_equal(dns.pid, before);
}

/* One that dies again and again is not started for ever. */
static void test_too_many_deaths(void **state)
{
	siginfo_t info;
	unsigned int deaths = 0;

	for (start(NULL); dns.pid; deaths++) {
		assert_int_equal(kill(dns.pid, SIGKILL), 0);
		assert_int_equal(waitid(P_PID, (id_t)dns.pid, &info, WEXITED | WNOWAIT), 0);
		dns_child_reap(&dns, 1);
	}
	assert_int_equal(deaths, RESTART_DEATHS + 1);
}

static void test_what_guests_are_told(void **state)
{
	static const struct {
		const char *option;
		uint32_t told;
	} cases[] = {{"--dns=off", ELSEWHERE}, {"--uplink=none", 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start(cases[i].option);
		assert_int_equal(dns_be, htonl(cases[i].told));
		assert_int_equal(dns.pid, 0);
		assert_null(foundation.dns.address);
		stop(NULL);
	}
	/* The host's own server. */
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(53)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	start(NULL);
	close(fd);
	assert_int_equal(dns_be, htonl(GATEWAY));
	assert_int_equal(dns.pid, 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_serves),
		TEST(test_another_one_after_its_death),
		TEST(test_too_many_deaths),
		TEST(test_what_guests_are_told),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
