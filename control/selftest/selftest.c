/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * The VMM's standard output is a pipe of ours. That pipe, the server that the probe talks to and a
 * timer are in one epoll descriptor, which the supervisor polls beside the VMM; so nothing here
 * waits, and the network, the signals and the clean-up are those of `chnet run`.
 *
 * The timer begins anew with everything that the probe says. When it runs out, or when the probe
 * has said its last word, or the same for the second time, the VMM is told to end; one that does
 * not listen is killed.
 *
 * The network has a name, a TAP and a LAN of its own, the LAN from the range for tests of networks
 * (RFC 2544, 198.18.0.0/15), so that it can be tested beside networks that run.
 */
#include "control/selftest/selftest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "backend/lease_file.h"
#include "control/host/host_record.h"
#include "control/host/lock_file.h"
#include "control/host/run_path.h"
#include "control/run/network_view.h"
#include "control/selftest/probe_server.h"

#define NETWORK "selftest"
#define GATEWAY "198.19.254.1"
#define PREFIX_LENGTH "24"

/* The longest that the probe may say nothing: its longest check, on a machine that emulates. */
#define SILENCE_S 30
/* The time that the VMM has to end by itself, and after it was told to. */
#define END_S 3

struct selftest {
	struct run *run;
	struct selftest_outcome *outcome;
	struct probe_server *server;
	int pipe[2]; /* what the VMM says */
	int timer_fd;
	int epoll_fd;
	int stage; /* 0: the probe runs; then the signals that the VMM was sent */
};

static void set_timer(const struct selftest *selftest, int seconds)
{
	const struct itimerspec limit = {.it_value.tv_sec = seconds};

	timerfd_settime(selftest->timer_fd, 0, &limit, NULL);
}

/* The VMM is told to end, and killed if it does not listen (on_timer()). */
static void tell_to_end(struct selftest *selftest)
{
	supervise_signal(&selftest->run->supervise, SIGTERM);
	selftest->stage = 2;
	set_timer(selftest, END_S);
}

/* Reads what the probe said. */
static void on_output(struct selftest *selftest)
{
	struct probe_report *report = &selftest->outcome->report;
	char bytes[4096];
	ssize_t length = read(selftest->pipe[0], bytes, sizeof(bytes));

	if (length <= 0)
		return;
	probe_report_add(report, bytes, (size_t)length);
	if (selftest->stage > 0)
		return;
	if (report->ended) {
		selftest->stage++;
		set_timer(selftest, END_S);
	} else if (report->began_anew) {
		tell_to_end(selftest);
	} else {
		set_timer(selftest, SILENCE_S);
	}
}

/* The time is over. */
static void on_timer(struct selftest *selftest)
{
	uint64_t count;

	if (read(selftest->timer_fd, &count, sizeof(count)) != sizeof(count))
		return;
	if (selftest->stage == 0)
		selftest->outcome->too_slow = true;
	supervise_signal(&selftest->run->supervise, selftest->stage < 2 ? SIGTERM : SIGKILL);
	selftest->stage = 2;
	set_timer(selftest, END_S);
}

/* Something is to be done beside the VMM. */
static void on_event(void *context)
{
	struct selftest *selftest = context;
	struct epoll_event events[3];
	int count = epoll_wait(selftest->epoll_fd, events, 3, 0);

	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == selftest->pipe[0])
			on_output(selftest);
		else if (events[i].data.fd == selftest->timer_fd)
			on_timer(selftest);
		else
			probe_server_serve(selftest->server);
	}
}

