/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/socket_claim.h"
#include "tests/unit/host/namespace.h"

#define PATHS(...) ((const char *const[]){__VA_ARGS__})

static int run_fd; /* the run directory: /run/chnet */
static char error[512];
/* Pipes of the race: closed to end it, and what each took part with. */
static int hold[2], taken[2];

static int setup(void **state)
{
	if (mkdir("/run/chnet", 0755) < 0 || mkdir("/run/guests", 0755) < 0)
		return -1;
	run_fd = open("/run/chnet", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return run_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	close(run_fd);
	return system("rm -r /run/chnet /run/guests") == 0 ? 0 : -1;
}

static unsigned int files_in(const char *directory)
{
	DIR *stream = opendir(directory);
	unsigned int count = 0;

	assert_non_null(stream);
	for (struct dirent *entry; (entry = readdir(stream));)
		count += entry->d_name[0] != '.';
	closedir(stream);
	return count;
}

static bool exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

static struct socket_claim *take(const char *path)
{
	struct socket_claim *claim = NULL;

	if (socket_claim_take(run_fd, PATHS(path), 1, 0, &claim, error, sizeof(error)) < 0)
		fail_msg("refused: %s", error);
	return claim;
}

static void refuse(int expected, const char *path, const char *text)
{
	struct socket_claim *claim = NULL;

	assert_int_equal(socket_claim_take(run_fd, PATHS(path), 1, 0, &claim, error, sizeof(error)),
		expected);
	assert_string_equal(error, text);
	assert_null(claim);
}

static int bind_at(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int listen_at(const char *path)
{
	int fd = bind_at(path, SOCK_STREAM);

	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void test_nothing_is_left(void **state)
{
	struct socket_claim *claim = NULL;

	assert_int_equal(socket_claim_take(run_fd, PATHS("/run/guests/a", "/run/guests/b"), 2, 0,
				 &claim, error, sizeof(error)),
		0);
	assert_int_equal(files_in("/run/chnet"), 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(fcntl(socket_claim_fds(claim)[i], F_GETFD), FD_CLOEXEC);
	/* What a data plane makes, and leaves when it is killed. */
	close(listen_at("/run/guests/a"));
	assert_true(exists("/run/guests/a"));
	socket_claim_release(claim);
	assert_int_equal(files_in("/run/chnet"), 0);
	assert_int_equal(files_in("/run/guests"), 0);
	socket_claim_release(NULL);
}

static void test_stale_socket(void **state)
{
	close(listen_at("/run/guests/a"));
	struct socket_claim *claim = take("/run/guests/a");
	assert_false(exists("/run/guests/a"));

	/* Between two data planes. */
	close(listen_at("/run/guests/a"));
	assert_int_equal(socket_claim_clear(claim, error, sizeof(error)), 0);
	assert_false(exists("/run/guests/a"));
	socket_claim_release(claim);
}

/* In another process, since a lock does not hold within one open file. */
static int try_to_take(void *path)
{
	struct socket_claim *claim = NULL;

	return -socket_claim_take(
		run_fd, PATHS((const char *)path), 1, 0, &claim, error, sizeof(error));
}

/* Killed networks leave lock files, of paths that may never come again. */
static void test_locks_of_the_dead_are_swept(void **state)
{
	struct socket_claim *held = take("/run/guests/held");

	for (int i = 0; i < 3; i++) {
		char name[32];
		snprintf(name, sizeof(name), "/run/chnet/socket-0-0-%d.lock", i);
		close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
	close(open("/run/chnet/forwarding-1", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(files_in("/run/chnet"), 5);
	struct socket_claim *claim = take("/run/guests/a");
	assert_int_equal(files_in("/run/chnet"), 3); /* held, forwarding, a */
	assert_int_equal(namespace_in_child(try_to_take, "/run/guests/held"), EADDRINUSE);
	socket_claim_release(claim);
	socket_claim_release(held);
	assert_int_equal(files_in("/run/chnet"), 1);
}

/* Many starts at the same moment: one gets the socket, and nobody else's lock is swept away. */
static int take_and_hold(void *path)
{
	struct socket_claim *claim = NULL;
	char byte;

	int fd = open("/run/chnet", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = socket_claim_take(
		fd, PATHS((const char *)path), 1, 0, &claim, error, sizeof(error));
	/* Until the test closes the other end. */
	if (write(taken[1], result ? "n" : "y", 1) != 1 || read(hold[0], &byte, 1) != 0)
		return 1;
	socket_claim_release(claim);
	return 0;
}

static void test_a_race_has_one_winner(void **state)
{
	pid_t pids[16];
	int winners = 0;

	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	assert_int_equal(pipe2(taken, O_CLOEXEC), 0);
	for (int i = 0; i < 16; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			close(hold[1]);
			_exit(take_and_hold("/run/guests/a"));
		}
	}
	for (int i = 0; i < 16; i++) {
		char answer;
		assert_int_equal(read(taken[0], &answer, 1), 1);
		winners += answer == 'y';
	}
	assert_int_equal(winners, 1);
	close(hold[1]);
	for (int i = 0; i < 16; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(files_in("/run/chnet"), 0);
	close(hold[0]);
	close(taken[0]);
	close(taken[1]);
}

static void test_live_server(void **state)
{
	static const char text[] = "socket /run/guests/a: is served by another process: stop that "
				   "one, or take another path";
	int server = listen_at("/run/guests/a");

	refuse(-EADDRINUSE, "/run/guests/a", text);
	/* Also when its backlog is full, and when it speaks another protocol. */
	refuse(-EADDRINUSE, "/run/guests/a", text);
	refuse(-EADDRINUSE, "/run/guests/a", text);
	assert_true(exists("/run/guests/a"));
	assert_int_equal(files_in("/run/chnet"), 0);
	close(server);
	assert_int_equal(unlink("/run/guests/a"), 0);
	server = bind_at("/run/guests/a", SOCK_DGRAM);
	refuse(-EADDRINUSE, "/run/guests/a", text);
	close(server);
}

/* Somebody removes our socket and listens there: the end of our claim must not disturb them. */
static void test_release_spares_a_live_server(void **state)
{
	struct socket_claim *claim = take("/run/guests/a");
	int server = listen_at("/run/guests/a");

	assert_int_equal(socket_claim_clear(claim, error, sizeof(error)), -EADDRINUSE);
	socket_claim_release(claim);
	assert_true(exists("/run/guests/a"));
	close(server);
}

static void test_other_files(void **state)
{
	static const char text[] = "socket /run/guests/f: there is a file that is no socket: "
				   "remove it, or take another path";

	close(open("/run/guests/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	refuse(-ENOTSOCK, "/run/guests/f", text);
	assert_true(exists("/run/guests/f"));
	assert_int_equal(unlink("/run/guests/f"), 0);
	assert_int_equal(mkdir("/run/guests/f", 0700), 0);
	refuse(-EISDIR, "/run/guests/f",
		"socket /run/guests/f: is a directory: add the socket's own name to it");
	assert_int_equal(rmdir("/run/guests/f"), 0);
	assert_int_equal(symlink("/etc/passwd", "/run/guests/f"), 0);
	refuse(-ENOTSOCK, "/run/guests/f", text);
	assert_true(exists("/run/guests/f"));
}

static void test_missing_directory(void **state)
{
	refuse(-ENOENT, "/run/nowhere/a",
		"socket /run/nowhere/a: there is no directory /run/nowhere: make it, or take "
		"another path");
	close(open("/run/guests/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	refuse(-ENOTDIR, "/run/guests/f/a",
		"socket /run/guests/f/a: cannot use directory /run/guests/f: Not a directory");
}

static void test_two_networks(void **state)
{
	char text[256];
	struct socket_claim *claim = take("/run/guests/a");

	socket_claim_note(claim, getpid());
	assert_int_equal(namespace_in_child(try_to_take, "/run/guests/a"), EADDRINUSE);
	snprintf(text, sizeof(text),
		"socket /run/guests/a: is served by another chnet-vhost (process %d): stop that "
		"one, "
		"or take another path",
		getpid());
	refuse(-EADDRINUSE, "/run/guests/a", text);
	/* The same file by other names. */
	assert_int_equal(namespace_in_child(try_to_take, "/run/./guests/../guests/a"), EADDRINUSE);
	assert_int_equal(symlink("guests", "/run/link"), 0);
	assert_int_equal(namespace_in_child(try_to_take, "/run/link/a"), EADDRINUSE);
	assert_int_equal(chdir("/run/guests"), 0);
	assert_int_equal(namespace_in_child(try_to_take, "a"), EADDRINUSE);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(unlink("/run/link"), 0);
	/* Another file. */
	assert_int_equal(namespace_in_child(try_to_take, "/run/guests/b"), 0);

	socket_claim_release(claim);
	assert_int_equal(namespace_in_child(try_to_take, "/run/guests/a"), 0);
}

static void test_one_file_twice(void **state)
{
	struct socket_claim *claim = NULL;

	assert_int_equal(socket_claim_take(run_fd, PATHS("/run/guests/a", "/run/guests/./a"), 2, 0,
				 &claim, error, sizeof(error)),
		-EADDRINUSE);
	assert_string_equal(error,
		"socket /run/guests/./a: is given twice: each guest needs a socket of its own");
	assert_int_equal(files_in("/run/chnet"), 0);
}

/* What a VMM makes is not ours: no lock, and the file stays, whether or not anybody listens. */
static void test_sockets_of_vmms(void **state)
{
	struct socket_claim *claim = NULL;
	int vmm = listen_at("/run/guests/a");

	assert_int_equal(
		socket_claim_take(run_fd, PATHS("/run/guests/a", "/run/guests/b", "/run/guests/c"),
			3, 3, &claim, error, sizeof(error)),
		0);
	assert_int_equal(files_in("/run/chnet"), 1);
	assert_int_equal(socket_claim_count(claim), 3);
	assert_string_equal(socket_claim_directories(claim)[0], "/run/guests");
	assert_int_equal(socket_claim_fds(claim)[0], -1);
	assert_int_equal(socket_claim_fds(claim)[1], -1);
	assert_true(socket_claim_fds(claim)[2] >= 0);
	close(vmm);
	assert_int_equal(socket_claim_clear(claim, error, sizeof(error)), 0);
	socket_claim_drop(claim, 0);
	assert_true(exists("/run/guests/a"));
	socket_claim_release(claim);
	assert_true(exists("/run/guests/a"));
	assert_int_equal(unlink("/run/guests/a"), 0);
	/* What can be no VMM's socket, and one file twice. */
	close(open("/run/guests/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(socket_claim_take(run_fd, PATHS("/run/guests/file"), 1, 1, &claim, error,
				 sizeof(error)),
		-ENOTSOCK);
	assert_string_equal(error, "socket /run/guests/file: there is a file that is no socket: "
				   "remove it, or take another path");
	assert_int_equal(
		socket_claim_take(run_fd, PATHS("/run/no/a"), 1, 1, &claim, error, sizeof(error)),
		-ENOENT);
	assert_int_equal(socket_claim_take(run_fd, PATHS("/run/guests/a", "/run/guests/./a"), 2, 1,
				 &claim, error, sizeof(error)),
		-EADDRINUSE);
	assert_int_equal(files_in("/run/chnet"), 0);
	assert_int_equal(unlink("/run/guests/file"), 0);
}

static void test_failure_gives_the_rest_back(void **state)
{
	struct socket_claim *claim = NULL;
	int server = listen_at("/run/guests/b");

	assert_int_equal(socket_claim_take(run_fd, PATHS("/run/guests/a", "/run/guests/b"), 2, 0,
				 &claim, error, sizeof(error)),
		-EADDRINUSE);
	assert_int_equal(files_in("/run/chnet"), 0);
	assert_true(exists("/run/guests/b"));
	close(server);
}

/*
 * The monitor was killed and its data plane, which shares the lock, is about to be: a start at this
 * moment waits for that. (Here it dies of PR_SET_PDEATHSIG, as the real one does.)
 */
static void test_waits_for_a_dying_data_plane(void **state)
{
	int pids[2], status;
	pid_t data_plane;

	assert_int_equal(pipe(pids), 0);
	pid_t monitor = fork();
	if (monitor == 0) {
		struct socket_claim *claim = take("/run/guests/a");
		pid_t child = fork();
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		socket_claim_note(claim, child);
		if (write(pids[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pids[0], &data_plane, sizeof(data_plane)), sizeof(data_plane));
	close(pids[0]);
	close(pids[1]);
	/* Alive, both: refused. */
	assert_int_equal(namespace_in_child(try_to_take, "/run/guests/a"), EADDRINUSE);
	/* The monitor is a zombie when the next one starts, its child about to die. */
	assert_int_equal(kill(monitor, SIGKILL), 0);
	struct socket_claim *claim = take("/run/guests/a");
	assert_int_equal(waitpid(monitor, &status, 0), monitor);
	socket_claim_release(claim);
	assert_int_equal(files_in("/run/chnet"), 0);
}

static int check_rights_as(void *uid)
{
	struct socket_claim *claim = take("/run/guests/a");

	if (setresuid((uid_t)(uintptr_t)uid, (uid_t)(uintptr_t)uid, (uid_t)(uintptr_t)uid) < 0)
		return 1;
	int result = socket_claim_check_rights(claim, error, sizeof(error));
	if (result == 0)
		return 0;
	return strcmp(error, "socket /run/guests/a: uid 1000, without privileges, may make no file "
			     "in /run/guests: take a directory of its own") == 0
		       ? -result
		       : 2;
}

static void test_rights(void **state)
{
	assert_int_equal(namespace_in_child(check_rights_as, (void *)0), 0);
	assert_int_equal(namespace_in_child(check_rights_as, (void *)1000), EACCES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_left),
		TEST(test_stale_socket),
		TEST(test_locks_of_the_dead_are_swept),
		TEST(test_a_race_has_one_winner),
		TEST(test_live_server),
		TEST(test_release_spares_a_live_server),
		TEST(test_other_files),
		TEST(test_missing_directory),
		TEST(test_two_networks),
		TEST(test_one_file_twice),
		TEST(test_sockets_of_vmms),
		TEST(test_failure_gives_the_rest_back),
		TEST(test_waits_for_a_dying_data_plane),
		TEST(test_rights),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
