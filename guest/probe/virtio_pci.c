/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/virtio_pci.h"

#include <errno.h>
#include <string.h>

#define VENDOR 0x1af4
#define DEVICE_MODERN 0x1040	   /* plus the kind */
#define DEVICE_TRANSITIONAL 0x0fff /* plus the kind, as far as we care: 0x1000 is a network */

#define CAPABILITY_VENDOR 0x09
/* struct virtio_pci_cap (virtio 1.2, 4.1.4), offsets. */
#define CAPABILITY_LENGTH 2
#define CAPABILITY_KIND 3
#define CAPABILITY_BAR 4
#define CAPABILITY_OFFSET 8
#define CAPABILITY_SIZE 12
#define CAPABILITY_MULTIPLE 16
#define CAPABILITY_BYTES 16 /* without that */
#define KIND_COMMON 1
#define KIND_NOTIFY 2
#define KIND_CONFIG 4
#define KIND_WINDOW 5

/* Common registers (virtio 1.2, 4.1.4.3), offsets. */
#define COMMON_DEVICE_SELECT 0x00
#define COMMON_DEVICE_FEATURE 0x04
#define COMMON_DRIVER_SELECT 0x08
#define COMMON_DRIVER_FEATURE 0x0c
#define COMMON_STATUS 0x14
#define COMMON_QUEUE_SELECT 0x16
#define COMMON_QUEUE_SIZE 0x18
#define COMMON_QUEUE_VECTOR 0x1a
#define COMMON_QUEUE_ENABLE 0x1c
#define COMMON_QUEUE_NOTIFY 0x1e
#define COMMON_QUEUE_TABLE 0x20
#define COMMON_QUEUE_AVAILABLE 0x28
#define COMMON_QUEUE_USED 0x30
#define COMMON_SIZE 0x38

/* The largest multiple that makes sense: a page. */
#define MULTIPLE_MAX 65536
#define RESET_TRIES 1000000

/* Reads a capability that describes a region. 0 or a negative errno. */
static int read_region(
	const struct virtio_pci *device, uint8_t capability, struct registers *region)
{
	const struct pci_function *function = &device->function;
	struct pci_bar bar;
	int r;

	if (capability > 256 - CAPABILITY_BYTES)
		return -EBADMSG;
	region->function = function;
	region->bar = (uint8_t)pci_read(function, capability + CAPABILITY_BAR, 1);
	region->offset = pci_read(function, capability + CAPABILITY_OFFSET, 4);
	region->length = pci_read(function, capability + CAPABILITY_SIZE, 4);
	if (region->length == 0 || region->offset + region->length < region->offset)
		return -EBADMSG;
	r = pci_read_bar(function, region->bar, &bar);
	if (r < 0)
		return r;
	region->address = bar.address + region->offset;
	return 0;
}

/* Takes in one capability. */
static int read_capability(struct virtio_pci *device, uint8_t capability, uint8_t *window)
{
	const struct pci_function *function = &device->function;
	int r = 0;

	switch (pci_read(function, capability + CAPABILITY_KIND, 1)) {
	case KIND_COMMON:
		if (device->common.length == 0)
			r = read_region(device, capability, &device->common);
		break;
	case KIND_NOTIFY:
		if (device->notify.length > 0 || capability > 256 - CAPABILITY_MULTIPLE - 4)
			break;
		r = read_region(device, capability, &device->notify);
		device->notify_multiple = pci_read(function, capability + CAPABILITY_MULTIPLE, 4);
		break;
	case KIND_CONFIG:
		if (device->config.length == 0)
			r = read_region(device, capability, &device->config);
		break;
	case KIND_WINDOW:
		if (*window == 0 && capability <= 256 - CAPABILITY_BYTES - 4)
			*window = capability;
		break;
	default: /* others are no concern of ours */
		break;
	}
	return r;
}

/* Finds the regions. */
static int read_capabilities(struct virtio_pci *device)
{
	struct registers *const regions[] = {&device->common, &device->notify, &device->config};
	uint8_t capability = 0, window = 0;
	int r;

	/* A list that is a circle ends here, too. */
	for (int i = 0; i < 32; i++) {
		capability = pci_capability(&device->function, CAPABILITY_VENDOR, capability);
		if (capability == 0)
			break;
		r = read_capability(device, capability, &window);
		if (r < 0)
			return r;
	}
	if (device->notify_multiple > MULTIPLE_MAX || device->common.length < COMMON_SIZE)
		return -EBADMSG;
	for (unsigned int i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
		if (regions[i]->length == 0)
			return -EBADMSG;
		regions[i]->window = window;
		r = registers_open(regions[i]);
		if (r < 0)
			return r;
	}
	return pci_read_bar(&device->function, device->common.bar, &device->bar);
}

