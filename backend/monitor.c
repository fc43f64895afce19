/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * The monitor builds what data planes stand on (foundation.h), forks one (child.h), and waits for
 * events: a signal, the byte that says "ready", the deadline of a stop, a change of the host's
 * network. It has no thread, no timer of its own and nothing to do while a data plane works.
 *
 * States of the data plane (enum monitor_state), and what leads to the next one:
 *
 *   STARTING  its byte     READY; the first time, the world is told (sd_notify, --ready-fd)
 *   STARTING  its death    when none was ever ready: done, a failed start, everything undone;
 *                          otherwise STARTING, another one at once, unless that goes on and on
 *                          (restart.h)
 *   READY     its death    STARTING, another one at once
 *   both      SIGTERM, SIGINT, SIGHUP    STOPPING: it is told to stop
 *   both      the lifeline's end         likewise: its last user has gone
 *   STOPPING  another signal, or 2 s     STOPPING: it is killed
 *   STOPPING  its death    done
 *
 * Foundation and sockets go when no data plane is left. A monitor that is killed takes its data
 * plane along (sandbox.h) and leaves socket files, which the next start finds to be stale.
 */
#include "backend/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/change.h"
#include "backend/child.h"
#include "backend/dns_child.h"
#include "backend/dns_counters.h"
#include "backend/foundation.h"
#include "backend/log.h"
#include "backend/restart.h"
#include "backend/sd_notify.h"
#include "control/host/host.h"

/* How long a data plane may take to stop, seconds. */
#define STOP_SECONDS 2

enum monitor_state {
	MONITOR_STARTING,
	MONITOR_READY,
	MONITOR_STOPPING,
	MONITOR_DONE, /* no data plane is left, and none will be started */
};

struct monitor {
	const struct monitor_config *config;
	struct options options; /* of the network as it is now; changed through the API */
	struct change change;
	struct foundation foundation;
	struct dns_child dns;
	uint32_t dns_be; /* the DNS server that guests are told, network byte order; 0: none */
	struct restart restart;
	enum monitor_state state;
	bool was_ready;	     /* some data plane was; the world knows */
	bool failed;	     /* the exit code says so */
	pid_t child;	     /* the data plane; valid unless MONITOR_DONE */
	int ready_fd;	     /* its end of the ready pipe is ours to read; -1: nothing to come */
	int control_fd;	     /* to the data plane; -1: none */
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	uint64_t deaths;     /* of data planes */
	int signal_fd;	     /* signalfd; -1 before setup */
	int deadline_fd;     /* timerfd, armed while MONITOR_STOPPING; -1 before setup */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void tell(const char *state)
{
	int error = sd_notify_send(state);

	if (error)
		log_warning("cannot notify systemd: %s", strerror(-error));
}

static int start_child(struct monitor *monitor)
{
	const struct foundation *foundation = &monitor->foundation;
	int line[2] = {-1, -1};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line) < 0) {
		int error = -errno;
		log_error("cannot make a line to the data plane: %s", strerror(-error));
		return error;
	}
	struct child_config child = {
		.run = monitor->config->dataplane,
		.claim = foundation->claim,
		.directories = (const char *const *)foundation->directories,
		.directory_count = foundation->directory_count,
		.kept_fds = {foundation->api.fd, line[1],
			socket_claim_fds(foundation->api.claim)[0]},
		.dataplane =
			{
				.options = &monitor->options,
				.api_fd = foundation->api.fd,
				.control_fd = line[1],
				.started_ns = monitor->started_ns,
				.restarts = monitor->deaths,
				.flow_memory = foundation->flows.address,
				.flow_memory_size = foundation->flows.size,
				.way_out = foundation->way_out.address,
				.forwards = monitor->options.forwards,
				.forward_count = monitor->options.forward_count,
				.dns_be = monitor->dns_be,
				.leases = foundation->leases.address,
				.dns = foundation->dns.address,
				.stats = foundation->stats.address,
			},
	};

	if (foundation->host) {
		const struct tap *tap = host_tap(foundation->host);
		child.tap_count = tap->queues;
		child.dataplane.tap_fds = tap->fds;
		child.dataplane.tap_offloads = tap->offloads;
		child.dataplane.tap_tso = tap->takes_tso;
		child.dataplane.tap_uso = tap->takes_uso;
		memcpy(child.dataplane.tap_mac, host_mac(foundation->host),
			sizeof(child.dataplane.tap_mac));
	}
	int error = child_start(&child, &monitor->child, &monitor->ready_fd);
	close(line[1]);
	if (error) {
		close(line[0]);
		log_error("cannot start a data plane: %s", strerror(-error));
		return error;
	}
	monitor->control_fd = line[0];
	monitor->state = MONITOR_STARTING;
	socket_claim_note(foundation->claim, monitor->child);
	socket_claim_note(foundation->api.claim, monitor->child);
	return 0;
}

