/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/vhost_queues.h"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <rte_vhost.h>

#define BIT(n) (1ULL << (n))

/* Where the worker finds a queue's ring. */
static struct ring **published(struct vhost_port *port, unsigned int queue)
{
	return queue == VHOST_QUEUE_RECEIVE ? &port->tx : &port->rx;
}

void vhost_queues_park(struct vhost_port *port)
{
	bool ran[VHOST_QUEUES] = {false};
	for (unsigned int i = 0; i < VHOST_QUEUES; i++) {
		struct vhost_queue *queue = &port->queues[i];
		if (!queue->running)
			continue;
		__atomic_store_n(published(port, i), NULL, __ATOMIC_RELEASE);
		epoll_ctl(port->quiesce->epoll_fd, EPOLL_CTL_DEL, queue->ring.kick_fd, NULL);
		queue->running = false;
		ran[i] = true;
	}
	if (!ran[VHOST_QUEUE_RECEIVE] && !ran[VHOST_QUEUE_TRANSMIT])
		return;
	quiesce_wait(port->quiesce);
	/* The ring of a queue that did not run is from an earlier life. */
	for (unsigned int i = 0; i < VHOST_QUEUES; i++)
		if (ran[i])
			port->queues[i].broken |= port->queues[i].ring.broken;
}

/* Tells the guest to look, in case the data plane before us died before it did. */
static void interrupt_once(const struct ring *ring)
{
	const uint64_t one = 1;
	if (ring->call_fd >= 0 && write(ring->call_fd, &one, sizeof(one)) > 0)
		ring->stats->interrupts++;
}

static void choose_operations(struct vhost_port *port, bool polls)
{
	bool withholds = withhold_applies(port->withhold, port->features, polls);
	__atomic_store_n(&port->port.ops, withholds ? &vhost_port_withholding_ops : &vhost_port_ops,
		__ATOMIC_RELEASE);
}

static void start(struct vhost_port *port, unsigned int index)
{
	struct vhost_queue *queue = &port->queues[index];
	struct rte_vhost_vring vring;

	if (!port->memory || !queue->enabled || !queue->kicked || queue->broken || queue->running)
		return;
	if (rte_vhost_get_vhost_vring(port->vid, (uint16_t)index, &vring) || vring.kickfd < 0)
		return;
	const struct ring_config config = {
		.desc = vring.desc,
		.avail = vring.avail,
		.used = vring.used,
		.memory = port->memory,
		.size = vring.size,
		.event_idx = port->features & BIT(VIRTIO_RING_F_EVENT_IDX),
		.mergeable = port->features & BIT(VIRTIO_NET_F_MRG_RXBUF),
		.version_1 = port->features & BIT(VIRTIO_F_VERSION_1),
		.log = vhost_port_logs(port) ? &port->log : NULL,
		.call_fd = vring.callfd < 0 ? -1 : vring.callfd,
		.kick_fd = vring.kickfd,
		.stats = port->port.stats,
		.worker_stats = port->worker_stats,
	};
	if (ring_init(&queue->ring, &config)) {
		port->worker_stats->rings_refused++;
		return;
	}
	if (index == VHOST_QUEUE_RECEIVE)
		choose_operations(port, config.call_fd < 0);
	/* An eventfd that is full must not block a worker. The front end could undo this; stalling
	 * by the VMM itself is outside the threat model. */
	if (queue->ring.call_fd >= 0)
		fcntl(queue->ring.call_fd, F_SETFL, O_NONBLOCK);
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLET,
		.data.u64 = vhost_port_epoll_tag(port->port.index, index),
	};
	if (epoll_ctl(port->quiesce->epoll_fd, EPOLL_CTL_ADD, vring.kickfd, &event)) {
		port->worker_stats->rings_refused++;
		return;
	}
	/* A ring that was used before this front end came: the guest goes on here. */
	if (index == VHOST_QUEUE_TRANSMIT && !queue->started && queue->ring.last_used)
		vhost_announce_ask(&port->announcement, NULL);
	queue->started = true;
	queue->running = true;
	interrupt_once(&queue->ring);
	__atomic_store_n(published(port, index), &queue->ring, __ATOMIC_RELEASE);
}

void vhost_queues_resume(struct vhost_port *port)
{
	if (port->closing)
		return;
	for (unsigned int i = 0; i < VHOST_QUEUES; i++)
		start(port, i);
	quiesce_wake(port->quiesce);
}

void vhost_queues_reset(struct vhost_port *port)
{
	for (unsigned int i = 0; i < VHOST_QUEUES; i++) {
		struct vhost_queue *queue = &port->queues[i];
		queue->enabled = false;
		queue->kicked = false;
		queue->broken = false;
		queue->started = false;
	}
}

void vhost_queues_tell_base(struct vhost_port *port, unsigned int index)
{
	const struct vhost_queue *queue = index < VHOST_QUEUES ? &port->queues[index] : NULL;
	if (queue && queue->started)
		rte_vhost_set_vring_base(
			port->vid, (uint16_t)index, queue->ring.last_avail, queue->ring.last_used);
}
