/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front end that sends any message at any time, to the hooks of a port; the library behind them
 * is a double in this file, which does what librte_vhost does to a device's memory, rings and
 * descriptors. Guest memory is written and a worker's breath taken in between.
 *
 * What must hold: nothing of a memory table is touched that was replaced or refused (each region is
 * an allocation of its own, freed with its table); every descriptor that came is closed once; no
 * ring runs that was not given everything.
 *
 * An input is a list of steps: struct step, then `length` bytes.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_vhost.h>

#include "backend/listener.h"
#include "backend/vhost_connection.h"
#include "backend/vhost_message.h"
#include "backend/vhost_port.h"
#include "tests/fuzz/check.h"

#define VID 3
#define FILE_SIZE (64u << 10)
#define RING_MAX 256
#define STEPS_MAX 64

enum kind {
	KIND_MESSAGE,
	KIND_MESSAGE_AGAIN, /* messages are the most frequent */
	KIND_REFUSED,	    /* one that the library refuses: the post hook is not called */
	KIND_WRITE,	    /* of guest memory */
	KIND_BREATH,
	KIND_RECONNECT,
};
#define KIND_COUNT (KIND_RECONNECT + 1)

struct step {
	uint8_t kind;
	uint8_t request; /* or the region that is written */
	uint8_t fds;	 /* how many come along, and from bit 4 on, of what kind */
	uint8_t length;
} __attribute__((packed));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The double of librte_vhost's device. */
struct device {
	const struct rte_vhost_device_ops *ops;
	const struct rte_vhost_user_extern_ops *hooks;
	uint64_t features;
	uint32_t count; /* regions */
	struct rte_vhost_mem_region regions[VHOST_MESSAGE_REGIONS_MAX];
	struct rte_vhost_vring rings[RING_MAX];
	uint64_t addresses[RING_MAX][3]; /* the front end's: descriptors, used, available */
};

static struct device device;
static struct vhost_port port;
static struct quiesce quiesce;
static struct port_stats stats;
static struct worker_stats worker_stats;

/* ---- what the port calls */

int rte_vhost_driver_register(const char *path, uint64_t flags)
{
	return 0;
}

int rte_vhost_driver_unregister(const char *path)
{
	return 0;
}

int rte_vhost_driver_set_features(const char *path, uint64_t features)
{
	return 0;
}

int rte_vhost_driver_get_protocol_features(const char *path, uint64_t *features)
{
	*features = UINT64_MAX;
	return 0;
}

int rte_vhost_driver_set_protocol_features(const char *path, uint64_t features)
{
	return 0;
}

int rte_vhost_driver_callback_register(
	const char *path, struct rte_vhost_device_ops const *const ops)
{
	device.ops = ops;
	return 0;
}

int rte_vhost_driver_start(const char *path)
{
	return 0;
}

int rte_vhost_extern_callback_register(
	int vid, struct rte_vhost_user_extern_ops const *const ops, void *context)
{
	device.hooks = ops;
	return 0;
}

int rte_vhost_get_ifname(int vid, char *name, size_t size)
{
	snprintf(name, size, "%s", port.path);
	return 0;
}

int rte_vhost_get_negotiated_features(int vid, uint64_t *features)
{
	*features = device.features;
	return 0;
}

int rte_vhost_get_mem_table(int vid, struct rte_vhost_memory **ret_table)
{
	struct rte_vhost_memory *table = malloc(sizeof(*table) + sizeof(device.regions));
	table->nregions = device.count;
	memcpy(table->regions, device.regions, sizeof(device.regions));
	*ret_table = table;
	return 0;
}

int rte_vhost_get_vhost_vring(int vid, uint16_t index, struct rte_vhost_vring *ring)
{
	*ring = device.rings[index];
	return 0;
}

int rte_vhost_set_vring_base(int vid, uint16_t index, uint16_t avail, uint16_t used)
{
	return 0;
}

int listener_find(const char *path)
{
	return -1;
}

int listener_unblock(const char *path)
{
	return 0;
}

int listener_unblock_dialled(void)
{
	return 0;
}

void listener_shut(int fd)
{
}

/* ---- what the library does with a message */

static void replace_fd(int *at, int fd)
{
	if (*at >= 0)
		close(*at);
	*at = fd;
}

static void forget_memory(void)
{
	for (uint32_t i = 0; i < device.count; i++)
		free((void *)(uintptr_t)device.regions[i].host_user_addr);
	device.count = 0;
}

static void *translate(uint64_t user)
{
	for (uint32_t i = 0; i < device.count; i++) {
		const struct rte_vhost_mem_region *region = &device.regions[i];
		uint64_t offset = user - region->guest_user_addr;
		if (offset < region->size)
			return (void *)(uintptr_t)(region->host_user_addr + offset);
	}
	return NULL;
}