static void close_ready(struct monitor *monitor)
{
	if (monitor->ready_fd >= 0)
		close(monitor->ready_fd);
	monitor->ready_fd = -1;
}

/* No data plane asks for anything any more. */
static void close_control(struct monitor *monitor)
{
	if (monitor->control_fd >= 0)
		close(monitor->control_fd);
	monitor->control_fd = -1;
	change_forget_leaving(&monitor->change);
}

/* The data plane asks for something. It is not waited for, whatever it does. */
static void on_control(struct monitor *monitor)
{
	int error = change_serve(&monitor->change, monitor->control_fd);

	if (!error)
		return;
	/* Once, however much it sends. Its end is no error: its death comes as a signal. */
	if (error != -EPIPE)
		log_warning("the data plane does not take its answers, and gets no more: %s",
			strerror(-error));
	close(monitor->control_fd);
	monitor->control_fd = -1;
}

/* Tells whoever started us that guests can connect; once. */
static void announce(struct monitor *monitor)
{
	static const char text[] = "ready\n";
	int fd = monitor->config->options->ready_fd;

	monitor->was_ready = true;
	log_info("ready: guests can connect");
	tell("READY=1");
	if (fd < 0)
		return;
	if (write(fd, text, sizeof(text) - 1) < 0)
		log_warning("cannot write to descriptor %d of --ready-fd: %s", fd, strerror(errno));
	close(fd);
}

/* The ready pipe has a byte, or its other end is closed. */
static void on_ready(struct monitor *monitor)
{
	char byte;
	ssize_t length = read(monitor->ready_fd, &byte, 1);

	if (length < 0 && errno == EAGAIN)
		return;
	close_ready(monitor);
	if (length != 1 || monitor->state != MONITOR_STARTING)
		return;
	monitor->state = MONITOR_READY;
	restart_forget(&monitor->restart);
	if (monitor->was_ready)
		log_info("another data plane is ready: guests reconnect by themselves");
	else
		announce(monitor);
}

static void give_up(struct monitor *monitor)
{
	monitor->state = MONITOR_DONE;
	monitor->failed = true;
}

/* Starts another data plane in place of one that died. */
static void replace(struct monitor *monitor)
{
	char error[FOUNDATION_ERROR_CAPACITY];

	if (socket_claim_clear(monitor->foundation.claim, error, sizeof(error)) < 0) {
		log_error("%s", error);
		give_up(monitor);
	} else if (start_child(monitor) < 0) {
		give_up(monitor);
	}
}

static void on_death(struct monitor *monitor, int status)
{
	char text[CHILD_TEXT_CAPACITY];
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	child_describe(status, text);
	monitor->deaths++;
	close_control(monitor);
	/* It may have been ready a moment before. */
	if (monitor->ready_fd >= 0)
		on_ready(monitor);
	close_ready(monitor);
	if (monitor->state == MONITOR_STOPPING) {
		if (!clean)
			log_warning("the data plane did not stop as it should: it %s", text);
		monitor->state = MONITOR_DONE;
	} else if (!monitor->was_ready) {
		/* One that ends by itself has said why. */
		if (!WIFEXITED(status) || clean)
			log_error("the data plane %s while starting", text);
		give_up(monitor);
	} else if (monitor->state == MONITOR_STARTING &&
		   !restart_after_death(&monitor->restart, now_ns())) {
		log_error("the data plane %s, the last of more than %d within %llu s: giving up",
			text, RESTART_DEATHS, RESTART_WINDOW_NS / 1000000000);
		give_up(monitor);
	} else {
		log_warning(
			"the data plane (process %d) %s: starting another", monitor->child, text);
		replace(monitor);
	}
}

static void on_child(struct monitor *monitor)
{
	int status;

	dns_child_reap(&monitor->dns, now_ns());
	if (monitor->state == MONITOR_DONE || waitpid(monitor->child, &status, WNOHANG) <= 0)
		return;
	on_death(monitor, status);
}

/* The first time, asks; the second time, insists. */
static void stop(struct monitor *monitor)
{
	const struct itimerspec deadline = {.it_value.tv_sec = STOP_SECONDS};

	if (monitor->state == MONITOR_STOPPING) {
		kill(monitor->child, SIGKILL);
		return;
	}
	log_info("stopping");
	tell("STOPPING=1");
	monitor->state = MONITOR_STOPPING;
	kill(monitor->child, SIGTERM);
	timerfd_settime(monitor->deadline_fd, 0, &deadline, NULL);
}

