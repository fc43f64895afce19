/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Quiescent points (QSBR): how the thread that serves messages knows that no worker still uses what
 * it took away. A worker is `online` while it may hold pointers, passes a point once each breath,
 * and is `offline` while it sleeps. No lock is ever held by a worker.
 */
#pragma once

#include <stdint.h>

#include <rte_rcu_qsbr.h>

struct quiesce {
	struct rte_rcu_qsbr *qsbr; /* room for `workers` threads */
	int wake_fd;		   /* eventfd: makes sleeping workers look around */
	int epoll_fd;		   /* where the worker sleeps; kick descriptors are added to it */
};

/* Room for `workers` (1 to 64) threads. 0, -ENOMEM, or the errno of eventfd and epoll. */
int quiesce_init(struct quiesce *quiesce, unsigned int workers);
void quiesce_fini(struct quiesce *quiesce);

/* Called by worker `id` when it begins and ends. */
void quiesce_register(struct quiesce *quiesce, unsigned int id);
void quiesce_unregister(struct quiesce *quiesce, unsigned int id);

static inline void quiesce_point(struct quiesce *quiesce, unsigned int id)
{
	rte_rcu_qsbr_quiescent(quiesce->qsbr, id);
}

static inline void quiesce_online(struct quiesce *quiesce, unsigned int id)
{
	rte_rcu_qsbr_thread_online(quiesce->qsbr, id);
}

static inline void quiesce_offline(struct quiesce *quiesce, unsigned int id)
{
	rte_rcu_qsbr_thread_offline(quiesce->qsbr, id);
}

/* Waits until every online worker has passed a quiescent point. Never called by a worker. */
void quiesce_wait(struct quiesce *quiesce);

/* Wakes the worker if it sleeps. */
void quiesce_wake(struct quiesce *quiesce);
