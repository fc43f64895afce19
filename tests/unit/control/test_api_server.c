/* SPDX-License-Identifier: BSD-3-Clause */
/* The server in a thread, on a socket in a directory of the test's; requests byte by byte. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/api/api_server.h"
#include "tests/unit/control/api_double.h"

static struct api_double twin = {.flow_count = 10, .level = "info"};
static char directory[] = "/tmp/chnet-test-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listen_fd, stop_fd;
static struct api_server *server;
static pthread_t thread;
static char answer[1 << 20];

static void *serve(void *unused)
{
	struct pollfd events[] = {
		{.fd = stop_fd, .events = POLLIN}, {.fd = api_server_fd(server), .events = POLLIN}};

	while (!events[0].revents) {
		if (poll(events, 2, api_server_timeout_ms(server)) >= 0)
			api_server_run(server);
	}
	return NULL;
}

static int setup(void **state)
{
	const struct api_network network = api_double_network(&twin);

	if (!mkdtemp(directory))
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/api.sock", directory);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	stop_fd = eventfd(0, 0);
	if (bind(listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(listen_fd, 16) < 0 || api_server_new(listen_fd, &network, &server))
		return -1;
	return pthread_create(&thread, NULL, serve, NULL);
}

static int teardown(void **state)
{
	eventfd_write(stop_fd, 1);
	pthread_join(thread, NULL);
	api_server_free(server);
	close(stop_fd);
	close(listen_fd);
	unlink(address.sun_path);
	return rmdir(directory);
}

static int connect_to(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void send_text(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
		if (sent < 0)
			return; /* refused before it was read: the answer tells */
		text += sent;
		length -= (size_t)sent;
	}
}

/* Everything until the server hangs up; returns the status. */
static int receive(int fd)
{
	size_t length = 0;
	ssize_t more;

	while ((more = read(fd, answer + length, sizeof(answer) - 1 - length)) > 0)
		length += (size_t)more;
	answer[length] = 0;
	close(fd);
	int status = 0;
	sscanf(answer, "HTTP/1.1 %d", &status);
	return status;
}

static int ask(const char *text)
{
	int fd = connect_to();

	send_text(fd, text, strlen(text));
	return receive(fd);
}

#define CLOSE "Host: x\r\nConnection: close\r\n"

static void test_whole_exchange(void **state)
{
	assert_int_equal(
		ask("GET /v1/flows?count=true&guest=172.16.0.2 HTTP/1.1\r\n" CLOSE "\r\n"), 200);
	assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(answer, "\r\n\r\n{\"count\":3}"));
	assert_int_equal(ask("DELETE /v1/forwards/tcp%3A1%3D2 HTTP/1.1\r\n" CLOSE "\r\n"), 204);
	assert_string_equal(twin.asked, "forward_remove tcp:1=2");
	assert_int_equal(ask("BREW /v1/ports HTTP/1.1\r\n" CLOSE "\r\n"), 405);
	assert_non_null(strstr(answer, "Allow: GET, POST\r\n"));
}

/* In pieces, and two requests on one connection. */
static void test_pieces(void **state)
{
	static const char text[] = "PUT /v1/log-level HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n"
				   "\r\n{\"log_level\":\"error\"}"
				   "GET /v1/log-level HTTP/1.1\r\n" CLOSE "\r\n";
	int fd = connect_to();

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		send_text(fd, text + i, 1);
	assert_int_equal(receive(fd), 200);
	char *second = strstr(answer + 1, "HTTP/1.1 200");
	assert_non_null(second);
	assert_non_null(strstr(second, "{\"log_level\":\"error\"}"));
}

static int post(size_t announced, size_t sent)
{
	char *text = malloc(sent + 256);
	int length = snprintf(text, 256,
		"POST /v1/ports HTTP/1.1\r\n" CLOSE "Content-Length: %zu\r\n\r\n", announced);
	int fd = connect_to();

	memset(text + length, ' ', sent);
	send_text(fd, text, (size_t)length + sent);
	free(text);
	return receive(fd);
}

