/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/vhost_connection.h"

#include <pthread.h>
#include <string.h>

#include <rte_vhost.h>

/* Connections that may wait for one port: the library has 1,024 numbers for all of them, and a
 * front end that has just hung up needs one. */
#define WAITING_MAX 4

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* By index; NULL: no such port. */
static struct vhost_port *ports[PORT_MAX];
/* By connection: the port that it speaks for, and the one that it waits for. */
static struct vhost_port *speaks[RTE_MAX_VHOST_DEVICE];
static struct vhost_port *waiting[RTE_MAX_VHOST_DEVICE];

void vhost_connection_open(struct vhost_port *port)
{
	pthread_mutex_lock(&lock);
	ports[port->port.index] = port;
	pthread_mutex_unlock(&lock);
}

void vhost_connection_close(struct vhost_port *port)
{
	pthread_mutex_lock(&lock);
	port->closing = true;
	pthread_mutex_unlock(&lock);
}

/* The number of the port's connection may be another port's by now. */
void vhost_connection_forget(const struct vhost_port *port)
{
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < RTE_MAX_VHOST_DEVICE; i++) {
		if (speaks[i] == port)
			speaks[i] = NULL;
		if (waiting[i] == port)
			waiting[i] = NULL;
	}
	ports[port->port.index] = NULL;
	pthread_mutex_unlock(&lock);
}

static struct vhost_port *find(const char *path)
{
	for (unsigned int i = 0; i < PORT_MAX; i++)
		if (ports[i] && !ports[i]->closing && strcmp(ports[i]->path, path) == 0)
			return ports[i];
	return NULL;
}

static unsigned int count_waiting(const struct vhost_port *port)
{
	unsigned int count = 0;
	for (unsigned int i = 0; i < RTE_MAX_VHOST_DEVICE; i++)
		count += waiting[i] == port;
	return count;
}

int vhost_connection_wait(int vid, const char *path, bool *ret_dialled)
{
	pthread_mutex_lock(&lock);
	struct vhost_port *port = find(path);
	bool welcome = port && count_waiting(port) < WAITING_MAX;
	if (welcome) {
		waiting[vid] = port;
		*ret_dialled = port->dials;
	}
	pthread_mutex_unlock(&lock);
	return welcome ? 0 : -1;
}

struct vhost_port *vhost_connection_claim(int vid)
{
	pthread_mutex_lock(&lock);
	struct vhost_port *port = waiting[vid];
	if (!port) {
		port = speaks[vid];
	} else if (port->vid >= 0) {
		port = NULL;
	} else {
		waiting[vid] = NULL;
		speaks[vid] = port;
		port->vid = vid;
	}
	pthread_mutex_unlock(&lock);
	return port;
}

struct vhost_port *vhost_connection_port(int vid)
{
	pthread_mutex_lock(&lock);
	struct vhost_port *port = speaks[vid];
	pthread_mutex_unlock(&lock);
	return port;
}

int vhost_connection_end(int vid)
{
	pthread_mutex_lock(&lock);
	const struct vhost_port *port = speaks[vid] ? speaks[vid] : waiting[vid];
	int ended_fd = port ? port->ended_fd : -1;
	if (speaks[vid])
		speaks[vid]->vid = -1;
	speaks[vid] = NULL;
	waiting[vid] = NULL;
	pthread_mutex_unlock(&lock);
	return ended_fd;
}

bool vhost_connection_exists(const struct vhost_port *port)
{
	bool exists = false;
	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < RTE_MAX_VHOST_DEVICE && !exists; i++)
		exists = speaks[i] == port || waiting[i] == port;
	pthread_mutex_unlock(&lock);
	return exists;
}

bool vhost_connection_is_made(const struct vhost_port *port)
{
	pthread_mutex_lock(&lock);
	bool made = port->vid >= 0;
	pthread_mutex_unlock(&lock);
	return made;
}
