/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/quiesce.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_malloc.h>

int quiesce_init(struct quiesce *quiesce, unsigned int workers)
{
	*quiesce = (struct quiesce){.wake_fd = -1, .epoll_fd = -1};
	quiesce->qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(workers), RTE_CACHE_LINE_SIZE);
	if (!quiesce->qsbr)
		return -ENOMEM;
	if (rte_rcu_qsbr_init(quiesce->qsbr, workers)) {
		quiesce_fini(quiesce);
		return -EINVAL;
	}
	quiesce->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	quiesce->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (quiesce->wake_fd < 0 || quiesce->epoll_fd < 0) {
		int error = errno;
		quiesce_fini(quiesce);
		return -error;
	}
	return 0;
}

void quiesce_fini(struct quiesce *quiesce)
{
	if (!quiesce)
		return;
	if (quiesce->wake_fd >= 0)
		close(quiesce->wake_fd);
	if (quiesce->epoll_fd >= 0)
		close(quiesce->epoll_fd);
	rte_free(quiesce->qsbr);
	*quiesce = (struct quiesce){.wake_fd = -1, .epoll_fd = -1};
}

void quiesce_register(struct quiesce *quiesce, unsigned int id)
{
	rte_rcu_qsbr_thread_register(quiesce->qsbr, id);
	rte_rcu_qsbr_thread_online(quiesce->qsbr, id);
}

void quiesce_unregister(struct quiesce *quiesce, unsigned int id)
{
	rte_rcu_qsbr_thread_offline(quiesce->qsbr, id);
	rte_rcu_qsbr_thread_unregister(quiesce->qsbr, id);
}

void quiesce_wait(struct quiesce *quiesce)
{
	rte_rcu_qsbr_synchronize(quiesce->qsbr, RTE_QSBR_THRID_INVALID);
}

void quiesce_wake(struct quiesce *quiesce)
{
	const uint64_t one = 1;
	/* A full counter has woken the worker already. */
	if (write(quiesce->wake_fd, &one, sizeof(one)) < 0)
		return;
}
