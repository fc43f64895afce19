/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The monitor's side of changes while running, against a data plane that was taken over: it sends
 * what it likes. Whatever that is, a request is carried out whole, as the API's users may have it
 * too, or it is refused and nothing is changed.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/change.h"
#include "backend/log.h"
#include "control/host/host.h"
#include "tests/unit/host/namespace.h"

#define STATS_SIZE 4096
#define FLOW_SIZE 65536
#define PORTS "/run/chnet/ports/default"
#define UNKNOWN "the monitor does not know such a request"

static struct options options;
static struct foundation foundation;
static struct change change;
static struct control_answer answer;
static int ours = -1, its = -1; /* the line: the monitor's end and the data plane's */

static int begin(const char *uplink)
{
	char *argv[] = {"chnet-vhost", "--socket=/run/guests/a.sock", "--socket=/run/guests/b.sock",
		(char *)uplink};
	char error[FOUNDATION_ERROR_CAPACITY];
	enum options_action action;
	int line[2];

	if (mkdir("/run/guests", 0755) < 0 && errno != EEXIST)
		return -1;
	if (options_parse(4, argv, &options, &action, error, sizeof(error)) ||
		foundation_init(&foundation, &options, FLOW_SIZE, STATS_SIZE, error) ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line) < 0)
		return -1;
	change = (struct change){.options = &options, .foundation = &foundation};
	ours = line[0];
	its = line[1];
	return 0;
}

static int setup(void **state)
{
	log_set_level(LOG_LEVEL_ERROR);
	return begin("--uplink=none");
}

static int setup_with_tap(void **state)
{
	log_set_level(LOG_LEVEL_ERROR);
	return begin("--uplink=tap");
}

static int teardown(void **state)
{
	foundation_fini(&foundation);
	close(ours);
	if (its >= 0)
		close(its);
	namespace_run("rm -r /run/guests");
	return 0;
}

static int ask(uint32_t kind, uint32_t number, const char *text)
{
	struct control_request request = {.kind = kind, .number = number, .serial = 4711};

	snprintf(request.text, sizeof(request.text), "%s", text);
	memset(&answer, 0xff, sizeof(answer));
	change_answer(&change, &request, &answer);
	assert_non_null(memchr(answer.text, 0, sizeof(answer.text)));
	assert_int_equal(answer.serial, 4711);
	if (answer.error)
		assert_string_not_equal(answer.text, "");
	return answer.error;
}

static unsigned int count_claims(void)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < socket_claim_count(foundation.claim); i++)
		count += socket_claim_fds(foundation.claim)[i] >= 0;
	return count;
}

/* A copy to compare with; what is behind the last forward means nothing. */
static struct options copy_options(void)
{
	struct options copy = options;

	memset(&copy.forwards[copy.forward_count], 0,
		(OPTIONS_FORWARDS_MAX - copy.forward_count) * sizeof(copy.forwards[0]));
	return copy;
}

static void unchanged(const struct options *before)
{
	struct options now = copy_options();

	assert_memory_equal(&now, before, sizeof(now));
}

static void refused(
	int expected, const char *says, uint32_t kind, uint32_t number, const char *text)
{
	struct options before = copy_options();
	unsigned int claims = count_claims();

	assert_int_equal(ask(kind, number, text), expected);
	if (!strstr(answer.text, says))
		fail_msg("'%s' does not say '%s'", answer.text, says);
	unchanged(&before);
	assert_int_equal(count_claims(), claims);
}

static bool exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

/* Leaves a socket file, as a data plane that listened there and closed it. */
static int bind_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void leave_socket(const char *path)
{
	close(bind_at(path));
	assert_true(exists(path));
}

static void test_unknown_kinds(void **state)
{
	static const uint32_t kinds[] = {CONTROL_KIND_COUNT, 0x80000000, UINT32_MAX};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		refused(-EINVAL, UNKNOWN, kinds[i], 0, "/run/guests/x.sock");
}

static void test_texts_without_end(void **state)
{
	struct control_request request;
	struct options before = copy_options();

	for (uint32_t kind = 0; kind < CONTROL_KIND_COUNT; kind++) {
		memset(&request, '/', sizeof(request));
		request.kind = kind;
		request.number = 0;
		change_answer(&change, &request, &answer);
		assert_int_equal(answer.error, -EINVAL);
		assert_string_equal(answer.text, UNKNOWN);
	}
	unchanged(&before);
}

