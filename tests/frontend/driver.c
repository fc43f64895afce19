/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Transmit slots when nothing else is asked for. */
#define TX_SLOTS_DEFAULT 64

/* How many descriptors a buffer of `length` bytes (header included) takes in a chain. */
static uint32_t layout_pieces(const struct driver_layout *layout, uint32_t length)
{
	uint32_t piece = layout->piece ? layout->piece : UINT32_MAX;
	if (!layout->header_apart)
		return (uint32_t)(((uint64_t)length + piece - 1) / piece);
	uint32_t body = length - DRIVER_HEADER_LENGTH;
	return (uint32_t)((DRIVER_HEADER_LENGTH + (uint64_t)piece - 1) / piece +
			  ((uint64_t)body + piece - 1) / piece);
}

/* Cuts [guest, guest + length) into pieces; returns how many. */
static uint16_t cut(struct virtqueue_piece *pieces, uint64_t guest, uint32_t length, uint32_t limit,
	bool writable)
{
	uint16_t count = 0;
	while (length > 0) {
		uint32_t piece = limit && length > limit ? limit : length;
		pieces[count++] = (struct virtqueue_piece){guest, piece, writable};
		guest += piece;
		length -= piece;
	}
	return count;
}

static int alloc_slots(struct guest_ram *ram, uint16_t slots, uint64_t size, uint64_t align,
	uint64_t **ret_addresses)
{
	uint64_t *addresses = calloc(slots, sizeof(*addresses));
	if (!addresses)
		return -ENOMEM;
	*ret_addresses = addresses;
	for (uint16_t i = 0; i < slots; i++) {
		addresses[i] = guest_ram_alloc(ram, size, align);
		if (!addresses[i])
			return -ENOMEM;
	}
	return 0;
}

/* How many buffers of this layout the ring has room for. */
static uint16_t ring_room(uint16_t size, const struct driver_layout *layout, uint32_t length)
{
	return layout->indirect ? size : (uint16_t)(size / layout_pieces(layout, length));
}

static int make_rx_slots(struct driver *driver)
{
	const struct driver_options *options = &driver->options;
	const struct driver_layout *layout = &options->rx_layout;
	uint16_t room = ring_room(options->queues[DRIVER_RX].size, layout, options->rx_buffer);

	driver->rx_slots = options->rx_slots && options->rx_slots < room ? options->rx_slots : room;
	if (driver->rx_slots == 0 || layout_pieces(layout, options->rx_buffer) > DRIVER_PIECES_MAX)
		return -EINVAL;
	driver->scratch = malloc(options->rx_buffer);
	if (!driver->scratch)
		return -ENOMEM;
	int error = alloc_slots(
		driver->ram, driver->rx_slots, options->rx_buffer, 4, &driver->rx_buffers);
	if (!error && layout->header_apart)
		error = alloc_slots(driver->ram, driver->rx_slots, DRIVER_HEADER_LENGTH, 4,
			&driver->rx_headers);
	if (!error && layout->indirect)
		error = alloc_slots(driver->ram, driver->rx_slots,
			layout_pieces(layout, options->rx_buffer) * sizeof(struct vring_desc), 16,
			&driver->rx_tables);
	return error;
}

static int make_tx_slots(struct driver *driver)
{
	const struct driver_options *options = &driver->options;
	const struct driver_layout *layout = &options->tx_layout;
	uint32_t length = DRIVER_HEADER_LENGTH + DRIVER_FRAME_MAX;
	uint16_t wanted = options->tx_slots ? options->tx_slots : TX_SLOTS_DEFAULT;
	uint16_t size = options->queues[DRIVER_TX].size;

	/* Short frames may take fewer descriptors than the longest: slots are not descriptors. */
	driver->tx_slots = wanted < size ? wanted : size;
	if (driver->tx_slots == 0)
		return -EINVAL;
	driver->tx_free = calloc(driver->tx_slots, sizeof(*driver->tx_free));
	if (!driver->tx_free)
		return -ENOMEM;
	int error = alloc_slots(driver->ram, driver->tx_slots, length, 4, &driver->tx_buffers);
	if (!error && layout->header_apart)
		error = alloc_slots(driver->ram, driver->tx_slots, DRIVER_HEADER_LENGTH, 4,
			&driver->tx_headers);
	if (!error && layout->indirect)
		error = alloc_slots(driver->ram, driver->tx_slots,
			DRIVER_PIECES_MAX * sizeof(struct vring_desc), 16, &driver->tx_tables);
	return error;
}

