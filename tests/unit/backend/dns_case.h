/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DNS server among servers and guests that the test plays, all at addresses of loopback in a
 * network namespace: ours at 127.0.0.1, those of the host at 127.0.0.53 and .54, guests from
 * 127.0.1.0 on. Its time stands still until the test moves it.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/dns_server.h"
#include "tests/unit/host/namespace.h"

#define OURS 0x7f000001
#define SERVER 0x7f000035
#define OTHER_SERVER 0x7f000036
#define GUEST 0x7f000100
#define RESOLV "/run/resolv.conf"
#define QUERIES 8
/* How long the test waits for what must come, milliseconds. */
#define PATIENCE_MS 20000
#define LARGEST 4000

static struct dns_context context;
static struct dns_config config;
static struct dns_counters counters;

/* A message, with two bytes of length before it for TCP. */
struct message {
	size_t length;
	uint8_t bytes[2 + LARGEST];
};

static inline struct sockaddr_in dns_address(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(port)};
}

/* A socket bound to `ip` and `port`; a listening one for SOCK_STREAM and a port. */
static inline int dns_socket(int type, uint32_t ip, uint16_t port)
{
	struct sockaddr_in address = dns_address(ip, port);
	const int on = 1;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail_msg("bind: %s", strerror(errno));
	if (type == SOCK_STREAM && port)
		assert_int_equal(listen(fd, 64), 0);
	return fd;
}

/* A guest's socket, connected to ours. */
static inline int dns_guest(int type, unsigned int number)
{
	struct sockaddr_in address = dns_address(OURS, 53);
	int fd = dns_socket(type, GUEST + number, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

static inline void dns_wait(int fd, short events)
{
	struct pollfd wait = {.fd = fd, .events = events};

	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
}

static inline bool dns_has_input(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, 0) == 1;
}

/* Serves one round of events, for which it waits. */
static inline void dns_pump(void)
{
	struct epoll_event events[64];
	int count = epoll_wait(context.epoll_fd, events, 64, PATIENCE_MS);

	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		uint32_t index = (uint32_t)events[i].data.u64;
		switch ((enum dns_tag)(events[i].data.u64 >> 32)) {
		case DNS_TAG_UDP:
			dns_udp_listen(&context);
			break;
		case DNS_TAG_TCP:
			dns_tcp_listen(&context);
			break;
		case DNS_TAG_QUERY:
			dns_udp_receive(&context, index);
			break;
		case DNS_TAG_STREAM:
			dns_tcp_run(&context, index);
			break;
		}
	}
}

/* Serves until there is something to read at `fd`. */
static inline void dns_pump_until(int fd)
{
	for (;;) {
		struct pollfd wait[] = {
			{.fd = fd, .events = POLLIN}, {.fd = context.epoll_fd, .events = POLLIN}};
		assert_true(poll(wait, 2, PATIENCE_MS) > 0);
		if (wait[0].revents)
			return;
		dns_pump();
	}
}

/* Time passes, and what is due happens. */
static inline void dns_pass(uint64_t ns)
{
	context.now_ns += ns;
	context.next_ns = UINT64_MAX;
	dns_udp_expire(&context);
	dns_tcp_expire(&context);
}

/* Servers for resolv.conf, each with a different number of bytes: clocks of files are coarse. */
static inline void dns_resolv(const char *text)
{
	FILE *file = fopen(RESOLV, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline int dns_setup(void **state)
{
	memset(&counters, 0, sizeof(counters));
	memset(&context, 0, sizeof(context));
	config = (struct dns_config){
		.udp_fd = dns_socket(SOCK_DGRAM, OURS, 53),
		.tcp_fd = dns_socket(SOCK_STREAM, OURS, 53),
		.resolver_path = RESOLV,
		.names = {.host_be = htonl(OURS)},
		.counters = &counters,
	};
	context.config = &config;
	context.now_ns = 1000;
	context.next_ns = UINT64_MAX;
	context.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	context.resolver = (struct dns_resolver){.path = RESOLV, .own_be = config.names.host_be};
	context.queries_max = QUERIES;
	context.queries = calloc(QUERIES, sizeof(*context.queries));
	for (unsigned int i = 0; i < QUERIES; i++)
		context.queries[i].fd = -1;
	for (unsigned int i = 0; i < DNS_STREAMS_MAX; i++)
		context.streams[i] = (struct dns_stream){.client = -1, .server = -1};
	dns_resolv("nameserver 127.0.0.53\n");
	assert_int_equal(dns_server_watch(&context, config.udp_fd, EPOLLIN, DNS_TAG_UDP, 0), 0);
	assert_int_equal(dns_server_watch(&context, config.tcp_fd, EPOLLIN, DNS_TAG_TCP, 0), 0);
	return 0;
}

/* Closes every descriptor but the standard ones: sockets of servers, guests and ours. */
static inline int dns_teardown(void **state)
{
	for (unsigned int i = 0; i < DNS_STREAMS_MAX; i++) {
		free(context.streams[i].query);
		free(context.streams[i].answer);
	}
	free(context.queries);
	return close_range(3, ~0U, 0);
}

/* A? NAME, which is one label and "example". */
static inline struct message dns_query(uint16_t id, const char *label)
{
	static const uint8_t rest[] = {7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1};
	struct message query = {.bytes = {0, 0, (uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1}};
	uint8_t *begin = query.bytes + 2, *at = begin + DNS_HEADER;

	*at++ = (uint8_t)strlen(label);
	while (*label)
		*at++ = (uint8_t)*label++;
	memcpy(at, rest, sizeof(rest));
	query.length = (size_t)(at - begin) + sizeof(rest);
	return query;
}

/* A query for another name altogether, as on the wire. */
static inline struct message dns_query_wire(uint16_t id, const char *name, size_t length)
{
	struct message query = {.bytes = {0, 0, (uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1}};

	memcpy(query.bytes + 2 + DNS_HEADER, name, length);
	memcpy(query.bytes + 2 + DNS_HEADER + length, "\0\1\0\1", 4);
	query.length = DNS_HEADER + length + 4;
	return query;
}

static inline uint16_t dns_id(const struct message *message)
{
	return (uint16_t)(message->bytes[2] << 8 | message->bytes[3]);
}

static inline int dns_rcode(const struct message *message)
{
	return message->bytes[2 + 3] & 15;
}

/* An answer to `query`: its bytes, the bit that says so, and `more` bytes behind it. */
static inline struct message dns_answer(const struct message *query, size_t more)
{
	struct message answer = *query;

	answer.bytes[2 + 2] |= 0x80;
	assert_true(answer.length + more <= LARGEST);
	memset(answer.bytes + 2 + answer.length, 0xa5, more);
	answer.length += more;
	return answer;
}

static inline void dns_expect_same(const struct message *message, const struct message *expected)
{
	assert_int_equal(message->length, expected->length);
	assert_memory_equal(message->bytes + 2, expected->bytes + 2, expected->length);
}

/* A counter is to have that value. */
#define dns_expect_counted(name, value) assert_int_equal(counters.name, value)
#define dns_expect_dropped(reason, value) assert_int_equal(counters.drops[reason], value)
