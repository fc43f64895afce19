/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/virtio_net.h"

#include <errno.h>
#include <string.h>

#define CONFIG_MAC 0
#define HEADER_NEEDS_CHECKSUM 1

_Static_assert(sizeof(struct virtio_net_header) == 12, "virtio 1.2, 5.1.6.1");

static struct ring_memory rx_memory, tx_memory;
static struct virtio_net_buffer rx_buffers[VIRTIO_NET_RX_BUFFERS];
static struct virtio_net_buffer tx_buffers[VIRTIO_NET_TX_BUFFERS];

int virtio_net_negotiate(struct virtio_net *net)
{
	const uint64_t needed = VIRTIO_PCI_VERSION_1 | VIRTIO_NET_F_MAC;
	int r = virtio_pci_reset(&net->pci);

	if (r < 0)
		return r;
	virtio_pci_add_status(&net->pci, VIRTIO_PCI_ACKNOWLEDGE);
	virtio_pci_add_status(&net->pci, VIRTIO_PCI_DRIVER);
	net->offered = virtio_pci_features(&net->pci);
	if ((net->offered & needed) != needed)
		return -EOPNOTSUPP;
	net->accepted = needed | (net->offered & VIRTIO_NET_F_MRG_RXBUF);
	r = virtio_pci_accept(&net->pci, net->accepted);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < sizeof(net->mac); i++)
		net->mac[i] = (uint8_t)registers_read(&net->pci.config, CONFIG_MAC + i, 1);
	return 0;
}

static void post_rx(struct virtio_net *net, uint16_t number)
{
	ring_post(&net->rx, number, &rx_buffers[number], sizeof(rx_buffers[number]), true);
}

static void kick(struct virtio_net *net, uint16_t ring)
{
	virtio_pci_kick(&net->pci, ring);
	net->kicks++;
}

int virtio_net_start(struct virtio_net *net)
{
	int r;

	net->interrupts = virtio_pci_use_interrupt(&net->pci, VIRTIO_NET_RING_RX) == 0;
	r = virtio_pci_add_ring(&net->pci, VIRTIO_NET_RING_RX, &net->rx, &rx_memory);

	if (r == 0)
		r = virtio_pci_add_ring(&net->pci, VIRTIO_NET_RING_TX, &net->tx, &tx_memory);
	if (r < 0)
		return r;
	virtio_pci_add_status(&net->pci, VIRTIO_PCI_DRIVER_OK);
	for (uint16_t i = 0; i < VIRTIO_NET_RX_BUFFERS && i < net->rx.size; i++)
		post_rx(net, i);
	kick(net, VIRTIO_NET_RING_RX);
	return 0;
}

/* Takes back what was sent. */
static void reap(struct virtio_net *net)
{
	uint16_t number;
	uint32_t length;
	int r;

	while ((r = ring_take(&net->tx, &number, &length)) != 0) {
		if (r < 0)
			net->faults.used++;
		else
			net->completed++;
	}
}

/* The transmit buffer whose turn it is. */
static uint16_t tx_number(const struct virtio_net *net)
{
	uint16_t count =
		net->tx.size < VIRTIO_NET_TX_BUFFERS ? net->tx.size : VIRTIO_NET_TX_BUFFERS;

	return net->sent & (count - 1U);
}

uint8_t *virtio_net_room(struct virtio_net *net)
{
	uint16_t number = tx_number(net);

	reap(net);
	return net->tx.out[number] ? NULL : tx_buffers[number].frame;
}

void virtio_net_send(struct virtio_net *net, size_t length)
{
	uint16_t number = tx_number(net);

	memset(&tx_buffers[number].header, 0, sizeof(tx_buffers[number].header));
	ring_post(&net->tx, number, &tx_buffers[number],
		(uint32_t)(sizeof(struct virtio_net_header) + length), false);
	net->sent++;
	net->sent_new = true;
}

void virtio_net_flush(struct virtio_net *net)
{
	reap(net);
	if (net->sent_new && ring_wants_kick(&net->tx))
		kick(net, VIRTIO_NET_RING_TX);
	if (net->gave_new && ring_wants_kick(&net->rx))
		kick(net, VIRTIO_NET_RING_RX);
	net->sent_new = net->gave_new = false;
}

/* Whether the device wrote a frame of the kind that was negotiated. */
static bool check(struct virtio_net *net, const struct virtio_net_buffer *buffer, uint32_t length)
{
	if (length < sizeof(buffer->header) + VIRTIO_NET_FRAME_MIN) {
		net->faults.length++;
		return false;
	}
	/* Without VIRTIO_NET_F_MRG_RXBUF older devices leave the count of buffers zero. */
	if ((buffer->header.flags & HEADER_NEEDS_CHECKSUM) || buffer->header.gso_type ||
		buffer->header.buffer_count > 1 ||
		(buffer->header.buffer_count == 0 && (net->accepted & VIRTIO_NET_F_MRG_RXBUF))) {
		net->faults.header++;
		return false;
	}
	return true;
}

const uint8_t *virtio_net_receive(struct virtio_net *net, size_t *ret_length)
{
	uint16_t number;
	uint32_t length;
	int r;

	while ((r = ring_take(&net->rx, &number, &length)) != 0) {
		if (r < 0) {
			net->faults.used++;
			continue;
		}
		if (!check(net, &rx_buffers[number], length)) {
			post_rx(net, number);
			continue;
		}
		net->received++;
		net->held = number;
		*ret_length = length - sizeof(struct virtio_net_header);
		return rx_buffers[number].frame;
	}
	return NULL;
}

void virtio_net_release(struct virtio_net *net)
{
	post_rx(net, net->held);
	net->gave_new = true;
}
