/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/frontend.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "tests/frontend/deadline.h"

/* What Cloud Hypervisor takes of the protocol features. */
#define PROTOCOL_WANTED                                                                          \
	(FRONTEND_BIT(CLIENT_PROTOCOL_MQ) | FRONTEND_BIT(CLIENT_PROTOCOL_LOG_SHMFD) |            \
		FRONTEND_BIT(CLIENT_PROTOCOL_REPLY_ACK) | FRONTEND_BIT(CLIENT_PROTOCOL_CONFIG) | \
		FRONTEND_BIT(CLIENT_PROTOCOL_CONFIGURE_MEM_SLOTS) |                              \
		FRONTEND_BIT(CLIENT_PROTOCOL_DEVICE_STATE))

/* Cloud Hypervisor's pause between two attempts. */
#define RECONNECT_PAUSE_NS 100000000

/* A base that no ring of a test is ever at. */
#define STALE_BASE 0x5a5a

/* Enough for rings of any size and a slot's worth of each buffer. */
uint64_t frontend_ram_needed(const struct frontend_options *options)
{
	uint64_t entries = options->queue_size;
	uint64_t rx = entries * (options->rx_buffer + 64u + 16u * 64u);
	uint64_t tx = (uint64_t)(options->tx_slots ? options->tx_slots : 64) * (96u << 10);
	uint64_t rings = 2 * (entries * 26 + 4 * 4096);
	uint64_t all = rx + tx + rings + (1u << 20);
	return (all + 0xfffff) & ~UINT64_C(0xfffff);
}

static struct driver_options driver_options_of(const struct frontend_options *options)
{
	struct virtqueue_options queue = {
		.size = options->queue_size,
		.event_idx = options->features & FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX),
		.kick = options->kick,
		.interrupt = options->polled ? VIRTQUEUE_INTERRUPT_POLLED : options->interrupt,
	};
	return (struct driver_options){
		.queues = {queue, queue},
		.rx_layout = options->rx_layout,
		.tx_layout = options->tx_layout,
		.rx_buffer = options->rx_buffer,
		.rx_slots = options->rx_slots,
		.tx_slots = options->tx_slots,
		.mergeable = options->features & FRONTEND_BIT(VIRTIO_NET_F_MRG_RXBUF),
		.post_singly = options->post_singly,
	};
}

/* What options mean that were left out. */
static void complete_options(struct frontend_options *options)
{
	options->features |= FRONTEND_BIT(VIRTIO_F_VERSION_1);
	if (options->rx_buffer == 0)
		options->rx_buffer = DRIVER_HEADER_LENGTH + DRIVER_FRAME_MAX;
}

int frontend_change_driver(struct frontend *frontend, const struct frontend_options *options)
{
	struct guest_ram_layout layout = frontend->options.ram;

	frontend->options = *options;
	frontend->options.ram = layout;
	complete_options(&frontend->options);
	driver_fini(&frontend->driver);
	struct driver_options driver = driver_options_of(&frontend->options);
	return driver_init(&frontend->driver, &frontend->ram, &driver);
}

int frontend_init(struct frontend *frontend, const struct frontend_options *options)
{
	memset(frontend, 0, sizeof(*frontend));
	frontend->options = *options;
	frontend->client.fd = -1;
	struct frontend_options *own = &frontend->options;
	complete_options(own);
	if (own->ram.regions == 0)
		own->ram.regions = 1;
	if (own->ram.region_size == 0)
		own->ram.region_size = frontend_ram_needed(own);
	int error = guest_ram_init(&frontend->ram, &own->ram);
	if (error)
		return error;
	struct driver_options driver = driver_options_of(own);
	return driver_init(&frontend->driver, &frontend->ram, &driver);
}

void frontend_fini(struct frontend *frontend)
{
	frontend_disconnect(frontend);
	driver_fini(&frontend->driver);
	guest_ram_fini(&frontend->ram);
}

/* GET and SET_PROTOCOL_FEATURES, and what follows from them. */
static int negotiate_protocol(struct frontend *frontend)
{
	struct client *client = &frontend->client;
	uint64_t wanted = PROTOCOL_WANTED;

	if (frontend->options.inflight)
		wanted |= FRONTEND_BIT(CLIENT_PROTOCOL_INFLIGHT_SHMFD);
	if (frontend->options.rarp)
		wanted |= FRONTEND_BIT(CLIENT_PROTOCOL_RARP);
	if (frontend->options.no_reply_ack)
		wanted &= ~FRONTEND_BIT(CLIENT_PROTOCOL_REPLY_ACK);
	int error =
		client_get_u64(client, CLIENT_GET_PROTOCOL_FEATURES, &frontend->offered_protocol);
	if (error)
		return error;
	frontend->acked_protocol = frontend->offered_protocol & wanted;
	error = client_set_u64(client, CLIENT_SET_PROTOCOL_FEATURES, frontend->acked_protocol);
	if (error)
		return error;
	client->reply_ack = frontend->acked_protocol & FRONTEND_BIT(CLIENT_PROTOCOL_REPLY_ACK);
	if (frontend->acked_protocol & FRONTEND_BIT(CLIENT_PROTOCOL_MQ))
		error = client_get_u64(client, CLIENT_GET_QUEUE_NUM, &frontend->queue_num);
	return error;
}

