/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/run/vhost_network.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/options_value.h"
#include "control/client.h"
#include "control/host/lock_file.h"
#include "control/run/backend_process.h"
#include "control/vmm/supervise.h"

/* How long chnet-vhost may take to serve its sockets, and to end, milliseconds. */
#define START_MS 20000
#define END_MS 10000

/* Writes "directory/name.suffix". */
static void file_path(
	char path[PLAN_PATH_SIZE], const char *directory, const char *name, const char *suffix)
{
	snprintf(path, PLAN_PATH_SIZE, "%.400s/%.40s.%s", directory, name, suffix);
}

int vhost_network_lock(const char *directory, const char *name, int *ret_fd, char *error)
{
	char path[PLAN_PATH_SIZE];
	int r = 0;

	if (mkdir(directory, (mode_t)0755) < 0 && errno != EEXIST)
		r = -errno;
	file_path(path, directory, name, "lock");
	if (r == 0)
		r = lock_file_open(path, true, true, ret_fd);
	if (r < 0)
		snprintf(error, PLAN_ERROR_SIZE, "cannot lock %.400s: %s", path, strerror(-r));
	return r;
}

void vhost_network_unlock(const char *directory, const char *name, int fd)
{
	char path[PLAN_PATH_SIZE];

	file_path(path, directory, name, "lock");
	lock_file_remove(path, fd);
}

void vhost_network_sweep(const char *directory, const char *name)
{
	static const char *const suffixes[] = {"users", "log"};
	char path[PLAN_PATH_SIZE];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		file_path(path, directory, name, suffixes[i]);
		unlink(path);
	}
}

/* The network's name and our sockets. */
static void describe(const struct plan *plan, struct vhost_network *network)
{
	*network = (struct vhost_network){.users_fd = -1, .port_count = plan->nic_count};
	memcpy(network->directory, plan->directory, sizeof(network->directory));
	memcpy(network->name, plan->options.name, sizeof(network->name));
	for (size_t i = 0; i < plan->nic_count; i++) {
		memcpy(network->sockets[i], plan->options.sockets[i].path,
			sizeof(network->sockets[i]));
		network->ports[i] = (unsigned int)i;
	}
}

/* Makes the FIFO, with both of its ends open. */
static int make_users(const struct vhost_network *network, int *ret_read, int *ret_write)
{
	char path[PLAN_PATH_SIZE];
	int read_fd, write_fd, error;

	file_path(path, network->directory, network->name, "users");
	if (mkfifo(path, (mode_t)0600) < 0)
		return -errno;
	read_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	write_fd = read_fd < 0 ? -1 : open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (write_fd >= 0) {
		*ret_read = read_fd;
		*ret_write = write_fd;
		return 0;
	}
	error = errno;
	if (read_fd >= 0)
		close(read_fd);
	unlink(path);
	return -error;
}

/* Waits until a process, child or not, has ended; false when it takes too long. */
static bool wait_end(pid_t pid)
{
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pollfd ended = {.fd = fd, .events = POLLIN};
	int count;

	if (fd < 0)
		return true;
	do
		count = poll(&ended, 1, END_MS);
	while (count < 0 && errno == EINTR);
	close(fd);
	waitpid(pid, NULL, WNOHANG);
	return count == 1;
}

/* Ends a chnet-vhost that did not get ready. */
static void abandon(struct vhost_network *network)
{
	kill(network->monitor, SIGTERM);
	if (!wait_end(network->monitor)) {
		kill(network->monitor, SIGKILL);
		wait_end(network->monitor);
	}
	close(network->users_fd);
	network->users_fd = -1;
}

/* Waits for chnet-vhost's word. */
static int wait_ready(struct vhost_network *network, struct supervise *supervise, int ready_fd,
	const char *log, char *error)
{
	char text[16];
	int r = supervise_wait(supervise, ready_fd, START_MS);

	if (r == 1 && read(ready_fd, text, sizeof(text)) > 0)
		return 0;
	abandon(network);
	if (r == 0) {
		snprintf(error, PLAN_ERROR_SIZE, "chnet-vhost did not get ready within %d s",
			START_MS / 1000);
		return -ETIMEDOUT;
	}
	if (r < 0) {
		snprintf(error, PLAN_ERROR_SIZE, "stopped");
		return r;
	}
	backend_process_complaint(log, error, PLAN_ERROR_SIZE);
	return -ECHILD;
}

int vhost_network_start(const struct plan *plan, struct supervise *supervise,
	struct vhost_network *ret_network, char *error)
{
	struct vhost_network network;
	char log[PLAN_PATH_SIZE];
	int lifeline = -1, ready = -1;

