/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VMMs that listen (mode=server): the program connects to them, whoever comes first and however
 * often they go. What a driver then does is no other than with mode=client; the conversation of
 * each is in test_personalities.c, which meson runs in this mode, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/frontend/api.h"
#include "tests/frontend/neighbours.h"

#define ROUNDS 10
/* How often a hostile VMM hangs up. */
#define HANG_UPS 50

static struct frontend_options options;
static struct neighbours neighbours;
static struct driver_frame frame;
static char line[512];

static int setup(void **state)
{
	int error = fixture_setup(state);
	struct fixture *fixture = *state;

	fixture->listens = true;
	options = fixture_options();
	return error;
}

static void start(struct fixture *fixture, unsigned int count)
{
	char api[96];
	const char *const arguments[] = {"--api", api, NULL};

	snprintf(api, sizeof(api), "%s/api", fixture->directory);
	fixture_start(fixture, count, NULL, arguments);
}

static void plug_all(struct fixture *fixture, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		fixture_plug(fixture, i, &options);
	fixture_introduce(fixture);
}

/* Takes what lies in a guest's receive queue; its rules must have been kept. */
static void empty(struct fixture *fixture, unsigned int port)
{
	int error;

	while ((error = driver_poll(&fixture->ports[port].driver, &frame)) == 0)
		;
	assert_int_equal(error, -EAGAIN);
}

/* Waits for a line of the program that begins so. */
static void said(struct fixture *fixture, size_t mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void said(struct fixture *fixture, size_t mark, const char *format, ...)
{
	char begin[256];
	va_list values;

	va_start(values, format);
	vsnprintf(begin, sizeof(begin), format, values);
	va_end(values);
	int error = backend_process_wait_line(&fixture->backend, mark, begin, line, sizeof(line));
	if (error)
		fail_msg("there is no line that begins: %s: %s", begin, strerror(-error));
}

/* How many lines of the program have `text` in them. */
static unsigned int count_lines(struct fixture *fixture, const char *text)
{
	static char all[1 << 16];
	unsigned int count = 0;
	ssize_t length = pread(fixture->backend.error_fd, all, sizeof(all) - 1, 0);

	assert_true(length >= 0);
	all[length] = 0;
	for (const char *at = all; (at = strstr(at, text)); at += strlen(text))
		count++;
	return count;
}

static void vmm_comes_first(void **state)
{
	struct fixture *fixture = *state;
	char path[128];
	struct stat status;

	/* The paths are known before the program runs. */
	fixture->plugged[0] = fixture->plugged[1] = true;
	for (unsigned int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/guest%u", fixture->directory, i);
		assert_int_equal(frontend_init(&fixture->ports[i], &options), 0);
		assert_int_equal(frontend_listen(&fixture->ports[i], path), 0);
	}
	start(fixture, 2);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(frontend_connect(&fixture->ports[i], fixture->sockets[i]), 0);
		assert_int_equal(frontend_activate(&fixture->ports[i]), 0);
	}
	fixture_introduce(fixture);
	fixture_stream(fixture, 0, 1, 500);
	fixture_stream(fixture, 1, 0, 500);
	assert_int_equal(count_lines(fixture, "waits for"), 0);
	/* What the VMM made is the VMM's, also when we end. */
	fixture_stop(fixture);
	assert_int_equal(stat(path, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
}

static void back_end_comes_first(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 2);
	for (unsigned int i = 0; i < 2; i++)
		said(fixture, 0, "chnet-vhost: port %u: waits for a VMM to listen at %s", i,
			fixture->sockets[i]);
	plug_all(fixture, 2);
	fixture_stream(fixture, 0, 1, 500);
	fixture_stream(fixture, 1, 0, 500);
	assert_int_equal(count_lines(fixture, "waits for"), 2);
}

/* Neighbours talk at ports 1 and 2 meanwhile. */
static void begin_neighbours(struct fixture *fixture)
{
	assert_int_equal(neighbours_start(&neighbours, &fixture->ports[1], fixture_end(1, 0).mac,
				 &fixture->ports[2], fixture_end(2, 0).mac),
		0);
	assert_int_equal(neighbours_wait(&neighbours, 10, deadline_in(DEADLINE_STEP_MS)), 0);
}

static void end_neighbours(void)
{
	uint64_t rounds = neighbours_rounds(&neighbours);

	int error = neighbours_wait(&neighbours, rounds + 10, deadline_in(DEADLINE_STEP_MS));
	if (error || neighbours_stop(&neighbours))
		fail_msg("the neighbours: %s", neighbours.fault);
}

static void vmm_comes_and_goes(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 4);
	plug_all(fixture, 4);
	begin_neighbours(fixture);
	unsigned int fds = fixture_count_fds(fixture);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 20; i++) {
			fixture_number(fixture, &frame, 0, fixture_end(3, 0).mac, 1000);
			fixture_send(fixture, 0, &frame);
		}
		/* Another VMM, another guest. */
		fixture_unplug(fixture, 0);
		fixture_plug(fixture, 0, &options);
		empty(fixture, 3);
		fixture_pass(fixture, 0, 3, 60);
		fixture_pass(fixture, 3, 0, 60);
	}
	end_neighbours();
	fixture_expect_fds(fixture, fds);
}

