/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine, the device, and whether its rings are served. */
#include <errno.h>
#include <string.h>

#include "guest/probe/check.h"
#include "guest/probe/clock.h"
#include "guest/probe/tap_output.h"

#define KIND_NETWORK 1
/* A kick that nobody has heard after so long was lost. */
#define KICK_US 300000

bool check_clock(struct probe *probe)
{
	static const char name[] = "the clock runs";
	struct text detail;
	uint32_t mhz;

	text_clear(&detail);
	if (clock_init(&mhz) < 0) {
		text_add(&detail, "no ACPI timer at port 0x608");
		tap_output_result(false, name, &detail);
		return false;
	}
	text_number(&detail, mhz);
	text_add(&detail, " MHz");
	tap_output_result(true, name, &detail);
	return true;
}

/* Says what comes, since nothing can be said after a triple fault. */
static int turn_paging_on(struct virtio_pci *pci)
{
	tap_output_note("turning paging on: if the machine starts anew here, its KVM cannot do "
			"that (probe.paging=off)");
	return virtio_pci_page(pci);
}

static void describe(const struct virtio_pci *pci, struct text *detail)
{
	static const char *const ways[] = {
		[REGISTERS_DIRECT] = "memory",
		[REGISTERS_WINDOW] = "configuration space",
		[REGISTERS_PAGED] = "paging",
	};

	text_hex(detail, pci->function.bus, 2);
	text_add(detail, ":");
	text_hex(detail, pci->function.device, 2);
	text_add(detail, ".");
	text_number(detail, pci->function.function);
	text_add(detail, ", registers of ");
	text_number(detail, pci->bar.width);
	text_add(detail, " bits at 0x");
	text_hex(detail, pci->bar.address, 8);
	text_add(detail, " reached by ");
	text_add(detail, ways[pci->common.way]);
}

bool check_device(struct probe *probe)
{
	static const char name[] = "a virtio network device is there";
	struct virtio_pci *pci = &probe->net.device.pci;
	struct text detail;
	int r = virtio_pci_find(pci, KIND_NETWORK);

	if (r == 0 && probe->parameters.paging == PARAMETERS_ON)
		r = turn_paging_on(pci);
	text_clear(&detail);
	if (r == 0)
		describe(pci, &detail);
	else
		text_add(&detail, r == -ENOENT	? "there is none on the PCI bus"
				  : r == -ENXIO ? "its registers cannot be reached"
						: "its PCI capabilities make no sense");
	tap_output_result(r == 0, name, &detail);
	return r == 0;
}

bool check_features(struct probe *probe)
{
	static const char name[] = "features are agreed on";
	struct net *net = &probe->net;
	int r = virtio_net_negotiate(&net->device);
	struct text detail;

	text_clear(&detail);
	text_add(&detail, "offered 0x");
	text_hex(&detail, net->device.offered, 1);
	if (r == -ETIMEDOUT)
		text_add(&detail, "; the device cannot be reset");
	else if (r < 0)
		text_add(&detail, "; a MAC address and VIRTIO_F_VERSION_1 cannot be had");
	tap_output_result(r == 0, name, &detail);
	if (r < 0)
		return false;
	memcpy(net->station.mac, net->device.mac, sizeof(net->station.mac));
	memset(net->station.gateway_mac, UINT8_MAX, sizeof(net->station.gateway_mac));
	net->gateway_be = probe->parameters.gateway_be;
	return true;
}

/* Waits until the device has taken the first frame; microseconds, or UINT32_MAX. */
static uint32_t wait_taken(struct net *net, uint32_t limit_us)
{
	uint64_t start = clock_us();

	while (net->device.completed == 0) {
		if (clock_us() - start > limit_us)
			return UINT32_MAX;
		net_poll(net);
	}
	return (uint32_t)(clock_us() - start);
}

/* Sends a first frame; a kick that was lost goes the other way. */
static uint32_t send_first(struct probe *probe)
{
	struct net *net = &probe->net;
	struct virtio_pci *pci = &net->device.pci;
	uint32_t us, patience_us = probe->parameters.patience_ms * 1000;

	net_ask_gateway(net);
	us = wait_taken(net, patience_us < KICK_US ? patience_us : KICK_US);
	if (us != UINT32_MAX)
		return us;
	if (pci->notify.way == REGISTERS_WINDOW && probe->parameters.paging == PARAMETERS_AUTO &&
		turn_paging_on(pci) == 0) {
		virtio_pci_kick(pci, VIRTIO_NET_RING_RX);
		virtio_pci_kick(pci, VIRTIO_NET_RING_TX);
	}
	return wait_taken(net, patience_us);
}

bool check_rings(struct probe *probe)
{
	static const char name[] = "the rings are served";
	struct virtio_net *device = &probe->net.device;
	int r = virtio_net_start(device);
	uint32_t us = r == 0 ? send_first(probe) : UINT32_MAX;
	struct text detail;

	text_clear(&detail);
	if (r < 0) {
		text_add(&detail, "the device does not take them");
	} else if (us == UINT32_MAX) {
		text_add(&detail, "the first frame was not taken within ");
		text_number(&detail, probe->parameters.patience_ms);
		text_add(&detail, " ms");
	} else {
		text_number(&detail, device->rx.size);
		text_add(&detail, " and ");
		text_number(&detail, device->tx.size);
		text_add(&detail, " buffers, the first frame was taken after ");
		text_number(&detail, us);
		text_add(&detail, " us");
	}
	tap_output_result(us != UINT32_MAX, name, &detail);
	return us != UINT32_MAX;
}
