/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each test forks a child, which enters the sandbox and tries something; its fate is the result.
 * Run as root, children start with every right that there is to lose.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <rte_eal.h>
#include <rte_vhost.h>

#include "backend/sandbox.h"

/* An exit code that no check in a child uses. */
#define GOOD 0
#define NOT_ENTERED 99

static const char *const directories[] = {"/tmp"};

/* Sockets in /tmp, and the user that we are. */
static struct sandbox_config own_config(pid_t parent)
{
	return (struct sandbox_config){
		.parent = parent,
		.uid = getuid(),
		.gid = getgid(),
		.directories = directories,
		.directory_count = 1,
	};
}

/* Runs `body` in a child inside the sandbox; returns its wait status. */
static int in_sandbox(int (*body)(void))
{
	const struct sandbox_config config = own_config(getpid());
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		const char *step;
		_exit(sandbox_enter(&config, &step) ? NOT_ENTERED : body());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void expect_good(int (*body)(void))
{
	int status = in_sandbox(body);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), GOOD);
}

static void expect_killed(int (*body)(void))
{
	int status = in_sandbox(body);

	if (!sandbox_has_filters())
		return;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

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

static int run_a_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return 1;
}

static int start_a_process(void)
{
	return fork() == 0 ? 1 : 2;
}

static int trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0;
}

static int mount_something(void)
{
	return syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL) < 0;
}

static int new_namespace(void)
{
	return syscall(SYS_unshare, 0x40000000) < 0;
}

static int join_namespace(void)
{
	return syscall(SYS_setns, 0, 0) < 0;
}

static int load_module(void)
{
	return syscall(SYS_init_module, NULL, 0, "") < 0;
}

static int load_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0) < 0;
}

static int load_kernel(void)
{
	return syscall(SYS_kexec_load, 0, 0, NULL, 0) < 0;
}

static int read_another_process(void)
{
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) < 0;
}

static int signal_the_monitor(void)
{
	return kill(getppid(), 0) < 0;
}

static int signal_a_thread_of_the_monitor(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0) < 0;
}

static int change_mode(void)
{
	return chmod("/", 0755) < 0;
}

static int read_the_kernels_log(void)
{
	return syscall(SYS_syslog, 3, NULL, 0) < 0;
}

static int push_to_a_terminal(void)
{
	return syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x") < 0;
}

static void test_calls_that_kill(void **state)
{
	int (*const bodies[])(void) = {run_a_program, start_a_process, trace, mount_something,
		new_namespace, join_namespace, load_module, load_bpf, load_kernel,
		read_another_process, signal_the_monitor, signal_a_thread_of_the_monitor,
		change_mode, read_the_kernels_log, push_to_a_terminal};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		expect_killed(bodies[i]);
}

static int calls_that_fail(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};

	if (!sandbox_has_filters())
		return GOOD;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT)
		return 1;
	if (socket(AF_NETLINK, SOCK_RAW, 0) >= 0 || errno != EAFNOSUPPORT)
		return 2;
	if (socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EAFNOSUPPORT)
		return 3;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
		errno != EACCES)
		return 4;
	/* EAL's runtime directory must not appear. */
	if (mkdir("/tmp/chnet-sandbox-directory", 0700) == 0 || errno != EEXIST)
		return 5;
	return access("/tmp/chnet-sandbox-directory", F_OK) == 0 ? 6 : GOOD;
}

static void test_calls_that_fail(void **state)
{
	expect_good(calls_that_fail);
}

static int abort_works(void)
{
	abort();
}

static void test_abort_is_an_abort(void **state)
{
	int status = in_sandbox(abort_works);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static int socket_mode(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/chnet-sandbox-%d", getpid());
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 1;
	int error = stat(address.sun_path, &status);
	unlink(address.sun_path);
	if (error < 0)
		return 2;
	if ((status.st_mode & 07777) != 0660)
		return 3;
	return status.st_uid == geteuid() && status.st_gid == getegid() ? GOOD : 4;
}

static void test_sockets(void **state)
{
	expect_good(socket_mode);
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
}

static int change_files(void)
{
	/* Root's own files, and the kernel's. */
	if (open("/etc/chnet-sandbox-file", O_CREAT | O_WRONLY, 0600) >= 0 || errno != EACCES)
		return 1;
	if (open("/proc/self/oom_score_adj", O_WRONLY) >= 0 || errno != EACCES)
		return 2;
	if (open("/tmp/chnet-sandbox-file", O_CREAT | O_WRONLY, 0600) >= 0 || errno != EACCES)
		return 3;
	if (unlink("/etc/hostname") == 0 || errno != EACCES)
		return 4;
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/var/chnet-sandbox"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno != EACCES)
		return 5;
	return GOOD;
}

static void test_no_file_changes(void **state)
{
	/* A kernel without Landlock has nothing to test. */
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
		skip();
	expect_good(change_files);
}

static int no_file_after_settling(void)
{
	int zero = open("/dev/zero", O_RDONLY);

	if (zero < 0)
		return 1;
	int error = sandbox_settle();
	if (error)
		return 2;
	if (!sandbox_has_filters())
		return GOOD;
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
		return 3;
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		MAP_FAILED)
		return 4;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	if (page == MAP_FAILED)
		return 5;
	return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? 6 : GOOD;
}

