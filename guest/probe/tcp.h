/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One end of one TCP connection (RFC 9293): the one that opens it.
 *
 * Theory of operation
 *
 * Pure: segments go in (tcp_input) and come out (tcp_output), and time is an argument. What is sent
 * is made anew for each transmission by a function of its place in the stream, so that nothing is
 * kept for retransmission. What is received is handed on as it comes, with its place in the stream;
 * of what lies behind a hole only the place is kept (tcp_islands.h).
 *
 * Congestion: slow start up to the peer's window, halved and begun anew from the first hole after
 * three duplicate acknowledgements, two segments after a time-out (RFC 5681 in short). No window
 * scaling, no SACK, no timestamps, no delayed acknowledgement: the caller drains the device before
 * it asks for output, so one acknowledgement covers what came in its place. Of what lies behind a
 * hole each segment has one of its own (RFC 5681, 4.2): the peer counts them.
 *
 * states: SYN_SENT -> OPEN -> DONE when both directions are closed and acknowledged; any -> FAILED
 * by a reset. Silence is the caller's to judge (heard_us).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/probe/tcp_islands.h"

#define TCP_HEADER 20 /* without options */
/* The most data in a segment of ours, bytes. */
#define TCP_MSS 1460

enum tcp_state {
	TCP_SYN_SENT,
	TCP_OPEN,
	TCP_DONE,
	TCP_FAILED,
};

/* The two directions of bytes; offsets count from the first byte of each. */
struct tcp_stream {
	void *context;
	/* Writes `length` bytes from `offset` on of what we send. */
	void (*fill)(void *context, uint32_t offset, uint8_t *bytes, size_t length);
	/* Takes what came. Behind a hole it comes before what belongs in front of it, and some of
	 * it may come twice. */
	void (*take)(void *context, uint32_t offset, const uint8_t *bytes, size_t length);
};

struct tcp {
	enum tcp_state state;
	const struct tcp_stream *stream;
	uint16_t port; /* ours */
	uint16_t peer_port;
	uint32_t first;		    /* sequence number of the first byte that we send */
	uint32_t unacknowledged;    /* the oldest that the peer has not acknowledged */
	uint32_t next;		    /* to be sent next */
	uint32_t highest;	    /* behind the highest that was ever sent */
	uint32_t length;	    /* bytes of our stream that may be sent */
	bool closing;		    /* and then it ends */
	uint32_t expected;	    /* sequence number of the next byte of the peer */
	uint32_t peer_first;	    /* sequence number of its first byte */
	bool peer_closed;	    /* its stream has ended, all of it is here */
	struct tcp_islands islands; /* what is here behind `expected` */
	uint16_t peer_window;	    /* bytes that it takes */
	uint16_t peer_mss;	    /* bytes in a segment that it takes */
	uint32_t congestion;	    /* bytes that may be under way */
	unsigned int duplicates;    /* acknowledgements in a row */
	bool acknowledge;	    /* an acknowledgement is due */
	uint32_t repeats;	    /* and so many more, for segments behind a hole */
	bool reset;		    /* a reset is due, of an older connection of these ports: */
	uint32_t reset_at;	    /* its sequence number */
	uint32_t timeout_us;	    /* of retransmission */
	uint64_t timer_us;	    /* when it happens */
	uint64_t heard_us;	    /* when the peer last made us go on */
	uint32_t retransmissions;   /* times that we began anew */
	uint32_t disordered;	    /* segments that did not begin where they should */
};

/* Begins to open a connection; the first tcp_output() sends the SYN. */
void tcp_open(struct tcp *tcp, const struct tcp_stream *stream, uint16_t port, uint16_t peer_port,
	uint32_t sequence, uint64_t now_us);

/* Takes in a segment, header and data, of our two ports and with a good checksum. */
void tcp_input(struct tcp *tcp, const uint8_t *segment, size_t length, uint64_t now_us);

/*
 * Writes the next segment that is due to `segment` (TCP_HEADER + TCP_MSS bytes), checksum zero;
 * returns its length, 0 when none is.
 */
size_t tcp_output(struct tcp *tcp, uint8_t *segment, uint64_t now_us);

/* Bytes of our stream that were ever sent, and those that the peer has acknowledged. */
uint32_t tcp_sent(const struct tcp *tcp);
uint32_t tcp_acknowledged(const struct tcp *tcp);

/* Bytes that were received. */
uint32_t tcp_received(const struct tcp *tcp);
