/* SPDX-License-Identifier: BSD-3-Clause */
/* The client against the API's own server, in a thread, and against servers that are none. */
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
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/api/api_server.h"
#include "control/client.h"
#include "tests/unit/control/api_double.h"
#include "tests/unit/host/namespace.h"

static struct api_double twin = {.level = "info"};
static struct api_server *server;
static int listen_fd, stop_fd;
static pthread_t thread;
static char error[CLIENT_ERROR_CAPACITY];

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static void *serve(void *unused)
{
	struct pollfd events[] = {
		{.fd = stop_fd, .events = POLLIN}, {.fd = api_server_fd(server), .events = POLLIN}};

	while (!events[0].revents)
		if (poll(events, 2, api_server_timeout_ms(server)) >= 0)
			api_server_run(server);
	return NULL;
}

static int set_up(void **state)
{
	const struct api_network network = api_double_network(&twin);

	namespace_run("mkdir -p /run/chnet");
	listen_fd = listen_at("/run/chnet/net.sock");
	stop_fd = eventfd(0, 0);
	return api_server_new(listen_fd, &network, &server) ||
	       pthread_create(&thread, NULL, serve, NULL);
}

static int tear_down(void **state)
{
	eventfd_write(stop_fd, 1);
	pthread_join(thread, NULL);
	api_server_free(server);
	close(stop_fd);
	close(listen_fd);
	namespace_run("rm -rf /run/chnet");
	return 0;
}

static void an_answer_is_json(void **state)
{
	json_t *json = NULL;

	assert_int_equal(client_json("net", "GET", "/v1/status", NULL, &json, error), 0);
	assert_string_equal(json_string_value(json_object_get(json, "name")), "default");
	json_decref(json);
}

static void a_body_arrives_and_none_comes_back(void **state)
{
	json_t *body = json_pack("{s:s}", "forward", "tcp:1=172.16.0.2:\u00e4");
	json_t *json = NULL;

	assert_int_equal(client_json("net", "POST", "/v1/forwards", body, &json, error), 0);
	json_decref(json);
	json_decref(body);
	assert_string_equal(twin.asked, "forward_add tcp:1=172.16.0.2:\u00e4");
	json = NULL;
	assert_int_equal(
		client_json("net", "DELETE", "/v1/forwards/tcp%3A1%3D2", NULL, &json, error), 0);
	assert_null(json);
	assert_string_equal(twin.asked, "forward_remove tcp:1=2");
}

static void a_refusal_is_the_servers_sentence(void **state)
{
	json_t *json = NULL;
	struct client_answer answer;

	assert_int_equal(
		client_json("net", "DELETE", "/v1/ports/x", NULL, &json, error), -EREMOTEIO);
	assert_null(json);
	assert_non_null(strstr(error, "number"));
	/* For whoever wants to see it himself, it is an answer. */
	assert_int_equal(client_call("net", "GET", "/v1/none", NULL, &answer, error), 0);
	assert_int_equal(answer.status, 404);
	assert_int_equal(strlen(answer.body), answer.size);
	assert_non_null(strstr(answer.body, "{\"error\":"));
	client_answer_free(&answer);
	assert_null(answer.body);
	client_answer_free(NULL);
}

static void refused(int expected, const char *network, const char *says)
{
	struct client_answer answer = {.status = 77};

	assert_int_equal(client_call(network, "GET", "/v1/status", NULL, &answer, error), expected);
	if (!strstr(error, says))
		fail_msg("'%s' says nothing of '%s'", error, says);
	assert_int_equal(answer.status, 77);
}

static void no_network_is_said_so(void **state)
{
	refused(-ENOENT, "other", "no network 'other' is running");
	/* One that was killed has left its socket. */
	close(listen_at("/run/chnet/killed.sock"));
	refused(-ENOENT, "killed", "no network 'killed' is running");
	refused(-ENOENT, "other", "'chnet run --name other'");
	refused(-ENOENT, "default", "'chnet run'");
	refused(-EINVAL, "../net", "no name of a network");
	/* One on a TAP has nobody who answers. */
	namespace_run("touch /run/chnet/tapped.host");
	refused(-ENOENT, "tapped", "the network 'tapped' is on a TAP");
}

