/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/personality.h"

#include <string.h>

#include "tests/frontend/redox.h"

#define BIT(feature) FRONTEND_BIT(feature)
#define RING_BITS (BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX))
#define SEND_OFFLOADS                                                                         \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | \
		BIT(VIRTIO_NET_F_HOST_ECN))
#define RECEIVE_OFFLOADS                                               \
	(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) | \
		BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN))
#define MRG BIT(VIRTIO_NET_F_MRG_RXBUF)
#define ETHERNET_MAX 1514

const struct personality personalities[PERSONALITY_COUNT] = {
	{
		.name = "redox-a",
		.kind = PERSONALITY_REDOX_A,
		.size_min = 4,
		.frame_max = REDOX_FRAME_MAX,
		.ok_first = true,
		.no_bursts = true,
	},
	{
		.name = "redox-b",
		.kind = PERSONALITY_REDOX_B,
		.size_min = 4,
		.frame_max = REDOX_FRAME_MAX,
		.ok_first = true,
	},
	{
		/* Chains of header and frame both ways; polls on a timer. */
		.name = "edk2",
		.rx_layout = {.header_apart = true},
		.tx_layout = {.header_apart = true},
		.rx_buffer = DRIVER_HEADER_LENGTH + ETHERNET_MAX,
		.rx_slots = 64,
		.tx_slots = 32,
		.size_min = 2,
		.frame_max = ETHERNET_MAX,
		.no_vector = true,
		.kicks_always = true,
		.ok_first = true,
		.shared_header = true,
	},
	{
		/* Under QEMU, which gives it call descriptors: what polls has to be seen. */
		.name = "edk2-qemu",
		.rx_layout = {.header_apart = true},
		.tx_layout = {.header_apart = true},
		.rx_buffer = DRIVER_HEADER_LENGTH + ETHERNET_MAX,
		.rx_slots = 64,
		.tx_slots = 32,
		.size_min = 2,
		.frame_max = ETHERNET_MAX,
		.no_interrupt = true,
		.kicks_always = true,
		.ok_first = true,
		.shared_header = true,
	},
	{
		/* Eight receive buffers, whatever the queue holds. */
		.name = "ipxe",
		.rx_layout = {.header_apart = true},
		.tx_layout = {.header_apart = true},
		.rx_buffer = DRIVER_HEADER_LENGTH + ETHERNET_MAX + 4,
		.rx_slots = 8,
		.size_min = 2,
		.frame_max = ETHERNET_MAX,
		.no_interrupt = true,
		.ok_first = true,
		.shared_header = true,
	},
	{
		/* One frame in flight. */
		.name = "u-boot",
		.tx_layout = {.header_apart = true},
		.rx_buffer = DRIVER_HEADER_LENGTH + ETHERNET_MAX,
		.rx_slots = 32,
		.tx_slots = 1,
		.size_min = 2,
		.frame_max = ETHERNET_MAX,
		.no_interrupt = true,
		.ok_first = true,
	},
	{
		/* The header in the headroom of the frame; pages behind it. */
		.name = "linux",
		.features = MRG | SEND_OFFLOADS | RECEIVE_OFFLOADS | RING_BITS,
		.tx_layout = {.piece = 4096, .indirect = true},
		.rx_buffer = 1536,
		.size_min = 1,
		.frame_max = ETHERNET_MAX,
	},
	{
		/* From 6.17 on: the header has a descriptor of its own. */
		.name = "linux-6.17",
		.features = MRG | SEND_OFFLOADS | RECEIVE_OFFLOADS | RING_BITS,
		.tx_layout = {.header_apart = true, .piece = 4096, .indirect = true},
		.rx_buffer = 1536,
		.size_min = 1,
		.frame_max = ETHERNET_MAX,
	},
	{
		/* Without merged buffers: a page's worth of header block (header, indirect table),
		 * then pages of data. */
		.name = "netkvm",
		.features = SEND_OFFLOADS | BIT(VIRTIO_NET_F_GUEST_CSUM) | RING_BITS,
		.rx_layout = {.header_apart = true, .piece = 4096, .indirect = true},
		.tx_layout = {.header_apart = true, .piece = 4096, .indirect = true},
		.rx_buffer = DRIVER_HEADER_LENGTH + 4096,
		.size_min = 1,
		.frame_max = ETHERNET_MAX,
	},
	{
		/* Without indirect tables, as with hosts that offer none. */
		.name = "netkvm-direct",
		.features = BIT(VIRTIO_RING_F_EVENT_IDX),
		.rx_layout = {.header_apart = true, .piece = 4096},
		.tx_layout = {.header_apart = true, .piece = 4096},
		.rx_buffer = DRIVER_HEADER_LENGTH + 4096,
		.size_min = 2,
		.frame_max = ETHERNET_MAX,
	},
	{
		/* Takes merged buffers, and drops what lies in more than one. */
		.name = "netkvm-merged",
		.features = MRG | SEND_OFFLOADS | BIT(VIRTIO_NET_F_GUEST_CSUM) | RING_BITS,
		.tx_layout = {.header_apart = true, .piece = 4096, .indirect = true},
		.rx_buffer = 4096,
		.size_min = 1,
		.frame_max = ETHERNET_MAX,
		.one_buffer = true,
	},
	{
		/* A header of 12 bytes with a segment of its own. */
		.name = "freebsd",
		.features = MRG | SEND_OFFLOADS | RECEIVE_OFFLOADS | RING_BITS,
		.tx_layout = {.header_apart = true, .piece = 2048, .indirect = true},
		.rx_buffer = 2048,
		.size_min = 1,
		.frame_max = ETHERNET_MAX,
	},
	{
		.name = "openbsd",
		.features = MRG | BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |
			    BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
			    BIT(VIRTIO_RING_F_EVENT_IDX),
		.tx_layout = {.header_apart = true, .piece = 2048},
		.rx_buffer = 2048,
		.size_min = 64,
		.frame_max = ETHERNET_MAX,
	},
	{
		/* Two descriptors for each frame, both ways. */
		.name = "unikraft",
		.features = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
			    BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_RING_F_EVENT_IDX),
		.rx_layout = {.header_apart = true},
		.tx_layout = {.header_apart = true},
		.rx_buffer = 2048,
		.size_min = 2,
		.frame_max = ETHERNET_MAX,
	},
	{
		/* DPDK's virtio-user: the header in the headroom, descriptors for interrupts that
		 * it never asks for. */
		.name = "virtio-user",
		.features = MRG | BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
			    BIT(VIRTIO_RING_F_INDIRECT_DESC),
		.rx_buffer = DRIVER_HEADER_LENGTH + 2048,
		.size_min = 1,
		.frame_max = ETHERNET_MAX,
		.no_interrupt = true,
	},
	{
		/* Whoever polls: no SET_VRING_CALL. */
		.name = "polled",
		.features = MRG | BIT(VIRTIO_RING_F_EVENT_IDX),
		.rx_buffer = 2048,
		.size_min = 1,
		.frame_max = ETHERNET_MAX,
		.no_vector = true,
	},
};

const struct personality *personality_find(const char *name)
{
	for (unsigned int i = 0; i < PERSONALITY_COUNT; i++)
		if (strcmp(personalities[i].name, name) == 0)
			return &personalities[i];
	return NULL;
}

struct frontend_options personality_options(const struct personality *personality, uint16_t size)
{
	if (personality->kind != PERSONALITY_DRIVER)
		return redox_options(size);
	return (struct frontend_options){
		.features = personality->features,
		.queue_size = size,
		.polled = personality->no_vector,
		.interrupt = personality->no_interrupt ? VIRTQUEUE_INTERRUPT_POLLED
						       : VIRTQUEUE_INTERRUPT_WAITING,
		.kick = personality->kicks_always ? VIRTQUEUE_KICK_ALWAYS : VIRTQUEUE_KICK_AS_ASKED,
		.rx_layout = personality->rx_layout,
		.tx_layout = personality->tx_layout,
		.rx_buffer = personality->rx_buffer,
		.rx_slots = personality->rx_slots,
		.tx_slots = personality->tx_slots,
	};
}
