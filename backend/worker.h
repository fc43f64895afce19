/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker owns ports and turns: inhale a burst from each port that has work, decide where each
 * frame goes, exhale, tick. Everything below belongs to its thread alone; the control side
 * publishes rings and waits for a quiescent point (quiesce.h), which lies between two breaths.
 *
 * Frames for the uplink
 *   are copied when they are small and written once their senders have their buffers back; some may
 *   wait a little for more of their flow (port.h, tx_settle). None waits while the worker sleeps.
 *
 * Who is polled
 *   A port is `active` from the moment that it is notified (or resumed, or anything was read from
 *   it) until nothing came for a while (patience.h). It is then armed: asked to notify, looked at
 *   once more, and left alone. So an idle guest costs nothing, however many there are.
 *   While some port is active, epoll is asked without waiting: once in WORKER_EPOLL_NS, and as soon
 *   as nothing came from the active ones for WORKER_EPOLL_QUIET_NS, since the next frame, often the
 *   answer, may come from another.
 *   When none is, the worker goes offline and sleeps in epoll until a kick, a frame at the
 *   TAP, a wake-up, or the next tick.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/binding.h"
#include "backend/l2.h"
#include "backend/neighbour.h"
#include "backend/network.h"
#include "backend/outbox.h"
#include "backend/path_error.h"
#include "backend/patience.h"
#include "backend/port.h"
#include "backend/quiesce.h"
#include "backend/slots.h"
#include "backend/stats.h"
#include "backend/tap_port.h"
#include "backend/vhost_port.h"
#include "backend/worker_call.h"
#include "guest/services/arp.h"
#include "guest/services/dhcp_packet.h"
#include "nat/nat.h"

/* How often a worker asks epoll for other ports, and how often while active ones are silent. */
#define WORKER_EPOLL_NS 20000
#define WORKER_EPOLL_QUIET_NS 2000
/* How often an empty TAP is read while it is active; a read costs a system call. */
#define WORKER_TAP_POLL_NS 4000
/* Time between two ticks (expiry), while there is anything that can expire. */
#define WORKER_TICK_NS 100000000

/* epoll_event.data.u64 of the descriptors for wake-ups and for calls; others are
 * vhost_port_epoll_tag(). The TAP's is that of PORT_UPLINK. */
#define WORKER_TAG_WAKE UINT64_MAX
#define WORKER_TAG_CALL (UINT64_MAX - 1)

/* Frames that the NAT or the neighbour table adds in one turn. */
#define WORKER_EXTRA 16

struct worker_port {
	struct port *port;   /* NULL: no such port */
	bool active;	     /* is polled */
	uint64_t last_rx_ns; /* when a frame came last, CLOCK_MONOTONIC */
	struct outbox outbox;
};

struct worker {
	unsigned int id; /* for quiesce_*() */
	struct quiesce *quiesce;
	struct network network;
	struct arp_host arp_own;     /* what chnet itself answers ARP for: NAT, or gateway */
	struct arp_host arp_gateway; /* in whose name it asks */
	struct worker_call call;     /* what other threads want done */
	struct stats *stats;
	uint16_t guest_count; /* guests' ports are below it; some may be missing */
	struct worker_port ports[PORT_MAX];

	struct l2_table *l2;		   /* which MAC lives behind which port */
	struct binding binding;		   /* which port may speak with which address */
	struct neighbour_table *neighbour; /* which MAC has which address of the LAN */
	struct nat *nat;		   /* NULL without a NAT of ours */
	const uint64_t *way_out;	   /* see way_out.h; NULL: it does not change */
	uint64_t way_out_seen;		   /* what the NAT was told last */
	struct dhcp_server *dhcp;	   /* NULL without; owned */

	uint16_t active[PORT_MAX]; /* indices of active ports, in no order */
	uint16_t active_count;
	uint16_t filled[PORT_MAX]; /* ports whose outbox was filled in this turn */
	uint16_t filled_count;
	uint16_t held_count; /* outboxes that hold frames of the uplink */

