/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port forwards: a client beyond the TAP opens connections to a guest, and keeps them when the data
 * plane is killed.
 *
 * The client is this process, with sockets in the program's network namespace and an address there
 * that is not the LAN's, so that the NAT takes it for someone in the world. It speaks to the NAT's
 * outside address, as the host's rules do on behalf of clients.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/frontend/station.h"

#define CLIENT_PORT 7777
#define OUTSIDE_IP 0xac1000feu /* 172.16.0.254 */

#define TCP_SYN_ACK 0x12
#define TCP_PUSH_ACK 0x18

static struct driver_frame frame;
static struct driver_frame got;

static void start(struct fixture *fixture)
{
	static const char *const suffixes[] = {",mac=52:54:00:12:34:56,ip=172.16.0.2"};
	static const char *const arguments[] = {"--uplink", "tap", "--forward",
		"udp:8080=172.16.0.2:80", "--forward", "tcp:9000-9009=172.16.0.2:90-99", NULL};
	struct frontend_options options = fixture_options();

	fixture_start(fixture, 1, suffixes, arguments);
	fixture_plug(fixture, 0, &options);
	station_add_world(fixture);
}

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(port)};
}

/* A socket of the client that is connected, or (TCP) about to be. */
static int client(struct fixture *fixture, int type, uint16_t port)
{
	struct sockaddr_in from = address(STATION_WORLD_IP, CLIENT_PORT),
			   to = address(OUTSIDE_IP, port);
	int fd = station_socket_in(fixture->backend.netns_fd, type);

	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	int result = connect(fd, (struct sockaddr *)&to, sizeof(to));
	assert_true(result == 0 || errno == EINPROGRESS);
	return fd;
}

static void await(int fd, short events)
{
	struct pollfd wait = {.fd = fd, .events = events};
	assert_int_equal(poll(&wait, 1, DEADLINE_STEP_MS), 1);
}

/* The next frame to this port of the guest; what the host says to everyone is passed over. */
static struct frames_view next(struct fixture *fixture, uint8_t protocol, uint16_t port)
{
	struct frames_view view;

	do {
		fixture_receive(fixture, 0, &got);
		assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
	} while (view.protocol != protocol || view.port_target != port);
	assert_int_equal(view.ip_source, STATION_WORLD_IP);
	assert_int_equal(view.ip_target, FIXTURE_FIRST_IP);
	assert_int_equal(view.port_source, CLIENT_PORT);
	return view;
}

/* The other end of a frame, as the guest sees it. */
static struct frames_end sender(const struct frames_view *view)
{
	struct frames_end end = {.ip = view->ip_source, .port = view->port_source};
	memcpy(end.mac, view->source, sizeof(end.mac));
	return end;
}

static void replace_dataplane(struct fixture *fixture)
{
	char line[256];
	size_t mark = backend_process_mark(&fixture->backend);

	fixture_restart_dataplane(fixture, 1);
	assert_int_equal(
		backend_process_wait_line(&fixture->backend, mark,
			"chnet-vhost: flow memory adopted with 1 sessions", line, sizeof(line)),
		0);
}

static void exchange_udp(struct fixture *fixture, int fd, const char *text)
{
	struct frames_end self = fixture_end(0, 80);
	char answer[64] = "";

	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	struct frames_view view = next(fixture, FRAMES_PROTOCOL_UDP, 80);
	assert_int_equal(view.payload_length, strlen(text));
	assert_memory_equal(view.payload, text, strlen(text));
	struct frames_end to = sender(&view);
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_udp(frame.bytes, &self, &to, "answer", 6);
	fixture_send(fixture, 0, &frame);
	await(fd, POLLIN);
	assert_int_equal(recv(fd, answer, sizeof(answer), 0), 6);
	assert_string_equal(answer, "answer");
}

