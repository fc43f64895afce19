/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/redox.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "tests/frontend/deadline.h"

#define PAGE 4096u
#define UNUSED_HEAD UINT16_MAX
#define UNUSED_ID UINT32_MAX

struct frontend_options redox_options(uint16_t size)
{
	return (struct frontend_options){
		.features = 0, /* VERSION_1 is added; MAC is never the back end's to offer */
		.queue_size = size,
		.interrupt = VIRTQUEUE_INTERRUPT_ALWAYS,
		.kick = VIRTQUEUE_KICK_ALWAYS,
		.rx_buffer = REDOX_RX_BUFFER,
		.rx_slots = 1, /* of the driver that is not used */
		.tx_slots = 1,
		/* Room for a page for each descriptor. */
		.ram = {.regions = 1,
			.region_size = (uint64_t)size * (0x10000 + 2 * PAGE) + (4u << 20)},
	};
}

/* Pages for each descriptor of a queue. */
static uint64_t *alloc_pages(struct redox *redox, uint64_t bytes)
{
	uint64_t *pages = calloc(redox->size, sizeof(*pages));

	for (uint32_t i = 0; pages && i < redox->size; i++) {
		pages[i] = guest_ram_alloc(&redox->frontend->ram, bytes, PAGE);
		if (!pages[i]) {
			free(pages);
			return NULL;
		}
	}
	return pages;
}

int redox_init(struct redox *redox, struct frontend *frontend, bool recycles)
{
	*redox = (struct redox){
		.frontend = frontend,
		.recycles = recycles,
		.size = frontend->options.queue_size,
	};
	redox->rx_buffers = alloc_pages(redox, REDOX_RX_BUFFER);
	redox->tx_pages = alloc_pages(redox, PAGE);
	return redox->rx_buffers && redox->tx_pages ? 0 : -ENOMEM;
}

void redox_fini(struct redox *redox)
{
	free(redox->rx_buffers);
	free(redox->tx_pages);
	*redox = (struct redox){0};
}

void redox_reset(struct redox *redox)
{
	for (int i = 0; i < DRIVER_QUEUES; i++) {
		struct virtqueue *queue = &redox->frontend->driver.queues[i];
		uint16_t size = redox->size;
		memset(queue->desc, 0, size * sizeof(*queue->desc));
		queue->avail->flags = queue->avail->idx = 0;
		queue->used->flags = queue->used->idx = 0;
		for (uint32_t j = 0; j < size; j++) {
			queue->avail->ring[j] = UNUSED_HEAD;
			queue->used->ring[j] = (struct vring_used_elem){.id = UNUSED_ID};
		}
		virtqueue_drain(queue);
	}
	redox->recv_head = redox->sent = 0;
}

static void show(struct virtqueue *queue, uint16_t head)
{
	uint16_t idx = queue->avail->idx;

	queue->avail->ring[idx & (queue->options.size - 1)] = head;
	__atomic_store_n(&queue->avail->idx, (uint16_t)(idx + 1), __ATOMIC_SEQ_CST);
	virtqueue_kick(queue);
}

void redox_start(struct redox *redox)
{
	struct virtqueue *queue = &redox->frontend->driver.queues[DRIVER_RX];

	for (uint32_t i = 0; i < redox->size; i++) {
		queue->desc[i] = (struct vring_desc){
			redox->rx_buffers[i], REDOX_RX_BUFFER, VRING_DESC_F_WRITE, 0};
		show(queue, (uint16_t)i);
	}
}

