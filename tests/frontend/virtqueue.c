/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/virtqueue.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/frontend/deadline.h"

/* End of the list of free descriptors. */
#define NO_DESCRIPTOR UINT16_MAX

static size_t avail_bytes(uint16_t size)
{
	return sizeof(struct vring_avail) + ((size_t)size + 1) * sizeof(uint16_t);
}

static size_t used_bytes(uint16_t size)
{
	return sizeof(struct vring_used) + (size_t)size * sizeof(struct vring_used_elem) +
	       sizeof(uint16_t);
}

/* Each of the three parts has pages of its own, as in RedoxOS. */
static int place_parts(struct virtqueue *queue)
{
	uint16_t size = queue->options.size;
	size_t desc_size = size * sizeof(struct vring_desc);

	queue->desc_guest = guest_ram_alloc(queue->ram, desc_size, 4096);
	queue->avail_guest = guest_ram_alloc(queue->ram, avail_bytes(size), 4096);
	queue->used_guest = guest_ram_alloc(queue->ram, used_bytes(size), 4096);
	if (!queue->desc_guest || !queue->avail_guest || !queue->used_guest)
		return -ENOMEM;
	queue->desc = guest_ram_at(queue->ram, queue->desc_guest, desc_size);
	queue->avail = guest_ram_at(queue->ram, queue->avail_guest, avail_bytes(size));
	queue->used = guest_ram_at(queue->ram, queue->used_guest, used_bytes(size));
	return 0;
}

int virtqueue_init(
	struct virtqueue *queue, struct guest_ram *ram, const struct virtqueue_options *options)
{
	*queue = (struct virtqueue){
		.options = *options,
		.ram = ram,
		.kick_fd = -1,
		.call_fd = -1,
	};
	int error = place_parts(queue);
	if (error)
		return error;
	queue->chain = calloc(options->size, sizeof(*queue->chain));
	queue->length = calloc(options->size, sizeof(*queue->length));
	queue->order = calloc(options->size, sizeof(*queue->order));
	queue->cookie = calloc(options->size, sizeof(*queue->cookie));
	if (!queue->chain || !queue->length || !queue->order || !queue->cookie)
		return -ENOMEM;
	queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->kick_fd < 0)
		return -errno;
	if (options->interrupt != VIRTQUEUE_INTERRUPT_POLLED) {
		queue->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (queue->call_fd < 0)
			return -errno;
	}
	virtqueue_clear(queue);
	return 0;
}

void virtqueue_fini(struct virtqueue *queue)
{
	free(queue->chain);
	free(queue->length);
	free(queue->order);
	free(queue->cookie);
	if (queue->kick_fd >= 0)
		close(queue->kick_fd);
	if (queue->call_fd >= 0)
		close(queue->call_fd);
	memset(queue, 0, sizeof(*queue));
	queue->kick_fd = queue->call_fd = -1;
}

void virtqueue_adopt(struct virtqueue *queue, const struct virtqueue *from)
{
	size_t size = queue->options.size;

	queue->avail_idx = from->avail_idx;
	queue->kicked_idx = from->kicked_idx;
	queue->used_idx = from->used_idx;
	queue->free_head = from->free_head;
	queue->free_count = from->free_count;
	memcpy(queue->chain, from->chain, size * sizeof(*queue->chain));
	memcpy(queue->length, from->length, size * sizeof(*queue->length));
	memcpy(queue->order, from->order, size * sizeof(*queue->order));
	memcpy(queue->cookie, from->cookie, size * sizeof(*queue->cookie));
}

/* Tells the device that the driver is not waiting. */
void virtqueue_disarm(struct virtqueue *queue)
{
	switch (queue->options.interrupt) {
	case VIRTQUEUE_INTERRUPT_ALWAYS:
		return;
	case VIRTQUEUE_INTERRUPT_WAITING:
	case VIRTQUEUE_INTERRUPT_POLLED:
		break;
	}
	if (queue->options.event_idx)
		/* As far away as can be: behind what was seen already. */
		__atomic_store_n(virtqueue_used_event(queue), (uint16_t)(queue->used_idx - 1),
			__ATOMIC_RELAXED);
	else
		__atomic_store_n(
			&queue->avail->flags, VRING_AVAIL_F_NO_INTERRUPT, __ATOMIC_RELAXED);
}