static void udp_session_outlives_the_data_plane(void **state)
{
	struct fixture *fixture = *state;

	start(fixture);
	int fd = client(fixture, SOCK_DGRAM, 8080);
	exchange_udp(fixture, fd, "before");
	replace_dataplane(fixture);
	exchange_udp(fixture, fd, "after");
	assert_int_equal(fixture_counter(fixture, "nat.sessions_created"), 1);
	close(fd);
}

/* The guest's end of a TCP connection. */
struct connection {
	struct frames_end self;
	struct frames_end peer;
	uint32_t next;	   /* sequence number that is sent next */
	uint32_t expected; /* sequence number that is received next */
};

/* frames_tcp() with an acknowledgement, which it leaves at 0. */
static void send_tcp(struct fixture *fixture, struct connection *c, uint8_t flags, const char *text)
{
	uint32_t acknowledged = htonl(c->expected);
	uint32_t size = (uint32_t)strlen(text);

	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_tcp(frame.bytes, &c->self, &c->peer, c->next, flags, text, size);
	memcpy(frame.bytes + FRAMES_ETHERNET + FRAMES_IPV4 + 8, &acknowledged, 4);
	frames_make_partial(frame.bytes, frame.length, &frame.vnet);
	fixture_send(fixture, 0, &frame);
	c->next += size + (flags == TCP_SYN_ACK);
}

static struct connection accept_tcp(struct fixture *fixture, uint16_t port)
{
	struct frames_view view = next(fixture, FRAMES_PROTOCOL_TCP, port);
	struct connection c = {.self = fixture_end(0, port),
		.peer = sender(&view),
		.next = 1000,
		.expected = view.sequence + 1};

	assert_int_equal(view.tcp_flags & TCP_SYN_ACK, 0x02);
	send_tcp(fixture, &c, TCP_SYN_ACK, "");
	return c;
}

static void exchange_tcp(struct fixture *fixture, int fd, struct connection *c, const char *text)
{
	char answer[64] = "";
	struct frames_view view;

	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	do
		view = next(fixture, FRAMES_PROTOCOL_TCP, c->self.port);
	while (view.payload_length == 0 || view.sequence != c->expected);
	assert_memory_equal(view.payload, text, strlen(text));
	c->expected += view.payload_length;
	send_tcp(fixture, c, TCP_PUSH_ACK, "answer");
	await(fd, POLLIN);
	assert_int_equal(recv(fd, answer, sizeof(answer), 0), 6);
	assert_string_equal(answer, "answer");
}

static void tcp_session_outlives_the_data_plane(void **state)
{
	struct fixture *fixture = *state;
	int error = -1;
	socklen_t size = sizeof(error);

	start(fixture);
	int fd = client(fixture, SOCK_STREAM, 9003);
	struct connection c = accept_tcp(fixture, 93);
	await(fd, POLLOUT);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	assert_int_equal(error, 0);
	exchange_tcp(fixture, fd, &c, "before");
	replace_dataplane(fixture);
	exchange_tcp(fixture, fd, &c, "after");
	assert_int_equal(fixture_counter(fixture, "nat.sessions_created"), 1);
	close(fd);
}

/* What is not forwarded stays closed: the guest sees nothing of it. */
static void other_ports_are_closed(void **state)
{
	struct fixture *fixture = *state;

	start(fixture);
	int closed = client(fixture, SOCK_DGRAM, 8081);
	assert_int_equal(send(closed, "x", 1, 0), 1);
	close(closed);
	int open = client(fixture, SOCK_DGRAM, 8080);
	exchange_udp(fixture, open, "the first that the guest sees");
	close(open);
	assert_int_equal(fixture_counter(fixture, "uplink.drop.nat_no_mapping"), 1);
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(udp_session_outlives_the_data_plane),
	FIXTURE_TEST(tcp_session_outlives_the_data_plane),
	FIXTURE_TEST(other_ports_are_closed),
};

FIXTURE_MAIN(tests)