static void data_plane_dies(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 2);
	plug_all(fixture, 2);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 20; i++) {
			fixture_number(fixture, &frame, 0, fixture_end(1, 0).mac, 1000);
			fixture_send(fixture, 0, &frame);
		}
		fixture_restart_dataplane(fixture, 2);
		/* What was not taken is taken by the next one, and what was not acknowledged may
		 * come twice. */
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(driver_drain(&fixture->ports[i].driver,
						 deadline_in(DEADLINE_STEP_MS)),
				0);
		for (unsigned int i = 0; i < 2; i++)
			empty(fixture, i);
		fixture_pass(fixture, 0, 1, 60);
		fixture_pass(fixture, 1, 0, 60);
	}
}

/* Requests to the API: the status that is expected, and what it answers. */
static char answer[8192];

static void ask(
	struct fixture *fixture, int status, const char *method, const char *path, const char *body)
{
	char api[96];

	snprintf(api, sizeof(api), "%s/api", fixture->directory);
	int got = api_request(api, method, path, body, answer, sizeof(answer));
	if (got != status)
		fail_msg("%s %s: %d: %s", method, path, got, answer);
}

static void add(struct fixture *fixture, int status, const char *name)
{
	char body[256];

	snprintf(body, sizeof(body), "{\"socket\":\"%s/%s\",\"mode\":\"server\"}",
		fixture->directory, name);
	ask(fixture, status, "POST", "/v1/ports", body);
}

static void ports_come_and_go(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 3);
	plug_all(fixture, 2);
	unsigned int fds = fixture_count_fds(fixture);
	for (int round = 0; round < ROUNDS; round++) {
		/* While it waits, and while it is connected. */
		ask(fixture, 200, "GET", "/v1/ports", NULL);
		assert_non_null(strstr(answer, "\"mode\":\"server\""));
		ask(fixture, 204, "DELETE", "/v1/ports/2", NULL);
		add(fixture, 201, "guest2");
		assert_non_null(strstr(answer, "\"mode\":\"server\""));
		assert_non_null(strstr(answer, "\"connected\":false"));
		fixture_plug(fixture, 2, &options);
		fixture_number(fixture, &frame, 2, frames_broadcast, 60);
		fixture_send(fixture, 2, &frame);
		fixture_expect(fixture, 0, &frame);
		fixture_expect(fixture, 1, &frame);
		fixture_stream(fixture, 2, 0, 50);
		ask(fixture, 204, "DELETE", "/v1/ports/2", NULL);
		assert_int_equal(client_wait_hangup(&fixture->ports[2].client), 0);
		fixture_unplug(fixture, 2);
		add(fixture, 201, "guest2");
		fixture_pass(fixture, 0, 1, 60);
	}
	fixture_expect_fds(fixture, fds);
}

/* Nobody was ever called, so nothing was ever connected. */
static void ports_go_before_their_vmm_came(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 2);
	plug_all(fixture, 2);
	unsigned int fds = fixture_count_fds(fixture);
	for (int round = 0; round < ROUNDS; round++) {
		add(fixture, 201, "nobody");
		ask(fixture, 204, "DELETE", "/v1/ports/2", NULL);
		fixture_expect_fds(fixture, fds);
	}
}

/* The right to connect is the network's, as it was started, whatever ports it has when a data plane
 * dies. */
static void right_outlives_port_and_data_plane(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 1);
	ask(fixture, 204, "DELETE", "/v1/ports/0", NULL);
	assert_int_equal(kill(fixture->dataplane, SIGKILL), 0);
	said(fixture, 0, "chnet-vhost: another data plane is ready");
	fixture_accept_new_dataplane(fixture);
	add(fixture, 201, "guest0");
	fixture_plug(fixture, 0, &options);
}

/* A data plane that was started without such a port cannot connect: its sandbox is closed. */
static void port_is_refused_where_none_was(void **state)
{
	struct fixture *fixture = *state;

	fixture->listens = false;
	options.listens = false;
	start(fixture, 1);
	add(fixture, 403, "guest1");
	assert_non_null(strstr(answer, "may connect to no VMM: start the network with a socket of "
				       "mode=server"));
	fixture_plug(fixture, 0, &options);
}

/* A data plane that may connect is told to be root's, and only then. */
static void warns_of_root(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(chown(fixture->directory, 1000, 1000), 0);
	start(fixture, 1);
	assert_int_equal(count_lines(fixture, "root's user id"), 0);
	fixture_stop(fixture);
	assert_int_equal(chown(fixture->directory, 0, 0), 0);
	start(fixture, 1);
	assert_int_equal(
		count_lines(fixture, "warning: mode=server: the data plane has root's user id"), 1);
}