int redox_poll(struct redox *redox, struct driver_frame *frame)
{
	struct virtqueue *queue = &redox->frontend->driver.queues[DRIVER_RX];
	uint16_t mask = queue->options.size - 1;
	uint16_t used = __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE);

	if (used == redox->recv_head)
		return -EAGAIN;
	uint16_t at = redox->recycles ? redox->recv_head : (uint16_t)(used - 1);
	struct vring_used_elem entry = queue->used->ring[at & mask];
	redox->recv_head = redox->recycles ? (uint16_t)(redox->recv_head + 1) : used;
	if (entry.id >= queue->options.size || entry.len < DRIVER_HEADER_LENGTH ||
		entry.len - DRIVER_HEADER_LENGTH > REDOX_FRAME_MAX)
		return -EPROTO;
	frame->length = entry.len - DRIVER_HEADER_LENGTH;
	frame->buffers = 1;
	uint64_t buffer = redox->rx_buffers[entry.id];
	const struct guest_ram *ram = &redox->frontend->ram;
	int error = guest_ram_read(ram, buffer, &frame->vnet, DRIVER_HEADER_LENGTH);
	if (!error)
		error = guest_ram_read(
			ram, buffer + DRIVER_HEADER_LENGTH, frame->bytes, frame->length);
	if (!error && redox->recycles)
		show(queue, (uint16_t)entry.id);
	return error;
}

/* The head of the frame that was sent last. */
static uint16_t last_head(const struct redox *redox)
{
	return (uint16_t)((2u * (uint16_t)(redox->sent - 1)) & (redox->size - 1));
}

int redox_post(struct redox *redox, const struct driver_frame *frame)
{
	struct virtqueue *queue = &redox->frontend->driver.queues[DRIVER_TX];
	static const uint8_t header[DRIVER_HEADER_LENGTH];

	redox->sent++;
	uint16_t head = last_head(redox);
	int error = guest_ram_write(
		&redox->frontend->ram, redox->tx_pages[head], header, sizeof(header));
	if (!error)
		error = guest_ram_write(&redox->frontend->ram, redox->tx_pages[head + 1],
			frame->bytes, frame->length);
	if (error)
		return error;
	queue->desc[head] = (struct vring_desc){
		redox->tx_pages[head], sizeof(header), VRING_DESC_F_NEXT, (uint16_t)(head + 1)};
	queue->desc[head + 1] = (struct vring_desc){redox->tx_pages[head + 1], frame->length, 0, 0};
	show(queue, head);
	return 0;
}

/* Is the newest used entry that of the last frame? */
static bool is_sent(const struct redox *redox)
{
	const struct virtqueue *queue = &redox->frontend->driver.queues[DRIVER_TX];
	uint16_t used = __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE);

	return queue->used->ring[(uint16_t)(used - 1) & (redox->size - 1)].id == last_head(redox) &&
	       used == redox->sent;
}

int redox_sleep(struct redox *redox, uint64_t deadline_ns)
{
	struct virtqueue *queues = redox->frontend->driver.queues;
	struct pollfd wait[DRIVER_QUEUES];

	for (int i = 0; i < DRIVER_QUEUES; i++)
		wait[i] = (struct pollfd){.fd = queues[i].call_fd, .events = POLLIN};
	if (poll(wait, DRIVER_QUEUES, deadline_left_ms(deadline_ns)) == 0)
		return -ETIMEDOUT;
	for (int i = 0; i < DRIVER_QUEUES; i++)
		redox->interrupts[i] += virtqueue_drain(&queues[i]);
	return 0;
}

int redox_wait(struct redox *redox, uint64_t deadline_ns)
{
	const struct virtqueue *queue = &redox->frontend->driver.queues[DRIVER_TX];
	struct guest_ram *ram = &redox->frontend->ram;
	static const uint8_t nonsense[PAGE] = {[0 ... PAGE - 1] = 0xee};

	while (!is_sent(redox)) {
		int error = redox_sleep(redox, deadline_ns);
		if (error)
			return is_sent(redox) ? -ENOMSG : error;
		uint16_t ahead = (uint16_t)(queue->used->idx - redox->sent);
		if (ahead != 0 && ahead != UINT16_MAX)
			return -EPROTO;
	}
	uint16_t head = last_head(redox);
	int error = guest_ram_write(ram, redox->tx_pages[head], nonsense, PAGE);
	return error ? error : guest_ram_write(ram, redox->tx_pages[head + 1], nonsense, PAGE);
}

int redox_send(struct redox *redox, const struct driver_frame *frame, uint64_t deadline_ns)
{
	int error = redox_post(redox, frame);
	return error ? error : redox_wait(redox, deadline_ns);
}
