/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/vhost_port.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <rte_vhost.h>

#include "backend/listener.h"
#include "backend/sigbus.h"
#include "backend/vhost_connection.h"
#include "backend/vhost_dial.h"
#include "backend/vhost_driver.h"
#include "backend/vhost_memory.h"
#include "backend/vhost_message.h"
#include "backend/vhost_queues.h"

#define BIT(n) (1ULL << (n))

uint64_t vhost_port_features(const struct vhost_port_config *config)
{
	uint64_t features = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
			    BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	if (VHOST_MESSAGE_FDS_KNOWN)
		features |= BIT(VHOST_F_LOG_ALL);
	if (!config->plain)
		features |= BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_CSUM) |
			    BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) |
			    BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) |
			    BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) |
			    BIT(VIRTIO_NET_F_GUEST_ECN);
	if (config->control_queue)
		features |= BIT(VIRTIO_NET_F_CTRL_VQ);
	return features;
}

bool vhost_port_logs(const struct vhost_port *port)
{
	return (port->features & BIT(VHOST_F_LOG_ALL)) && port->log.bits;
}

static void forget_log(struct vhost_port *port)
{
	sigbus_watch(port->port.index, SIGBUS_SLOT_LOG, NULL, 0);
	dirty_log_fini(&port->log);
}

/* Takes the log that comes with the message in place of the one before. */
static enum rte_vhost_msg_result take_log(struct vhost_port *port, struct vhost_message *message)
{
	struct dirty_log log;
	int fd = vhost_message_fd(message);

	if (fd < 0 || message->size != sizeof(message->payload.log) ||
		dirty_log_init(&log, fd, message->payload.log.size, message->payload.log.offset)) {
		port->worker_stats->memory_refused++;
		/* Nothing has changed for the rings, and no post hook comes. */
		vhost_queues_resume(port);
		return RTE_VHOST_MSG_RESULT_ERR;
	}
	forget_log(port);
	port->log = log;
	sigbus_watch(port->port.index, SIGBUS_SLOT_LOG, log.mapping, log.mapped);
	message->size = vhost_message_log_answer(port->protocol);
	return RTE_VHOST_MSG_RESULT_REPLY;
}

static void forget_memory(struct vhost_port *port)
{
	vhost_memory_free(port->memory, port->port.index);
	port->memory = NULL;
}

static void learn_memory(struct vhost_port *port)
{
	forget_memory(port);
	port->memory = vhost_memory_new(port->vid, port->port.index);
}

/* The queue that a message names, or NULL for one that this device does not have. */
static struct vhost_queue *named_queue(struct vhost_port *port, const struct vhost_message *message)
{
	uint32_t index = vhost_message_ring(message);
	return index < VHOST_QUEUES ? &port->queues[index] : NULL;
}