int frontend_listen(struct frontend *frontend, const char *path)
{
	int listener = client_listen(path);

	if (listener < 0)
		return listener;
	frontend->listener = listener;
	return 0;
}

static int be_connected(struct frontend *frontend, const char *path)
{
	int error = frontend->listener ? 0 : frontend_listen(frontend, path);

	if (!error)
		error = client_accept(&frontend->client, frontend->listener);
	frontend->listener = 0;
	return error;
}

int frontend_connect(struct frontend *frontend, const char *path)
{
	struct client *client = &frontend->client;

	int error = frontend->options.listens ? be_connected(frontend, path)
					      : client_connect(client, path);
	if (!error)
		error = client_set(client, CLIENT_SET_OWNER, NULL, 0, NULL, 0);
	if (!error)
		error = client_get_u64(client, CLIENT_GET_FEATURES, &frontend->offered);
	if (!error && (frontend->offered & FRONTEND_BIT(FRONTEND_F_PROTOCOL_FEATURES)))
		error = negotiate_protocol(frontend);
	if (error)
		frontend_disconnect(frontend);
	return error;
}

void frontend_disconnect(struct frontend *frontend)
{
	client_disconnect(&frontend->client);
	if (frontend->listener)
		close(frontend->listener);
	frontend->listener = 0;
	frontend->active = false;
}

int frontend_set_features(struct frontend *frontend)
{
	/* Cloud Hypervisor acks PROTOCOL_FEATURES on the guest's behalf. */
	uint64_t wanted = frontend->options.features | FRONTEND_BIT(FRONTEND_F_PROTOCOL_FEATURES);
	if (frontend->logging)
		wanted |= FRONTEND_BIT(FRONTEND_F_LOG_ALL);
	frontend->acked = frontend->offered & wanted;
	/* The driver below goes by these: a bit that is not offered would be a test's mistake. */
	if ((frontend->options.features & ~frontend->offered) != 0)
		return -EOPNOTSUPP;
	return client_set_u64(&frontend->client, CLIENT_SET_FEATURES, frontend->acked);
}

int frontend_set_mem_table(struct frontend *frontend)
{
	const struct guest_ram *ram = &frontend->ram;
	struct client_memory_table table = {.count = ram->count};
	int fds[GUEST_RAM_REGIONS_MAX];

	for (unsigned int i = 0; i < ram->count; i++) {
		const struct guest_ram_region *region = &ram->regions[i];
		table.regions[i] = (struct client_memory_region){
			.guest = region->guest,
			.size = region->size,
			.user = (uint64_t)(uintptr_t)region->host,
			.mmap_offset = region->file_offset,
		};
		fds[i] = region->fd;
	}
	uint32_t size = (uint32_t)(offsetof(struct client_memory_table, regions) +
				   ram->count * sizeof(table.regions[0]));
	return client_set(&frontend->client, CLIENT_SET_MEM_TABLE, &table, size, fds, ram->count);
}

int frontend_set_vring_addr(struct frontend *frontend, uint32_t index)
{
	const struct virtqueue *queue = &frontend->driver.queues[index];
	struct client_vring_addr address = {
		.index = index,
		.flags = frontend->logging, /* VHOST_VRING_F_LOG */
		.desc = (uint64_t)(uintptr_t)queue->desc,
		.used = (uint64_t)(uintptr_t)queue->used,
		.avail = (uint64_t)(uintptr_t)queue->avail,
		.log_guest = queue->used_guest,
	};
	return client_set(
		&frontend->client, CLIENT_SET_VRING_ADDR, &address, sizeof(address), NULL, 0);
}

int frontend_set_vring_base(struct frontend *frontend, uint32_t index)
{
	uint32_t base = 0;
	switch (frontend->options.base) {
	case FRONTEND_BASE_AVAIL:
		base = frontend->driver.queues[index].avail->idx;
		break;
	case FRONTEND_BASE_SAVED:
		base = frontend->saved_base[index];
		break;
	case FRONTEND_BASE_STALE:
		base = STALE_BASE;
		break;
	}
	return client_set_vring(&frontend->client, CLIENT_SET_VRING_BASE, index, base);
}

