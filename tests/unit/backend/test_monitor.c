/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The monitor in a process of its own, with data planes that do as the test says. Test, monitor and
 * data planes share one page; the test waits for events on a semaphore in it, never for time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/monitor.h"
#include "backend/way_out.h"
#include "tests/unit/host/namespace.h"

#define SOCKET "/run/a.sock"
#define SOCKET_OPTION "--socket=/run/a.sock"
#define LIVES_MAX 32
/* How long the test waits for what must happen, seconds. */
#define PATIENCE 20

/* What a data plane does with its life. */
enum life {
	LIFE_WORK, /* gets ready, ends when told */
	LIFE_DEAF, /* gets ready, does not listen */
	LIFE_FAIL, /* ends with an exit code before it is ready */
	LIFE_CRASH /* is killed by a signal before it is ready */
};

struct script {
	enum life lives[LIVES_MAX]; /* of the first data plane, of the second, … */
	unsigned int started;	    /* data planes so far */
	pid_t pid;		    /* of the last one */
	sem_t ready;		    /* posted by each that gets ready */
	sem_t printed;		    /* posted when counters were printed */
	uint64_t flow_starts;	    /* the last data plane's view of what earlier ones wrote */
	uint64_t stats_starts;
	unsigned int ports;	/* as given to print_stats */
	struct way_out way_out; /* as the last data plane found it when it started */
	bool has_way_out;
};

static struct script *script;

/* The statistics of this test; the real ones are backend/stats.h's. */
struct stats {
	uint64_t starts;
};

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 1) < 0)
		return -1;
	return fd;
}

static int fake_dataplane(const struct dataplane_config *config)
{
	enum life life = script->lives[script->started++];
	sigset_t term;
	int number;

	script->pid = getpid();
	if (life == LIFE_FAIL)
		return 3;
	if (life == LIFE_CRASH)
		abort();
	int fd = listen_at(config->options->sockets[0].path);
	if (fd < 0)
		return 4;
	script->stats_starts = ++config->stats->starts;
	if (config->flow_memory)
		script->flow_starts = ++*(uint64_t *)config->flow_memory;
	script->has_way_out = config->way_out != NULL;
	if (config->way_out)
		script->way_out = way_out_unpack(way_out_read(config->way_out));
	if (write(config->ready_fd, "r", 1) != 1)
		return 5;
	close(config->ready_fd);
	sem_post(&script->ready);
	sigemptyset(&term);
	if (life == LIFE_WORK)
		sigaddset(&term, SIGTERM);
	else
		sigaddset(&term, SIGUSR2);
	while (sigwait(&term, &number))
		;
	close(fd);
	unlink(config->options->sockets[0].path);
	return 0;
}

static void print_stats(const struct stats *stats, unsigned int ports, FILE *file)
{
	fprintf(file, "starts %ju\n", (uintmax_t)stats->starts);
	fflush(file);
	script->ports = ports;
	sem_post(&script->printed);
}

/* A monitor as the test sees it. */
struct run {
	pid_t pid;
	int ready;  /* other end of --ready-fd */
	int notify; /* bound to NOTIFY_SOCKET */
	int output; /* its standard error, a memory file */
	char text[8192];
};

static int run_monitor(struct run *run, int ready_fd, const char *extra)
{
	char number[16];
	char *argv[] = {"chnet-vhost", SOCKET_OPTION, "--ready-fd", number, (char *)extra};
	struct options options;
	enum options_action action;
	char error[OPTIONS_ERROR_CAPACITY];
	const struct monitor_config config = {
		.options = &options,
		.dataplane = fake_dataplane,
		.flow_memory_size = 4096,
		.stats_size = sizeof(struct stats),
		.print_stats = print_stats,
	};

	/* A test that fails leaves no monitor behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(run->output, STDERR_FILENO);
	setenv("NOTIFY_SOCKET", "@chnet-test-notify", 1);
	snprintf(number, sizeof(number), "%d", ready_fd);
	if (options_parse(5, argv, &options, &action, error, sizeof(error)) < 0)
		return 100;
	return monitor_run(&config);
}

static void start_with(struct run *run, const char *extra)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0chnet-test-notify"};
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	run->ready = ends[0];
	run->output = memfd_create("output", MFD_CLOEXEC);
	run->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* A second monitor beside the first does without. */
	(void)!bind(run->notify, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			    strlen("chnet-test-notify")));
	run->pid = fork();
	assert_true(run->pid >= 0);
	if (run->pid == 0)
		_exit(run_monitor(run, ends[1], extra));
	close(ends[1]);
}