	uint64_t now_ns; /* CLOCK_MONOTONIC at the beginning of this breath */
	uint64_t next_tick_ns;
	uint64_t moved_ns;    /* when a breath that moved a frame began last */
	uint64_t asked_ns;    /* when epoll was asked last */
	uint64_t next_tap_ns; /* when the TAP is read again after it was empty */
	uint64_t settle_ns;   /* when frames that wait for the uplink are due; UINT64_MAX: none */
	struct patience patience;
	bool tap_empty;	  /* the last read found nothing, and epoll has not spoken since */
	atomic_bool stop; /* set by another thread, which then wakes the worker */

	struct packet packets[PORT_BURST]; /* the burst of the guest at hand */
	struct packet *burst[PORT_BURST];  /* points to them, for life */
	struct slots *slots;		   /* for frames of the uplink; NULL without one */
	struct packet extra[WORKER_EXTRA]; /* frames of our own */
	struct path_error path_error;	   /* what a port's tx_burst has to say to a sender */
	struct dhcp_frame dhcp_frame;	   /* the answer to the DHCP client at hand */
};

/*
 * Makes a worker without ports for `guests` ports; `quiesce` and `stats` outlive it. Returns 0 or
 * -ENOMEM, or the error of a random number that is not to be had. Freed with worker_free().
 */
int worker_new(const struct network *network, struct quiesce *quiesce, struct stats *stats,
	unsigned int guests, struct worker **ret_worker);
void worker_free(struct worker *worker);

/* Gives the worker a port, by its index. Before the thread runs, or in a worker_call(). */
void worker_add_port(struct worker *worker, struct port *port);

/*
 * Binds a guest's port to `mac` (NULL: any) and `ip_be` (0: any): nobody else may speak with them,
 * and it may speak with nothing else. Before the thread runs, or in a worker_call(). 0, or -errno
 * of the tables; nothing is bound then.
 */
int worker_bind_port(struct worker *worker, uint16_t port, const uint8_t *mac, uint32_t ip_be);

/* Takes a guest's port away, with all that was bound to it, learnt at it and held for it. Its rings
 * must be parked for good. In a worker_call(). */
void worker_remove_port(struct worker *worker, uint16_t port);

/* Nobody has a lease at the port any more: before a new one of its number. In a worker_call(). */
void worker_empty_port(struct worker *worker, uint16_t port);

/*
 * Makes the worker the LAN's DHCP server, which goes on with the leases in `table` (shared memory,
 * outlives the worker). `dns_be` is the DNS server that clients are told (0: none). Before the
 * thread runs and before ports are bound. 0 or -ENOMEM.
 */
int worker_serve_dhcp(struct worker *worker, struct dhcp_table *table, uint32_t dns_be);

/* Names the guest at a port ("": as it calls itself), until worker_remove_port(). */
void worker_name_port(struct worker *worker, uint16_t port, const char *name);

/* CLOCK_MONOTONIC, ns. */
uint64_t worker_clock_ns(void);

/* The thread's body: runs until worker->stop. */
void *worker_main(void *worker);

/*
 * What worker_main() does between two looks at epoll, for benchmarks, which are their own thread.
 * Time is CLOCK_MONOTONIC, ns. Begin makes every port active; a breath inhales a burst from each
 * active port, decides, exhales, and ticks when that is due.
 */
void worker_begin(struct worker *worker, uint64_t now_ns);
void worker_breathe(struct worker *worker, uint64_t now_ns);

/* Makes worker_main() return soon. Any thread. */
void worker_stop(struct worker *worker);

/* Puts a frame on its way to port `to`. The frame must live until worker_flush(). */
void worker_send(struct worker *worker, uint16_t to, struct packet *p);

/* Sends what worker_send() collected. */
void worker_flush(struct worker *worker);
