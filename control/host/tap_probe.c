/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * Linux commit e269d79c7d35 ("net: missing check virtio"), which some LTS releases took and later
 * mended, makes the kernel answer EINVAL to well-formed GSO frames: when the segment size is
 * smaller than the headers, or when the frame's length modulo the segment size falls within them.
 * So one frame of each such shape is written, and an ordinary one.
 *
 * The kernel checks the virtio-net header first and only then finds that the interface is down
 * (EIO, since Linux 5.0). Hence on an interface that is down EINVAL means refused and EIO means
 * taken, and no frame gets anywhere. Anything else (no memory, say) tells nothing about GSO and
 * counts as taken: the data plane sees and counts such a failure by itself.
 */
#include "control/host/tap_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "control/host/tap.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* Linux 6.2, virtio 1.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

_Static_assert(sizeof(struct virtio_net_hdr_v1) == TAP_HEADER_LENGTH, "virtio 1.2, 5.1.6");

/* Longest frame of the probe, bytes. */
#define PROBE_FRAME_MAX 4096
/* Ethernet and IPv4 headers, bytes. */
#define PROBE_L4_OFFSET (sizeof(struct ether_header) + sizeof(struct iphdr))

/* A frame, without its contents. */
struct probe_shape {
	uint16_t frame_length; /* bytes, Ethernet header included */
	uint16_t gso_size;     /* payload bytes of each segment */
};

static const struct probe_shape shapes[] = {
	{2951, 1448}, /* two ordinary segments and one byte */
	{2897, 1448}, /* the frame's length modulo the segment size is 1 */
	{100, 23},    /* segments shorter than the headers */
};

/* What differs between TCP and UDP. */
struct probe_protocol {
	uint8_t number;		/* IPv4 protocol */
	uint8_t gso_type;	/* VIRTIO_NET_HDR_GSO_* */
	uint8_t header_length;	/* of the transport, bytes */
	uint8_t checksum_start; /* offset of the checksum within the transport header, bytes */
};

static const struct probe_protocol tcp = {IPPROTO_TCP, VIRTIO_NET_HDR_GSO_TCPV4,
	sizeof(struct tcphdr), offsetof(struct tcphdr, check)};
static const struct probe_protocol udp = {IPPROTO_UDP, VIRTIO_NET_HDR_GSO_UDP_L4,
	sizeof(struct udphdr), offsetof(struct udphdr, check)};

/* Writes the headers into `frame`, which is zeroed and holds the shape's frame_length. */
static void probe_build(
	const struct probe_protocol *protocol, const struct probe_shape *shape, uint8_t *frame)
{
	struct ether_header ethernet = {.ether_type = htons(ETHERTYPE_IP)};
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(struct iphdr) / 4,
		.tot_len = htons((uint16_t)(shape->frame_length - sizeof(struct ether_header))),
		.ttl = 1,
		.protocol = protocol->number,
	};

	memcpy(frame, &ethernet, sizeof(ethernet));
	memcpy(frame + sizeof(ethernet), &ip, sizeof(ip));
	if (protocol->number == IPPROTO_TCP) {
		struct tcphdr header = {.doff = sizeof(struct tcphdr) / 4, .ack = 1};

		memcpy(frame + PROBE_L4_OFFSET, &header, sizeof(header));
	} else {
		struct udphdr header = {
			.len = htons((uint16_t)(shape->frame_length - PROBE_L4_OFFSET))};

		memcpy(frame + PROBE_L4_OFFSET, &header, sizeof(header));
	}
}

/* Returns whether the kernel takes a frame of this shape. */
static bool probe_write(
	int fd, const struct probe_protocol *protocol, const struct probe_shape *shape)
{
	uint8_t frame[PROBE_FRAME_MAX] = {0};
	struct virtio_net_hdr_v1 header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = protocol->gso_type,
		.hdr_len = (uint16_t)(PROBE_L4_OFFSET + protocol->header_length),
		.gso_size = shape->gso_size,
		.csum_start = PROBE_L4_OFFSET,
		.csum_offset = protocol->checksum_start,
	};
	struct iovec parts[] = {
		{&header, sizeof(header)},
		{frame, shape->frame_length},
	};

	probe_build(protocol, shape, frame);
	return writev(fd, parts, 2) >= 0 || errno != EINVAL;
}

static bool probe(int fd, const struct probe_protocol *protocol)
{
	size_t i;

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (!probe_write(fd, protocol, &shapes[i]))
			return false;
	return true;
}

bool tap_probe_tso(int fd)
{
	return probe(fd, &tcp);
}

bool tap_probe_uso(int fd)
{
	return probe(fd, &udp);
}
