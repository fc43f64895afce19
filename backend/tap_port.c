/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/tap_port.h"

#include <sys/uio.h>

#include "backend/parse_vnet.h"
#include "backend/segment.h"
#include "backend/stats.h"

static inline struct tap_port *tap_port(struct port *port)
{
	return (struct tap_port *)port;
}

enum got {
	GOT_FRAME,
	GOT_RUNT, /* something shorter than an Ethernet header */
	GOT_NONE, /* empty, or gone with its interface */
};

/* Reads one frame into a slot. */
static enum got read_frame(struct tap_port *tap, struct slot *slot)
{
	struct packet *p = &slot->packet;
	const struct iovec parts[] = {
		{&p->vnet, sizeof(p->vnet)},
		{p->head, PACKET_HEAD_INITIAL},
		{slot->buffer, PACKET_LENGTH_MAX},
	};
	ssize_t got = readv(tap->fd, parts, 3);
	if (got <= 0)
		return GOT_NONE;
	if ((size_t)got < sizeof(p->vnet) + ETHERNET_HEADER_LENGTH)
		return GOT_RUNT;
	p->length = (uint32_t)((size_t)got - sizeof(p->vnet));
	p->head_length =
		p->length < PACKET_HEAD_INITIAL ? (uint16_t)p->length : PACKET_HEAD_INITIAL;
	slot->segment = (struct iovec){slot->buffer, p->length - p->head_length};
	p->segments = &slot->segment;
	p->segment_count = p->length > p->head_length;
	return GOT_FRAME;
}

static uint16_t rx_burst(struct port *port, struct packet *packets[], uint16_t max)
{
	struct tap_port *tap = tap_port(port);
	uint16_t frames = 0;
	uint64_t bytes = 0;

	while (frames < max && frames < TAP_BURST) {
		struct slot *slot = slots_take(tap->slots);
		if (!slot)
			break;
		enum got got = read_frame(tap, slot);
		if (got != GOT_FRAME)
			slots_release(tap->slots, &slot->packet);
		if (got == GOT_NONE)
			break;
		if (got == GOT_RUNT) {
			/* Not the end: an empty burst would be taken for an empty TAP. */
			stats_drop(port->stats, DROP_MALFORMED, 1);
			continue;
		}
		packets[frames] = tap->borrowed[frames] = &slot->packet;
		bytes += slot->packet.length;
		frames++;
	}
	tap->borrowed_count = frames;
	port->stats->rx_packets += frames;
	port->stats->rx_bytes += bytes;
	return frames;
}

static void rx_done(struct port *port)
{
	struct tap_port *tap = tap_port(port);
	for (uint16_t i = 0; i < tap->borrowed_count; i++)
		slots_release(tap->slots, tap->borrowed[i]);
	tap->borrowed_count = 0;
}

/* `frames`: how many of the guests' are in it. */
static void write_frame(struct tap_port *tap, const struct packet *p, uint16_t frames)
{
	struct iovec parts[2 + PACKET_SEGMENTS_MAX];
	struct virtio_net_hdr_v1 header = p->vnet;
	int count = 2;

	/* What a guest was told of its checksums is nothing that the host should trust. */
	header.flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	header.num_buffers = 0;
	parts[0] = (struct iovec){&header, sizeof(header)};
	parts[1] = (struct iovec){(void *)p->head, p->head_length};
	for (uint16_t i = 0; i < p->segment_count; i++)
		parts[count++] = p->segments[i];
	if (writev(tap->fd, parts, count) < 0) {
		stats_drop(tap->port.stats, DROP_UPLINK_WRITE, frames);
		return;
	}
	tap->port.stats->tx_packets += frames;
	tap->port.stats->tx_bytes += p->length;
}

