/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DNS server of the guests: a forwarder to the host's own servers, in a process of its own.
 *
 * Theory of operation
 *
 * The monitor opens UDP and TCP sockets at the gateway's address, port 53, on the TAP alone
 * (dns_listen.h), and forks this process (dns_child.h): no capability, nobody's user id, and a
 * filter of system calls that leaves it files to read and sockets of the Internet. So guests' DNS
 * is ordinary traffic of the host's kernel, the data plane has no part in it, and whatever comes
 * back from the world is read by a process that holds nothing.
 *
 * One thread, one epoll. A question for a name of the network is answered here (dns_names.h); any
 * other message passes unchanged but for its id. Over UDP (dns_udp.c) each query gets a socket of
 * its own, connected, so that its source port is random (RFC 5452) and the kernel passes on what
 * comes from that server's address and port alone, and a random id. Over TCP (dns_tcp.c) a client's
 * connection is paired with one to the server. Either way an answer must have id and question of a
 * query that waits for one (dns_message_answers()), or it is dropped and counted as forged.
 *
 * Sockets that any guest can keep busy are served in bursts (DNS_BURST), so that others have their
 * turn.
 *
 * Limits: DNS_QUERIES_MAX queries wait for an answer, half of them for one client;
 * DNS_STREAMS_MAX connections, a quarter of them for one client. What is beyond is not answered:
 * the client asks again. A server that does not answer within DNS_TRY_NS is not waited for, the
 * next one is asked; after DNS_TRIES the client is told that it failed (SERVFAIL). Every drop has a
 * counter (dns_counters.h).
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/dns_counters.h"
#include "backend/dns_resolver.h"
#include "guest/services/dns_message.h"
#include "guest/services/dns_names.h"

#define DNS_QUERIES_MAX 4096
#define DNS_STREAMS_MAX 64
/* The longest query over UDP that is forwarded, bytes; longer ones come over TCP. */
#define DNS_QUERY_MAX 512
#define DNS_TRIES 3
/* Queries of one connection that wait for answers; the next ones are not read as long. */
#define DNS_PIPELINE_MAX 16
/* Datagrams, connections, or steps of a connection before other descriptors have their turn. */
#define DNS_BURST 64
#define DNS_TRY_NS 1500000000
/* A connection on which nothing moves for so long is closed. */
#define DNS_IDLE_NS 10000000000

/* epoll_event.data.u64: one of these, and an index in the low 32 bits. */
enum dns_tag {
	DNS_TAG_UDP,	/* the listening socket */
	DNS_TAG_TCP,	/* the same */
	DNS_TAG_QUERY,	/* a query's socket */
	DNS_TAG_STREAM, /* either socket of a pair of connections */
};

/* A query that waits for its answer. */
struct dns_query {
	int fd;			   /* to the server; -1: no query */
	uint16_t id;		   /* what we sent, as it lies in the message */
	uint16_t client_id;	   /* what the client sent */
	struct sockaddr_in client; /* where the answer goes */
	unsigned int tries;	   /* servers asked before this one */
	uint64_t end_ns;	   /* when this one is given up, CLOCK_MONOTONIC */
	uint16_t length;	   /* bytes in message */
	uint8_t message[DNS_QUERY_MAX];
	struct dns_question question;
};

/* One direction of a pair of connections: a message with its length before it (RFC 1035, 4.2.2). */
struct dns_pipe {
	size_t filled;	/* bytes read */
	size_t drained; /* of them, written */
	uint8_t bytes[2 + DNS_MESSAGE_MAX];
};

/* A query over TCP that was sent to the server. */
struct dns_pending {
	uint16_t id; /* as it lies in the message: the client's */
	struct dns_question question;
};

struct dns_stream {
	int client;	    /* -1: no stream */
	int server;	    /* -1: not connected */
	bool routed;	    /* the query is for the server */
	bool ended;	    /* the client says no more */
	unsigned int tries; /* servers that were tried for this query */
	/* Answers that the server owes, in any order; behind them, the query that is routed. */
	struct dns_pending pending[DNS_PIPELINE_MAX + 1];
	unsigned int pending_count;
	struct sockaddr_in address; /* the client's */
	uint64_t end_ns;	    /* when it is idle for too long, CLOCK_MONOTONIC */
	struct dns_pipe *query;	    /* client to server; owned */
	struct dns_pipe *answer;    /* server to client; owned */
};

struct dns_config {
	int udp_fd;		   /* bound; owned by the process */
	int tcp_fd;		   /* listening; likewise */
	const char *resolver_path; /* DNS_RESOLVER_FILE */
	struct dns_names names;
	struct dns_counters *counters; /* shared memory */
};

struct dns_context {
	const struct dns_config *config;
	int epoll_fd;
	uint64_t now_ns; /* CLOCK_MONOTONIC at the last wake-up */
	struct dns_resolver resolver;
	unsigned int queries_max;  /* DNS_QUERIES_MAX, or what the descriptor limit allows */
	struct dns_query *queries; /* queries_max of them */
	unsigned int query_count;
	uint64_t next_ns; /* no query and no stream ends before */
	struct dns_stream streams[DNS_STREAMS_MAX];
	unsigned int stream_count;
	uint8_t buffer[DNS_MESSAGE_MAX];
};

/* The process' body: serves until it is killed. Returns an exit code when it cannot. */
int dns_server_main(const struct dns_config *config);

/*
 * Shared by the two transports: the answer that is made here, of `length` bytes of a query. Returns
 * its length in `answer`; 0: the query is to be forwarded, *ret_question is its question; -1: it is
 * not to be answered at all.
 */
int dns_server_answer(const struct dns_context *context, const uint8_t *query, size_t length,
	struct dns_question *ret_question, uint8_t answer[DNS_ANSWER_MAX]);

/* Counts what goes no further. */
static inline void dns_server_drop(const struct dns_context *context, enum dns_drop reason)
{
	context->config->counters->drops[reason]++;
}

/*
 * Watches a descriptor, edge-triggered. One that is watched already is looked at anew: an event
 * comes for what it can do now. 0 or a negative errno.
 */
int dns_server_watch(const struct dns_context *context, int fd, uint32_t events, enum dns_tag tag,
	uint32_t index);

/* dns_udp.c: clients ask; a server answers; time passes. */
void dns_udp_listen(struct dns_context *context);
void dns_udp_receive(struct dns_context *context, uint32_t index);
void dns_udp_expire(struct dns_context *context);

/* dns_tcp.c: clients connect; something can move; time passes. */
void dns_tcp_listen(struct dns_context *context);
void dns_tcp_run(struct dns_context *context, uint32_t index);
void dns_tcp_expire(struct dns_context *context);
