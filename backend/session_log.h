/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log of sessions (--log-sessions; RFC 6888, section 4).
 *
 * A worker may not write: it puts each session that comes or goes into a ring in memory, and the
 * data plane's main thread empties that a few times a second and writes the lines. One thread puts,
 * one takes, and neither waits for the other: when the ring is full the record is lost and counted.
 * Records keep their order.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "nat/nat.h"

/* Records that the ring holds. At 10,000 new sessions a second, seconds; at a million, enough for
 * the time between two looks. */
#define SESSION_LOG_CAPACITY 65536
/* How often it should be emptied. */
#define SESSION_LOG_INTERVAL_NS 50000000
/* A line with its terminating zero. */
#define SESSION_LOG_LINE 320

struct session_log;

/* `lost` counts records that found no room; it outlives the log and its writer is the thread that
 * puts. 0 or -ENOMEM. */
int session_log_new(uint64_t *lost, struct session_log **ret_log);
/* NULL is allowed. */
void session_log_free(struct session_log *log);

/* Puts a record: the `log` of struct nat_config, with the log as its userdata. */
void session_log_put(void *log, const struct nat_log *record);

/*
 * Takes up to SESSION_LOG_CAPACITY records and gives `write` a line for each, without newline, as
 *
 *   session create time=2026-11-26T18:00:00.123Z proto=tcp from=inside inside=172.16.0.2:1234
 *       outside=172.16.0.254:1234 remote=198.51.100.2:443
 *   session delete time=… proto=… from=… inside=… outside=… remote=… bytes_out=1 bytes_in=2
 *       seconds=3.4
 *
 * on one line each. The time is when the record was taken. Ports are identifiers for ICMP and are
 * left out where a protocol has none. Returns how many.
 */
uint32_t session_log_drain(struct session_log *log, void (*write)(const char *line));

/* Writes the line of one record into `line`, at this time. */
void session_log_format(
	const struct nat_log *record, struct timespec now, char line[SESSION_LOG_LINE]);
