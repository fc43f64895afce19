/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/api_socket.h"
#include "tests/unit/host/namespace.h"

#define GROUP 1234

static struct run_directory directory;
static char error[512];

static int set_up(void **state)
{
	namespace_run("rm -rf /run/chnet /run/other && mkdir /run/other");
	return run_directory_open(&directory, error, sizeof(error));
}

static int tear_down(void **state)
{
	run_directory_close(&directory);
	return 0;
}

static void opened(struct api_socket *made, const char *path, const char *name)
{
	if (api_socket_open(made, &directory, path, name, GROUP, error, sizeof(error)) < 0)
		fail_msg("refused: %s", error);
}

/* 0, or what connect() said. */
static int knock(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), result = 0;

	strcpy(address.sun_path, path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		result = errno;
	close(fd);
	return result;
}

static void is_for_its_group_and_goes(void **state)
{
	struct api_socket made;
	struct stat status;
	mode_t mask = umask(0);

	opened(&made, "", "net");
	assert_int_equal(umask(mask), 0);
	assert_int_equal(stat("/run/chnet/net.sock", &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 07777, 0660);
	assert_int_equal(status.st_gid, GROUP);
	assert_int_equal(status.st_uid, 0);
	/* Nobody waits for a data plane that is not there yet, and none hangs it. */
	assert_int_equal(fcntl(made.fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(made.fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(knock("/run/chnet/net.sock"), 0);
	api_socket_close(&made);
	assert_int_equal(made.fd, -1);
	assert_null(made.claim);
	assert_int_equal(stat("/run/chnet/net.sock", &status), -1);
	assert_string_equal(namespace_output("ls /run/chnet"), "");
	api_socket_close(&made);
}

static void takes_a_path(void **state)
{
	struct api_socket made;

	opened(&made, "/run/other/api", "net");
	assert_int_equal(knock("/run/other/api"), 0);
	assert_int_equal(knock("/run/chnet/net.sock"), ENOENT);
	api_socket_close(&made);
	assert_string_equal(namespace_output("ls /run/other"), "");
}

static void refused(int expected, const char *path, const char *says)
{
	struct api_socket made;

	assert_int_equal(
		api_socket_open(&made, &directory, path, "net", GROUP, error, sizeof(error)),
		expected);
	if (!strstr(error, says))
		fail_msg("'%s' says nothing of '%s'", error, says);
	assert_int_equal(made.fd, -1);
	assert_null(made.claim);
}

static void one_network_has_it(void **state)
{
	struct api_socket made;

	opened(&made, "", "net");
	refused(-EADDRINUSE, "", "/run/chnet/net.sock");
	assert_int_equal(knock("/run/chnet/net.sock"), 0);
	api_socket_close(&made);
	opened(&made, "", "net");
	api_socket_close(&made);
}

/* What a killed one left is replaced; what is no socket is somebody's. */
static void replaces_what_is_stale_alone(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/chnet/net.sock"};
	struct api_socket made;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(knock("/run/chnet/net.sock"), ECONNREFUSED);
	opened(&made, "", "net");
	assert_int_equal(knock("/run/chnet/net.sock"), 0);
	api_socket_close(&made);

	namespace_run("echo precious >/run/other/file");
	refused(-ENOTSOCK, "/run/other/file", "/run/other/file");
	assert_string_equal(namespace_output("cat /run/other/file"), "precious\n");
	refused(-ENOENT, "/run/no/such/directory/api", "/run/no/such/directory");
	assert_string_equal(namespace_output("ls /run/chnet"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_for_its_group_and_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(takes_a_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_network_has_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(replaces_what_is_stale_alone, set_up, tear_down),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
