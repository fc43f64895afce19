/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/sd_notify.h"

/* A bound datagram socket; `name` is a path, or an abstract name with '@' first. */
static int listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(name) + (name[0] == '@' ? 0 : 1);

	memcpy(address.sun_path, name, length);
	if (name[0] == '@')
		address.sun_path[0] = 0;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
		0);
	return fd;
}

static void expect(int fd, const char *text)
{
	char buffer[256];
	ssize_t length = recv(fd, buffer, sizeof(buffer) - 1, MSG_DONTWAIT);

	assert_int_equal(length, strlen(text));
	assert_memory_equal(buffer, text, strlen(text));
}

static void test_path(void **state)
{
	char directory[] = "/tmp/chnet-notify-XXXXXX", path[64];

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/notify", directory);
	int fd = listen_at(path);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(sd_notify_send("READY=1"), 0);
	expect(fd, "READY=1");
	close(fd);
	assert_int_equal(sd_notify_send("READY=1"), -ECONNREFUSED);
	unlink(path);
	assert_int_equal(sd_notify_send("READY=1"), -ENOENT);
	rmdir(directory);
}

static void test_abstract(void **state)
{
	char name[64];

	snprintf(name, sizeof(name), "@chnet-notify-%d", getpid());
	int fd = listen_at(name);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(sd_notify_send("STOPPING=1\nSTATUS=bye"), 0);
	expect(fd, "STOPPING=1\nSTATUS=bye");
	close(fd);
}

static void test_nobody_listens(void **state)
{
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(sd_notify_send("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(sd_notify_send("READY=1"), 0);
}

static void test_bad_address(void **state)
{
	char path[128];

	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(sd_notify_send("READY=1"), -EINVAL);
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(sd_notify_send("READY=1"), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_abstract),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_bad_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
