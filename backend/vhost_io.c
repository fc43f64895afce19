/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's port as its worker sees it: what the driver cannot take (checksums to complete, large
 * frames) is made into what it can, and the ring does the rest.
 */
#include <linux/virtio_net.h>

#include "backend/checksum_complete.h"
#include "backend/path_error.h"
#include "backend/segment.h"
#include "backend/vhost_port.h"

#define BIT(n) (1ULL << (n))

static inline struct vhost_port *vhost_port(struct port *port)
{
	return (struct vhost_port *)port;
}

static inline struct ring *load(struct ring *const *ring)
{
	return __atomic_load_n(ring, __ATOMIC_ACQUIRE);
}

/* The guest is announced, with a frame as if of its own: a burst by itself. */
__attribute__((noinline, cold)) static uint16_t announce(
	struct vhost_port *vhost, struct packet *packet)
{
	vhost->announcement.due = false;
	vhost_announce_fill(&vhost->announcement, packet);
	return 1;
}

static uint16_t rx_burst(struct port *port, struct packet *packets[], uint16_t max)
{
	struct vhost_port *vhost = vhost_port(port);
	struct ring *ring = load(&vhost->rx);
	vhost->borrowed = ring;
	if (!ring)
		return 0;
	if (__builtin_expect(vhost->announcement.due, false))
		return announce(vhost, packets[0]);
	return ring_rx_burst(ring, packets[0], max);
}

static void rx_done(struct port *port)
{
	struct vhost_port *vhost = vhost_port(port);
	if (vhost->borrowed)
		ring_rx_done(vhost->borrowed);
	vhost->borrowed = NULL;
}

/* Must this frame be segmented for a driver with these features? */
static bool too_large(uint64_t features, const struct packet *p)
{
	uint8_t ecn = p->vnet.gso_type & VIRTIO_NET_HDR_GSO_ECN;
	/* virtio 1.2, 5.1.3.1: TSO requires checksums. */
	if (!(features & BIT(VIRTIO_NET_F_GUEST_CSUM)))
		return p->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE;
	switch (p->vnet.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return false;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return !(features & BIT(VIRTIO_NET_F_GUEST_TSO4)) ||
		       (ecn && !(features & BIT(VIRTIO_NET_F_GUEST_ECN)));
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return !(features & BIT(VIRTIO_NET_F_GUEST_TSO6)) ||
		       (ecn && !(features & BIT(VIRTIO_NET_F_GUEST_ECN)));
	default: /* UDP: never offered to a driver */
		return true;
	}
}

static bool fits(uint64_t features, const struct packet *p)
{
	if (!p->vnet.flags && !p->vnet.gso_type)
		return true;
	return (features & BIT(VIRTIO_NET_F_GUEST_CSUM)) && !too_large(features, p);
}

/*
 * Should a frame wait until there is room for all of its pieces? One that lies in a slot of the
 * uplink's can (outbox.h); another, or one that never fits, is better sent in part.
 */
static bool should_wait(struct ring *ring, const struct segmenter *s, const struct packet *p)
{
	uint32_t pieces = (p->length - s->headers + s->share - 1) / s->share;
	return p->slot && pieces <= ring->size && ring_tx_room(ring) < pieces && !ring->broken;
}

/* Sends a large frame in pieces of at most `frame_max` bytes. Returns false when it should be tried
 * again later. */
static bool tx_segmented(
	struct ring *ring, uint64_t features, const struct packet *p, uint32_t frame_max)
{
	struct segmenter segmenter;
	struct iovec storage[PACKET_SEGMENTS_MAX];
	struct packet piece;
	struct packet *const pieces[] = {&piece};
	bool first = true;

