/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data plane's process, from EAL to the end: makes the worker and the ports, says that it is
 * ready, and waits to be told to stop. The monitor has dropped every right before (sandbox.h).
 *
 * Threads: this one (waits for SIGTERM), the worker, the control thread (API), and librte_vhost's.
 */
#include "backend/dataplane.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <endian.h>

#include "backend/control_thread.h"
#include "backend/guests.h"
#include "backend/log.h"
#include "backend/low_descriptors.h"
#include "backend/nat_setup.h"
#include "backend/options.h"
#include "backend/refusals.h"
#include "backend/sandbox.h"
#include "backend/session_log.h"
#include "backend/sigbus.h"
#include "backend/worker.h"

/* Memory for librte_vhost, MiB: 1.25 for each ring of the largest size, at 64 guests with two. What
 * is not used is not resident. */
#define EAL_MEMORY "192"

struct dataplane {
	const struct dataplane_config *config;
	struct quiesce quiesce;
	struct worker *worker;
	struct guests *guests;
	struct api_view view;
	struct control_thread *control;
	struct tap_port tap;
	struct session_log *session_log; /* NULL: nobody asked */
	struct refusals refusals;
	uint64_t next_refusals_ns; /* when to look at them again */
	pthread_t thread;
	bool running;
};

/* EAL pins its main thread to one processor; this names all that we may use, so that the scheduler
 * decides. */
static int lcores_argument(char *text, size_t size)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	size_t at = (size_t)snprintf(text, size, "0@(");
	const char *comma = "";
	for (int cpu = 0; cpu < CPU_SETSIZE && at < size; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		at += (size_t)snprintf(text + at, size - at, "%s%d", comma, cpu);
		comma = ",";
	}
	if (at < size)
		at += (size_t)snprintf(text + at, size - at, ")");
	return at < size ? 0 : -ENAMETOOLONG;
}

static int start_eal(enum log_level level)
{
	char lcores[4096];
	int error = lcores_argument(lcores, sizeof(lcores));
	if (error)
		return error;
	char *arguments[] = {"chnet-vhost", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "--iova-mode=va", "-m", EAL_MEMORY, "--lcores", lcores, NULL};
	int count = (int)(sizeof(arguments) / sizeof(arguments[0])) - 1;

	/* Standard error only: EAL would write to the system log as well. */
	rte_openlog_stream(stderr);
	rte_log_set_global_level(level >= LOG_LEVEL_DEBUG ? RTE_LOG_DEBUG : RTE_LOG_ERR);
	return rte_eal_init(count, arguments) < 0 ? -rte_errno : 0;
}

static struct network make_network(const struct dataplane_config *config)
{
	/* The gateway's MAC when there is no TAP: locally administered, the same for ever. */
	static const uint8_t own_mac[6] = {0x02, 0x63, 0x68, 0x6e, 0x65, 0x01};
	const struct options *options = config->options;
	struct network network = {
		.lan_be = options->lan_be,
		.mask_be = htobe32(~0u << (32 - options->prefix)),
		.prefix = options->prefix,
		.gateway_be = options->host_ip_be,
		.outside_be = options->outside_be,
		.has_uplink = config->tap_fds != NULL,
	};
	uint8_t nat_mac[ETHERNET_ADDRESS_LENGTH];
	memcpy(nat_mac, network.has_uplink ? config->tap_mac : own_mac, sizeof(nat_mac));
	network.gateway_mac = ethernet_load(nat_mac);
	nat_mac[0] |= 0x02;
	nat_mac[5] ^= 0x80;
	network.nat_mac = ethernet_load(nat_mac);
	return network;
}

