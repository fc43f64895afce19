/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * The monitor builds what data planes stand on (foundation.h), forks one (child.h), and waits for
 * events: a signal, the byte that says "ready", the deadline of a stop, a change of the host's
 * network. It has no thread, no timer of its own and nothing to do while a data plane works.
 * monitor_private.h has the states of the data plane, monitor_child.c what leads from one to the
 * next.
 *
 * Foundation and sockets go when no data plane is left. A monitor that is killed takes its data
 * plane along (sandbox.h) and leaves socket files, which the next start finds to be stale.
 */
#include "backend/monitor_private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/child.h"
#include "backend/dns_counters.h"
#include "backend/log.h"
#include "backend/sd_notify.h"
#include "control/host/host.h"

/* How long a data plane may take to stop, seconds. */
#define STOP_SECONDS 2

uint64_t monitor_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void monitor_tell(const char *state)
{
	int error = sd_notify_send(state);

	if (error)
		log_warning("cannot notify systemd: %s", strerror(-error));
}

static void on_child(struct monitor *monitor)
{
	int status;

	dns_child_reap(&monitor->dns, monitor_now_ns());
	if (monitor->state == MONITOR_DONE || waitpid(monitor->child, &status, WNOHANG) <= 0)
		return;
	monitor_child_on_death(monitor, status);
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
	monitor_tell("STOPPING=1");
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
		monitor->insisted = monitor->state == MONITOR_STOPPING;
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
			monitor_child_on_ready(monitor);
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
			monitor_child_on_control(monitor);
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

/* What else listens for root is in reach of a data plane that may connect. */
static void warn_of_root(const struct monitor *monitor)
{
	if (monitor->change.connects && geteuid() == 0 &&
		socket_claim_owner(monitor->foundation.claim) == 0)
		log_warning("mode=server: the data plane has root's user id, since the (first) "
			    "socket's directory is root's, and may connect to all that listens "
			    "for root: take a directory of the user who runs the VMMs");
}

int monitor_run(const struct monitor_config *config)
{
	struct monitor monitor = {
		.config = config,
		.options = *config->options,
		.started_ns = monitor_now_ns(),
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
	monitor.change = (struct change){
		.options = &monitor.options,
		.foundation = &monitor.foundation,
		.connects = options_has_vmm_socket(config->options),
	};
	warn_of_root(&monitor);
	dns_child_start(&monitor.dns, &monitor.foundation, config->options, &monitor.dns_be);
	error = monitor_child_start(&monitor);
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