static void translate_rings(void)
{
	for (unsigned int i = 0; i < RING_MAX; i++) {
		device.rings[i].desc = translate(device.addresses[i][0]);
		device.rings[i].used = translate(device.addresses[i][1]);
		device.rings[i].avail = translate(device.addresses[i][2]);
	}
}

static bool take_memory(const struct vhost_message *message)
{
	forget_memory();
	uint32_t count = message->payload.memory.count;
	if (count > VHOST_MESSAGE_REGIONS_MAX || message->fd_count != (int)count)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		struct vhost_message_region region = message->payload.memory.regions[i];
		/* The hook has seen that the file holds it. */
		CHECK(region.size && region.size <= FILE_SIZE);
		uint8_t *host = aligned_alloc(4096, (region.size + 4095) & ~UINT64_C(4095));
		memset(host, 0, region.size);
		device.regions[device.count++] = (struct rte_vhost_mem_region){
			.guest_phys_addr = region.guest,
			.guest_user_addr = region.user,
			.host_user_addr = (uint64_t)(uintptr_t)host,
			.size = region.size,
			.mmap_addr = host,
			.mmap_size = region.size,
		};
	}
	translate_rings();
	return true;
}

/* As far as a port can tell. False when it refuses the message. */
static bool serve(struct vhost_message *message)
{
	uint32_t index = vhost_message_ring(message);
	struct rte_vhost_vring *ring = &device.rings[index];
	bool is_ring = vhost_message_kind(message) == VHOST_MESSAGE_RING;
	int fd = message->fd_count > 0 ? message->fds[0] : -1;
	uint64_t addresses[3];

	if (is_ring && index >= RING_MAX)
		return false;
	switch (message->request) {
	case MESSAGE_SET_FEATURES:
		device.features = message->payload.u64 & port.offered;
		return true;
	case MESSAGE_SET_MEM_TABLE:
		return take_memory(message);
	case MESSAGE_SET_VRING_NUM:
		if (message->payload.state.number > 32768)
			return false;
		ring->size = (uint16_t)message->payload.state.number;
		return true;
	case MESSAGE_SET_VRING_ADDR:
		memcpy(addresses, (uint8_t *)&message->payload + 8, sizeof(addresses));
		memcpy(device.addresses[index], addresses, sizeof(addresses));
		translate_rings();
		return true;
	case MESSAGE_SET_VRING_KICK:
	case MESSAGE_SET_VRING_CALL:
		if (message->payload.u64 & VHOST_MESSAGE_NO_FD)
			fd = -1;
		else if (fd < 0)
			return false;
		replace_fd(
			message->request == MESSAGE_SET_VRING_KICK ? &ring->kickfd : &ring->callfd,
			fd);
		if (fd >= 0)
			message->fds[0] = -1;
		return true;
	case MESSAGE_GET_VRING_BASE:
		replace_fd(&ring->kickfd, -1);
		replace_fd(&ring->callfd, -1);
		return true;
	default:
		return true;
	}
}

/* ---- the front end, the guest and the worker */

static int descriptor(unsigned int kind)
{
	static int file = -1;

	if (file < 0) {
		file = memfd_create("guest", MFD_CLOEXEC);
		CHECK(file >= 0 && ftruncate(file, FILE_SIZE) == 0);
	}
	return kind & 1 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : fcntl(file, F_DUPFD_CLOEXEC, 0);
}

static void send_message(const struct step *step, const uint8_t *bytes, bool refused)
{
	struct vhost_message message = {.request = step->request, .flags = 1, .size = step->length};
	int mine[VHOST_MESSAGE_REGIONS_MAX];
	unsigned int count = step->fds % (VHOST_MESSAGE_REGIONS_MAX + 1);

	memcpy(&message.payload, bytes, step->length);
	for (unsigned int i = 0; i < count; i++)
		mine[i] = message.fds[i] = descriptor(step->fds >> 4 >> (i % 4));
	message.fd_count = (int)count;
	enum rte_vhost_msg_result result = device.hooks->pre_msg_handle(VID, &message);
	if (result != RTE_VHOST_MSG_RESULT_NOT_HANDLED) {
		for (unsigned int i = 0; i < count; i++)
			CHECK(fcntl(mine[i], F_GETFD) < 0);
		CHECK(result != RTE_VHOST_MSG_RESULT_REPLY || message.size <= 16);
		return;
	}
	/* A table that the library refuses is no table, old or new. */
	bool served = !refused && serve(&message);
	if (!served && message.request == MESSAGE_SET_MEM_TABLE)
		forget_memory();
	vhost_message_close_fds(&message);
	if (served)
		device.hooks->post_msg_handle(VID, &message);
}