static void test_no_file_after_settling(void **state)
{
	expect_good(no_file_after_settling);
}

/* Settling reaches threads that run already. */
static int ends[2];

static void *open_when_told(void *argument)
{
	char byte;
	intptr_t result = 1;

	if (read(ends[0], &byte, 1) == 1 && open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES)
		result = GOOD;
	return (void *)result;
}

static int settling_reaches_other_threads(void)
{
	pthread_t thread;
	void *result;

	if (pipe(ends) < 0 || pthread_create(&thread, NULL, open_when_told, NULL))
		return 2;
	if (sandbox_settle() || write(ends[1], "x", 1) != 1 || pthread_join(thread, &result))
		return 3;
	return sandbox_has_filters() ? (int)(intptr_t)result : GOOD;
}

static void test_settling_reaches_other_threads(void **state)
{
	expect_good(settling_reaches_other_threads);
}

static int work(void)
{
	char byte = 'x';

	if (pipe(ends) < 0 || sandbox_worker())
		return 1;
	struct iovec segment = {.iov_base = &byte, .iov_len = 1};
	if (writev(ends[1], &segment, 1) != 1 || readv(ends[0], &segment, 1) != 1)
		return 2;
	/* What the SIGBUS handler does. */
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || mmap(page, 4096, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != page)
		return 3;
	struct pollfd waiting = {.fd = ends[0], .events = POLLIN};
	if (poll(&waiting, 1, 1) != 0)
		return 4;
	char *large = malloc(1 << 22);
	if (!large)
		return 5;
	memset(large, 1, 1 << 22);
	free(large);
	fprintf(stderr, "%s", "");
	return GOOD;
}

static void test_worker_can_work(void **state)
{
	expect_good(work);
}

static int worker_makes_a_socket(void)
{
	sandbox_worker();
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0;
}

static int worker_unlinks(void)
{
	sandbox_worker();
	return unlink("/nowhere") < 0;
}

static void *nothing(void *argument)
{
	return argument;
}

static int worker_starts_a_thread(void)
{
	pthread_t thread;

	sandbox_worker();
	return pthread_create(&thread, NULL, nothing, NULL) != 0;
}

static int worker_takes_a_message(void)
{
	struct msghdr message = {.msg_iovlen = 0};

	sandbox_worker();
	return recvmsg(0, &message, MSG_DONTWAIT) < 0;
}

static int worker_maps_code(void)
{
	sandbox_worker();
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static void test_worker_can_do_nothing_else(void **state)
{
	expect_killed(worker_makes_a_socket);
	expect_killed(worker_unlinks);
	expect_killed(worker_starts_a_thread);
	expect_killed(worker_takes_a_message);
	expect_killed(worker_maps_code);
}

/* DPDK as the data plane uses it. */
static int new_device(int vid)
{
	return 0;
}

static void destroy_device(int vid)
{
}

static void *worker_thread(void *argument)
{
	return (void *)(intptr_t)work();
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

	snprintf(path, sizeof(path), "/tmp/chnet-sandbox-%d", getpid());
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
	if (rte_vhost_driver_unregister(path) || stat(path, &status) == 0)
		return 15;
	rte_eal_cleanup();
	return (int)(intptr_t)result;
}

static void test_dpdk_works(void **state)
{
	expect_good(dpdk_works);
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
		cmocka_unit_test(test_calls_that_kill),
		cmocka_unit_test(test_calls_that_fail),
		cmocka_unit_test(test_abort_is_an_abort),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_another_user),
		cmocka_unit_test(test_no_file_changes),
		cmocka_unit_test(test_no_file_after_settling),
		cmocka_unit_test(test_settling_reaches_other_threads),
		cmocka_unit_test(test_worker_can_work),
		cmocka_unit_test(test_worker_can_do_nothing_else),
		cmocka_unit_test(test_dpdk_works),
		cmocka_unit_test(test_child_dies_with_the_monitor),
		cmocka_unit_test(test_orphan_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