/* What lies in the VMM's place is told once, and does not keep the VMM from coming. */
static void bad_paths(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 3);
	said(fixture, 0, "chnet-vhost: port 0: waits for a VMM");
	plug_all(fixture, 0);
	int fd = open(fixture->sockets[0], O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	said(fixture, 0, "chnet-vhost: warning: port 0: %s is no socket: remove it",
		fixture->sockets[0]);
	/* Of a VMM that was killed. */
	close(client_listen(fixture->sockets[1]));
	said(fixture, 0, "chnet-vhost: port 1: no connection to %s came about",
		fixture->sockets[1]);
	/* Of another user; root without its capabilities is nobody special. */
	fd = client_listen(fixture->sockets[2]);
	assert_int_equal(chown(fixture->sockets[2], 1000, 1000), 0);
	assert_int_equal(chmod(fixture->sockets[2], 0755), 0);
	close(fd);
	said(fixture, 0, "chnet-vhost: warning: port 2: uid 0 may not connect to %s",
		fixture->sockets[2]);
	for (unsigned int i = 0; i < 3; i++)
		fixture_plug(fixture, i, &options);
	fixture_introduce(fixture);
	assert_int_equal(count_lines(fixture, "is no socket"), 1);
	assert_int_equal(count_lines(fixture, "nobody listens"), 1);
	assert_int_equal(count_lines(fixture, "may not connect"), 1);
}

/* The program as it ends by itself, with a path that can never be a VMM's socket. */
static void refused_at_the_start(void **state)
{
	struct fixture *fixture = *state;
	char socket[160];
	const char *const arguments[] = {"--uplink", "none", "--socket", socket, NULL};
	int status;

	snprintf(socket, sizeof(socket), "%s/file", fixture->directory);
	int fd = open(socket, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	strcat(socket, ",mode=server");
	assert_int_equal(
		backend_process_start(&fixture->backend, fixture->directory, arguments), 0);
	assert_int_equal(backend_process_wait_end(&fixture->backend, &status), 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
	said(fixture, 0, "chnet-vhost: socket %s/file: there is a file that is no socket",
		fixture->directory);
}

/* Listens, and hangs up as soon as somebody comes; nobody else's business. */
static void vmm_hangs_up_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct client client;

	start(fixture, 4);
	plug_all(fixture, 4);
	begin_neighbours(fixture);
	unsigned int fds = fixture_count_fds(fixture);
	fixture_unplug(fixture, 0);
	for (int i = 0; i < HANG_UPS; i++) {
		int listener = client_listen(fixture->sockets[0]);
		assert_int_equal(client_accept(&client, listener), 0);
		client_disconnect(&client);
	}
	end_neighbours();
	/* 20, and what the guest that was there before said. */
	assert_in_range(count_lines(fixture, "port 0:"), 1, 20);
	/* Counted when a guest is there as before: until then, the last connection may not be
	 * closed yet. */
	fixture_plug(fixture, 0, &options);
	fixture_pass(fixture, 0, 3, 60);
	fixture_expect_fds(fixture, fds);
}

/* Half a message, and silence, stop nobody else's messages. */
static void vmm_sends_half_a_message(void **state)
{
	struct fixture *fixture = *state;
	const struct client_header header = {.request = CLIENT_SET_FEATURES, .flags = 1, .size = 8};
	struct client client;
	uint64_t features;

	start(fixture, 2);
	fixture_plug(fixture, 1, &options);
	for (int i = 0; i < ROUNDS; i++) {
		int listener = client_listen(fixture->sockets[0]);
		assert_int_equal(client_accept(&client, listener), 0);
		assert_int_equal(
			send(client.fd, &header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
		assert_int_equal(
			client_get_u64(&fixture->ports[1].client, CLIENT_GET_FEATURES, &features),
			0);
		client_disconnect(&client);
	}
}

/* Takes no connection at all; its port can be deleted. */
static void vmm_accepts_nobody(void **state)
{
	struct fixture *fixture = *state;

	start(fixture, 3);
	int listener = client_listen(fixture->sockets[0]);
	assert_true(listener >= 0);
	for (unsigned int i = 1; i < 3; i++)
		fixture_plug(fixture, i, &options);
	fixture_introduce(fixture);
	ask(fixture, 200, "GET", "/v1/ports", NULL);
	assert_non_null(strstr(answer, "\"connected\":false"));
	ask(fixture, 204, "DELETE", "/v1/ports/0", NULL);
	fixture_stream(fixture, 1, 2, 100);
	close(listener);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, fixture_teardown)

static const struct CMUnitTest tests[] = {
	TEST(vmm_comes_first),
	TEST(back_end_comes_first),
	TEST(vmm_comes_and_goes),
	TEST(data_plane_dies),
	TEST(ports_come_and_go),
	TEST(ports_go_before_their_vmm_came),
	TEST(right_outlives_port_and_data_plane),
	TEST(port_is_refused_where_none_was),
	TEST(warns_of_root),
	TEST(bad_paths),
	TEST(refused_at_the_start),
	TEST(vmm_hangs_up_at_once),
	TEST(vmm_sends_half_a_message),
	TEST(vmm_accepts_nobody),
};

FIXTURE_MAIN(tests)