static void test_long_bodies(void **state)
{
	twin.asked[0] = 0;
	assert_int_equal(post(API_BODY_MAX, API_BODY_MAX), 400); /* read, and no JSON */
	assert_non_null(strstr(answer, "the body is no JSON"));
	assert_int_equal(post(API_BODY_MAX + 1, API_BODY_MAX + 1), 413);
	assert_non_null(strstr(answer, "{\"error\":\"the body is too long"));
	assert_int_equal(ask("POST /v1/ports HTTP/1.1\r\n" CLOSE
			     "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
		411);
	assert_string_equal(twin.asked, "");
}

static void test_malformed(void **state)
{
	/* The library hangs up on what is no HTTP at all. */
	assert_int_equal(ask("nonsense\r\n\r\n"), 0);
	assert_int_equal(ask("GET /v1/status HTTP/1.1\r\n" CLOSE "Content-Length: x\r\n\r\n"), 400);
	assert_int_equal(
		ask("GET /v1/flows?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q HTTP/1.1\r\n" CLOSE "\r\n"),
		400);
	assert_non_null(strstr(answer, "too many arguments"));
	/* And it still serves. */
	assert_int_equal(ask("GET /v1/status HTTP/1.1\r\n" CLOSE "\r\n"), 200);
}

/* A request with so many bytes in its path, or in a header. */
static int ask_long(size_t in_path, size_t in_header)
{
	char *text = malloc(in_path + in_header + 256), *at = text;
	int status;

	at += sprintf(at, "GET /");
	memset(at, 'a', in_path);
	at += in_path;
	at += sprintf(at, " HTTP/1.1\r\n" CLOSE "X: ");
	memset(at, 'a', in_header);
	at += in_header;
	strcpy(at, "\r\n\r\n");
	status = ask(text);
	free(text);
	return status;
}

/* What the library refuses before we are asked has its page, and no JSON (docs/api.md). */
static void test_refused_by_the_library(void **state)
{
	static const struct {
		const char *request;
		int status;
	} cases[] = {
		{"GET /v1/status HTTP/1.1\r\n" CLOSE "no colon\r\n\r\n", 400},
		{"GET /v1/status HTTP/1.1\r\n" CLOSE "Content-Length: -1\r\n\r\n", 400},
		{"GET /v1/status HTTP/9.9\r\n" CLOSE "\r\n", 505},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ask(cases[i].request), cases[i].status);
		assert_null(strstr(answer, "{\"error\""));
	}
	assert_int_equal(ask_long(100000, 0), 414);
	assert_null(strstr(answer, "{\"error\""));
	assert_int_equal(ask_long(0, 100000), 431);
	assert_null(strstr(answer, "{\"error\""));
	/* What fits is ours to refuse. */
	assert_int_equal(ask_long(4000, 4000), 404);
	assert_non_null(strstr(answer, "{\"error\""));
	assert_int_equal(ask("GET /v1/status HTTP/1.1\r\n" CLOSE "\r\n"), 200);
}

/* Clients that say nothing take no place from others, up to the limit. */
static void test_idle_clients(void **state)
{
	int idle[API_CONNECTIONS_MAX - 1];

	for (unsigned int i = 0; i < API_CONNECTIONS_MAX - 1; i++)
		idle[i] = connect_to();
	assert_int_equal(ask("GET /v1/status HTTP/1.1\r\n" CLOSE "\r\n"), 200);
	for (unsigned int i = 0; i < API_CONNECTIONS_MAX - 1; i++)
		close(idle[i]);
	/* One that goes in the middle of a body harms nobody. */
	int fd = connect_to();
	send_text(fd, "POST /v1/ports HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", 58);
	close(fd);
	assert_int_equal(ask("GET /v1/status HTTP/1.1\r\n" CLOSE "\r\n"), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_exchange),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_long_bodies),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_refused_by_the_library),
		cmocka_unit_test(test_idle_clients),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