static void names(void **state)
{
	static const char *const good[] = {
		"a", "0", "default", "a-b_c.d", "abcdefghijklmnopqrstuvwxyz012345"};
	static const char *const bad[] = {
		"", ".", "-a", "_a", "a/b", "a b", "\xc3\xa4", "abcdefghijklmnopqrstuvwxyz0123456"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(client_check_name(good[i], error), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(client_check_name(bad[i], error), -EINVAL);
}

/* A server that says one thing, whatever it is asked. */
struct liar {
	int fd; /* listening */
	const char *answer;
};

static void *lie(void *argument)
{
	const struct liar *liar = argument;
	char request[4096];
	int fd = accept(liar->fd, NULL, NULL);

	/* The first connection only looks whether somebody is there. */
	close(fd);
	fd = accept(liar->fd, NULL, NULL);
	if (read(fd, request, sizeof(request)) > 0)
		dprintf(fd, "%s", liar->answer);
	close(fd);
	return NULL;
}

/* What client_json() makes of an answer. */
static int told(const char *answer)
{
	struct liar liar = {.answer = answer};
	pthread_t other;
	json_t *json = NULL;
	int result;

	unlink("/run/chnet/liar.sock");
	liar.fd = listen_at("/run/chnet/liar.sock");
	assert_int_equal(pthread_create(&other, NULL, lie, &liar), 0);
	result = client_json("liar", "GET", "/v1/status", NULL, &json, error);
	pthread_join(other, NULL);
	close(liar.fd);
	assert_true(result < 0 || json);
	json_decref(json);
	return result;
}

static void strange_servers(void **state)
{
	assert_int_equal(told("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), 0);
	assert_int_equal(told("220 mail.example ESMTP\r\n"), -EPROTO);
	assert_int_equal(told(""), -EPROTO);
	assert_int_equal(told("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), -EPROTO);
	assert_int_equal(told("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhtml"), -EPROTO);
	assert_non_null(strstr(error, "no JSON"));
	/* As libmicrohttpd answers what it does not pass on to us. */
	assert_int_equal(
		told("HTTP/1.1 414 URI Too Long\r\nContent-Length: 6\r\n\r\n<html>"), -EREMOTEIO);
	assert_non_null(strstr(error, "does not say why"));
}

static int ask_without_rights(void *argument)
{
	struct client_answer answer;

	if (setgid(65534) < 0 || setuid(65534) < 0 || setenv("XDG_RUNTIME_DIR", "/run/user", 1))
		return 1;
	if (client_call("net", "GET", "/v1/status", NULL, &answer, error) != -EACCES)
		return 2;
	return strstr(error, "another user's") && strstr(error, "sudo") ? 0 : 3;
}

static void anothers_network_needs_rights(void **state)
{
	assert_int_equal(chmod("/run/chnet/net.sock", 0600), 0);
	assert_int_equal(namespace_in_child(ask_without_rights, NULL), 0);
}

static int ask_as_owner(void *argument)
{
	json_t *json = NULL;

	if (setgid(65534) < 0 || setuid(65534) < 0 || setenv("XDG_RUNTIME_DIR", "/run/user", 1))
		return 1;
	return client_json("net", "GET", "/v1/status", NULL, &json, error) < 0;
}

/* Without one of his own of that name, a user's client goes to root's, if it may. */
static void roots_network_is_found(void **state)
{
	assert_int_equal(chmod("/run/chnet/net.sock", 0666), 0);
	assert_int_equal(namespace_in_child(ask_as_owner, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_answer_is_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_body_arrives_and_none_comes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_refusal_is_the_servers_sentence, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_network_is_said_so, set_up, tear_down),
		cmocka_unit_test(names),
		cmocka_unit_test_setup_teardown(strange_servers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(anothers_network_needs_rights, set_up, tear_down),
		cmocka_unit_test_setup_teardown(roots_network_is_found, set_up, tear_down),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
