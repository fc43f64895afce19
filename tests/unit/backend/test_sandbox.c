/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox_case.h"

#include <rte_eal.h>
#include <rte_vhost.h>

static int no_right_is_left(void)
{
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
	size_t seen = 0;
	char line[128];
	struct rlimit core;

	FILE *file = fopen("/proc/self/status", "r");
	if (!file)
		return 1;
	while (fgets(line, sizeof(line), file)) {
		for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
			if (strncmp(line, sets[i], strlen(sets[i])) != 0)
				continue;
			seen++;
			/* Only root can empty the bounding set. */
			bool must = geteuid() == 0 || strcmp(sets[i], "CapBnd") != 0;
			if (must && strtoull(line + strlen(sets[i]) + 1, NULL, 16) != 0)
				return 2;
		}
	}
	fclose(file);
	if (seen != sizeof(sets) / sizeof(sets[0]))
		return 3;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 4;
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur || core.rlim_max)
		return 5;
	return GOOD;
}

static void test_no_right_is_left(void **state)
{
	expect_good(no_right_is_left);
}

/* It stays: the sandbox allows nothing else. */
static void name_socket(char *path, size_t size, pid_t test)
{
	snprintf(path, size, "/tmp/chnet-sandbox-%d", test);
}

static void remove_socket(void)
{
	char path[64];

	name_socket(path, sizeof(path), getpid());
	assert_int_equal(unlink(path), 0);
}

static int socket_mode(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;

	name_socket(address.sun_path, sizeof(address.sun_path), getppid());
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 1;
	if (stat(address.sun_path, &status) < 0)
		return 2;
	if ((status.st_mode & 07777) != 0660)
		return 3;
	return status.st_uid == geteuid() && status.st_gid == getegid() ? GOOD : 4;
}

static void test_sockets(void **state)
{
	expect_good(socket_mode);
	remove_socket();
}

/* Runs `body` as another user. */
static void expect_good_as(uid_t uid, gid_t gid, int (*body)(void))
{
	struct sandbox_config config = own_config(getpid());
	int status;

	config.uid = uid;
	config.gid = gid;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const char *step;
		_exit(sandbox_enter(&config, &step) ? NOT_ENTERED : body());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), GOOD);
}

static int is_user_1000(void)
{
	if (getuid() != 1000 || geteuid() != 1000 || getgid() != 1001 || getegid() != 1001)
		return 10;
	/* The user's other processes cannot trace this one, which has the TAP open. */
	struct stat status;
	if (stat("/proc/self/mem", &status) < 0 || status.st_uid != 0)
		return 11;
	int result = no_right_is_left();
	return result ? result : socket_mode();
}

static void test_another_user(void **state)
{
	if (geteuid() != 0)
		skip();
	expect_good_as(1000, 1001, is_user_1000);
	remove_socket();
}

/* DPDK as the data plane uses it. */
static int new_device(int vid)
{
	return 0;
}

static void destroy_device(int vid)
{
}

/* What the worker of a data plane does. */
static void *worker_thread(void *argument)
{
	char byte = 'x';
	int ends[2];

	if (pipe(ends) < 0 || sandbox_worker())
		return (void *)1;
	bool good = write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1;
	return good ? NULL : (void *)2;
}

static int dpdk_works(void)
{
	static const struct rte_vhost_device_ops ops = {
		.new_device = new_device, .destroy_device = destroy_device};
	char *arguments[] = {"test", "--no-huge", "--no-shconf", "-m", "32", "--iova-mode=va",
		"--no-pci", "--no-telemetry", "-l", "0", "--log-level=1", NULL};
	char path[64];
	pthread_t thread;
	void *result;
	struct stat status;

	name_socket(path, sizeof(path), getppid());
	if (rte_eal_init(sizeof(arguments) / sizeof(arguments[0]) - 1, arguments) < 0)
		return 10;
	if (sandbox_settle())
		return 11;
	if (rte_vhost_driver_register(path, 0) || rte_vhost_driver_callback_register(path, &ops) ||
		rte_vhost_driver_start(path))
		return 12;
	if (stat(path, &status) < 0 || (status.st_mode & 07777) != 0660)
		return 13;
	if (pthread_create(&thread, NULL, worker_thread, NULL) || pthread_join(thread, &result))
		return 14;
	if (rte_vhost_driver_unregister(path))
		return 15;
	rte_eal_cleanup();
	return (int)(intptr_t)result;
}

static void test_dpdk_works(void **state)
{
	expect_good(dpdk_works);
	/* Without filters, the library has removed it. */
	if (sandbox_has_filters())
		remove_socket();
}

/* A monitor that dies takes its child along: kill -9 reaches the child, whose end closes a pipe. */
static void test_child_dies_with_the_monitor(void **state)
{
	int ready[2], life[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(life), 0);
	pid_t monitor = fork();
	assert_true(monitor >= 0);
	if (monitor == 0) {
		const struct sandbox_config config = own_config(getpid());
		if (fork() == 0) {
			const char *step;
			close(life[0]);
			if (sandbox_enter(&config, &step) || write(ready[1], "r", 1) != 1)
				_exit(1);
			for (;;)
				poll(NULL, 0, -1);
		}
		close(life[1]);
		for (;;)
			pause();
	}
	close(life[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	struct pollfd alive = {.fd = life[0], .events = POLLIN};
	assert_int_equal(poll(&alive, 1, 0), 0);
	assert_int_equal(kill(monitor, SIGKILL), 0);
	assert_int_equal(waitpid(monitor, NULL, 0), monitor);
	assert_int_equal(read(life[0], &byte, 1), 0); /* returns when the child is gone */
	close(life[0]);
	close(ready[0]);
	close(ready[1]);
}

/* The monitor died between fork and the call: the child is another process' by now. */
static void test_orphan_refuses(void **state)
{
	const char *step = NULL;
	int status;
	/* Any process but its parent: init. */
	const struct sandbox_config config = own_config(1);
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(sandbox_enter(&config, &step) == -ESRCH &&
					strcmp(step, "tie the data plane to the monitor") == 0
				? GOOD
				: 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), GOOD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_right_is_left),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_another_user),
		cmocka_unit_test(test_dpdk_works),
		cmocka_unit_test(test_child_dies_with_the_monitor),
		cmocka_unit_test(test_orphan_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
