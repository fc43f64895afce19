/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/selftest/probe_server.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "guest/probe/pattern.h"

#define CONNECTIONS_MAX 8
/* Ports that may be taken for one protocol of two. */
#define PORT_TRIES 16
/* Rounds of one connection, and datagrams, before others have their turn. */
#define ROUNDS 32
/* What the kernel may still have to send when a transfer's time is over, bytes. */
#define SEND_BUFFER 65536
/* "GET 999999999 60000\n", and the answer "BAD 4294967295\n" */
#define LINE_SIZE 32
#define TIME_MS_MAX 60000

enum connection_state {
	CONNECTION_FREE,
	CONNECTION_REQUEST, /* its line is not complete */
	CONNECTION_SENDING, /* the pattern */
	CONNECTION_TAKING,  /* the pattern, until the peer's end */
	CONNECTION_ENDING,  /* nothing more is sent; the peer's end is due */
};

struct connection {
	enum connection_state state;
	int fd;
	char line[LINE_SIZE];
	size_t line_length; /* bytes */
	uint32_t moved;	    /* bytes of the pattern */
	uint32_t limit;	    /* bytes to send */
	uint64_t end_ms;    /* when sending ends */
	bool differs;	    /* what came was not the pattern, from byte `moved` on */
};

struct probe_server {
	int epoll_fd;
	int udp_fd;
	int tcp_fd; /* listens */
	uint16_t port;
	struct connection connections[CONNECTIONS_MAX];
};

static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- opening and closing --------------------------------------------------------------------- */

/* A socket at the address; *port 0: any. */
static int open_socket(int type, struct in_addr address_be, uint16_t *port, int *ret_fd)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_addr = address_be, .sin_port = htons(*port)};
	socklen_t length = sizeof(name);
	int on = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return -errno;
	/* The network, and its address with it, comes after the guest's command line. */
	if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
		getsockname(fd, (struct sockaddr *)&name, &length) < 0 ||
		(type == SOCK_STREAM && listen(fd, CONNECTIONS_MAX) < 0)) {
		r = -errno;
		close(fd);
		return r;
	}
	*port = ntohs(name.sin_port);
	*ret_fd = fd;
	return 0;
}

/* Both sockets, on one port. */
static int open_both(struct probe_server *server, struct in_addr address_be)
{
	int r = -EADDRINUSE;

	for (int i = 0; i < PORT_TRIES && r == -EADDRINUSE; i++) {
		server->port = 0;
		r = open_socket(SOCK_STREAM, address_be, &server->port, &server->tcp_fd);
		if (r < 0)
			return r;
		r = open_socket(SOCK_DGRAM, address_be, &server->port, &server->udp_fd);
		if (r == 0)
			return 0;
		close(server->tcp_fd);
		server->tcp_fd = -1;
	}
	return r;
}

