/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's port: one vhost-user socket, one virtio-net device with one pair of queues.
 *
 * librte_vhost speaks the protocol; the rings are ours (ring.h). Rings start and stop from the
 * library's message hooks, never from new_device: a guest that polls sets no interrupt, and the
 * library then never calls its device ready.
 *
 * Two sides share a port:
 *  - control: the library's thread, in the hooks (vhost_port.c). It owns everything but the two
 *    published pointers.
 *  - data: the worker (vhost_io.c). It sees `rx` and `tx`, which are NULL while parked.
 *
 * Life of a ring (control side)
 *
 *   absent  --size, address, kick, enabled, memory known--> running --any message below--> parked
 *   parked  --message served and everything still in place--> running
 *   parked  --GET_VRING_BASE, disable, disconnect, failed SET_MEM_TABLE--> absent
 *
 * Before a message that changes memory, addresses, size, base, descriptors, features, log or enable
 * state, the pre hook parks both rings: pointers withdrawn, kick descriptors out of epoll (the
 * front end holds the same open file, so an entry would outlive the library's close), then a
 * grace period: a worker's breath gives back all that it borrowed before its quiescent point, so
 * nothing of the guest's memory is in use when the hook returns. The post hook starts what can run.
 * After a refused message the post hook is not called: the rings stay parked until the next one
 * that succeeds; after a refused SET_MEM_TABLE, until a memory table is accepted.
 *
 * Migration: with a log (SET_LOG_BASE) and VHOST_F_LOG_ALL, rings mark whatever they write. We map
 * the log ourselves and answer for the library, whose answer has no payload: vhost_message.h says
 * what which front end waits for.
 *
 * Every start is at used.idx (ring.h), with one interrupt, because a data plane that was killed may
 * have published a frame and died before it told.
 */
#pragma once

#include <linux/un.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/dirty_log.h"
#include "backend/guest_memory.h"
#include "backend/port.h"
#include "backend/quiesce.h"
#include "backend/ring.h"
#include "backend/stats.h"
#include "backend/vhost_announce.h"
#include "backend/withhold.h"

/* The device's queues (virtio 1.2, 5.1.2). */
enum vhost_queue_index {
	VHOST_QUEUE_RECEIVE,  /* the guest's receive queue: we write (tx) */
	VHOST_QUEUE_TRANSMIT, /* the guest's transmit queue: we read (rx) */
	VHOST_QUEUES,
};

/* Control side only. */
struct vhost_queue {
	struct ring ring;
	bool enabled; /* SET_VRING_ENABLE, or KICK without protocol features */
	bool kicked;  /* has a kick descriptor since the last GET_VRING_BASE */
	bool running; /* published */
	bool broken;  /* was broken when parked; until the driver resets the queue */
	bool started; /* ran once since the connection, so `ring` has indices */
};

struct vhost_port_config {
	const char *path;	       /* of the socket, at most 107 bytes */
	uint16_t index;		       /* of the port */
	bool control_queue;	       /* offer VIRTIO_NET_F_CTRL_VQ (the VMM serves it) */
	bool dials;		       /* the VMM listens, and we connect (vhost_dial.h) */
	int ended_fd;		       /* eventfd, written when such a connection ends */
	bool plain;		       /* offer no offloads and no merged receive buffers */
	enum withhold_when withhold;   /* keep from the guest what it has no use for */
	struct withhold_guest guest;   /* what is known of it before it speaks */
	struct path_error *path_error; /* the worker's; NULL: none is told */
	const uint8_t *mac;	       /* the guest's, 6 bytes, copied; NULL: not known */
	uint32_t ip_be;		       /* the guest's address; 0: not known */
	struct quiesce *quiesce;
	struct port_stats *stats;
	struct worker_stats *worker_stats;
};

struct rte_vhost_device_ops;

struct vhost_port {
	struct port port; /* first: the worker's view */

	/* Published by control, read by the worker once for each use; NULL while parked. */
	struct ring *rx; /* guest's transmit queue */
	struct ring *tx; /* guest's receive queue */
	/* What the driver accepted; changes only while parked. */
	uint64_t features;
	/* Worker only: who the guest is, while withhold.h applies. Control sets it anew for each
	 * driver, while parked. */
	struct withhold_guest guest;
	struct path_error *path_error; /* not owned, the worker's; may be NULL */
	/* Worker only: the rings that were borrowed from and written to in this breath. What was
	 * begun is finished even when control withdraws a ring in the middle; it waits for that. */
	struct ring *borrowed;
	struct ring *written;

	/* Of the guest; control writes it while parked, and the worker takes it with `rx`. */
	struct vhost_announcement announcement;

	/* Control side. Hooks come from the library's thread, the end from ours: `lock` is held
	 * inside each hook and never while the library is called to unregister. */
	pthread_mutex_t lock;
	bool closing;	 /* nothing is resumed any more */
	bool dials;	 /* the VMM listens, and we connect */
	bool registered; /* the library knows the socket; if we connect, since the last attempt */
	int ended_fd;	 /* eventfd of whoever connects again; borrowed */
	int listen_fd;	 /* the library's, while it listens; -1 before and after */
	char path[UNIX_PATH_MAX];
	struct quiesce *quiesce;
	struct worker_stats *worker_stats;
	struct guest_memory *memory; /* owned; NULL without an accepted table */
	struct vhost_queue queues[VHOST_QUEUES];
	int vid;	      /* the library's handle of the connection, or -1 */
	uint64_t offered;     /* features offered to the driver */
	uint64_t protocol;    /* protocol features that the front end acked; 0 before it did */
	struct dirty_log log; /* the front end's, for a migration */
	enum withhold_when withhold;
	struct withhold_guest bound; /* what is known of the guest before it speaks */
};

/*
 * Makes the port, and registers its socket with librte_vhost unless the VMM listens; connections
 * are served after vhost_port_start(), or made by vhost_dial_try(). Returns 0 or -errno (then *port
 * needs no vhost_port_fini()).
 */
int vhost_port_init(struct vhost_port *port, const struct vhost_port_config *config);

/* Binds and listens; not for a port that dials. 0 or -errno. */
int vhost_port_start(struct vhost_port *port);

/* Refuses connections and parks both rings for good: the worker will find none. Any thread but the
 * library's. */
void vhost_port_close(struct vhost_port *port);

/* What control knows of a port. */
struct vhost_port_state {
	bool connected;		    /* a front end is */
	bool running[VHOST_QUEUES]; /* by enum vhost_queue_index */
};

/* Any thread but the worker's and the library's. */
void vhost_port_look(struct vhost_port *port, struct vhost_port_state *ret_state);

/* Ends connections and unregisters; the worker does not use the port any more. The socket's file
 * may stay (sandbox_files.h), nobody listens there. Not from a hook. A zeroed or NULL port is
 * allowed. */
void vhost_port_fini(struct vhost_port *port);

/* The worker's operations (vhost_io.c); the second while withhold.h applies. Control chooses while
 * both rings are parked, and the second give way to the first by themselves: other ports pay
 * nothing. */
extern const struct port_ops vhost_port_ops;
extern const struct port_ops vhost_port_withholding_ops;

/* Worker: stops both rings until the driver resets them; their memory was not there. */
void vhost_port_break(struct vhost_port *port);

/* Are writes to guest memory to be logged? Rings parked, or the worker. */
bool vhost_port_logs(const struct vhost_port *port);

/* Our hooks, for librte_vhost. */
extern const struct rte_vhost_device_ops vhost_port_device_ops;

/* What is offered to the driver of a port. */
uint64_t vhost_port_features(const struct vhost_port_config *config);

/*
 * epoll_event.data.u64 of a kick descriptor. It is watched edge-triggered and never read: what a
 * front end passes as an eventfd may be anything, and reading it could block.
 */
static inline uint64_t vhost_port_epoll_tag(uint16_t port, unsigned int queue)
{
	return (uint64_t)port << 8 | queue;
}