static int watch(const struct selftest *selftest, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(selftest->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_all(struct selftest *selftest)
{
	struct in_addr gateway_be;
	int r;

	inet_pton(AF_INET, GATEWAY, &gateway_be);
	r = probe_server_open(gateway_be, &selftest->server);
	if (r < 0)
		return r;
	if (pipe2(selftest->pipe, O_CLOEXEC) < 0)
		return -errno;
	fcntl(selftest->pipe[0], F_SETFL, O_NONBLOCK);
	selftest->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	selftest->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (selftest->timer_fd < 0 || selftest->epoll_fd < 0)
		return -errno;
	r = watch(selftest, selftest->pipe[0]);
	if (r == 0)
		r = watch(selftest, selftest->timer_fd);
	return r < 0 ? r : watch(selftest, probe_server_fd(selftest->server));
}

static void close_all(struct selftest *selftest)
{
	const int fds[] = {
		selftest->pipe[0], selftest->pipe[1], selftest->timer_fd, selftest->epoll_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	probe_server_close(selftest->server);
}

/* The probe: installed, or in the build directory beside this program's. */
static int find_probe(char path[PLAN_PATH_SIZE], struct run_reason *reason)
{
	static const char *const places[] = {"../libexec/chnet/probe", "../guest/probe/probe"};
	char own[PLAN_PATH_SIZE / 2];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	own[length > 0 ? length : 0] = '\0';
	slash = strrchr(own, '/');
	for (size_t i = 0; slash && i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(path, PLAN_PATH_SIZE, "%.*s/%s", (int)(slash - own), own, places[i]);
		if (access(path, R_OK) == 0)
			return 0;
	}
	snprintf(path, PLAN_PATH_SIZE, "%s", CHNET_PROBE);
	if (access(path, R_OK) == 0)
		return 0;
	snprintf(reason->text, sizeof(reason->text),
		"the probe guest is not where it is installed: %s", CHNET_PROBE);
	return -ENOENT;
}

/* Plans the VM and its network, and runs them. */
static int run_probe(struct selftest *selftest, struct run_reason *reason)
{
	struct run *run = selftest->run;
	char path[PLAN_PATH_SIZE], line[192];
	char *arguments[] = {"--kernel", path, "--cmdline", line, "--cpus", "boot=1", "--memory",
		"size=64M", "--serial", "tty", "--console", "off"};
	int r = find_probe(path, reason);

	if (r < 0)
		return r;
	/* So long that a rate means something, whatever the machine. */
	snprintf(line, sizeof(line),
		"probe.bytes=268435456 probe.time_ms=1000 probe.ip=198.19.254.2 "
		"probe.gateway=" GATEWAY " probe.server=" GATEWAY ":%u",
		probe_server_port(selftest->server));
	run->argc = sizeof(arguments) / sizeof(arguments[0]);
	run->argv = arguments;
	r = cloud_hypervisor_read(run->argc, run->argv, &run->request, reason->text);
	if (r < 0)
		return r;
	run->wishes = (struct plan_wishes){
		.network = NETWORK,
		.tap = SELFTEST_TAP,
		.host_ip = GATEWAY "/" PREFIX_LENGTH,
		.request = &run->request,
	};
	run->output_fd = selftest->pipe[1];
	run->quiet = true;
	run->beside = (struct supervise_event){
		.fd = selftest->epoll_fd, .on_event = on_event, .context = selftest};
	set_timer(selftest, SILENCE_S);
	r = run_vm(run, &selftest->outcome->status, reason);
	run->argc = 0;
	run->argv = NULL;
	return r;
}

/* Whether a VM runs on a TAP network of that name. */
static bool has_tap_network(void)
{
	char directory[PLAN_PATH_SIZE], unused[PLAN_ERROR_SIZE];
	int fd, r = run_path(directory, sizeof(directory), unused, sizeof(unused));

	if (r == 0)
		r = host_record_open(directory, NETWORK, false, &fd);
	if (r == 0)
		close(fd);
	return r == -EWOULDBLOCK;
}

/* Refuses to take part in a network that is there: its guests, its LAN, its leases. */
static int check_unused(struct run_reason *reason)
{
	struct network_view view;
	int r = network_view_read(NETWORK, &view, reason->text);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT && !has_tap_network())
		return 0;
	snprintf(reason->text, sizeof(reason->text),
		"a network called " NETWORK " runs already, of another selftest perhaps: wait for "
		"its end");
	return -EBUSY;
}

/* Nobody will come back to that network for the address that he had. */
static void remove_leases(void)
{
	char directory[PLAN_PATH_SIZE], path[PLAN_PATH_SIZE + 32], unused[PLAN_ERROR_SIZE];
	int fd;

	if (run_path(directory, sizeof(directory), unused, sizeof(unused)) < 0)
		return;
	snprintf(path, sizeof(path), "%s/" NETWORK LEASE_FILE_SUFFIX, directory);
	/* Unless somebody has begun another network of that name. */
	if (lock_file_open(path, false, false, &fd) == 0)
		lock_file_remove(path, fd);
}

int selftest_run(struct run *run, struct selftest_outcome *ret_outcome, struct run_reason *reason)
{
	struct selftest selftest = {
		.run = run,
		.outcome = ret_outcome,
		.pipe = {-1, -1},
		.timer_fd = -1,
		.epoll_fd = -1,
	};
	int r;

	*ret_outcome = (struct selftest_outcome){.mode = run->mode};
	/* They are about other networks. */
	unsetenv("GUEST_IP");
	unsetenv("GUEST_MAC");
	r = check_unused(reason);
	if (r < 0)
		return r;
	r = open_all(&selftest);
	if (r < 0)
		snprintf(reason->text, sizeof(reason->text), "cannot serve the probe guest: %s",
			strerror(-r));
	else
		r = run_probe(&selftest, reason);
	if (r == 0) {
		/* What it said last. */
		on_output(&selftest);
		ret_outcome->ran = true;
		ret_outcome->mode = run->taken;
		/* A network by vhost-user has DHCP, one on a TAP has not. */
		if (run->taken == RUN_VHOST_USER)
			probe_report_demand(&ret_outcome->report, "DHCP gives an address");
	}
	close_all(&selftest);
	if (r == 0 || r == -EINTR)
		remove_leases();
	return r;
}