/* Sends `length` bytes that begin with a good request; the answer to them. */
static int send_bytes(size_t length)
{
	struct {
		struct control_request request;
		char more[CONTROL_REQUEST_TEXT];
	} message = {.request = {.kind = CONTROL_PORT_REMOVE, .number = 1}};

	assert_int_equal(send(its, &message, length, 0), length);
	int result = change_serve(&change, ours);
	if (result)
		return result;
	assert_int_equal(recv(its, &answer, sizeof(answer), MSG_DONTWAIT), sizeof(answer));
	return answer.error;
}

static void test_messages_of_another_size(void **state)
{
	static const size_t wrong[] = {1, 4, 8, 12, sizeof(struct control_request) - 1,
		sizeof(struct control_request) + 1, 2 * sizeof(struct control_request) - 12};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(send_bytes(wrong[i]), -EINVAL);
		assert_string_equal(answer.text, UNKNOWN);
		assert_int_equal(options.socket_count, 2);
	}
	assert_int_equal(send_bytes(sizeof(struct control_request)), 0);
	assert_int_equal(options.socket_count, 1);
}

static void test_a_silent_line_is_not_waited_for(void **state)
{
	assert_int_equal(change_serve(&change, ours), 0);
}

static void test_the_end_of_a_line(void **state)
{
	close(its);
	its = -1;
	assert_int_equal(change_serve(&change, ours), -EPIPE);
}

/* It asks and asks, and takes no answer: the line ends, and with it what this costs. */
static void test_a_flood(void **state)
{
	static const struct control_request request = {.kind = CONTROL_PORT_REMOVE, .number = 63};
	struct options before = copy_options();
	unsigned int turns = 0;
	int result;

	do {
		if (send(its, &request, sizeof(request), MSG_DONTWAIT) < 0)
			assert_int_equal(errno, EAGAIN);
		result = change_serve(&change, ours);
	} while (!result && ++turns < 100000);
	assert_int_equal(result, -EAGAIN);
	unchanged(&before);
}

static void test_numbers_of_no_port(void **state)
{
	static const uint32_t numbers[] = {2, 63, 64, 65, INT32_MAX, 0x80000000, UINT32_MAX};

	leave_socket("/run/guests/a.sock");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		refused(-ENOENT, "there is no port", CONTROL_PORT_REMOVE, numbers[i], "");
		refused(-ENOENT, "is not leaving", CONTROL_PORT_GONE, numbers[i], "");
	}
	/* One that is there has not left. */
	refused(-ENOENT, "port 0 is not leaving", CONTROL_PORT_GONE, 0, "");
	assert_true(exists("/run/guests/a.sock"));
}

static void test_sockets_elsewhere(void **state)
{
	static const char *const paths[] = {"x.sock", "./x.sock", "/x.sock", "/run/x.sock",
		"/run/guests/../x.sock", "/run/no/such/x.sock", "/run/guests/a.sock/x",
		"/run/guests/sub/x.sock", "/run/chnet/x.sock", "/run/guests/link/x.sock"};

	namespace_run("mkdir /run/guests/sub && ln -s /run /run/guests/link");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		refused(-EPERM, "a running network has sockets only in", CONTROL_PORT_ADD, 0,
			paths[i]);
}

static void test_files_of_others(void **state)
{
	namespace_run("echo precious > /run/guests/file; ln -s file /run/guests/link; "
		      "mkdir /run/guests/sub");
	refused(-ENOTSOCK, "no socket", CONTROL_PORT_ADD, 0, "/run/guests/file");
	refused(-ENOTSOCK, "no socket", CONTROL_PORT_ADD, 0, "/run/guests/link");
	refused(-EISDIR, "directory", CONTROL_PORT_ADD, 0, "/run/guests/sub");
	refused(-EISDIR, "directory", CONTROL_PORT_ADD, 0, "/run/guests/..");
	refused(-EINVAL, "given twice", CONTROL_PORT_ADD, 0, "/run/guests/a.sock");
	/* Another name of one that is there already. */
	refused(-EADDRINUSE, "given twice", CONTROL_PORT_ADD, 0, "/run/guests/./a.sock");
	int live = bind_at("/run/guests/live.sock");
	assert_int_equal(listen(live, 1), 0);
	refused(-EADDRINUSE, "another process", CONTROL_PORT_ADD, 0, "/run/guests/live.sock");
	assert_true(exists("/run/guests/live.sock"));
	close(live);
	assert_string_equal(namespace_output("cat /run/guests/file"), "precious\n");
}