	describe(plan, &network);
	vhost_network_sweep(network.directory, network.name);
	file_path(log, network.directory, network.name, "log");
	int r = make_users(&network, &lifeline, &network.users_fd);
	if (r < 0) {
		snprintf(error, PLAN_ERROR_SIZE, "cannot make a FIFO in %.300s: %s",
			network.directory, strerror(-r));
		return r;
	}
	r = backend_process_start(&plan->backend, log, lifeline, &network.monitor, &ready);
	close(lifeline);
	if (r < 0) {
		snprintf(error, PLAN_ERROR_SIZE, "cannot start %.300s: %s", plan->backend.words[0],
			strerror(-r));
		close(network.users_fd);
	} else {
		r = wait_ready(&network, supervise, ready, log, error);
		close(ready);
	}
	if (r < 0) {
		vhost_network_sweep(network.directory, network.name);
		return r;
	}
	*ret_network = network;
	return 0;
}

/* Takes hold of a network that was started by another `chnet run`. */
static int hold_users(struct vhost_network *network, char *error)
{
	char path[PLAN_PATH_SIZE];

	file_path(path, network->directory, network->name, "users");
	network->users_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	/* Without the FIFO it was started by hand, and lives as its owner likes. */
	if (network->users_fd >= 0 || errno == ENOENT)
		return 0;
	int r = -errno;
	if (r == -ENXIO)
		snprintf(error, PLAN_ERROR_SIZE, "the network %s is about to end: try again",
			network->name);
	else
		snprintf(error, PLAN_ERROR_SIZE, "cannot join the network %s: %s", network->name,
			strerror(-r));
	return r;
}

/* Asks for one port; its number and socket go to `network`. */
static int add_port(struct vhost_network *network, size_t index,
	const struct options_socket *socket, char *error)
{
	char mac[OPTIONS_MAC_TEXT], ip[INET_ADDRSTRLEN], text[CLIENT_ERROR_CAPACITY];
	json_t *answer = NULL, *body;
	const char *path;
	int r;

	/* The network chooses the socket's path, next to its others. */
	body = json_pack("{s:s, s:s, s:s*}", "mac", options_show_mac(socket->mac, mac), "ip",
		options_show_ipv4(socket->ip_be, ip), "hostname",
		socket->hostname[0] ? socket->hostname : NULL);
	r = body ? client_json(network->name, "POST", "/v1/ports", body, &answer, text) : -ENOMEM;
	json_decref(body);
	if (r < 0) {
		snprintf(error, PLAN_ERROR_SIZE, "cannot add a guest to the network %s: %.400s",
			network->name, r == -ENOMEM ? "out of memory" : text);
		return r;
	}
	path = json_string_value(json_object_get(answer, "socket"));
	if (path && strlen(path) < sizeof(network->sockets[index])) {
		memcpy(network->sockets[index], path, strlen(path) + 1);
		network->ports[index] =
			(unsigned int)json_integer_value(json_object_get(answer, "port"));
	} else {
		snprintf(error, PLAN_ERROR_SIZE, "the network %s named no socket for the guest",
			network->name);
		r = -EPROTO;
	}
	json_decref(answer);
	return r;
}

/* Takes our ports away; what cannot be had is the network's to say in its log. */
static void remove_ports(const struct vhost_network *network)
{
	char path[64], unused[CLIENT_ERROR_CAPACITY];

	for (size_t i = 0; i < network->port_count; i++) {
		json_t *answer = NULL;

		snprintf(path, sizeof(path), "/v1/ports/%u", network->ports[i]);
		if (client_json(network->name, "DELETE", path, NULL, &answer, unused) == 0)
			json_decref(answer);
	}
}

int vhost_network_join(
	const struct plan *plan, pid_t monitor, struct vhost_network *ret_network, char *error)
{
	struct vhost_network network;

	describe(plan, &network);
	network.joined = true;
	network.monitor = monitor;
	network.port_count = 0;
	int r = hold_users(&network, error);
	while (r == 0 && network.port_count < plan->nic_count) {
		r = add_port(&network, network.port_count,
			&plan->options.sockets[network.port_count], error);
		if (r == 0)
			network.port_count++;
	}
	if (r < 0) {
		remove_ports(&network);
		if (network.users_fd >= 0)
			close(network.users_fd);
		return r;
	}
	*ret_network = network;
	return 0;
}

/* Lets go of the FIFO; true when nobody else holds it. */
static bool let_go(struct vhost_network *network)
{
	char path[PLAN_PATH_SIZE];
	bool last;
	int fd;

	if (network->users_fd < 0)
		return false;
	file_path(path, network->directory, network->name, "users");
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	close(network->users_fd);
	network->users_fd = -1;
	if (fd < 0)
		return false;
	struct pollfd users = {.fd = fd};
	last = poll(&users, 1, 0) == 1 && (users.revents & POLLHUP);
	close(fd);
	return last;
}

void vhost_network_leave(struct vhost_network *network)
{
	char unused[PLAN_ERROR_SIZE];
	int lock = -1;

	if (!network)
		return;
	vhost_network_lock(network->directory, network->name, &lock, unused);
	if (let_go(network)) {
		wait_end(network->monitor);
		vhost_network_sweep(network->directory, network->name);
	} else {
		remove_ports(network);
	}
	vhost_network_unlock(network->directory, network->name, lock);
}
