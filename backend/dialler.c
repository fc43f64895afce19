/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dialler.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend/log.h"
#include "backend/options_change.h"
#include "backend/vhost_connection.h"
#include "backend/vhost_dial.h"

#define NS_PER_MS 1000000

int dialler_init(struct dialler *dialler)
{
	*dialler = (struct dialler){.ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	return dialler->ended_fd < 0 ? -errno : 0;
}

void dialler_begin(struct dialler *dialler, unsigned int index)
{
	dialler->ports[index] = (struct dialler_port){0};
}

static void tell(unsigned int index, const char *path, int error)
{
	switch (error) {
	case -ENOENT:
		log_info("port %u: waits for a VMM to listen at %s", index, path);
		break;
	case -ECONNREFUSED:
		log_info("port %u: no connection to %s came about: nobody listens, it takes no "
			 "more, or hangs up at once",
			index, path);
		break;
	case -ENOTSOCK:
		log_warning("port %u: %s is no socket: remove it, so that a VMM can listen there",
			index, path);
		break;
	case -EACCES:
		log_warning("port %u: uid %u may not connect to %s: have the VMM run as that user, "
			    "or make the socket writable for it",
			index, geteuid(), path);
		break;
	default:
		log_warning("port %u: cannot connect to %s: %s", index, path, strerror(-error));
	}
}

/* Tells of an attempt what the log does not have yet. */
static void note(struct dialler_port *state, unsigned int index, const char *path, int error,
	uint64_t now_ns)
{
	if (error == state->told)
		return;
	if (error) {
		if (state->lines_ns > now_ns + (DIALLER_LINES - 1) * DIALLER_LINE_NS)
			return;
		if (state->lines_ns < now_ns)
			state->lines_ns = now_ns;
		state->lines_ns += DIALLER_LINE_NS;
		tell(index, path, error);
	}
	state->told = error;
}

/* Returns when to come again; UINT64_MAX: when the connection has ended. */
static uint64_t run_port(
	struct dialler_port *state, unsigned int index, struct vhost_port *port, uint64_t now_ns)
{
	if (vhost_connection_exists(port))
		return UINT64_MAX;
	if (now_ns < state->next_ns)
		return state->next_ns;
	state->next_ns = now_ns + VHOST_DIAL_INTERVAL_NS;
	int error = vhost_dial_try(port);
	note(state, index, port->path, error, now_ns);
	return error ? state->next_ns : UINT64_MAX;
}

int dialler_run(struct dialler *dialler, const struct options *options, struct vhost_port ports[],
	uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;
	eventfd_t ended;

	/* What ends from here on is seen below, or wakes us again. */
	if (eventfd_read(dialler->ended_fd, &ended) && errno != EAGAIN)
		return -1;
	for (unsigned int i = 0; i < options->socket_count; i++) {
		if (!options_change_has_socket(options, i) || !options->sockets[i].vmm_listens)
			continue;
		uint64_t due_ns = run_port(&dialler->ports[i], i, &ports[i], now_ns);
		if (due_ns < next_ns)
			next_ns = due_ns;
	}
	return next_ns == UINT64_MAX ? -1 : (int)((next_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

void dialler_fini(struct dialler *dialler)
{
	if (dialler->ended_fd >= 0)
		close(dialler->ended_fd);
	dialler->ended_fd = -1;
}