int driver_init(struct driver *driver, struct guest_ram *ram, const struct driver_options *options)
{
	memset(driver, 0, sizeof(*driver));
	driver->options = *options;
	driver->ram = ram;
	for (int i = 0; i < DRIVER_QUEUES; i++)
		driver->queues[i].kick_fd = driver->queues[i].call_fd = -1;
	for (int i = 0; i < DRIVER_QUEUES; i++) {
		int error = virtqueue_init(&driver->queues[i], ram, &options->queues[i]);
		if (error)
			return error;
	}
	int error = make_rx_slots(driver);
	if (!error)
		error = make_tx_slots(driver);
	if (!error)
		driver_clear(driver);
	return error;
}

void driver_fini(struct driver *driver)
{
	if (!driver->ram)
		return;
	for (int i = 0; i < DRIVER_QUEUES; i++)
		virtqueue_fini(&driver->queues[i]);
	free(driver->rx_headers);
	free(driver->rx_buffers);
	free(driver->rx_tables);
	free(driver->tx_headers);
	free(driver->tx_buffers);
	free(driver->tx_tables);
	free(driver->tx_free);
	free(driver->scratch);
	memset(driver, 0, sizeof(*driver));
}

void driver_clear(struct driver *driver)
{
	for (int i = 0; i < DRIVER_QUEUES; i++)
		virtqueue_clear(&driver->queues[i]);
	for (uint16_t i = 0; i < driver->tx_slots; i++)
		driver->tx_free[i] = i;
	driver->tx_free_count = driver->tx_slots;
}

void driver_adopt(struct driver *driver, const struct driver *from)
{
	for (int i = 0; i < DRIVER_QUEUES; i++)
		virtqueue_adopt(&driver->queues[i], &from->queues[i]);
	memcpy(driver->tx_free, from->tx_free, driver->tx_slots * sizeof(*driver->tx_free));
	driver->tx_free_count = from->tx_free_count;
}

static int post(struct driver *driver, uint16_t slot)
{
	const struct driver_layout *layout = &driver->options.rx_layout;
	struct virtqueue_piece pieces[DRIVER_PIECES_MAX];
	uint32_t length = driver->options.rx_buffer;
	uint16_t count = 0;

	if (layout->header_apart) {
		count = cut(pieces, driver->rx_headers[slot], DRIVER_HEADER_LENGTH, layout->piece,
			true);
		length -= DRIVER_HEADER_LENGTH;
	}
	count += cut(pieces + count, driver->rx_buffers[slot], length, layout->piece, true);
	int error = virtqueue_add(&driver->queues[DRIVER_RX], pieces, count,
		layout->indirect ? driver->rx_tables[slot] : 0, slot);
	if (!error && driver->options.post_singly)
		virtqueue_publish(&driver->queues[DRIVER_RX]);
	return error;
}

int driver_post_all(struct driver *driver)
{
	int error = 0;
	for (uint16_t slot = 0; slot < driver->rx_slots && !error; slot++)
		error = post(driver, slot);
	virtqueue_publish(&driver->queues[DRIVER_RX]);
	return error;
}

/* Reads the `length` bytes that the device wrote into a slot, header first, into `scratch`. */
static int read_slot(struct driver *driver, uint16_t slot, uint32_t length)
{
	uint32_t apart = 0;
	if (length > driver->options.rx_buffer)
		return -EPROTO;
	if (driver->options.rx_layout.header_apart) {
		apart = length < DRIVER_HEADER_LENGTH ? length : DRIVER_HEADER_LENGTH;
		int error = guest_ram_read(
			driver->ram, driver->rx_headers[slot], driver->scratch, apart);
		if (error)
			return error;
	}
	return guest_ram_read(
		driver->ram, driver->rx_buffers[slot], driver->scratch + apart, length - apart);
}

/* Takes one buffer: its bytes from `skip` on become the frame's next bytes. */
static int take_buffer(struct driver *driver, struct driver_frame *frame, uint32_t skip)
{
	uint32_t slot = 0;
	uint32_t length = 0;
	int error = virtqueue_take(&driver->queues[DRIVER_RX], &slot, &length);
	if (error)
		return error;
	error = read_slot(driver, (uint16_t)slot, length);
	if (error)
		return error;
	if (length < skip || frame->length + (length - skip) > DRIVER_FRAME_MAX)
		return -EPROTO;
	if (skip)
		memcpy(&frame->vnet, driver->scratch, DRIVER_HEADER_LENGTH);
	memcpy(frame->bytes + frame->length, driver->scratch + skip, length - skip);
	frame->length += length - skip;
	frame->buffers++;
	return post(driver, (uint16_t)slot);
}

