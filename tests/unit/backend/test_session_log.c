/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend/session_log.h"

#define SECOND UINT64_C(1000000000)

/* 2026-01-02T03:04:05.678Z */
static const struct timespec then = {.tv_sec = 1767323045, .tv_nsec = 678999999};

static struct nat_log record(uint8_t protocol, enum nat_log_event event)
{
	return (struct nat_log){
		.event = event,
		.protocol = protocol,
		.inside_be = inet_addr("172.16.0.2"),
		.outside_be = inet_addr("172.16.0.254"),
		.remote_be = inet_addr("198.51.100.2"),
		.inside_port_be = htons(1234),
		.outside_port_be = htons(50001),
		.remote_port_be = htons(443),
	};
}

#define PLACES "inside=172.16.0.2:1234 outside=172.16.0.254:50001 remote=198.51.100.2"

static void lines(void **state)
{
	char line[SESSION_LOG_LINE];
	struct nat_log log = record(IPPROTO_TCP, NAT_LOG_CREATE);

	session_log_format(&log, then, line);
	assert_string_equal(line,
		"session create time=2026-01-02T03:04:05.678Z proto=tcp from=inside " PLACES
		":443");
	log = record(IPPROTO_UDP, NAT_LOG_DELETE);
	log.inbound = true;
	log.bytes_out = 1;
	log.bytes_in = 5000000000;
	log.age_ns = 12 * SECOND + SECOND / 2 - 1;
	session_log_format(&log, then, line);
	assert_string_equal(line,
		"session delete time=2026-01-02T03:04:05.678Z proto=udp from=outside " PLACES
		":443 bytes_out=1 bytes_in=5000000000 seconds=12.4");
	/* Identifiers stand in for our ports, the remote has none. */
	log = record(IPPROTO_ICMP, NAT_LOG_CREATE);
	session_log_format(&log, then, line);
	assert_string_equal(line,
		"session create time=2026-01-02T03:04:05.678Z proto=icmp from=inside " PLACES);
	log = record(47, NAT_LOG_CREATE);
	session_log_format(&log, then, line);
	assert_string_equal(line, "session create time=2026-01-02T03:04:05.678Z proto=47 "
				  "from=inside inside=172.16.0.2 outside=172.16.0.254 "
				  "remote=198.51.100.2");
}

static void the_longest_line_is_whole(void **state)
{
	char line[SESSION_LOG_LINE];
	struct nat_log log = {
		.event = NAT_LOG_DELETE,
		.protocol = IPPROTO_ICMP,
		.inside_be = UINT32_MAX,
		.outside_be = UINT32_MAX,
		.remote_be = UINT32_MAX,
		.inside_port_be = UINT16_MAX,
		.outside_port_be = UINT16_MAX,
		.inbound = true,
		.bytes_out = UINT64_MAX,
		.bytes_in = UINT64_MAX,
		.age_ns = UINT64_MAX,
	};

	session_log_format(&log, then, line);
	assert_non_null(strstr(line, "inside=255.255.255.255:65535 outside=255.255.255.255:65535"));
	assert_string_equal(line + strlen(line) - 21, "seconds=18446744073.7");
}

static uint32_t written;
static uint16_t next_port;

/* Every line is the next one. */
static void write_line(const char *line)
{
	char port[32];

	snprintf(port, sizeof(port), ":%u outside=", (unsigned int)next_port++);
	assert_non_null(strstr(line, port));
	written++;
}

static void order_and_loss(void **state)
{
	struct nat_log log = record(IPPROTO_TCP, NAT_LOG_CREATE);
	struct session_log *ring;
	uint64_t lost = 0;

	assert_int_equal(session_log_new(&lost, &ring), 0);
	written = 0;
	assert_int_equal(session_log_drain(ring, write_line), 0);
	for (int round = 0; round < 3; round++) {
		next_port = 0;
		for (uint32_t i = 0; i < SESSION_LOG_CAPACITY + 5; i++) {
			log.inside_port_be = htons((uint16_t)i);
			session_log_put(ring, &log);
		}
		assert_int_equal(lost, (round + 1) * 5);
		assert_int_equal(session_log_drain(ring, write_line), SESSION_LOG_CAPACITY);
	}
	assert_int_equal(written, 3 * SESSION_LOG_CAPACITY);
	assert_int_equal(session_log_drain(ring, write_line), 0);
	session_log_free(ring);
	session_log_free(NULL);
}

#define MANY 300000

struct producer {
	struct session_log *ring;
	uint64_t *lost;
};

/* Puts many; one that is lost is put again, so that all come through in the end. */
static void *produce(void *argument)
{
	struct producer *producer = argument;
	struct nat_log log = record(IPPROTO_UDP, NAT_LOG_CREATE);

	for (uint32_t i = 0; i < MANY; i++) {
		uint64_t before = *producer->lost;
		log.inside_port_be = htons((uint16_t)i);
		session_log_put(producer->ring, &log);
		while (*producer->lost != before) {
			sched_yield();
			before = *producer->lost;
			session_log_put(producer->ring, &log);
		}
	}
	return NULL;
}

static void two_threads(void **state)
{
	struct session_log *ring;
	uint64_t lost = 0;
	pthread_t thread;

	assert_int_equal(session_log_new(&lost, &ring), 0);
	struct producer producer = {ring, &lost};
	written = 0;
	next_port = 0;
	assert_int_equal(pthread_create(&thread, NULL, produce, &producer), 0);
	while (written < MANY)
		session_log_drain(ring, write_line);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(written, MANY);
	session_log_free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(the_longest_line_is_whole),
		cmocka_unit_test(order_and_loss),
		cmocka_unit_test(two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