/* The VMM makes the socket: nothing is claimed, nothing is removed, and the data plane may have
 * been started without the right to connect. */
static void test_sockets_of_vmms(void **state)
{
	unsigned int claims = count_claims();

	refused(-EPERM, "may connect to no VMM", CONTROL_PORT_ADD, 0,
		"/run/guests/vmm.sock,mode=server");
	change.connects = true;
	refused(-EPERM, "has sockets only in", CONTROL_PORT_ADD, 0, "/run/vmm.sock,mode=server");
	namespace_run("echo precious > /run/guests/file");
	refused(-ENOTSOCK, "no socket", CONTROL_PORT_ADD, 0, "/run/guests/file,mode=server");
	int live = bind_at("/run/guests/vmm.sock");
	assert_int_equal(listen(live, 1), 0);
	assert_int_equal(ask(CONTROL_PORT_ADD, 0, "/run/guests/vmm.sock,mode=server"), 0);
	uint32_t number = answer.number;
	assert_true(options.sockets[number].vmm_listens);
	assert_int_equal(count_claims(), claims);
	/* By another name: a socket of ours, which would have us call ourselves; and the VMM's,
	 * which is stale now. */
	refused(-EADDRINUSE, "given twice", CONTROL_PORT_ADD, 0,
		"/run/guests/./a.sock,mode=server");
	refused(-EADDRINUSE, "given twice", CONTROL_PORT_ADD, 0,
		"/run/guests/./vmm.sock,mode=server");
	close(live);
	refused(-EADDRINUSE, "given twice", CONTROL_PORT_ADD, 0, "/run/guests/./vmm.sock");
	assert_true(exists("/run/guests/vmm.sock"));
	assert_int_equal(ask(CONTROL_PORT_REMOVE, number, ""), 0);
	assert_int_equal(ask(CONTROL_PORT_GONE, number, ""), 0);
	assert_true(exists("/run/guests/vmm.sock"));
	/* Now it is anybody's. */
	assert_int_equal(ask(CONTROL_PORT_ADD, 0, "/run/guests/./vmm.sock"), 0);
	assert_false(exists("/run/guests/vmm.sock"));
	change.connects = false;
}

static void test_wrong_settings(void **state)
{
	static const char *const texts[] = {"", "/run/guests/", ",mac=zebra", ",what=ever",
		",mac=52:54:00:00:00:01,mac=52:54:00:00:00:02", ",ip=10.0.0.1", ",hostname=host"};
	char text[CONTROL_REQUEST_TEXT];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		refused(-EINVAL, "", CONTROL_PORT_ADD, 0, texts[i]);
	/* It fits a request, but not with the path that goes in front of it. */
	memset(text, 'a', sizeof(text));
	text[0] = ',';
	text[sizeof(text) - 1] = 0;
	refused(-EINVAL, "too long", CONTROL_PORT_ADD, 0, text);
	text[0] = '/';
	refused(-EINVAL, "take a shorter one", CONTROL_PORT_ADD, 0, text);
}

static void test_no_more_than_a_network_holds(void **state)
{
	for (unsigned int i = 2; i < OPTIONS_SOCKETS_MAX; i++) {
		assert_int_equal(ask(CONTROL_PORT_ADD, 0, ","), 0);
		assert_int_equal(answer.number, i);
	}
	refused(-EINVAL, "up to 64", CONTROL_PORT_ADD, 0, ",");
}

static void test_a_path_that_was_taken_already(void **state)
{
	assert_int_equal(ask(CONTROL_PORT_ADD, 0, PORTS "/port0.sock"), 0);
	assert_int_equal(ask(CONTROL_PORT_ADD, 0, PORTS "/port1.sock"), 0);
	assert_int_equal(ask(CONTROL_PORT_ADD, 0, ",hostname=web"), 0);
	assert_string_equal(answer.text, PORTS "/port2.sock,hostname=web");
	assert_int_equal(answer.number, 4);
}

