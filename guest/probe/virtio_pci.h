/* SPDX-License-Identifier: BSD-3-Clause */
/* A virtio device of version 1 on PCI (virtio 1.2, 4.1): found, negotiated with, given rings. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guest/probe/msix.h"
#include "guest/probe/pci.h"
#include "guest/probe/registers.h"
#include "guest/probe/ring.h"

/* Bits of the device's status (virtio 1.2, 2.1). */
#define VIRTIO_PCI_ACKNOWLEDGE 1
#define VIRTIO_PCI_DRIVER 2
#define VIRTIO_PCI_DRIVER_OK 4
#define VIRTIO_PCI_FEATURES_OK 8

#define VIRTIO_PCI_VERSION_1 (1ULL << 32)

/* The rings that a device can have here. */
#define VIRTIO_PCI_RINGS 2

struct virtio_pci {
	struct pci_function function;
	struct pci_bar bar;	  /* where the common registers lie */
	struct registers common;  /* virtio 1.2, 4.1.4.3 */
	struct registers notify;  /* 4.1.4.4 */
	struct registers config;  /* 4.1.4.6 */
	struct msix msix;	  /* capability 0: there are no interrupts */
	uint32_t notify_multiple; /* bytes between notification registers */
	/* of each ring, which register that is */
	uint16_t notify_numbers[VIRTIO_PCI_RINGS];
};

/*
 * Finds the first device of that kind (1 = network) and its registers. Returns 0; -ENOENT when
 * there is none; -ENXIO when its registers cannot be reached; -EBADMSG when its capabilities make
 * no sense.
 */
int virtio_pci_find(struct virtio_pci *ret_device, uint16_t kind);

/* Reaches the registers by paging from now on. 0 or -ENXIO. */
int virtio_pci_page(struct virtio_pci *device);

/* Resets the device and waits until it has done so. 0, or -ETIMEDOUT. */
int virtio_pci_reset(struct virtio_pci *device);

/* What it offers. */
uint64_t virtio_pci_features(const struct virtio_pci *device);

/* Accepts features. Returns 0, or -EOPNOTSUPP when the device does not want just those. */
int virtio_pci_accept(const struct virtio_pci *device, uint64_t features);

/*
 * Gives it ring `number` (below VIRTIO_PCI_RINGS), at the size that it offers or RING_SIZE_MAX.
 * Returns 0; -ENXIO when it has no such ring; -EBADMSG for a size that is no power of two.
 */
int virtio_pci_add_ring(
	struct virtio_pci *device, uint16_t number, struct ring *ring, struct ring_memory *memory);

/*
 * Lets the device interrupt for ring `number`, from the time that the ring is added. Returns 0, or
 * a negative errno when it cannot: then it is polled alone.
 */
int virtio_pci_use_interrupt(struct virtio_pci *device, uint16_t number);

void virtio_pci_add_status(const struct virtio_pci *device, uint8_t bits);

/* Tells it of what was posted to ring `number`. */
void virtio_pci_kick(const struct virtio_pci *device, uint16_t number);