int virtio_pci_find(struct virtio_pci *ret_device, uint16_t kind)
{
	int r;

	memset(ret_device, 0, sizeof(*ret_device));
	r = pci_find(
		VENDOR, DEVICE_MODERN + kind, DEVICE_TRANSITIONAL + kind, &ret_device->function);
	if (r < 0)
		return r;
	pci_enable(&ret_device->function);
	return read_capabilities(ret_device);
}

int virtio_pci_page(struct virtio_pci *device)
{
	int r = registers_page(&device->common);

	if (r == 0)
		r = registers_page(&device->notify);
	return r < 0 ? r : registers_page(&device->config);
}

static uint8_t read_status(const struct virtio_pci *device)
{
	return (uint8_t)registers_read(&device->common, COMMON_STATUS, 1);
}

void virtio_pci_add_status(const struct virtio_pci *device, uint8_t bits)
{
	registers_write(&device->common, COMMON_STATUS, 1, read_status(device) | bits);
}

int virtio_pci_reset(struct virtio_pci *device)
{
	registers_write(&device->common, COMMON_STATUS, 1, 0);
	for (int i = 0; i < RESET_TRIES; i++)
		if (read_status(device) == 0)
			return 0;
	return -ETIMEDOUT;
}

uint64_t virtio_pci_features(const struct virtio_pci *device)
{
	uint64_t features = 0;

	for (uint32_t half = 0; half < 2; half++) {
		registers_write(&device->common, COMMON_DEVICE_SELECT, 4, half);
		features |= (uint64_t)registers_read(&device->common, COMMON_DEVICE_FEATURE, 4)
			    << (32 * half);
	}
	return features;
}

int virtio_pci_accept(const struct virtio_pci *device, uint64_t features)
{
	for (uint32_t half = 0; half < 2; half++) {
		registers_write(&device->common, COMMON_DRIVER_SELECT, 4, half);
		registers_write(&device->common, COMMON_DRIVER_FEATURE, 4,
			(uint32_t)(features >> (32 * half)));
	}
	virtio_pci_add_status(device, VIRTIO_PCI_FEATURES_OK);
	return read_status(device) & VIRTIO_PCI_FEATURES_OK ? 0 : -EOPNOTSUPP;
}

/* Writes a physical address of ours. */
static void write_address(const struct virtio_pci *device, uint32_t at, const volatile void *place)
{
	registers_write(&device->common, at, 4, (uint32_t)(uintptr_t)place);
	registers_write(&device->common, at + 4, 4, 0);
}

int virtio_pci_add_ring(
	struct virtio_pci *device, uint16_t number, struct ring *ring, struct ring_memory *memory)
{
	uint16_t size;

	registers_write(&device->common, COMMON_QUEUE_SELECT, 2, number);
	size = (uint16_t)registers_read(&device->common, COMMON_QUEUE_SIZE, 2);
	if (size == 0)
		return -ENXIO;
	if ((size & (size - 1)) != 0)
		return -EBADMSG;
	if (size > RING_SIZE_MAX) {
		size = RING_SIZE_MAX;
		registers_write(&device->common, COMMON_QUEUE_SIZE, 2, size);
	}
	ring_init(ring, memory, size);
	write_address(device, COMMON_QUEUE_TABLE, memory->table);
	write_address(device, COMMON_QUEUE_AVAILABLE, &memory->available);
	write_address(device, COMMON_QUEUE_USED, &memory->used);
	device->notify_numbers[number] =
		(uint16_t)registers_read(&device->common, COMMON_QUEUE_NOTIFY, 2);
	registers_write(&device->common, COMMON_QUEUE_ENABLE, 2, 1);
	return 0;
}

int virtio_pci_use_interrupt(struct virtio_pci *device, uint16_t number)
{
	int r = msix_open(&device->function, device->common.window, &device->msix);

	if (r < 0)
		return r;
	if (device->common.way == REGISTERS_PAGED)
		r = registers_page(&device->msix.table);
	if (r < 0)
		return r;
	msix_enable(&device->msix);
	registers_write(&device->common, COMMON_QUEUE_SELECT, 2, number);
	registers_write(&device->common, COMMON_QUEUE_VECTOR, 2, MSIX_ENTRY);
	return registers_read(&device->common, COMMON_QUEUE_VECTOR, 2) == MSIX_ENTRY ? 0 : -EIO;
}

void virtio_pci_kick(const struct virtio_pci *device, uint16_t number)
{
	registers_write(&device->notify, device->notify_numbers[number] * device->notify_multiple,
		2, number);
}