/* A socket that was given at the start goes as any other. */
static void test_a_port_goes(void **state)
{
	leave_socket("/run/guests/a.sock");
	assert_int_equal(ask(CONTROL_PORT_REMOVE, 0, ""), 0);
	assert_true(exists("/run/guests/a.sock"));
	refused(-EBUSY, "still being taken away", CONTROL_PORT_ADD, 0, "/run/guests/c.sock");
	refused(-ENOENT, "there is no port 0", CONTROL_PORT_REMOVE, 0, "");
	assert_int_equal(ask(CONTROL_PORT_GONE, 0, ""), 0);
	assert_false(exists("/run/guests/a.sock"));
	refused(-ENOENT, "port 0 is not leaving", CONTROL_PORT_GONE, 0, "");
	assert_int_equal(ask(CONTROL_PORT_ADD, 0, "/run/guests/a.sock"), 0);
	assert_int_equal(answer.number, 0);
}

/* It says that it has left a socket, and listens there still. */
static void test_a_port_that_only_says_that_it_is_gone(void **state)
{
	int live = bind_at("/run/guests/b.sock");

	assert_int_equal(listen(live, 1), 0);
	assert_int_equal(ask(CONTROL_PORT_REMOVE, 1, ""), 0);
	assert_int_equal(ask(CONTROL_PORT_GONE, 1, ""), 0);
	assert_true(exists("/run/guests/b.sock"));
	refused(-EADDRINUSE, "another process", CONTROL_PORT_ADD, 0, "/run/guests/b.sock");
	close(live);
	assert_int_equal(ask(CONTROL_PORT_ADD, 0, "/run/guests/b.sock"), 0);
	assert_false(exists("/run/guests/b.sock"));
}

/* It dies before it says so. */
static void test_ports_of_a_dead_data_plane(void **state)
{
	leave_socket("/run/guests/a.sock");
	leave_socket("/run/guests/b.sock");
	assert_int_equal(ask(CONTROL_PORT_REMOVE, 0, ""), 0);
	change_forget_leaving(&change);
	assert_false(exists("/run/guests/a.sock"));
	assert_true(exists("/run/guests/b.sock"));
	assert_int_equal(ask(CONTROL_PORT_ADD, 0, "/run/guests/a.sock"), 0);
}

static void test_log_levels(void **state)
{
	refused(-EINVAL, "'loud' is no level", CONTROL_LOG_LEVEL, 0, "loud");
	refused(-EINVAL, "is no level", CONTROL_LOG_LEVEL, 0, "");
	assert_int_equal(log_get_level(), LOG_LEVEL_ERROR);
	assert_int_equal(ask(CONTROL_LOG_LEVEL, 0, "warning"), 0);
	assert_int_equal(log_get_level(), LOG_LEVEL_WARNING);
	assert_int_equal(options.log_level, LOG_LEVEL_WARNING);
}

static void test_forwards_without_an_uplink(void **state)
{
	refused(-EOPNOTSUPP, "no uplink", CONTROL_FORWARD_ADD, 0, "tcp:80=172.16.0.2:80");
	refused(-ENOENT, "no forward", CONTROL_FORWARD_REMOVE, 0, "tcp:80=172.16.0.2:80");
	assert_int_equal(ask(CONTROL_EGRESS, 0, ""), 0);
	assert_string_equal(answer.text, "");
}

