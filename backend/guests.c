/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/guests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/ethernet.h"
#include "backend/log.h"
#include "backend/low_descriptors.h"
#include "backend/options_change.h"

static const uint8_t *mac_of(const struct options_socket *socket)
{
	return socket->has_mac ? socket->mac : NULL;
}

static enum withhold_when withhold_of(const struct options_socket *socket)
{
	switch (socket->profile) {
	case OPTIONS_PROFILE_AUTO:
		break;
	case OPTIONS_PROFILE_REDOX:
		return WITHHOLD_ALWAYS;
	case OPTIONS_PROFILE_FULL:
		return WITHHOLD_NEVER;
	}
	return WITHHOLD_AUTO;
}

static int register_port(struct guests *guests, unsigned int index)
{
	const struct options_socket *socket = &guests->options.sockets[index];
	const struct vhost_port_config config = {
		.path = socket->path,
		.index = (uint16_t)index,
		.dials = socket->vmm_listens,
		.ended_fd = guests->dialler.ended_fd,
		.control_queue = socket->ctrl_vq,
		.mac = mac_of(socket),
		.ip_be = socket->ip_be,
		.plain = socket->profile == OPTIONS_PROFILE_REDOX,
		.withhold = withhold_of(socket),
		.guest = {.mac = socket->has_mac ? ethernet_load(socket->mac) : 0,
			.ip_be = socket->ip_be},
		.path_error = &guests->worker->path_error,
		.quiesce = guests->quiesce,
		.stats = &guests->stats->ports[index],
		.worker_stats = &guests->stats->worker,
	};

	return vhost_port_init(&guests->ports[index], &config);
}

static int make_port(struct guests *guests, unsigned int index)
{
	const struct options_socket *socket = &guests->options.sockets[index];

	int error = register_port(guests, index);
	if (error) {
		log_error("socket %s: librte_vhost refuses it: %s", socket->path, strerror(-error));
		return error;
	}
	worker_add_port(guests->worker, &guests->ports[index].port);
	worker_name_port(guests->worker, (uint16_t)index, socket->hostname);
	return worker_bind_port(guests->worker, (uint16_t)index, mac_of(socket), socket->ip_be);
}

int guests_new(const struct options *options, struct quiesce *quiesce, struct stats *stats,
	struct worker *worker, struct guests **ret_guests)
{
	struct guests *guests = calloc(1, sizeof(*guests));
	int error = 0;

	if (!guests)
		return -ENOMEM;
	guests->options = *options;
	guests->quiesce = quiesce;
	guests->stats = stats;
	guests->worker = worker;
	error = dialler_init(&guests->dialler);
	low_descriptors_hold(&guests->low, quiesce->epoll_fd, LOW_DESCRIPTORS_MAX);
	for (unsigned int i = 0; !error && i < options->socket_count; i++)
		if (options_change_has_socket(options, i))
			error = make_port(guests, i);
	low_descriptors_let_go(&guests->low);
	if (error)
		guests_free(guests);
	else
		*ret_guests = guests;
	return error;
}

int guests_start(struct guests *guests)
{
	for (unsigned int i = 0; i < guests->options.socket_count; i++) {
		if (!options_change_has_socket(&guests->options, i) || guests->ports[i].dials)
			continue;
		int error = vhost_port_start(&guests->ports[i]);
		if (error) {
			log_error("socket %s: cannot listen there: choose a directory in which uid "
				  "%u may create files",
				guests->ports[i].path, geteuid());
			return error;
		}
	}
	guests_dial(guests);
	return 0;
}

int guests_dial(struct guests *guests)
{
	return dialler_run(&guests->dialler, &guests->options, guests->ports, worker_clock_ns());
}

int guests_dial_fd(const struct guests *guests)
{
	return guests->dialler.ended_fd;
}

void guests_free(struct guests *guests)
{
	if (!guests)
		return;
	for (unsigned int i = 0; i < OPTIONS_SOCKETS_MAX; i++)
		vhost_port_fini(&guests->ports[i]);
	dialler_fini(&guests->dialler);
	free(guests);
}

/* What is done between two breaths. */
struct turn {
	struct guests *guests;
	unsigned int index;
	int error;
};

static void take_in(struct worker *worker, void *argument)
{
	struct turn *turn = argument;
	const struct options_socket *socket = &turn->guests->options.sockets[turn->index];

	/* The last port of that number may have gone with a data plane that died. */
	worker_empty_port(worker, (uint16_t)turn->index);
	turn->error =
		worker_bind_port(worker, (uint16_t)turn->index, mac_of(socket), socket->ip_be);
	if (turn->error)
		return;
	worker_name_port(worker, (uint16_t)turn->index, socket->hostname);
	/* The counters are a new port's. */
	memset(&turn->guests->stats->ports[turn->index], 0, sizeof(struct port_stats));
	worker_add_port(worker, &turn->guests->ports[turn->index].port);
}

static void take_out(struct worker *worker, void *argument)
{
	const struct turn *turn = argument;

	worker_remove_port(worker, (uint16_t)turn->index);
}

static int bring_up(struct guests *guests, unsigned int index, char *error_text, size_t size)
{
	struct turn turn = {.guests = guests, .index = index};
	const char *path = guests->options.sockets[index].path;

	low_descriptors_hold(&guests->low, guests->quiesce->epoll_fd, LOW_DESCRIPTORS_MAX);
	int error = register_port(guests, index);
	low_descriptors_let_go(&guests->low);
	if (error) {
		snprintf(error_text, size, "socket %s: librte_vhost refuses it: %s", path,
			strerror(-error));
		return error;
	}
	worker_call(guests->worker, take_in, &turn);
	error = turn.error;
	if (error) {
		snprintf(error_text, size, "port %u: its addresses cannot be bound: %s", index,
			strerror(-error));
		vhost_port_fini(&guests->ports[index]);
		return error;
	}
	if (guests->ports[index].dials) {
		dialler_begin(&guests->dialler, index);
		guests_dial(guests);
		return 0;
	}
	error = vhost_port_start(&guests->ports[index]);
	if (error) {
		snprintf(error_text, size, "socket %s: cannot listen there", path);
		worker_call(guests->worker, take_out, &turn);
		vhost_port_fini(&guests->ports[index]);
	}
	return error;
}

int guests_add(
	struct guests *guests, const char *spec, unsigned int index, char *error, size_t size)
{
	unsigned int place;

	int result = options_change_add_socket(&guests->options, spec, &place, error, size);
	if (result)
		return result;
	if (place != index) {
		snprintf(error, size, "monitor and data plane number their ports differently");
		result = -EPROTO;
	} else {
		result = bring_up(guests, index, error, size);
	}
	if (result)
		options_change_remove_socket(&guests->options, place);
	return result;
}

void guests_remove(struct guests *guests, unsigned int index)
{
	struct turn turn = {.guests = guests, .index = index};

	vhost_port_close(&guests->ports[index]);
	worker_call(guests->worker, take_out, &turn);
	vhost_port_fini(&guests->ports[index]);
	options_change_remove_socket(&guests->options, index);
}