static void start(struct run *run)
{
	start_with(run, "--uplink=none");
}

static void wait_for(sem_t *event)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += PATIENCE;
	assert_int_equal(sem_timedwait(event, &deadline), 0);
}

/* Returns the exit code and takes what was logged. */
static int finish(struct run *run)
{
	int status;

	assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
	ssize_t length = pread(run->output, run->text, sizeof(run->text) - 1, 0);
	assert_true(length >= 0);
	run->text[length] = 0;
	close(run->ready);
	close(run->output);
	close(run->notify);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void logged(const struct run *run, const char *text)
{
	if (!strstr(run->text, text))
		fail_msg("'%s' is not in: %s", text, run->text);
}

static void expect_ready(struct run *run)
{
	char text[16] = "";

	wait_for(&script->ready);
	assert_int_equal(read(run->ready, text, sizeof(text)), 6);
	assert_string_equal(text, "ready\n");
	assert_int_equal(read(run->ready, text, sizeof(text)), 0); /* closed */
}

static void expect_notified(struct run *run, const char *expected)
{
	char text[64] = "";
	struct pollfd waiting = {.fd = run->notify, .events = POLLIN};

	assert_int_equal(poll(&waiting, 1, PATIENCE * 1000), 1);
	assert_true(recv(run->notify, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, expected);
}

static bool can_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	close(fd);
	return connected;
}

static void nothing_is_left(void)
{
	struct stat status;

	assert_int_equal(stat(SOCKET, &status), -1);
	assert_string_equal(namespace_output("ls -A /run/chnet"), "");
	assert_int_equal(kill(script->pid, 0), -1);
}

static int setup(void **state)
{
	script = mmap(
		NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (script == MAP_FAILED)
		return -1;
	return sem_init(&script->ready, 1, 0) || sem_init(&script->printed, 1, 0);
}

static int teardown(void **state)
{
	return munmap(script, sizeof(*script));
}

static void stop_by(int signal_number)
{
	struct run run;

	script->started = 0;
	start(&run);
	expect_ready(&run);
	expect_notified(&run, "READY=1");
	assert_true(can_connect());
	assert_int_equal(kill(run.pid, signal_number), 0);
	expect_notified(&run, "STOPPING=1");
	assert_int_equal(finish(&run), 0);
	assert_int_equal(script->started, 1);
	logged(&run, "chnet-vhost: ready: guests can connect\nchnet-vhost: stopping\n");
	nothing_is_left();
}

static void test_start_and_stop(void **state)
{
	stop_by(SIGTERM);
	stop_by(SIGINT);
	stop_by(SIGHUP);
}

/* Its users come, overlap, and go: it ends with the last one. */
static void test_lifeline(void **state)
{
	struct run run;
	char option[32];
	int ours, first, second;

	assert_int_equal(mkfifo("/run/users", 0600), 0);
	ours = open("/run/users", O_RDONLY | O_NONBLOCK);
	assert_true(ours >= 0);
	script->started = 0;
	snprintf(option, sizeof(option), "--lifeline-fd=%d", ours);
	start_with(&run, option);
	close(ours);
	first = open("/run/users", O_WRONLY | O_CLOEXEC);
	expect_ready(&run);
	expect_notified(&run, "READY=1");
	second = open("/run/users", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(first >= 0 && second >= 0);
	close(first);
	assert_int_equal(kill(script->pid, SIGKILL), 0);
	wait_for(&script->ready); /* it is alive and well */
	close(second);
	expect_notified(&run, "STOPPING=1");
	assert_int_equal(finish(&run), 0);
	logged(&run, "the last user of this network has gone\n");
	assert_int_equal(script->started, 2);
	nothing_is_left();
	assert_int_equal(unlink("/run/users"), 0);
}

static void test_restart(void **state)
{
	struct run run;

	start_with(&run, "--tap=tap0");
	expect_ready(&run);
	for (unsigned int lives = 2; lives <= 4; lives++) {
		pid_t old = script->pid;
		assert_int_equal(kill(old, SIGKILL), 0);
		wait_for(&script->ready);
		assert_int_not_equal(script->pid, old);
		assert_int_equal(script->started, lives);
		assert_true(can_connect());
		/* Sessions and counters live on, and so does the TAP. */
		assert_int_equal(script->flow_starts, lives);
		assert_int_equal(script->stats_starts, lives);
		assert_true(namespace_has_link("tap0"));
	}
	assert_int_equal(kill(run.pid, SIGTERM), 0);
	assert_int_equal(finish(&run), 0);
	logged(&run, "was killed by signal 9 (Killed): starting another");
	logged(&run, "another data plane is ready");
	nothing_is_left();
	assert_false(namespace_has_link("tap0"));
}

/* What a data plane finds that is started now. */
static struct way_out way_out_now(void)
{
	assert_int_equal(kill(script->pid, SIGKILL), 0);
	wait_for(&script->ready);
	assert_true(script->has_way_out);
	return script->way_out;
}

static void test_way_out_is_followed(void **state)
{
	struct way_out way;
	struct run run;

	start_with(&run, "--tap=tap0");
	expect_ready(&run);
	assert_true(script->has_way_out);
	assert_int_equal(script->way_out.address_be, 0);
	assert_int_equal(script->way_out.mtu, 0);
	assert_false(script->way_out.owns_ports);
	/* The kernel has told the monitor before these commands end; it hears of the data plane's
	 * death later. */
	namespace_run("ip link add way0 type veth peer name way1; ip link set way1 up; "
		      "ip link set way0 mtu 1400 up; ip address add 192.0.2.7/24 dev way0; "
		      "ip route add default via 192.0.2.1");
	way = way_out_now();
	assert_int_equal(way.address_be, inet_addr("192.0.2.7"));
	assert_int_equal(way.mtu, 1400);
	namespace_run("ip link set way0 mtu 9000; ip address add 192.0.2.8/24 dev way0; "
		      "ip route replace default via 192.0.2.1 src 192.0.2.8");
	way = way_out_now();
	assert_int_equal(way.address_be, inet_addr("192.0.2.8"));
	assert_int_equal(way.mtu, 1500); /* the TAP's */
	/* Gone for a while: the address may come back. */
	namespace_run("ip link del way0");
	way = way_out_now();
	assert_int_equal(way.address_be, inet_addr("192.0.2.8"));
	assert_int_equal(way.mtu, 0);
	assert_int_equal(kill(run.pid, SIGTERM), 0);
	assert_int_equal(finish(&run), 0);
}

static void test_no_way_out_without_a_nat(void **state)
{
	struct run run;

	start_with(&run, "--nat=kernel");
	expect_ready(&run);
	assert_false(script->has_way_out);
	assert_int_equal(kill(run.pid, SIGTERM), 0);
	assert_int_equal(finish(&run), 0);
}

static void test_failed_start(void **state)
{
	struct run run;
	char byte;

	script->lives[0] = LIFE_FAIL;
	start(&run);
	assert_int_equal(read(run.ready, &byte, 1), 0); /* closed without a word */
	assert_int_equal(finish(&run), EXIT_FAILURE);
	assert_string_equal(run.text, ""); /* the data plane has said why */
	assert_int_equal(script->started, 1);
	nothing_is_left();

	script->started = 0;
	script->lives[0] = LIFE_CRASH;
	start(&run);
	assert_int_equal(finish(&run), EXIT_FAILURE);
	logged(&run,
		"chnet-vhost: the data plane was killed by signal 6 (Aborted) while starting\n");
	assert_int_equal(script->started, 1);
	nothing_is_left();
}

/* Ready once, then never again. */
static void test_crash_loop(void **state)
{
	struct run run;

	for (int i = 1; i < LIVES_MAX; i++)
		script->lives[i] = i % 2 ? LIFE_FAIL : LIFE_CRASH;
	start(&run);
	expect_ready(&run);
	assert_int_equal(kill(script->pid, SIGKILL), 0);
	assert_int_equal(finish(&run), EXIT_FAILURE);
	logged(&run, "the last of more than 10 within 10 s: giving up");
	assert_int_equal(script->started, 1 + 11);
	nothing_is_left();
}

/* Dying again and again is survived as long as each gets ready. */
static void test_many_deaths(void **state)
{
	struct run run;

	start(&run);
	expect_ready(&run);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(kill(script->pid, SIGKILL), 0);
		wait_for(&script->ready);
	}
	assert_int_equal(script->started, 21);
	assert_int_equal(kill(run.pid, SIGTERM), 0);
	assert_int_equal(finish(&run), 0);
	nothing_is_left();
}

static void test_deaf_data_plane_is_killed(void **state)
{
	struct run run;

	script->lives[0] = LIFE_DEAF;
	start(&run);
	expect_ready(&run);
	assert_int_equal(kill(run.pid, SIGTERM), 0);
	assert_int_equal(finish(&run), 0);
	logged(&run, "the data plane did not stop as it should: it was killed by signal 9");
	nothing_is_left();
}

static void test_second_signal_kills(void **state)
{
	struct run run;
	struct timespec before, after;

	script->lives[0] = LIFE_DEAF;
	start(&run);
	expect_ready(&run);
	expect_notified(&run, "READY=1");
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(kill(run.pid, SIGINT), 0);
	expect_notified(&run, "STOPPING=1");
	assert_int_equal(kill(run.pid, SIGINT), 0);
	assert_int_equal(finish(&run), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	/* Not by the deadline, which is two seconds away; and it is no surprise. */
	assert_true(after.tv_sec - before.tv_sec < 2);
	assert_null(strstr(run.text, "did not stop as it should"));
	nothing_is_left();
}

static void test_counters(void **state)
{
	struct run run;

	start(&run);
	expect_ready(&run);
	assert_int_equal(kill(run.pid, SIGUSR1), 0);
	wait_for(&script->printed);
	assert_int_equal(script->ports, 1);
	assert_int_equal(kill(run.pid, SIGTERM), 0);
	assert_int_equal(finish(&run), 0);
	logged(&run, "starts 1\n");
}

/* kill -9 of the monitor: its data plane dies as well, and the next start mends the rest. */
static void test_killed_monitor(void **state)
{
	struct run run;
	struct stat status;

	start_with(&run, "--tap=tap0");
	expect_ready(&run);
	int data_plane = (int)syscall(SYS_pidfd_open, script->pid, 0);
	assert_true(data_plane >= 0);
	assert_int_equal(kill(run.pid, SIGKILL), 0);
	/* At once: the claim waits for the data plane's end. */
	struct run next;
	start_with(&next, "--tap=tap0");
	expect_ready(&next);
	struct pollfd ended = {.fd = data_plane, .events = POLLIN};
	assert_int_equal(poll(&ended, 1, 0), 1);
	close(data_plane);
	assert_int_equal(finish(&run), -SIGKILL);
	assert_true(can_connect());
	assert_int_equal(kill(next.pid, SIGTERM), 0);
	assert_int_equal(finish(&next), 0);
	nothing_is_left();
	assert_int_equal(stat("/sys/class/net/tap0", &status), -1);
}

static void test_starting_twice(void **state)
{
	struct run first, second;
	char text[256];

	start(&first);
	expect_ready(&first);
	start(&second);
	assert_int_equal(finish(&second), EXIT_FAILURE);
	snprintf(text, sizeof(text),
		"chnet-vhost: socket " SOCKET
		": is served by another chnet-vhost (process %d): stop "
		"that one, or take another path\n",
		first.pid);
	assert_string_equal(second.text, text);
	/* The first has not noticed. */
	assert_int_equal(script->started, 1);
	assert_true(can_connect());
	assert_int_equal(kill(first.pid, SIGTERM), 0);
	assert_int_equal(finish(&first), 0);
	nothing_is_left();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_start_and_stop),
		TEST(test_lifeline),
		TEST(test_restart),
		TEST(test_way_out_is_followed),
		TEST(test_no_way_out_without_a_nat),
		TEST(test_failed_start),
		TEST(test_crash_loop),
		TEST(test_many_deaths),
		TEST(test_deaf_data_plane_is_killed),
		TEST(test_second_signal_kills),
		TEST(test_counters),
		TEST(test_killed_monitor),
		TEST(test_starting_twice),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
