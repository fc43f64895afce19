/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of the DNS server, in memory that it shares with the monitor and the data plane, so that
 * the API shows them and the next server goes on with them. The server writes, anyone reads.
 */
#pragma once

#include <stdint.h>

#include "backend/stats.h"

/* Why a query, an answer or a connection went no further. The names are what users see. */
#define DNS_DROP_TABLE(X)                                                         \
	/* from guests: no query; over UDP, longer than DNS_QUERY_MAX */          \
	X(DNS_DROP_MALFORMED, "malformed")                                        \
	X(DNS_DROP_TOO_LONG, "query_too_long")                                    \
	/* as many queries wait as may: of all guests, of this one */             \
	X(DNS_DROP_TABLE_FULL, "table_full")                                      \
	X(DNS_DROP_GUEST_FULL, "guest_full")                                      \
	/* as many connections are open as may: of all guests, of this one */     \
	X(DNS_DROP_STREAMS_FULL, "streams_full")                                  \
	X(DNS_DROP_GUEST_STREAMS_FULL, "guest_streams_full")                      \
	/* queries over a connection on which nothing moved any more */           \
	X(DNS_DROP_STREAM_IDLE, "stream_idle")                                    \
	/* queries whose connection ended before their answers came */            \
	X(DNS_DROP_STREAM_LOST, "stream_lost")                                    \
	/* no server answered: the guest is told SERVFAIL */                      \
	X(DNS_DROP_NO_SERVER, "no_server")                                        \
	/* what came from a server with an id or a question that was not asked */ \
	X(DNS_DROP_FORGED, "forged")                                              \
	/* an answer that the guest could not be sent */                          \
	X(DNS_DROP_SEND, "send")

enum dns_drop {
#define DNS_DROP_ENUM(id, name) id,
	DNS_DROP_TABLE(DNS_DROP_ENUM)
#undef DNS_DROP_ENUM
	DNS_DROP_COUNT,
};

struct dns_counters {
	uint64_t queries_udp;	/* messages of guests, those that were dropped included */
	uint64_t queries_tcp;	/* likewise */
	uint64_t answers_own;	/* made here: names of the network, errors */
	uint64_t forwarded;	/* queries that went on to the host's servers */
	uint64_t answers;	/* of those servers, passed on to guests */
	uint64_t tries_silent;	/* tries to which a server said nothing in time */
	uint64_t tries_refused; /* tries that could not be made, or that were refused */
	uint64_t drops[DNS_DROP_COUNT];
};

/* The name of a reason; never NULL for one below DNS_DROP_COUNT. */
const char *dns_drop_name(unsigned int reason);

/* Visits all counters, zeros too, in the group "dns". Any thread and process. */
void dns_counters_walk(const struct dns_counters *counters, stats_visit *visit, void *context);
