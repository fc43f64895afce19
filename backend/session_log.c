/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/session_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/options_value.h"

_Static_assert((SESSION_LOG_CAPACITY & (SESSION_LOG_CAPACITY - 1)) == 0, "a power of two");

struct session_log {
	uint64_t *lost;
	/* Records ever put and taken; each has one writer, on a cache line of its own. */
	__attribute__((aligned(64))) uint64_t put;
	__attribute__((aligned(64))) uint64_t taken;
	__attribute__((aligned(64))) struct nat_log records[SESSION_LOG_CAPACITY];
};

int session_log_new(uint64_t *lost, struct session_log **ret_log)
{
	struct session_log *log = aligned_alloc(64, sizeof(*log));

	if (!log)
		return -ENOMEM;
	/* Touched now, so that the worker meets no page that is not there. */
	memset(log, 0, sizeof(*log));
	log->lost = lost;
	*ret_log = log;
	return 0;
}

void session_log_free(struct session_log *log)
{
	free(log);
}

void session_log_put(void *userdata, const struct nat_log *record)
{
	struct session_log *log = userdata;
	uint64_t taken = __atomic_load_n(&log->taken, __ATOMIC_ACQUIRE);

	if (log->put - taken == SESSION_LOG_CAPACITY) {
		__atomic_store_n(log->lost, *log->lost + 1, __ATOMIC_RELAXED);
		return;
	}
	log->records[log->put % SESSION_LOG_CAPACITY] = *record;
	__atomic_store_n(&log->put, log->put + 1, __ATOMIC_RELEASE);
}

static const char *protocol_name(uint8_t protocol, char number[4])
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	default:
		snprintf(number, 4, "%u", protocol);
		return number;
	}
}

/* "address:port", or the address alone. */
#define END_TEXT (INET_ADDRSTRLEN + 6)

static const char *show_end(uint32_t address_be, uint16_t port_be, bool port, char text[END_TEXT])
{
	options_show_ipv4(address_be, text);
	if (port)
		snprintf(text + strlen(text), 7, ":%u", ntohs(port_be));
	return text;
}

void session_log_format(
	const struct nat_log *record, struct timespec now, char line[SESSION_LOG_LINE])
{
	bool ports = record->protocol == IPPROTO_TCP || record->protocol == IPPROTO_UDP;
	bool identifier = ports || record->protocol == IPPROTO_ICMP;
	char number[4], inside[END_TEXT], outside[END_TEXT], remote[END_TEXT];
	bool ended = record->event == NAT_LOG_DELETE;
	char seconds[32] = "";
	struct tm utc;

	gmtime_r(&now.tv_sec, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	int length = snprintf(line, SESSION_LOG_LINE,
		"session %s time=%s.%03ldZ proto=%s from=%s inside=%s outside=%s remote=%s",
		ended ? "delete" : "create", seconds, now.tv_nsec / 1000000,
		protocol_name(record->protocol, number), record->inbound ? "outside" : "inside",
		show_end(record->inside_be, record->inside_port_be, identifier, inside),
		show_end(record->outside_be, record->outside_port_be, identifier, outside),
		show_end(record->remote_be, record->remote_port_be, ports, remote));
	if (ended)
		snprintf(line + length, SESSION_LOG_LINE - (size_t)length,
			" bytes_out=%" PRIu64 " bytes_in=%" PRIu64 " seconds=%" PRIu64 ".%" PRIu64,
			record->bytes_out, record->bytes_in, record->age_ns / 1000000000,
			record->age_ns / 100000000 % 10);
}

uint32_t session_log_drain(struct session_log *log, void (*write)(const char *line))
{
	uint64_t put = __atomic_load_n(&log->put, __ATOMIC_ACQUIRE);
	uint32_t count = (uint32_t)(put - log->taken);
	char line[SESSION_LOG_LINE];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	for (uint32_t i = 0; i < count; i++) {
		session_log_format(&log->records[log->taken % SESSION_LOG_CAPACITY], now, line);
		/* Its place is free before the line is written, which may take long. */
		__atomic_store_n(&log->taken, log->taken + 1, __ATOMIC_RELEASE);
		write(line);
	}
	return count;
}
