/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nobody waits for a system call: a guest has its transmit buffer back, and its interrupt, before
 * the frame is written to the TAP. RedoxOS has one frame in flight, so the speed of its uploads is
 * one over that time.
 *
 * The worker is traced and stopped as it enters writev() on the TAP. It stands there as long as the
 * test likes, which looks meanwhile at what the guest can see; no time is measured.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/frontend/redox.h"

#define PORT 4000
#define ROUNDS 50

static struct redox redox;
static struct driver_frame frame;
static struct driver_frame got;
static struct frames_end gateway;
static pid_t traced; /* the thread that may be stopped; 0: none */

static int teardown(void **state)
{
	if (traced)
		ptrace(PTRACE_DETACH, traced, 0, 0);
	traced = 0;
	redox_fini(&redox);
	return fixture_teardown(state);
}

static void send_and_wait(void)
{
	assert_int_equal(redox_send(&redox, &frame, deadline_in(DEADLINE_STEP_MS)), 0);
}

/* Asks for the gateway's MAC; the host answers. */
static void find_gateway(void)
{
	struct frames_end self = fixture_end(0, 0);
	struct frames_view view;

	gateway = (struct frames_end){.ip = FIXTURE_GATEWAY_IP, .port = PORT};
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REQUEST, &self, &gateway);
	send_and_wait();
	do {
		int error;
		while ((error = redox_poll(&redox, &got)) == -EAGAIN)
			assert_int_equal(redox_sleep(&redox, deadline_in(DEADLINE_STEP_MS)), 0);
		assert_int_equal(error, 0);
		assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
	} while (view.type != FRAMES_TYPE_ARP || view.operation != FRAMES_ARP_REPLY);
	memcpy(gateway.mac, view.arp_source, sizeof(gateway.mac));
}

static void start(struct fixture *fixture)
{
	static const char *const suffixes[] = {",mac=52:54:00:12:34:56,ip=172.16.0.2"};
	static const char *const arguments[] = {"--uplink", "tap", NULL};
	struct frontend_options options = redox_options(256);
	struct frontend *port = &fixture->ports[0];

	fixture_start(fixture, 1, suffixes, arguments);
	fixture->plugged[0] = true;
	assert_int_equal(frontend_init(port, &options), 0);
	assert_int_equal(redox_init(&redox, port, true), 0);
	redox_reset(&redox);
	assert_int_equal(frontend_connect(port, fixture->sockets[0]), 0);
	assert_int_equal(frontend_resume(port), 0);
	redox_start(&redox);
	find_gateway();
}

/* A socket of the host's at the gateway's address. */
static int host_socket(struct fixture *fixture)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(FIXTURE_GATEWAY_IP),
		.sin_port = htons(PORT)};
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(here >= 0);
	assert_int_equal(setns(fixture->backend.netns_fd, CLONE_NEWNET), 0);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	close(here);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The thread of the data plane with this name. */
static pid_t thread_of(pid_t pid, const char *name)
{
	char path[64], line[32];
	pid_t found = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *directory = opendir(path);
	assert_non_null(directory);
	struct dirent *entry;
	while ((entry = readdir(directory))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/comm", pid, entry->d_name);
		FILE *file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(line, sizeof(line), file) && strncmp(line, name, strlen(name)) == 0)
			found = (pid_t)strtol(entry->d_name, NULL, 10);
		fclose(file);
	}
	closedir(directory);
	assert_int_not_equal(found, 0);
	return found;
}

static bool is_tap(pid_t pid, uint64_t fd)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, (int)fd);
	return readlink(path, target, sizeof(target) - 1) > 0 &&
	       strcmp(target, "/dev/net/tun") == 0;
}

/* Lets the thread go on until it enters writev() on the TAP. */
static void run_to_write(pid_t thread)
{
	struct __ptrace_syscall_info info;
	int status;

	do {
		assert_int_equal(ptrace(PTRACE_SYSCALL, thread, 0, 0), 0);
		assert_int_equal(waitpid(thread, &status, __WALL), thread);
		assert_true(WIFSTOPPED(status));
		memset(&info, 0, sizeof(info));
		ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info);
	} while (info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != SYS_writev ||
		 !is_tap(thread, info.entry.args[0]));
}

/* Stops the thread; false when this machine does not let us. */
static bool seize(pid_t thread)
{
	int status;

	if (ptrace(PTRACE_SEIZE, thread, 0, PTRACE_O_TRACESYSGOOD) < 0)
		return false;
	traced = thread;
	assert_int_equal(ptrace(PTRACE_INTERRUPT, thread, 0, 0), 0);
	assert_int_equal(waitpid(thread, &status, __WALL), thread);
	return true;
}

static void let_go(pid_t thread)
{
	assert_int_equal(ptrace(PTRACE_DETACH, thread, 0, 0), 0);
	traced = 0;
}

static void make_udp(uint32_t number)
{
	struct frames_end self = fixture_end(0, PORT);

	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_udp(frame.bytes, &self, &gateway, &number, sizeof(number));
}

static void expect_number(int fd, uint32_t number)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	uint32_t received = 0;

	assert_int_equal(poll(&wait, 1, DEADLINE_STEP_MS), 1);
	assert_int_equal(recv(fd, &received, sizeof(received), 0), sizeof(received));
	assert_int_equal(received, number);
}

static void buffer_is_back_before_the_write(void **state)
{
	struct fixture *fixture = *state;
	uint32_t number;

	start(fixture);
	int fd = host_socket(fixture);
	pid_t thread = thread_of(fixture->dataplane, "chnet-worker");
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		make_udp(round);
		if (!seize(thread)) {
			print_message("ptrace: %s\n", strerror(errno));
			skip();
		}
		assert_int_equal(redox_post(&redox, &frame), 0);
		run_to_write(thread);
		/* The worker stands before its system call, and the driver has all that it waits
		 * for; the host has nothing yet. */
		assert_int_equal(redox_wait(&redox, deadline_in(DEADLINE_STEP_MS)), 0);
		assert_int_equal(recv(fd, &number, sizeof(number), 0), -1);
		assert_int_equal(errno, EAGAIN);
		let_go(thread);
		expect_number(fd, round);
	}
	close(fd);
}

/* A TAP that takes nothing costs the frames, and nobody's time. */
static void tap_that_is_down_holds_up_nobody(void **state)
{
	struct fixture *fixture = *state;
	char command[128];

	start(fixture);
	snprintf(command, sizeof(command), "nsenter -t %d -n ip link set tap0 down",
		fixture->backend.pid);
	assert_int_equal(system(command), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		make_udp(i);
		send_and_wait();
	}
	/* What is counted as dropped was given back before. */
	assert_true(fixture_counter(fixture, "uplink.drop.uplink_write") >= 999);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(buffer_is_back_before_the_write, fixture_setup, teardown),
	cmocka_unit_test_setup_teardown(tap_that_is_down_holds_up_nobody, fixture_setup, teardown),
};

FIXTURE_MAIN(tests)
