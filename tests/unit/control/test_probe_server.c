/* SPDX-License-Identifier: BSD-3-Clause */
/* The server and its clients, in one thread: both sides by turns. */
#include "control/selftest/probe_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

#include "guest/probe/pattern.h"

/* An event that does not come within so long is not coming, milliseconds. */
#define LIMIT_MS 10000

static struct probe_server *server;

static int setup(void **state)
{
	const struct in_addr address_be = {.s_addr = htonl(INADDR_LOOPBACK)};

	return probe_server_open(address_be, &server);
}

static int teardown(void **state)
{
	probe_server_close(server);
	return 0;
}

static int connected(int type)
{
	struct sockaddr_in name = {.sin_family = AF_INET,
		.sin_port = htons(probe_server_port(server)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

/* Lets the server work until `fd` can be read. */
static void serve_until_readable(int fd)
{
	for (;;) {
		struct pollfd events[] = {{.fd = fd, .events = POLLIN},
			{.fd = probe_server_fd(server), .events = POLLIN}};

		assert_true(poll(events, 2, LIMIT_MS) > 0);
		if (events[1].revents)
			probe_server_serve(server);
		if (events[0].revents)
			return;
	}
}

static void test_datagrams_come_back(void **state)
{
	int fd = connected(SOCK_DGRAM);
	char bytes[2000];

	assert_int_equal(send(fd, "abc", 3, 0), 3);
	assert_int_equal(send(fd, "", 0, 0), 0);
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(send(fd, bytes, 1472, 0), 1472);
	serve_until_readable(fd);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 3);
	assert_memory_equal(bytes, "abc", 3);
	serve_until_readable(fd);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 0);
	serve_until_readable(fd);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 1472);
	close(fd);
}

/* Reads the pattern to its end; bytes. */
static uint32_t read_pattern(int fd)
{
	uint8_t bytes[PATTERN_PIECE];
	uint32_t count = 0;

	for (;;) {
		serve_until_readable(fd);
		ssize_t length = recv(fd, bytes, sizeof(bytes), 0);

		assert_true(length >= 0);
		if (length == 0)
			return count;
		assert_true(pattern_matches(count, bytes, (size_t)length));
		count += (uint32_t)length;
	}
}

static void test_the_pattern_is_sent(void **state)
{
	int fd = connected(SOCK_STREAM);

	assert_int_equal(send(fd, "GET 1000000 60000\n", 18, 0), 18);
	assert_int_equal(read_pattern(fd), 1000000);
	close(fd);
}

static void test_sending_ends_with_its_time(void **state)
{
	int fd = connected(SOCK_STREAM);

	assert_int_equal(send(fd, "GET 999999999 0\n", 16, 0), 16);
	assert_int_equal(read_pattern(fd), 0);
	close(fd);
}

/* Sends a PUT of `count` bytes, byte `wrong` of them changed; returns the answer. */
static const char *put(uint32_t count, uint32_t wrong)
{
	static char answer[64];
	uint8_t bytes[PATTERN_PIECE];
	int fd = connected(SOCK_STREAM);
	uint32_t sent = 0;

	assert_int_equal(send(fd, "PUT\n", 4, 0), 4);
	while (sent < count) {
		uint32_t length = count - sent < sizeof(bytes) ? count - sent : sizeof(bytes);
		ssize_t n;

		pattern_fill(sent, bytes, length);
		if (wrong >= sent && wrong < sent + length)
			bytes[wrong - sent] ^= 1;
		probe_server_serve(server);
		n = send(fd, bytes, length, MSG_DONTWAIT);
		assert_true(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (uint32_t)n : 0;
	}
	shutdown(fd, SHUT_WR);
	serve_until_readable(fd);
	ssize_t length = recv(fd, answer, sizeof(answer) - 1, 0);
	assert_true(length > 0);
	answer[length] = '\0';
	close(fd);
	return answer;
}

static void test_what_is_taken_is_compared(void **state)
{
	assert_string_equal(put(500000, UINT32_MAX), "OK 500000\n");
	assert_string_equal(put(0, UINT32_MAX), "OK 0\n");
	assert_memory_equal(put(500000, 499999), "BAD ", 4);
}

static void test_other_requests_are_refused(void **state)
{
	static const char *const lines[] = {"GET\n", "PUT x\n", "\n", "GET 5 99999\n",
		"GET 1234567890 1000\n", "GET 5 100000\n", "GET 5 1000 1\n", "GET 5 1000x\n",
		"a line that is longer than any request can be"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		int fd = connected(SOCK_STREAM);
		char byte;

		assert_true(send(fd, lines[i], strlen(lines[i]), 0) > 0);
		serve_until_readable(fd);
		assert_true(recv(fd, &byte, 1, 0) <= 0);
		close(fd);
	}
}

static void test_few_are_served_at_a_time_and_places_are_free_again(void **state)
{
	int fds[12];
	char byte;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 12; i++) {
			fds[i] = connected(SOCK_STREAM);
			probe_server_serve(server);
		}
		for (int i = 8; i < 12; i++) {
			serve_until_readable(fds[i]);
			assert_true(recv(fds[i], &byte, 1, 0) <= 0);
		}
		for (int i = 0; i < 12; i++)
			close(fds[i]);
		for (int i = 0; i < 4; i++)
			probe_server_serve(server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_datagrams_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_pattern_is_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sending_ends_with_its_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_taken_is_compared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_requests_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_few_are_served_at_a_time_and_places_are_free_again, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