/* Watches a descriptor, for what events are about. */
static int watch(struct probe_server *server, int operation, int fd, uint32_t events, void *about)
{
	struct epoll_event event = {.events = events, .data.ptr = about};

	return epoll_ctl(server->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

int probe_server_open(struct in_addr address_be, struct probe_server **ret_server)
{
	struct probe_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->udp_fd = server->tcp_fd = -1;
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r = server->epoll_fd < 0 ? -errno : open_both(server, address_be);
	if (r == 0)
		r = watch(server, EPOLL_CTL_ADD, server->udp_fd, EPOLLIN, &server->udp_fd);
	if (r == 0)
		r = watch(server, EPOLL_CTL_ADD, server->tcp_fd, EPOLLIN, &server->tcp_fd);
	if (r < 0) {
		probe_server_close(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

static void end(struct connection *connection)
{
	close(connection->fd);
	connection->state = CONNECTION_FREE;
}

void probe_server_close(struct probe_server *server)
{
	const int *const fds[] = {&server->udp_fd, &server->tcp_fd, &server->epoll_fd};

	if (!server)
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (server->connections[i].state != CONNECTION_FREE)
			end(&server->connections[i]);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
	free(server);
}

uint16_t probe_server_port(const struct probe_server *server)
{
	return server->port;
}

int probe_server_fd(const struct probe_server *server)
{
	return server->epoll_fd;
}

/* ---- UDP ------------------------------------------------------------------------------------- */

static void echo(const struct probe_server *server)
{
	char data[2048];

	for (int i = 0; i < ROUNDS; i++) {
		struct sockaddr_storage sender;
		socklen_t size = sizeof(sender);
		ssize_t length = recvfrom(
			server->udp_fd, data, sizeof(data), 0, (struct sockaddr *)&sender, &size);

		if (length < 0)
			return;
		/* What does not go is lost, as datagrams are. */
		sendto(server->udp_fd, data, (size_t)length, 0, (struct sockaddr *)&sender, size);
	}
}

/* ---- TCP ------------------------------------------------------------------------------------- */

static void greet(struct probe_server *server)
{
	int size = SEND_BUFFER,
	    fd = accept4(server->tcp_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *free = NULL;

	if (fd < 0)
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX && !free; i++)
		if (server->connections[i].state == CONNECTION_FREE)
			free = &server->connections[i];
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (!free || watch(server, EPOLL_CTL_ADD, fd, EPOLLIN, free) < 0) {
		close(fd);
		return;
	}
	*free = (struct connection){.state = CONNECTION_REQUEST, .fd = fd};
}

/* Says that nothing more comes from us. */
static void say_end(struct probe_server *server, struct connection *connection)
{
	shutdown(connection->fd, SHUT_WR);
	connection->state = CONNECTION_ENDING;
	watch(server, EPOLL_CTL_MOD, connection->fd, EPOLLIN, connection);
}

/* Does what the line says; a line that says nothing ends the connection. */
static void obey(struct probe_server *server, struct connection *connection)
{
	unsigned int bytes, time_ms;
	int end_at = 0;

	connection->line[connection->line_length - 1] = '\0';
	if (strcmp(connection->line, "PUT") == 0) {
		connection->state = CONNECTION_TAKING;
	} else if (sscanf(connection->line, "GET %9u %5u%n", &bytes, &time_ms, &end_at) == 2 &&
		   connection->line[end_at] == '\0' && time_ms <= TIME_MS_MAX) {
		connection->limit = bytes;
		connection->end_ms = clock_ms() + time_ms;
		connection->state = CONNECTION_SENDING;
		watch(server, EPOLL_CTL_MOD, connection->fd, EPOLLOUT, connection);
	} else {
		end(connection);
	}
}

/* Reads a request, byte by byte so that nothing of what follows is taken. */
static void read_request(struct probe_server *server, struct connection *connection)
{
	while (connection->line_length < LINE_SIZE) {
		char *byte = connection->line + connection->line_length;
		ssize_t length = recv(connection->fd, byte, 1, 0);

		if (length < 0 && errno == EAGAIN)
			return;
		if (length <= 0)
			break;
		connection->line_length++;
		if (*byte == '\n') {
			obey(server, connection);
			return;
		}
	}
	end(connection);
}

static void send_pattern(struct probe_server *server, struct connection *connection)
{
	uint8_t bytes[PATTERN_PIECE];

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t left = connection->limit - connection->moved;
		size_t length = left < sizeof(bytes) ? left : sizeof(bytes);
		ssize_t sent;

		if (left == 0 || clock_ms() >= connection->end_ms) {
			say_end(server, connection);
			return;
		}
		pattern_fill(connection->moved, bytes, length);
		sent = send(connection->fd, bytes, length, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN)
			end(connection);
		if (sent < 0)
			return;
		connection->moved += (uint32_t)sent;
	}
}

/* Tells what came, which fits into any send buffer. */
static void answer(struct probe_server *server, struct connection *connection)
{
	char text[LINE_SIZE];
	int length = snprintf(text, sizeof(text), "%s %u\n", connection->differs ? "BAD" : "OK",
		connection->moved);

	send(connection->fd, text, (size_t)length, MSG_NOSIGNAL);
	say_end(server, connection);
}

static void take_pattern(struct probe_server *server, struct connection *connection)
{
	uint8_t bytes[PATTERN_PIECE];

	for (int i = 0; i < ROUNDS; i++) {
		ssize_t length = recv(connection->fd, bytes, sizeof(bytes), 0);

		if (length < 0 && errno == EAGAIN)
			return;
		if (length < 0) {
			end(connection);
			return;
		}
		if (length == 0) {
			answer(server, connection);
			return;
		}
		if (!connection->differs)
			connection->differs =
				!pattern_matches(connection->moved, bytes, (size_t)length);
		if (!connection->differs)
			connection->moved += (uint32_t)length;
	}
}

/* Waits for the peer's end. */
static void await_end(struct connection *connection)
{
	char bytes[64];
	ssize_t length = recv(connection->fd, bytes, sizeof(bytes), 0);

	if (length == 0 || (length < 0 && errno != EAGAIN))
		end(connection);
}

static void serve(struct probe_server *server, struct connection *connection)
{
	switch (connection->state) {
	case CONNECTION_FREE:
		break;
	case CONNECTION_REQUEST:
		read_request(server, connection);
		break;
	case CONNECTION_SENDING:
		send_pattern(server, connection);
		break;
	case CONNECTION_TAKING:
		take_pattern(server, connection);
		break;
	case CONNECTION_ENDING:
		await_end(connection);
		break;
	}
}

void probe_server_serve(void *context)
{
	struct probe_server *server = context;
	struct epoll_event events[CONNECTIONS_MAX + 2];
	int count = epoll_wait(server->epoll_fd, events, CONNECTIONS_MAX + 2, 0);

	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr == &server->udp_fd)
			echo(server);
		else if (events[i].data.ptr == &server->tcp_fd)
			greet(server);
		else
			serve(server, events[i].data.ptr);
	}
}
