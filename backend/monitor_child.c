/* SPDX-License-Identifier: BSD-3-Clause */
/* The data plane's life, as the monitor sees it: start, readiness, requests, death, and the next
 * one. monitor_private.h has the states. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/child.h"
#include "backend/log.h"
#include "backend/monitor_private.h"
#include "control/host/host.h"

int monitor_child_start(struct monitor *monitor)
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
		.connects = monitor->change.connects,
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

void monitor_child_on_control(struct monitor *monitor)
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
	monitor_tell("READY=1");
	if (fd < 0)
		return;
	if (write(fd, text, sizeof(text) - 1) < 0)
		log_warning("cannot write to descriptor %d of --ready-fd: %s", fd, strerror(errno));
	close(fd);
}

void monitor_child_on_ready(struct monitor *monitor)
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
	} else if (monitor_child_start(monitor) < 0) {
		give_up(monitor);
	}
}

void monitor_child_on_death(struct monitor *monitor, int status)
{
	char text[CHILD_TEXT_CAPACITY];
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	child_describe(status, text);
	monitor->deaths++;
	close_control(monitor);
	/* It may have been ready a moment before. */
	if (monitor->ready_fd >= 0)
		monitor_child_on_ready(monitor);
	close_ready(monitor);
	if (monitor->state == MONITOR_STOPPING) {
		/* What was asked for is no surprise. */
		if (!clean && !(monitor->insisted && is_killed))
			log_warning("the data plane did not stop as it should: it %s", text);
		monitor->state = MONITOR_DONE;
	} else if (!monitor->was_ready) {
		/* One that ends by itself has said why. */
		if (!WIFEXITED(status) || clean)
			log_error("the data plane %s while starting", text);
		give_up(monitor);
	} else if (monitor->state == MONITOR_STARTING &&
		   !restart_after_death(&monitor->restart, monitor_now_ns())) {
		log_error("the data plane %s, the last of more than %d within %llu s: giving up",
			text, RESTART_DEATHS, RESTART_WINDOW_NS / 1000000000);
		give_up(monitor);
	} else {
		log_warning(
			"the data plane (process %d) %s: starting another", monitor->child, text);
		replace(monitor);
	}
}