static enum rte_vhost_msg_result prepare_device(
	struct vhost_port *port, struct vhost_message *message)
{
	switch (message->request) {
	case MESSAGE_SET_MEM_TABLE:
		forget_memory(port);
		if (!vhost_message_files_can_hold(message)) {
			port->worker_stats->memory_refused++;
			return RTE_VHOST_MSG_RESULT_ERR;
		}
		break;
	case MESSAGE_SET_LOG_BASE:
		return take_log(port, message);
	case MESSAGE_RESET_OWNER:
		/* The library's own handling leaks its rings' memory; nothing is needed of it. */
		vhost_queues_reset(port);
		return RTE_VHOST_MSG_RESULT_OK;
	default:
		break;
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result prepare_ring(
	struct vhost_port *port, const struct vhost_message *message)
{
	if (message->request == MESSAGE_GET_VRING_BASE)
		/* The library answers with its own idea of the index, before the post hook. */
		vhost_queues_tell_base(port, vhost_message_ring(message));
	else if (!named_queue(port, message))
		/* A VMM may set up more queues than a guest can use. The library would give each
		 * up to 1.25 MiB, of the memory that is there for everybody's. */
		return RTE_VHOST_MSG_RESULT_OK;
	else if (message->request == MESSAGE_SET_VRING_NUM && !message->payload.state.number)
		return RTE_VHOST_MSG_RESULT_ERR;
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result prepare(struct vhost_port *port, struct vhost_message *message)
{
	switch (vhost_message_kind(message)) {
	case VHOST_MESSAGE_FOREIGN:
		port->worker_stats->requests_refused++;
		return RTE_VHOST_MSG_RESULT_ERR;
	case VHOST_MESSAGE_PLAIN:
		break;
	case VHOST_MESSAGE_DEVICE:
		vhost_queues_park(port);
		return prepare_device(port, message);
	case VHOST_MESSAGE_RING:
		vhost_queues_park(port);
		return prepare_ring(port, message);
	}
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result before_message(int vid, void *data)
{
	struct vhost_port *port = vhost_connection_claim(vid);
	enum rte_vhost_msg_result result = RTE_VHOST_MSG_RESULT_ERR;
	if (port) {
		sigbus_message(port->port.index, true);
		pthread_mutex_lock(&port->lock);
		result = prepare(port, data);
		pthread_mutex_unlock(&port->lock);
	}
	/* The library closes only what it has looked at itself, and calls no post hook. */
	if (result != RTE_VHOST_MSG_RESULT_NOT_HANDLED) {
		vhost_message_close_fds(data);
		sigbus_message(PORT_NONE, false);
	}
	return result;
}

static void note(struct vhost_port *port, const struct vhost_message *message)
{
	struct vhost_queue *queue = named_queue(port, message);
	switch (message->request) {
	case MESSAGE_SET_MEM_TABLE:
		learn_memory(port);
		break;
	case MESSAGE_SET_FEATURES:
		/* Of the last activation: some front ends never take bits back. */
		if (rte_vhost_get_negotiated_features(port->vid, &port->features))
			port->features = 0;
		port->guest = port->bound; /* perhaps another driver */
		break;
	case MESSAGE_SET_PROTOCOL_FEATURES:
		port->protocol = message->payload.u64;
		break;
	case MESSAGE_SEND_RARP:
		vhost_announce_ask(&port->announcement, message->payload.library);
		break;
	case MESSAGE_SET_VRING_KICK:
		if (!queue)
			break;
		queue->kicked = !(message->payload.u64 & VHOST_MESSAGE_NO_FD);
		queue->broken = false;
		if (!(port->features & BIT(VHOST_USER_F_PROTOCOL_FEATURES)))
			queue->enabled = true;
		break;
	case MESSAGE_SET_VRING_ENABLE:
		if (queue)
			queue->enabled = message->payload.state.number != 0;
		break;
	case MESSAGE_GET_VRING_BASE:
		if (queue) {
			queue->kicked = false;
			queue->broken = false;
		}
		break;
	default:
		break;
	}
}

static enum rte_vhost_msg_result after_message(int vid, void *data)
{
	struct vhost_port *port = vhost_connection_port(vid);
	if (!port)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	pthread_mutex_lock(&port->lock);
	note(port, data);
	vhost_queues_resume(port);
	pthread_mutex_unlock(&port->lock);
	sigbus_message(port->port.index, false);
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static const struct rte_vhost_user_extern_ops hooks = {
	.pre_msg_handle = before_message,
	.post_msg_handle = after_message,
};

static int connected(int vid)
{
	char path[UNIX_PATH_MAX] = "";
	bool dialled;
	if (rte_vhost_get_ifname(vid, path, sizeof(path)) ||
		vhost_connection_wait(vid, path, &dialled))
		return -1;
	if (!(dialled ? listener_unblock_dialled() : listener_unblock(path)) &&
		!rte_vhost_extern_callback_register(vid, &hooks, NULL))
		return 0;
	vhost_connection_end(vid);
	return -1;
}

static void disconnected(int vid)
{
	vhost_dial_settle();
	struct vhost_port *port = vhost_connection_port(vid);
	if (port) {
		pthread_mutex_lock(&port->lock);
		vhost_queues_park(port);
		forget_memory(port);
		vhost_queues_reset(port);
		forget_log(port);
		vhost_announce_reset(&port->announcement);
		port->features = 0;
		port->protocol = 0;
		pthread_mutex_unlock(&port->lock);
	}
	int ended_fd = vhost_connection_end(vid);
	if (ended_fd >= 0)
		eventfd_write(ended_fd, 1);
}

const struct rte_vhost_device_ops vhost_port_device_ops = {
	.new_connection = connected,
	.destroy_connection = disconnected,
};

int vhost_port_init(struct vhost_port *port, const struct vhost_port_config *config)
{
	size_t path_length = strlen(config->path);
	if (path_length >= sizeof(port->path))
		return -ENAMETOOLONG;
	*port = (struct vhost_port){
		.port = {.ops = &vhost_port_ops, .stats = config->stats, .index = config->index},
		.quiesce = config->quiesce,
		.worker_stats = config->worker_stats,
		.vid = -1,
		.listen_fd = -1,
		.dials = config->dials,
		.ended_fd = config->dials ? config->ended_fd : -1,
		.offered = vhost_port_features(config),
		.withhold = config->withhold,
		.bound = config->guest,
		.path_error = config->path_error,
	};
	pthread_mutex_init(&port->lock, NULL);
	memcpy(port->path, config->path, path_length + 1);
	vhost_announce_init(&port->announcement, config->mac, config->ip_be);
	int error = port->dials ? 0 : vhost_driver_register(port, &vhost_port_device_ops);
	if (error) {
		port->path[0] = 0;
		return error;
	}
	vhost_connection_open(port);
	return 0;
}

int vhost_port_start(struct vhost_port *port)
{
	if (vhost_driver_start(port))
		return -EADDRINUSE;
	port->listen_fd = listener_find(port->path);
	return 0;
}

void vhost_port_close(struct vhost_port *port)
{
	vhost_connection_close(port);
	listener_shut(port->listen_fd);
	port->listen_fd = -1;
	pthread_mutex_lock(&port->lock);
	vhost_queues_park(port);
	pthread_mutex_unlock(&port->lock);
}

void vhost_port_look(struct vhost_port *port, struct vhost_port_state *ret_state)
{
	pthread_mutex_lock(&port->lock);
	for (unsigned int i = 0; i < VHOST_QUEUES; i++)
		ret_state->running[i] = port->queues[i].running;
	pthread_mutex_unlock(&port->lock);
	ret_state->connected = vhost_connection_is_made(port);
}

void vhost_port_fini(struct vhost_port *port)
{
	if (!port || !port->path[0])
		return;
	/* The library unmaps without a word to destroy_connection: park for good first, and hold
	 * no lock while it waits for hooks that are under way. */
	vhost_port_close(port);
	vhost_driver_unregister(port);
	forget_memory(port);
	forget_log(port);
	vhost_connection_forget(port);
	pthread_mutex_destroy(&port->lock);
	port->path[0] = 0;
}