static void test_forwards(void **state)
{
	char rules[8192];

	snprintf(rules, sizeof(rules), "%s", namespace_output("nft list ruleset"));
	refused(-EINVAL, "outside the LAN", CONTROL_FORWARD_ADD, 0, "tcp:80=10.0.0.1:80");
	refused(-EINVAL, "no forward", CONTROL_FORWARD_ADD, 0, "zebra");
	refused(-EADDRNOTAVAIL, "no address", CONTROL_FORWARD_ADD, 0,
		"tcp:192.0.2.1:80=172.16.0.2:80");
	refused(-ENOENT, "no forward", CONTROL_FORWARD_REMOVE, 0, "tcp:80=172.16.0.2:80");
	assert_string_equal(namespace_output("nft list ruleset"), rules);
	assert_int_equal(ask(CONTROL_FORWARD_ADD, 0, "tcp:80=172.16.0.2:80"), 0);
	refused(-EINVAL, "already leads", CONTROL_FORWARD_ADD, 0, "tcp:79-81=172.16.0.3:79-81");
	assert_int_equal(options.forward_count, 1);
	assert_string_not_equal(namespace_output("nft list ruleset"), rules);
	assert_int_equal(ask(CONTROL_FORWARD_REMOVE, 0, "tcp:80=172.16.0.2:80"), 0);
	assert_int_equal(options.forward_count, 0);
}

/* A text of a few words that mean something to the parsers, in any order. */
static void write_anything(uint32_t *random, char text[CONTROL_REQUEST_TEXT])
{
	static const char *const words[] = {"/run/guests/", PORTS, "a.sock", "c.sock", "x", ",",
		"mac=", "52:54:00:00:00:01", "ip=", "172.16.0.", "2", "hostname=", "ctrl-vq=on",
		"/", "..", "tcp:", "80", "=", "-", "\n", "%s%n", "warning", "error", "\xff"};
	size_t length = 0;

	text[0] = 0;
	for (*random = *random * 1664525 + 1013904223; *random >> 29 && length < 300;
		*random = *random * 1664525 + 1013904223)
		length += (size_t)snprintf(text + length, CONTROL_REQUEST_TEXT - length, "%s",
			words[(*random >> 16) % (sizeof(words) / sizeof(words[0]))]);
}

/* However the path is written. */
static void is_where_it_may_be(const char *path)
{
	char directory[OPTIONS_PATH_CAPACITY], real[PATH_MAX];

	snprintf(directory, sizeof(directory), "%s", path);
	*strrchr(directory, '/') = 0;
	assert_non_null(realpath(directory, real));
	assert_true(strcmp(real, "/run/guests") == 0 || strcmp(real, PORTS) == 0);
}

static void test_anything(void **state)
{
	struct control_request request = {0};
	unsigned int done[CONTROL_KIND_COUNT] = {0};
	uint32_t random = 1;

	for (unsigned int i = 0; i < 50000; i++) {
		random = random * 1664525 + 1013904223;
		request.kind = (random >> 16) % (CONTROL_KIND_COUNT + 1);
		request.number = (random >> 8) % 70;
		write_anything(&random, request.text);
		change_answer(&change, &request, &answer);
		if (request.kind < CONTROL_KIND_COUNT)
			done[request.kind] += answer.error == 0;
		assert_true(options.socket_count <= OPTIONS_SOCKETS_MAX);
		for (unsigned int j = 0; j < options.socket_count; j++) {
			if (options.sockets[j].path[0])
				is_where_it_may_be(options.sockets[j].path);
		}
	}
	/* It was not all refused. */
	assert_true(done[CONTROL_PORT_ADD] > 50 && done[CONTROL_PORT_REMOVE] > 50 &&
		    done[CONTROL_PORT_GONE] > 50 && done[CONTROL_LOG_LEVEL] > 50);
	/* Outside there is what was there. */
	assert_string_equal(namespace_output("ls -A /run"), "chnet\nguests\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unknown_kinds),
		TEST(test_texts_without_end),
		TEST(test_messages_of_another_size),
		TEST(test_a_silent_line_is_not_waited_for),
		TEST(test_the_end_of_a_line),
		TEST(test_a_flood),
		TEST(test_numbers_of_no_port),
		TEST(test_sockets_elsewhere),
		TEST(test_files_of_others),
		TEST(test_sockets_of_vmms),
		TEST(test_wrong_settings),
		TEST(test_no_more_than_a_network_holds),
		TEST(test_a_path_that_was_taken_already),
		TEST(test_a_port_goes),
		TEST(test_a_port_that_only_says_that_it_is_gone),
		TEST(test_ports_of_a_dead_data_plane),
		TEST(test_log_levels),
		TEST(test_forwards_without_an_uplink),
		TEST(test_anything),
		cmocka_unit_test_setup_teardown(test_forwards, setup_with_tap, teardown),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