static void on_signal(struct monitor *monitor)
{
	struct signalfd_siginfo info;

	if (read(monitor->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGCHLD:
		on_child(monitor);
		break;
	case SIGUSR1:
		monitor->config->print_stats(
			monitor->foundation.stats.address, monitor->options.socket_count, stderr);
		if (monitor->foundation.dns.address)
			dns_counters_walk(
				monitor->foundation.dns.address, stats_print_counter, stderr);
		break;
	case SIGTERM:
	case SIGINT:
	case SIGHUP:
		stop(monitor);
		break;
	}
}

/* Links, addresses or routes of the host have changed: there may be another way out. */
static void on_host_change(struct monitor *monitor)
{
	int changed = host_refresh(monitor->foundation.host);

	if (changed >= 0)
		foundation_tell_way_out(&monitor->foundation);
	if (changed < 0)
		log_warning("cannot follow a change of the host's network: %s", strerror(-changed));
	else if (changed > 0)
		log_info("the way out is now %s",
			*host_egress(monitor->foundation.host)
				? host_egress(monitor->foundation.host)
				: "missing: the host has no default route");
}

/*
 * The lifeline has hung up. One more look, since somebody may have taken hold of it again: from
 * here on who does so finds a network that is stopping.
 */
static void on_lifeline(struct monitor *monitor)
{
	struct pollfd lifeline = {.fd = monitor->config->options->lifeline_fd};

	if (poll(&lifeline, 1, 0) != 1 || monitor->state == MONITOR_STOPPING)
		return;
	log_info("the last user of this network has gone");
	stop(monitor);
}

/* Stopping needs no second hang-up. */
static int lifeline_fd(const struct monitor *monitor)
{
	return monitor->state == MONITOR_STOPPING ? -1 : monitor->config->options->lifeline_fd;
}

static void loop(struct monitor *monitor)
{
	struct host *host = monitor->foundation.host;

	while (monitor->state != MONITOR_DONE) {
		struct pollfd events[] = {
			{.fd = monitor->signal_fd, .events = POLLIN},
			{.fd = monitor->deadline_fd, .events = POLLIN},
			{.fd = monitor->ready_fd, .events = POLLIN}, /* -1 is left out */
			{.fd = host ? host_watch_fd(host) : -1, .events = POLLIN},
			{.fd = lifeline_fd(monitor)}, /* hanging up is always told */
			{.fd = monitor->control_fd, .events = POLLIN},
		};
		if (poll(events, sizeof(events) / sizeof(events[0]), -1) < 0)
			continue; /* EINTR by a debugger: every signal of ours is blocked */
		/* "Ready" first: a death after it is another kind of death. */
		if (events[2].revents)
			on_ready(monitor);
		if (events[1].revents) {
			uint64_t count;
			if (read(monitor->deadline_fd, &count, sizeof(count)) > 0)
				stop(monitor);
		}
		if (events[3].revents)
			on_host_change(monitor);
		if (events[4].revents)
			on_lifeline(monitor);
		if (events[5].revents)
			on_control(monitor);
		if (events[0].revents)
			on_signal(monitor);
	}
}

/* Every signal that we act on comes through the descriptor, none is lost while we work. */
static int watch_signals(struct monitor *monitor)
{
	static const int taken[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&set, taken[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	monitor->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (monitor->signal_fd < 0)
		return -errno;
	monitor->deadline_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return monitor->deadline_fd < 0 ? -errno : 0;
}

int monitor_run(const struct monitor_config *config)
{
	struct monitor monitor = {
		.config = config,
		.options = *config->options,
		.started_ns = now_ns(),
		.ready_fd = -1,
		.control_fd = -1,
		.signal_fd = -1,
		.deadline_fd = -1,
	};
	char text[FOUNDATION_ERROR_CAPACITY];

	int error = watch_signals(&monitor);
	if (error) {
		log_error("cannot watch signals: %s", strerror(-error));
		goto out;
	}
	error = foundation_init(&monitor.foundation, config->options, config->flow_memory_size,
		config->stats_size, text);
	if (error) {
		log_error("%s", text);
		goto out;
	}
	monitor.change =
		(struct change){.options = &monitor.options, .foundation = &monitor.foundation};
	dns_child_start(&monitor.dns, &monitor.foundation, config->options, &monitor.dns_be);
	error = start_child(&monitor);
	if (!error)
		loop(&monitor);
	dns_child_stop(&monitor.dns);
	foundation_fini(&monitor.foundation);
out:
	if (monitor.signal_fd >= 0)
		close(monitor.signal_fd);
	if (monitor.deadline_fd >= 0)
		close(monitor.deadline_fd);
	return error || monitor.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