int driver_poll(struct driver *driver, struct driver_frame *frame)
{
	frame->length = 0;
	frame->buffers = 0;
	int error = take_buffer(driver, frame, DRIVER_HEADER_LENGTH);
	if (error)
		return error;
	uint16_t expected = frame->vnet.num_buffers;
	if (expected == 0 || (expected > 1 && !driver->options.mergeable))
		return -EPROTO;
	while (frame->buffers < expected) {
		error = take_buffer(driver, frame, 0);
		if (error) /* the buffers of one frame are shown all at once */
			return error == -EAGAIN ? -EPROTO : error;
	}
	virtqueue_publish(&driver->queues[DRIVER_RX]);
	return 0;
}

int driver_receive(struct driver *driver, struct driver_frame *frame, uint64_t deadline_ns)
{
	int error = driver_poll(driver, frame);
	if (error != -EAGAIN)
		return error;
	error = virtqueue_wait(&driver->queues[DRIVER_RX], deadline_ns);
	return error ? error : driver_poll(driver, frame);
}

/* Takes back every transmit buffer that the device has used. */
static int reclaim(struct driver *driver)
{
	for (;;) {
		uint32_t slot = 0;
		uint32_t length = 0;
		int error = virtqueue_take(&driver->queues[DRIVER_TX], &slot, &length);
		if (error)
			return error == -EAGAIN ? 0 : error;
		driver->tx_free[driver->tx_free_count++] = (uint16_t)slot;
	}
}

/* Puts the frame into a slot and the slot's chain into the ring. */
static int fill_slot(struct driver *driver, uint16_t slot, const struct driver_frame *frame)
{
	const struct driver_layout *layout = &driver->options.tx_layout;
	struct virtqueue_piece pieces[DRIVER_PIECES_MAX];
	uint64_t header =
		layout->header_apart ? driver->tx_headers[slot] : driver->tx_buffers[slot];
	uint64_t body = driver->tx_buffers[slot];
	uint16_t count = 0;

	if (!layout->header_apart)
		body += DRIVER_HEADER_LENGTH;
	if (layout_pieces(layout, DRIVER_HEADER_LENGTH + frame->length) > DRIVER_PIECES_MAX)
		return -EMSGSIZE;
	int error = guest_ram_write(driver->ram, header, &frame->vnet, DRIVER_HEADER_LENGTH);
	if (!error)
		error = guest_ram_write(driver->ram, body, frame->bytes, frame->length);
	if (error)
		return error;
	if (layout->header_apart) {
		count = cut(pieces, header, DRIVER_HEADER_LENGTH, layout->piece, false);
		count += cut(pieces + count, body, frame->length, layout->piece, false);
	} else {
		count = cut(
			pieces, header, DRIVER_HEADER_LENGTH + frame->length, layout->piece, false);
	}
	return virtqueue_add(&driver->queues[DRIVER_TX], pieces, count,
		layout->indirect ? driver->tx_tables[slot] : 0, slot);
}

int driver_queue(struct driver *driver, const struct driver_frame *frame, uint64_t deadline_ns)
{
	for (;;) {
		int error = reclaim(driver);
		if (error)
			return error;
		if (driver->tx_free_count > 0) {
			uint16_t slot = driver->tx_free[driver->tx_free_count - 1];
			error = fill_slot(driver, slot, frame);
			if (!error)
				driver->tx_free_count--;
			if (error != -ENOSPC)
				return error;
		}
		if (driver->tx_free_count == driver->tx_slots)
			return -EMSGSIZE; /* the ring is empty and yet has no room */
		driver_publish(driver);
		error = virtqueue_wait(&driver->queues[DRIVER_TX], deadline_ns);
		if (error)
			return error;
	}
}

void driver_publish(struct driver *driver)
{
	virtqueue_publish(&driver->queues[DRIVER_TX]);
}

int driver_send(struct driver *driver, const struct driver_frame *frame, uint64_t deadline_ns)
{
	int error = driver_queue(driver, frame, deadline_ns);
	if (!error)
		driver_publish(driver);
	return error;
}

int driver_drain(struct driver *driver, uint64_t deadline_ns)
{
	for (;;) {
		int error = reclaim(driver);
		if (error || driver->tx_free_count == driver->tx_slots)
			return error;
		error = virtqueue_wait(&driver->queues[DRIVER_TX], deadline_ns);
		if (error)
			return error;
	}
}
