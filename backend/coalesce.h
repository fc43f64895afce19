/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small frames on their way into the host's kernel: copied out of the guests' memory, and joined.
 *
 * Two reasons. A guest gets its buffers back before the system call, not after it: one that has a
 * single frame in flight (RedoxOS) builds the next meanwhile. And a call costs 2 to 4 us for 60
 * bytes as for 60,000, so that consecutive segments of a flow are handed over as one TSO frame
 * (TCP) or USO frame (UDP), which the kernel carries whole or cuts again, exactly as they were.
 *
 * What is joined (the rules of Linux' GRO, so that cutting gives the same frames back)
 *   Plain Ethernet, IPv4 without options, not a fragment; all headers alike but for lengths,
 *   checksums, IPv4 identification (which must count up, or DF be set), and for TCP the sequence
 *   number, which must follow, and PSH, which ends it. TCP with ACK and nothing else but PSH, with
 *   payload. Every frame but the last has the payload of the first; none is longer.
 *   A frame that carries complete checksums is joined only when they are right: cutting makes
 *   new ones, which must not hide a fault. (They are summed before the copy: a guest that changes
 *   its payload in between gives it a right checksum, as it could have itself.)
 * Everything else goes as it came. It closes what it could overtake, so that the frames of a flow
 * stay in order, and fragments (which have no ports) with all between their addresses.
 *
 * How long
 *   An entry is `open` while it may grow. UDP is open until the end of a guest's burst. TCP without
 *   PSH waits for more until nothing came for COALESCE_GAP_NS, or for COALESCE_HOLD_NS in all. An
 *   acknowledgement without payload does not wait.
 *
 * Where an entry is
 *   Open ones are found by a hash of their flow, unless the frame before was of the same; no flow
 *   has two. `ready` are those that coalesce_take() gives out next, in the order in which they got
 *   there: what is closed, and datagrams. Open TCP waits in two lists, the oldest first: `by_first`
 *   by the first frame, `by_last` by the last. So what is due is at the head of one of them, and
 *   nothing is searched, however many flows there are. TCP that is closed goes to the end of
 *   `ready`, before any later frame of its flow can get there.
 *   A guest can choose flows that share a hash: each of its frames then costs a look at
 *   COALESCE_ENTRIES entries at most, no more than the system call of one that is not joined.
 *
 * One owner, a worker. Nothing is allocated after coalesce_new(). An entry's buffer is touched only
 * as far as it is filled, and the entry that was given back last is used first: all of their 8 MB
 * are in memory only if so many flows ever waited at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "backend/packet.h"

/* Frames, joined or not, that wait at a time. */
#define COALESCE_ENTRIES 128
/* Heads of the chains that open entries are found by: one for each value of a hash. */
#define COALESCE_HEADS 256
/* The longest frame that is copied, bytes. */
#define COALESCE_FRAME_MAX 2048
/* The most datagrams in a USO frame: Linux' UDP_MAX_SEGMENTS. */
#define COALESCE_DATAGRAMS_MAX 64
#define COALESCE_GAP_NS 20000
#define COALESCE_HOLD_NS 200000

struct coalesce_entry {
	struct packet packet; /* as it is written; its one segment is `segment` */
	/* What joining looks at lies in one cache line. */
	struct iovec segment;	     /* what of `buffer` is in use */
	uint8_t *buffer;	     /* PACKET_LENGTH_MAX bytes */
	uint64_t first_ns;	     /* when its first frame came, CLOCK_MONOTONIC */
	uint64_t last_ns;	     /* when its last frame came */
	uint32_t next_sequence;	     /* TCP: that of the frame that may follow, host byte order */
	uint16_t next_id;	     /* IPv4 identification likewise */
	uint16_t share;		     /* payload of its first frame, bytes */
	uint16_t frames;	     /* in it */
	uint16_t headers;	     /* bytes before the payload */
	bool open;		     /* more may be joined */
	uint8_t hash;		     /* while it is open: of its flow */
	struct coalesce_entry *next; /* while it is open: in the chain of its hash */
	TAILQ_ENTRY(coalesce_entry) order;   /* in `ready` or `by_first` */
	TAILQ_ENTRY(coalesce_entry) silence; /* in `by_last` */
};

TAILQ_HEAD(coalesce_list, coalesce_entry);

struct coalesce {
	struct coalesce_entry entries[COALESCE_ENTRIES];
	struct coalesce_entry *heads[COALESCE_HEADS];  /* chains of open entries */
	struct coalesce_entry *latest;		       /* joined to last: looked at first */
	struct coalesce_entry *free[COALESCE_ENTRIES]; /* a stack */
	struct coalesce_list ready;		       /* given out next: closed, or UDP */
	struct coalesce_list by_first; /* open TCP; the one with the oldest first frame leads */
	struct coalesce_list by_last;  /* the same entries; the one silent for longest leads */
	uint16_t free_count;
	uint16_t open_count;
	bool tcp;	  /* join TCP: the kernel takes TSO frames */
	bool udp;	  /* join UDP: it takes USO frames */
	uint8_t *buffers; /* of all entries; owned */
};

/* 0 or -ENOMEM. */
int coalesce_new(bool tcp, bool udp, struct coalesce **ret_coalesce);
void coalesce_free(struct coalesce *coalesce);

/*
 * Takes a copy of a parsed frame of at most COALESCE_FRAME_MAX bytes without GSO. False when there
 * is no room: coalesce_take() some first. `now_ns`, CLOCK_MONOTONIC, never goes back.
 */
bool coalesce_add(struct coalesce *coalesce, const struct packet *p, uint64_t now_ns);

/*
 * A parsed frame that is not added will be written: what it must not overtake grows no more, and is
 * among what coalesce_take() gives out before.
 */
void coalesce_close(struct coalesce *coalesce, const struct packet *p);

/*
 * Takes finished frames out, in order within a flow: those that will not grow any more, and with
 * `all` then every one, those first that nothing came for since the longest time.
 * Returns how many pointers it filled in; `frames[i]` is how many frames went into ready[i]. They
 * are valid until coalesce_add(). Call until it returns less than `max`.
 */
uint16_t coalesce_take(struct coalesce *coalesce, uint64_t now_ns, bool all,
	const struct packet *ready[], uint16_t frames[], uint16_t max);

static inline bool coalesce_is_empty(const struct coalesce *coalesce)
{
	return coalesce->free_count == COALESCE_ENTRIES;
}

/* When the next of those that wait is due, CLOCK_MONOTONIC; UINT64_MAX when none does. */
uint64_t coalesce_due_ns(const struct coalesce *coalesce);
