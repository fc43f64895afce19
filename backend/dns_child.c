/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dns_child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/child.h"
#include "backend/dns_server.h"
#include "backend/log.h"
#include "backend/sandbox.h"
#include "control/host/host.h"

/* The user and group of nobody, on every Linux. */
#define NOBODY 65534
/* The DNS server that guests are told when there is none here: the set-up guide's. */
#define DNS_ELSEWHERE 0x01010101

/* Flows and most counters are the data plane's; leases are read. */
static int give_up_memory(struct foundation *foundation)
{
	struct shared_memory *leases = &foundation->leases;

	shared_memory_fini(&foundation->flows);
	shared_memory_fini(&foundation->stats);
	shared_memory_fini(&foundation->way_out);
	if (leases->address && mprotect(leases->address, leases->size, PROT_READ) < 0)
		return -errno;
	return 0;
}

static int live(struct dns_child *dns, pid_t monitor)
{
	const struct sandbox_config sandbox = {
		.parent = monitor, .uid = NOBODY, .gid = NOBODY, .resolver = true};
	int kept[] = {
		STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, dns->listen.udp_fd, dns->listen.tcp_fd};
	const char *step = "close the monitor's descriptors";

	prctl(PR_SET_NAME, "chnet-dns", 0, 0, 0);
	child_raise_descriptor_limit();
	int error = child_close_others(kept, sizeof(kept) / sizeof(kept[0]));
	if (!error)
		error = give_up_memory(dns->foundation);
	if (!error)
		error = sandbox_enter(&sandbox, &step);
	if (error) {
		log_error("DNS: cannot %s: %s", step, strerror(-error));
		return EXIT_FAILURE;
	}
	const struct dns_config config = {
		.udp_fd = dns->listen.udp_fd,
		.tcp_fd = dns->listen.tcp_fd,
		.resolver_path = DNS_RESOLVER_FILE,
		.names = {.table = dns->foundation->leases.address, .host_be = dns->host_be},
		.counters = dns->foundation->dns.address,
	};
	return dns_server_main(&config);
}

static int spawn(struct dns_child *dns)
{
	pid_t monitor = getpid();

	fflush(NULL); /* or both processes write what is buffered */
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		int code = live(dns, monitor);
		fflush(NULL);
		_exit(code);
	}
	dns->pid = pid;
	return 0;
}

void dns_child_start(struct dns_child *dns, struct foundation *foundation,
	const struct options *options, uint32_t *ret_dns_be)
{
	char text[INET_ADDRSTRLEN];

	*dns = (struct dns_child){
		.listen = {.udp_fd = -1, .tcp_fd = -1},
		.foundation = foundation,
		.host_be = options->host_ip_be,
	};
	*ret_dns_be = foundation->host ? htonl(DNS_ELSEWHERE) : 0;
	if (!options->dns || !foundation->host)
		return;
	inet_ntop(AF_INET, &options->host_ip_be, text, sizeof(text));
	int error = dns_listen_open(
		options->host_ip_be, host_tap(foundation->host)->name, &dns->listen);
	if (error == -EADDRINUSE) {
		log_info("DNS: the host has a server of its own at %s: guests ask that", text);
		*ret_dns_be = options->host_ip_be;
		return;
	}
	if (!error)
		error = spawn(dns);
	if (error) {
		log_warning("DNS: cannot serve guests at %s: %s: they are told 1.1.1.1", text,
			strerror(-error));
		return;
	}
	*ret_dns_be = options->host_ip_be;
}

void dns_child_reap(struct dns_child *dns, uint64_t now_ns)
{
	char text[CHILD_TEXT_CAPACITY];
	int status;

	if (!dns->pid || waitpid(dns->pid, &status, WNOHANG) <= 0)
		return;
	dns->pid = 0;
	child_describe(status, text);
	if (!restart_after_death(&dns->restart, now_ns)) {
		log_error("the DNS server %s, the last of more than %d within %llu s: guests have "
			  "no DNS until the next start",
			text, RESTART_DEATHS, RESTART_WINDOW_NS / 1000000000);
		return;
	}
	log_warning("the DNS server %s: starting another", text);
	int error = spawn(dns);
	if (error)
		log_error("cannot start a DNS server: %s", strerror(-error));
}

void dns_child_stop(struct dns_child *dns)
{
	if (dns->pid) {
		kill(dns->pid, SIGKILL);
		waitpid(dns->pid, NULL, 0);
	}
	dns->pid = 0;
	dns_listen_close(&dns->listen);
}