/* Asks for an interrupt with the next used entry. */
void virtqueue_arm(struct virtqueue *queue)
{
	if (queue->options.interrupt != VIRTQUEUE_INTERRUPT_WAITING)
		return;
	if (queue->options.event_idx)
		__atomic_store_n(virtqueue_used_event(queue), queue->used_idx, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&queue->avail->flags, 0, __ATOMIC_RELAXED);
	/* The look at used.idx that follows must not be moved before the store. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void virtqueue_clear(struct virtqueue *queue)
{
	uint16_t size = queue->options.size;

	memset(queue->desc, 0, size * sizeof(struct vring_desc));
	memset(queue->avail, 0, avail_bytes(size));
	memset(queue->used, 0, used_bytes(size));
	for (uint16_t i = 0; i < size; i++)
		queue->chain[i] = i + 1 < size ? i + 1 : NO_DESCRIPTOR;
	queue->free_head = 0;
	queue->free_count = size;
	queue->avail_idx = 0;
	queue->kicked_idx = 0;
	queue->used_idx = 0;
	virtqueue_disarm(queue);
}

static void fill_descriptor(struct vring_desc *desc, const struct virtqueue_piece *piece)
{
	desc->addr = piece->guest;
	desc->len = piece->length;
	desc->flags = piece->writable ? VRING_DESC_F_WRITE : 0;
	desc->next = 0;
}

/* Takes `count` descriptors off the free list; their links stay in `chain`. */
static uint16_t take_free(struct virtqueue *queue, uint16_t count)
{
	uint16_t head = queue->free_head;
	uint16_t last = head;
	for (uint16_t i = 1; i < count; i++)
		last = queue->chain[last];
	queue->free_head = queue->chain[last];
	queue->free_count -= count;
	queue->length[head] = count;
	return head;
}

static void give_free(struct virtqueue *queue, uint16_t head)
{
	uint16_t last = head;
	for (uint16_t i = 1; i < queue->length[head]; i++)
		last = queue->chain[last];
	queue->chain[last] = queue->free_head;
	queue->free_head = head;
	queue->free_count += queue->length[head];
	queue->length[head] = 0;
}

static int write_table(struct virtqueue *queue, const struct virtqueue_piece *pieces,
	uint16_t count, uint64_t table)
{
	struct vring_desc *entries = guest_ram_at(queue->ram, table, count * sizeof(*entries));
	if (!entries)
		return -EFAULT;
	for (uint16_t i = 0; i < count; i++) {
		fill_descriptor(&entries[i], &pieces[i]);
		if (i + 1 < count) {
			entries[i].flags |= VRING_DESC_F_NEXT;
			entries[i].next = i + 1;
		}
	}
	return 0;
}

int virtqueue_add(struct virtqueue *queue, const struct virtqueue_piece *pieces, uint16_t count,
	uint64_t table, uint32_t cookie)
{
	uint16_t needed = table ? 1 : count;
	if (needed == 0 || queue->free_count < needed)
		return -ENOSPC;
	if (table) {
		int error = write_table(queue, pieces, count, table);
		if (error)
			return error;
	}
	uint16_t head = take_free(queue, needed);
	if (table) {
		queue->desc[head].addr = table;
		queue->desc[head].len = count * sizeof(struct vring_desc);
		queue->desc[head].flags = VRING_DESC_F_INDIRECT;
		queue->desc[head].next = 0;
	} else {
		uint16_t at = head;
		for (uint16_t i = 0; i < count; i++) {
			fill_descriptor(&queue->desc[at], &pieces[i]);
			if (i + 1 < count) {
				queue->desc[at].flags |= VRING_DESC_F_NEXT;
				queue->desc[at].next = queue->chain[at];
			}
			at = queue->chain[at];
		}
	}
	uint16_t slot = queue->avail_idx & (queue->options.size - 1);
	queue->order[slot] = head;
	queue->cookie[head] = cookie;
	queue->avail->ring[slot] = head;
	queue->avail_idx++;
	return 0;
}

void virtqueue_kick(struct virtqueue *queue)
{
	uint64_t one = 1;
	if (write(queue->kick_fd, &one, sizeof(one)) == sizeof(one))
		queue->kicks++;
}

/* virtio 1.2, 2.7.13.4.1 and 2.7.10. */
static bool must_kick(struct virtqueue *queue)
{
	if (queue->options.kick == VIRTQUEUE_KICK_ALWAYS)
		return true;
	if (queue->options.event_idx) {
		uint16_t event = __atomic_load_n(virtqueue_avail_event(queue), __ATOMIC_RELAXED);
		return vring_need_event(event, queue->avail_idx, queue->kicked_idx);
	}
	return !(__atomic_load_n(&queue->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
}

void virtqueue_publish(struct virtqueue *queue)
{
	if (queue->kicked_idx == queue->avail_idx)
		return;
	__atomic_store_n(&queue->avail->idx, queue->avail_idx, __ATOMIC_RELEASE);
	/* What the device says about kicks must be read after it can see the index. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (must_kick(queue))
		virtqueue_kick(queue);
	queue->kicked_idx = queue->avail_idx;
}

bool virtqueue_has_used(const struct virtqueue *queue)
{
	return __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE) != queue->used_idx;
}

int virtqueue_take(struct virtqueue *queue, uint32_t *ret_cookie, uint32_t *ret_length)
{
	uint16_t used_idx = __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE);
	if (used_idx == queue->used_idx)
		return -EAGAIN;
	/* No more than are outstanding. */
	if ((uint16_t)(used_idx - queue->used_idx) >
		(uint16_t)(queue->kicked_idx - queue->used_idx))
		return -EPROTO;
	uint16_t slot = queue->used_idx & (queue->options.size - 1);
	struct vring_used_elem entry = queue->used->ring[slot];
	if (entry.id != queue->order[slot] || queue->length[entry.id] == 0)
		return -EPROTO;
	queue->used_idx++;
	give_free(queue, (uint16_t)entry.id);
	*ret_cookie = queue->cookie[entry.id];
	*ret_length = entry.len;
	return 0;
}

uint64_t virtqueue_drain(struct virtqueue *queue)
{
	uint64_t count = 0;
	if (queue->call_fd < 0 || read(queue->call_fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	queue->interrupts += count;
	return count;
}

static int wait_polled(struct virtqueue *queue, uint64_t deadline_ns)
{
	while (!virtqueue_has_used(queue)) {
		if (deadline_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		sched_yield();
	}
	return 0;
}

int virtqueue_wait(struct virtqueue *queue, uint64_t deadline_ns)
{
	if (queue->options.interrupt == VIRTQUEUE_INTERRUPT_POLLED)
		return wait_polled(queue, deadline_ns);
	int result = 0;
	virtqueue_arm(queue);
	while (!virtqueue_has_used(queue)) {
		struct pollfd wait = {.fd = queue->call_fd, .events = POLLIN};
		int ready = poll(&wait, 1, deadline_left_ms(deadline_ns));
		if (ready == 0) {
			result = virtqueue_has_used(queue) ? -ENOMSG : -ETIMEDOUT;
			break;
		}
		virtqueue_drain(queue);
	}
	virtqueue_disarm(queue);
	return result;
}