static void write_memory(const struct step *step, const uint8_t *bytes)
{
	uint16_t offset;

	if (!device.count || step->length < sizeof(offset))
		return;
	const struct rte_vhost_mem_region *region = &device.regions[step->request % device.count];
	memcpy(&offset, bytes, sizeof(offset));
	size_t length = step->length - sizeof(offset);
	if (offset >= region->size)
		return;
	if (length > region->size - offset)
		length = region->size - offset;
	memcpy((void *)(uintptr_t)(region->host_user_addr + offset), bytes + sizeof(offset),
		length);
}

static void breathe(void)
{
	static struct packet packets[PORT_BURST];
	static struct packet frame = {.length = 100, .head_length = 100};
	struct packet *pointers[PORT_BURST], *const out[] = {&frame};
	volatile uint8_t sum = 0;

	for (unsigned int i = 0; i < PORT_BURST; i++)
		pointers[i] = &packets[i];
	uint16_t count = vhost_port_ops.rx_burst(&port.port, pointers, PORT_BURST);
	for (uint16_t i = 0; i < count; i++)
		for (uint16_t k = 0; k < packets[i].segment_count; k++)
			for (size_t at = 0; at < packets[i].segments[k].iov_len; at += 64)
				sum += ((uint8_t *)packets[i].segments[k].iov_base)[at];
	vhost_port_ops.tx_burst(&port.port, out, 1);
	vhost_port_ops.tx_flush(&port.port);
	vhost_port_ops.rx_done(&port.port);
	(void)sum;
	if (vhost_port_ops.arm(&port.port))
		vhost_port_ops.disarm(&port.port);
	vhost_port_ops.arm_room(&port.port);
}

static void disconnect(void)
{
	device.ops->destroy_connection(VID);
	CHECK(!port.rx && !port.tx && port.vid == -1);
	forget_memory();
	for (unsigned int i = 0; i < RING_MAX; i++) {
		replace_fd(&device.rings[i].kickfd, -1);
		replace_fd(&device.rings[i].callfd, -1);
		device.rings[i] = (struct rte_vhost_vring){.kickfd = -1, .callfd = -1};
	}
	memset(device.addresses, 0, sizeof(device.addresses));
	device.features = 0;
}

/* As quiesce_init(), without the memory of DPDK's. */
static void start_quiesce(void)
{
	size_t size = (rte_rcu_qsbr_get_memsize(1) + 63) & ~(size_t)63;

	quiesce.qsbr = aligned_alloc(64, size);
	memset(quiesce.qsbr, 0, size);
	CHECK(rte_rcu_qsbr_init(quiesce.qsbr, 1) == 0);
	quiesce.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	quiesce.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
}

static void start(void)
{
	const struct vhost_port_config config = {
		.path = "/run/guest0",
		.quiesce = &quiesce,
		.stats = &stats,
		.worker_stats = &worker_stats,
	};

	if (device.ops)
		return;
	start_quiesce();
	for (unsigned int i = 0; i < RING_MAX; i++)
		device.rings[i] = (struct rte_vhost_vring){.kickfd = -1, .callfd = -1};
	CHECK(vhost_port_init(&port, &config) == 0);
	CHECK(device.ops->new_connection(VID) == 0);
}

/* A ring that runs was given all that it needs, and nothing since has taken it away. */
static void check_rings(void)
{
	struct ring *rings[] = {port.tx, port.rx};

	for (unsigned int i = 0; i < VHOST_QUEUES; i++) {
		if (!rings[i])
			continue;
		CHECK(port.memory && port.queues[i].enabled && port.queues[i].kicked);
		CHECK(rings[i]->size == device.rings[i].size && device.rings[i].kickfd >= 0);
		CHECK(rings[i]->desc == device.rings[i].desc);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	start();
	for (int i = 0; i < STEPS_MAX && size >= sizeof(step); i++) {
		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		size -= sizeof(step);
		if (step.length > size)
			step.length = (uint8_t)size;
		switch ((enum kind)(step.kind % KIND_COUNT)) {
		case KIND_MESSAGE:
		case KIND_MESSAGE_AGAIN:
		case KIND_REFUSED:
			send_message(&step, data, step.kind % KIND_COUNT == KIND_REFUSED);
			break;
		case KIND_WRITE:
			write_memory(&step, data);
			break;
		case KIND_BREATH:
			breathe();
			break;
		case KIND_RECONNECT:
			disconnect();
			CHECK(device.ops->new_connection(VID) == 0);
			break;
		}
		check_rings();
		data += step.length;
		size -= step.length;
	}
	/* The next input begins with a new connection. */
	disconnect();
	CHECK(device.ops->new_connection(VID) == 0);
	return 0;
}
