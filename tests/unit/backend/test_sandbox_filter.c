/* SPDX-License-Identifier: BSD-3-Clause */
#include "sandbox_case.h"

#include <netinet/in.h>
#include <sched.h>

#include "tests/unit/host/namespace.h"

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

/* The kernel would send any signal to the owner of a descriptor that it has input for. */
static int have_the_monitor_signalled(void)
{
	return fcntl(0, F_SETOWN, getppid()) < 0;
}

static int choose_the_signal(void)
{
	return fcntl(0, F_SETSIG, SIGKILL) < 0;
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
		have_the_monitor_signalled, choose_the_signal, change_mode, read_the_kernels_log,
		push_to_a_terminal};

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
	if (unlink("/tmp/chnet-sandbox-directory") == 0 || errno != EACCES)
		return 7;
	/* EAL's runtime directory must not appear. */
	if (mkdir("/tmp/chnet-sandbox-directory", 0700) == 0 || errno != EEXIST)
		return 5;
	return access("/tmp/chnet-sandbox-directory", F_OK) == 0 ? 6 : GOOD;
}

static void test_calls_that_fail(void **state)
{
	expect_good(calls_that_fail);
}

/* A datagram needs no connect(): other services of the same user would take it for root's. */
static int only_streams_after_settling(void)
{
	if (sandbox_settle())
		return 1;
	if (!sandbox_has_filters())
		return GOOD;
	if (socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0 || errno != EPROTONOSUPPORT)
		return 2;
	if (socket(AF_UNIX, SOCK_RAW, 0) >= 0 || errno != EPROTONOSUPPORT)
		return 3;
	if (socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0) >= 0 || errno != EPROTONOSUPPORT)
		return 5;
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? 4 : GOOD;
}

/* The network has a socket at which the VMM listens. */
static int connect_works(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};

	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
		errno != ENOENT)
		return 1;
	/* Nothing else is allowed for it. */
	if (sandbox_has_filters() &&
		(socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT))
		return 2;
	return only_streams_after_settling();
}

static void test_who_may_connect(void **state)
{
	struct sandbox_config config = own_config(getpid());

	config.connects = true;
	int status = in_sandbox_of(&config, connect_works);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), GOOD);
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

static void test_only_streams_after_settling(void **state)
{
	expect_good(only_streams_after_settling);
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

static int resolver_works(void)
{
	struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_port = 1};
	char byte;

	nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int file = open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file < 0 || read(file, &byte, 1) != 1)
		return 1;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)) < 0)
		return 2;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&nobody, sizeof(nobody)) == 0 ||
		errno != ECONNREFUSED)
		return 3;
	if (sandbox_has_filters() &&
		(socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT))
		return 4;
	return GOOD;
}

static int make_a_packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) < 0;
}

static int bind_a_socket(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET};

	return bind(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&any, sizeof(any)) < 0;
}

static int remove_a_file(void)
{
	return unlink("/tmp/chnet-no-such-file") < 0;
}

/* Not even a file that anybody may write to. */
static int open_to_write(void)
{
	return open("/dev/null", O_WRONLY) < 0;
}

static int open_to_read_and_write(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC) < 0;
}

static int open_to_empty(void)
{
	return open("/dev/null", O_RDONLY | O_TRUNC) < 0;
}

static int open_to_make(void)
{
	return open("/tmp/chnet-no-such-file", O_RDONLY | O_CREAT | O_EXCL, 0600) < 0;
}

static int open_without_a_name(void)
{
	return open("/tmp", O_TMPFILE | O_RDONLY, 0600) < 0;
}

static int open_by_the_old_call(void)
{
#ifdef SYS_open
	return syscall(SYS_open, "/dev/null", O_WRONLY) < 0;
#else
	return open("/dev/null", O_WRONLY) < 0;
#endif
}

static int open_by_the_newest_call(void)
{
	return syscall(SYS_openat2, -1, "/dev/null", NULL, 0) < 0;
}

static int map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

/* Leases are read there, from memory that could be written. */
static int make_memory_writable(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_WRITE) < 0;
}

static int start_a_thread(void)
{
	return syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, NULL, NULL, NULL, NULL) <
	       0;
}

/* The DNS server's filter: in a network namespace of its own, so that nothing is sent anywhere. */
static void test_resolver(void **state)
{
	int (*const killed[])(void) = {run_a_program, start_a_process, trace, mount_something,
		new_namespace, load_bpf, read_another_process, signal_the_monitor, change_mode,
		push_to_a_terminal, make_a_packet_socket, bind_a_socket, remove_a_file,
		open_to_write, open_to_read_and_write, open_to_empty, open_to_make,
		open_without_a_name, open_by_the_old_call, open_by_the_newest_call, map_code,
		make_memory_writable, start_a_thread};
	struct sandbox_config config = {
		.parent = getpid(), .uid = getuid(), .gid = getgid(), .resolver = true};

	if (geteuid() != 0)
		skip();
	namespace_enter();
	int status = in_sandbox_of(&config, resolver_works);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), GOOD);
	for (size_t i = 0; sandbox_has_filters() && i < sizeof(killed) / sizeof(killed[0]); i++) {
		status = in_sandbox_of(&config, killed[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls_that_kill),
		cmocka_unit_test(test_calls_that_fail),
		cmocka_unit_test(test_who_may_connect),
		cmocka_unit_test(test_abort_is_an_abort),
		cmocka_unit_test(test_no_file_after_settling),
		cmocka_unit_test(test_only_streams_after_settling),
		cmocka_unit_test(test_settling_reaches_other_threads),
		cmocka_unit_test(test_worker_can_work),
		cmocka_unit_test(test_worker_can_do_nothing_else),
		cmocka_unit_test(test_resolver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
