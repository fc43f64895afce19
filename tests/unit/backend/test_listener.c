/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/listener.h"

static char directory[] = "/tmp/chnet-test-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static int setup(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/a", directory);
	return 0;
}

static int teardown(void **state)
{
	unlink(address.sun_path);
	return rmdir(directory);
}

static int connect_to(int fd)
{
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
}

static bool waits(int fd)
{
	return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* Each connection is found once, whatever number it has; the listener and others are let be. */
static void test_connections_do_not_block(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int clients[2] = {socket(AF_UNIX, SOCK_STREAM, 0), socket(AF_UNIX, SOCK_STREAM, 0)};

	unlink(address.sun_path);
	assert_int_equal(listener_unblock(address.sun_path), -ENOENT);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(listener_unblock(address.sun_path), -ENOENT);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(connect_to(clients[i]), 0);
		int accepted = accept(fd, NULL, NULL);
		assert_true(accepted >= 0 && waits(accepted));
		assert_int_equal(listener_unblock(address.sun_path), 0);
		assert_false(waits(accepted));
		assert_int_equal(listener_unblock(address.sun_path), -ENOENT);
		assert_true(waits(clients[i]) && waits(fd));
		close(accepted);
	}
	close(clients[0]);
	close(clients[1]);
	close(fd);
	unlink(address.sun_path);
}

/* Connections that were accepted have the listener's name too, and are not meant. */
static void test_found_and_shut(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(listener_find(address.sun_path), -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listener_find(address.sun_path), -1);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(listener_find(address.sun_path), fd);
	assert_int_equal(connect_to(client), 0);
	int accepted = accept(fd, NULL, NULL), lower = dup(accepted);
	assert_true(dup2(accepted, fd + 100) >= 0);
	assert_int_equal(listener_find(address.sun_path), fd);

	/* As long as anybody has it, it would listen. */
	int kept = dup(fd);
	listener_shut(fd);
	close(fd);
	int late = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect_to(late), -ECONNREFUSED);
	/* Those who are connected stay so. */
	assert_int_equal(write(client, "x", 1), 1);
	char byte;
	assert_int_equal(read(accepted, &byte, 1), 1);
	listener_shut(-1);
	close(kept);
	close(late);
	close(lower);
	close(fd + 100);
	close(accepted);
	close(client);
}

/* What connect() made is found, whatever its other end is called; nothing else is. */
static void test_connections_of_ours_do_not_block(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	int alone = socket(AF_UNIX, SOCK_STREAM, 0), packets[2], pipes[2];

	unlink(address.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets), 0);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(listener_unblock_dialled(), 0);
	assert_int_equal(connect_to(client), 0);
	int accepted = accept(fd, NULL, NULL);
	/* The other end has gone by the time that we look. */
	int second = socket(AF_UNIX, SOCK_STREAM, 0), high = dup2(second, 3000);
	assert_true(high == 3000);
	assert_int_equal(connect_to(second), 0);
	close(accept(fd, NULL, NULL));
	close(second);
	assert_int_equal(listener_unblock_dialled(), 0);
	assert_false(waits(client) || waits(high));
	assert_true(waits(accepted) && waits(fd) && waits(alone));
	assert_true(waits(packets[0]) && waits(packets[1]) && waits(pipes[0]));
	const int fds[] = {
		fd, client, alone, packets[0], packets[1], pipes[0], pipes[1], accepted, high};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	unlink(address.sun_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_do_not_block),
		cmocka_unit_test(test_connections_of_ours_do_not_block),
		cmocka_unit_test(test_found_and_shut),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