static void write_segmented(struct tap_port *tap, const struct packet *p)
{
	struct segmenter segmenter;
	struct iovec storage[PACKET_SEGMENTS_MAX];
	struct packet piece;

	if (segment_init(&segmenter, p, PACKET_LENGTH_MAX)) {
		stats_drop(tap->port.stats, DROP_VNET_HEADER, 1);
		return;
	}
	while (segment_next(&segmenter, &piece, storage, PACKET_SEGMENTS_MAX) > 0)
		write_frame(tap, &piece, 1);
}

/* Returns how many it took: PORT_BURST at most. */
static uint16_t write_some(struct tap_port *tap, uint64_t now_ns, bool all)
{
	const struct packet *ready[PORT_BURST];
	uint16_t frames[PORT_BURST];
	uint16_t count = coalesce_take(tap->queue, now_ns, all, ready, frames, PORT_BURST);
	for (uint16_t i = 0; i < count; i++)
		write_frame(tap, ready[i], frames[i]);
	return count;
}

static void write_queued(struct tap_port *tap, uint64_t now_ns, bool all)
{
	while (!coalesce_is_empty(tap->queue) && write_some(tap, now_ns, all) == PORT_BURST)
		;
}

/* When all entries are taken: what waits for more of its flow goes last, and not all of it. */
static void make_room(struct tap_port *tap)
{
	if (!write_some(tap, *tap->now_ns, false))
		write_some(tap, *tap->now_ns, true);
}

/* A large frame, which does not wait, and overtakes nothing of its flow. Other flows, of other
 * guests perhaps, wait on. */
static void write_large(struct tap_port *tap, const struct packet *p)
{
	bool uso = p->vnet.gso_type == VIRTIO_NET_HDR_GSO_UDP_L4;

	coalesce_close(tap->queue, p);
	write_queued(tap, *tap->now_ns, false);
	if (p->vnet.gso_type && !(uso ? tap->uso : tap->tso))
		write_segmented(tap, p);
	else
		write_frame(tap, p, 1);
}

static uint16_t tx_burst(struct port *port, struct packet *const packets[], uint16_t count)
{
	struct tap_port *tap = tap_port(port);
	for (uint16_t i = 0; i < count; i++) {
		const struct packet *p = packets[i];
		if (p->vnet.gso_type || p->length > COALESCE_FRAME_MAX) {
			write_large(tap, p);
		} else if (!coalesce_add(tap->queue, p, *tap->now_ns)) {
			make_room(tap);
			coalesce_add(tap->queue, p, *tap->now_ns);
		}
	}
	return count;
}

static void tx_flush(struct port *port)
{
	/* What waits is for tx_settle(). */
}

static uint64_t tx_settle(struct port *port, uint64_t now_ns, bool all)
{
	struct tap_port *tap = tap_port(port);
	write_queued(tap, now_ns, all);
	return coalesce_due_ns(tap->queue);
}

static bool arm(struct port *port)
{
	/* The worker's epoll watches the descriptor, edge-triggered: see retire() there. */
	return true;
}

static void disarm(struct port *port)
{
}

static bool arm_room(struct port *port)
{
	return false; /* there always is */
}

static const struct port_ops tap_port_ops = {
	.rx_burst = rx_burst,
	.rx_done = rx_done,
	.tx_burst = tx_burst,
	.tx_flush = tx_flush,
	.tx_settle = tx_settle,
	.arm = arm,
	.disarm = disarm,
	.arm_room = arm_room,
};

int tap_port_init(struct tap_port *port, const struct tap_port_config *config)
{
	struct coalesce *queue;
	int error = coalesce_new(config->tso, config->uso, &queue);
	if (error)
		return error;
	*port = (struct tap_port){
		.port = {.ops = &tap_port_ops, .stats = config->stats, .index = PORT_UPLINK},
		.fd = config->fd,
		.tso = config->tso,
		.uso = config->uso,
		.now_ns = config->now_ns,
		.slots = config->slots,
		.queue = queue,
	};
	return 0;
}

void tap_port_fini(struct tap_port *port)
{
	coalesce_free(port->queue);
	port->queue = NULL;
}