	if (segment_init(&segmenter, p, frame_max)) {
		stats_drop(ring->stats, DROP_VNET_HEADER, 1);
		return true;
	}
	if (should_wait(ring, &segmenter, p))
		return false;
	while (segment_next(&segmenter, &piece, storage, PACKET_SEGMENTS_MAX) > 0) {
		if (!(features & BIT(VIRTIO_NET_F_GUEST_CSUM)) &&
			(piece.vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
			checksum_complete(&piece)) {
			stats_drop(ring->stats, DROP_CHECKSUM, 1);
			return true;
		}
		if (!ring_tx_burst(ring, pieces, 1)) {
			if (first)
				return false;
			stats_drop(ring->stats, DROP_PORT_FULL, 1);
			return true;
		}
		first = false;
	}
	return true;
}

/* Sends one frame that the driver cannot take as it is. Returns false for want of room. */
static bool tx_adapted(struct ring *ring, uint64_t features, struct packet *p, uint32_t frame_max)
{
	struct packet *const one[] = {p};
	if (too_large(features, p))
		return tx_segmented(ring, features, p, frame_max);
	if (!(features & BIT(VIRTIO_NET_F_GUEST_CSUM))) {
		if ((p->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && checksum_complete(p)) {
			stats_drop(ring->stats, DROP_CHECKSUM, 1);
			return true;
		}
		p->vnet.flags = 0;
	}
	return ring_tx_burst(ring, one, 1);
}

static uint16_t tx_burst(struct port *port, struct packet *const packets[], uint16_t count)
{
	struct vhost_port *vhost = vhost_port(port);
	struct ring *ring = load(&vhost->tx);
	uint16_t done = 0;

	if (!ring) {
		stats_drop(port->stats, DROP_PORT_DOWN, count);
		return count;
	}
	uint64_t features = vhost->features; /* does not change while there is a ring */
	vhost->written = ring;
	while (done < count) {
		uint16_t run = 0;
		while (done + run < count && fits(features, packets[done + run]))
			run++;
		uint16_t sent = ring_tx_burst(ring, &packets[done], run);
		done += sent;
		if (sent < run)
			break;
		if (done < count) {
			if (!tx_adapted(ring, features, packets[done], PACKET_LENGTH_MAX))
				break;
			done++;
		}
	}
	return done;
}

/*
 * The same for a guest from which frames are withheld, until its driver turns out to poll.
 */

/* Whether it does: then it is served as any other from now on. Control chooses anew when its rings
 * start again, and does that while they are parked. */
static bool is_other(struct vhost_port *vhost, const struct ring *ring)
{
	if (vhost->withhold != WITHHOLD_AUTO || !ring_is_polled(ring))
		return false;
	__atomic_store_n(&vhost->port.ops, &vhost_port_ops, __ATOMIC_RELEASE);
	return true;
}

/* One frame at a time is taken: the driver looks for it at the end of the used ring only, and waits
 * for an interrupt of its own. */
static uint16_t rx_singly(struct port *port, struct packet *packets[], uint16_t max)
{
	struct vhost_port *vhost = vhost_port(port);
	const struct ring *ring = load(&vhost->rx);

	if (ring && is_other(vhost, ring))
		return rx_burst(port, packets, max);
	uint16_t count = rx_burst(port, packets, max < 1 ? max : 1);
	if (count)
		withhold_learn(&vhost->guest, packets[0]);
	return count;
}

/* Sends what the guest has a use for. */
static uint16_t tx_withholding(struct port *port, struct packet *const packets[], uint16_t count)
{
	struct vhost_port *vhost = vhost_port(port);
	struct ring *ring = load(&vhost->tx);
	uint16_t done = 0;

	if (!ring) {
		stats_drop(port->stats, DROP_PORT_DOWN, count);
		return count;
	}
	if (is_other(vhost, ring))
		return tx_burst(port, packets, count);
	vhost->written = ring;
	for (; done < count; done++) {
		struct packet *p = packets[done];
		unsigned int reason = withhold_judge(&vhost->guest, p);
		if (reason != DROP_COUNT) {
			stats_drop(port->stats, reason, 1);
			if (reason == DROP_WITHHELD_SIZE && vhost->path_error)
				path_error_add(vhost->path_error, p, port->index, WITHHOLD_MTU);
		} else if (!tx_adapted(ring, vhost->features, p, WITHHOLD_FRAME_MAX)) {
			break;
		}
	}
	return done;
}

static void tx_flush(struct port *port)
{
	struct vhost_port *vhost = vhost_port(port);
	if (vhost->written)
		ring_tx_flush(vhost->written);
	vhost->written = NULL;
}

static bool arm(struct port *port)
{
	struct ring *ring = load(&vhost_port(port)->rx);
	return !ring || ring_arm(ring);
}

static void disarm(struct port *port)
{
	struct ring *ring = load(&vhost_port(port)->rx);
	if (ring)
		ring_disarm(ring);
}

static bool arm_room(struct port *port)
{
	struct ring *ring = load(&vhost_port(port)->tx);
	return ring && ring_arm_room(ring);
}

void vhost_port_break(struct vhost_port *port)
{
	struct ring *rings[] = {load(&port->rx), load(&port->tx)};
	for (unsigned int i = 0; i < 2; i++)
		if (rings[i] && !rings[i]->broken)
			ring_break(rings[i], DROP_RING_ADDRESS);
}

const struct port_ops vhost_port_ops = {
	.rx_burst = rx_burst,
	.rx_done = rx_done,
	.tx_burst = tx_burst,
	.tx_flush = tx_flush,
	.arm = arm,
	.disarm = disarm,
	.arm_room = arm_room,
};

const struct port_ops vhost_port_withholding_ops = {
	.rx_burst = rx_singly,
	.rx_done = rx_done,
	.tx_burst = tx_withholding,
	.tx_flush = tx_flush,
	.arm = arm,
	.disarm = disarm,
	.arm_room = arm_room,
};