int frontend_set_vring(struct frontend *frontend, uint32_t index)
{
	const struct virtqueue *queue = &frontend->driver.queues[index];
	struct client *client = &frontend->client;

	int error = frontend_set_vring_addr(frontend, index);
	if (!error)
		error = frontend_set_vring_base(frontend, index);
	if (!error && !frontend->options.polled)
		error = client_set_vring_fd(client, CLIENT_SET_VRING_CALL, index, queue->call_fd);
	if (!error)
		error = client_set_vring_fd(client, CLIENT_SET_VRING_KICK, index, queue->kick_fd);
	return error;
}

int frontend_set_inflight(struct frontend *frontend)
{
	struct client *client = &frontend->client;
	struct client_inflight inflight = {
		.queues = DRIVER_QUEUES,
		.queue_size = frontend->options.queue_size,
	};
	uint32_t size = 0;
	int fd = -1;

	int error = client_send(client, CLIENT_GET_INFLIGHT_FD, CLIENT_FLAG_VERSION, &inflight,
		sizeof(inflight), NULL, 0);
	if (!error)
		error = client_receive(
			client, CLIENT_GET_INFLIGHT_FD, &inflight, sizeof(inflight), &size, &fd);
	if (error)
		return error;
	error = -EPROTO;
	if (size >= sizeof(inflight) && fd >= 0)
		error = client_set(
			client, CLIENT_SET_INFLIGHT_FD, &inflight, sizeof(inflight), &fd, 1);
	if (fd >= 0)
		close(fd);
	return error;
}

int frontend_set_log_base(struct frontend *frontend, int fd, uint64_t size, uint64_t offset)
{
	struct client *client = &frontend->client;
	const uint64_t log[] = {size, offset};
	uint64_t answer[2] = {0};
	uint32_t expected = frontend->options.rarp ? 0 : sizeof(log);
	uint32_t flags = CLIENT_FLAG_VERSION | (client->reply_ack ? CLIENT_FLAG_NEED_REPLY : 0);
	uint32_t length = 0;

	int error = client_send(
		client, CLIENT_SET_LOG_BASE, flags, log, sizeof(log), &fd, fd < 0 ? 0 : 1);
	if (!error)
		error = client_receive(
			client, CLIENT_SET_LOG_BASE, answer, sizeof(answer), &length, NULL);
	if (error)
		return error;
	if (length == sizeof(answer[0]) && answer[0])
		return -EREMOTEIO;
	return length == expected && memcmp(answer, log, length) == 0 ? 0 : -EPROTO;
}

int frontend_resume(struct frontend *frontend)
{
	struct client *client = &frontend->client;

	int error = frontend_set_features(frontend);
	if (!error)
		error = frontend_set_mem_table(frontend);
	for (uint32_t i = 0; i < DRIVER_QUEUES && !error; i++)
		error = client_set_vring(
			client, CLIENT_SET_VRING_NUM, i, frontend->options.queue_size);
	if (!error && (frontend->acked_protocol & FRONTEND_BIT(CLIENT_PROTOCOL_INFLIGHT_SHMFD)))
		error = frontend_set_inflight(frontend);
	for (uint32_t i = 0; i < DRIVER_QUEUES && !error; i++)
		error = frontend_set_vring(frontend, i);
	for (uint32_t i = 0; i < DRIVER_QUEUES && !error; i++)
		error = client_set_vring(client, CLIENT_SET_VRING_ENABLE, i, 1);
	frontend->active = !error;
	return error;
}

int frontend_activate(struct frontend *frontend)
{
	driver_clear(&frontend->driver);
	memset(frontend->saved_base, 0, sizeof(frontend->saved_base));
	/*
	 * Cloud Hypervisor takes the base from avail.idx as it is at DRIVER_OK, and most drivers
	 * post their buffers only then; those that post before it (Linux) are why the back end
	 * must not believe that base.
	 */
	int error = driver_post_all(&frontend->driver);
	return error ? error : frontend_resume(frontend);
}

int frontend_reconnect(struct frontend *frontend, const char *path)
{
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
	const struct timespec pause = {.tv_nsec = RECONNECT_PAUSE_NS};

	frontend_disconnect(frontend);
	for (;;) {
		int error = frontend_connect(frontend, path);
		if (!error)
			return frontend_resume(frontend);
		if (error != -ENOENT && error != -ECONNREFUSED)
			return error;
		if (deadline_now_ns() >= deadline)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
}

int frontend_reset(struct frontend *frontend)
{
	struct client *client = &frontend->client;
	int error = 0;

	for (uint32_t i = 0; i < DRIVER_QUEUES && !error; i++) {
		error = client_set_vring(client, CLIENT_SET_VRING_ENABLE, i, 0);
		if (!error)
			error = client_get_vring_base(client, i, &frontend->saved_base[i]);
	}
	frontend->active = false;
	return error;
}