static int watch(const struct quiesce *quiesce, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event event = {.events = events, .data.u64 = tag};
	return epoll_ctl(quiesce->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int add_tap(struct dataplane *dp)
{
	const struct dataplane_config *config = dp->config;
	const struct tap_port_config tap = {
		.fd = config->tap_fds[0],
		.tso = config->tap_tso,
		.uso = config->tap_uso,
		.now_ns = &dp->worker->now_ns,
		.slots = dp->worker->slots,
		.stats = &config->stats->ports[PORT_UPLINK],
	};
	int error = tap_port_init(&dp->tap, &tap);
	if (error)
		return error;
	worker_add_port(dp->worker, &dp->tap.port);
	return watch(&dp->quiesce, tap.fd, EPOLLIN | EPOLLET, vhost_port_epoll_tag(PORT_UPLINK, 0));
}

static int add_nat(struct dataplane *dp)
{
	const struct dataplane_config *config = dp->config;
	int error = 0;
	if (config->options->log_sessions)
		error = session_log_new(&config->stats->worker.log_lost, &dp->session_log);
	if (error)
		return error;
	refusals_init(&dp->refusals, &config->stats->nat);
	dp->worker->way_out = config->way_out;
	return nat_setup_new(config, dp->session_log, worker_clock_ns(), &dp->worker->nat);
}

static int build(struct dataplane *dp)
{
	const struct dataplane_config *config = dp->config;
	int error = sigbus_install();
	if (!error)
		error = quiesce_init(&dp->quiesce, 1);
	if (error)
		return error;
	const struct network network = make_network(config);
	error = worker_new(
		&network, &dp->quiesce, config->stats, config->options->socket_count, &dp->worker);
	if (!error)
		error = watch(&dp->quiesce, dp->quiesce.wake_fd, EPOLLIN, WORKER_TAG_WAKE);
	if (!error)
		error = watch(&dp->quiesce, dp->worker->call.wake_fd, EPOLLIN, WORKER_TAG_CALL);
	if (!error && network.has_uplink)
		error = add_tap(dp);
	if (!error && network.outside_be && network.has_uplink)
		error = add_nat(dp);
	if (!error && config->leases)
		error = worker_serve_dhcp(dp->worker, config->leases, config->dns_be);
	if (!error)
		error = guests_new(
			config->options, &dp->quiesce, config->stats, dp->worker, &dp->guests);
	return error;
}

/* The worker's thread. A filter that cannot be set is no reason to serve guests without it. */
static void *work(void *argument)
{
	pthread_setname_np(pthread_self(), "chnet-worker");
	int error = sandbox_worker();
	if (error) {
		log_error("the worker cannot enter its sandbox: %s", strerror(-error));
		_exit(EXIT_FAILURE);
	}
	return worker_main(argument);
}

static int launch(struct dataplane *dp)
{
	int error = pthread_create(&dp->thread, NULL, work, dp->worker);
	if (error)
		return -error;
	dp->running = true;
	error = guests_start(dp->guests);
	if (error || dp->config->api_fd < 0)
		return error;
	dp->view =
		(struct api_view){.config = dp->config, .guests = dp->guests, .worker = dp->worker};
	error = control_thread_start(&dp->view, &dp->control);
	if (error)
		log_error("the API cannot be served: %s", strerror(-error));
	return error;
}

static void tell_ready(int fd)
{
	if (write(fd, "r", 1) != 1)
		log_warning("cannot tell the monitor that guests can connect: %s", strerror(errno));
	close(fd);
}

static void write_session(const char *line)
{
	log_info("%s", line);
}

/* What a worker must not do itself: to speak. */
static void report(struct dataplane *dp)
{
	char line[REFUSALS_LINE];
	if (dp->session_log)
		session_log_drain(dp->session_log, write_session);
	uint64_t now_ns = worker_clock_ns();
	if (now_ns < dp->next_refusals_ns)
		return;
	dp->next_refusals_ns = now_ns + REFUSALS_INTERVAL_NS;
	if (refusals_look(&dp->refusals, &dp->config->stats->nat, line))
		log_warning("%s", line);
}

static void wait_for_term(struct dataplane *dp)
{
	const struct timespec second = {.tv_sec = 1}, moment = {.tv_nsec = SESSION_LOG_INTERVAL_NS};
	sigset_t term;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	while (sigtimedwait(&term, NULL, dp->session_log ? &moment : &second) != SIGTERM)
		if (dp->worker->nat)
			report(dp);
}

/* Control first, which calls the worker; then that: nothing uses the ports any more when they go.
 */
static void dismantle(struct dataplane *dp)
{
	control_thread_stop(dp->control);
	if (dp->running) {
		worker_stop(dp->worker);
		pthread_join(dp->thread, NULL);
	}
	if (dp->session_log)
		session_log_drain(dp->session_log, write_session);
	guests_free(dp->guests);
	tap_port_fini(&dp->tap);
	worker_free(dp->worker);
	session_log_free(dp->session_log);
	quiesce_fini(&dp->quiesce);
}

int dataplane_main(const struct dataplane_config *config)
{
	struct dataplane dp = {.config = config, .quiesce = {.wake_fd = -1, .epoll_fd = -1}};
	/* Before the first thread: a start, and an outage, are shorter by a quarter. */
	low_descriptors_reserve(STDERR_FILENO);
	int error = start_eal(config->options->log_level);
	if (error) {
		log_error("DPDK's environment does not start: %s", strerror(-error));
		return EXIT_FAILURE;
	}
	error = sandbox_settle();
	if (!error)
		error = build(&dp);
	if (!error)
		error = launch(&dp);
	if (!error) {
		tell_ready(config->ready_fd);
		wait_for_term(&dp);
	} else {
		log_error("the data plane does not start: %s", strerror(-error));
	}
	dismantle(&dp);
	rte_eal_cleanup();
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
