/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest and a server that write whatever they like to their ends of a pair of connections, in any
 * pieces. Whatever the guest reads must be whole messages, as many as its own queries at the most;
 * and what came from the server an answer to one of them.
 *
 * The input is a list of steps. The first byte of each says who writes (or that the guest says no
 * more), and the second how many bytes follow for it; they are written as they are, or as a whole
 * message for the name and id that the first of them choose among a few.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/dns_server.h"
#include "tests/fuzz/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
	STEP_GUEST,	     /* bytes as they are */
	STEP_SERVER,	     /* likewise */
	STEP_GUEST_MESSAGE,  /* a query */
	STEP_SERVER_MESSAGE, /* an answer */
	STEP_END,	     /* the guest says no more */
	STEP_COUNT,
};

static struct dns_context context;
static struct dns_counters counters;
static struct dns_config config = {.counters = &counters, .udp_fd = -1, .tcp_fd = -1};
static int guest, server;
/* What the guest has read and not looked at yet. */
static uint8_t got[1 << 20];
static size_t got_length;
static uint64_t answers;
/* What the guest has written. */
static uint8_t asked[1 << 16];
static size_t asked_length;

static void start(void)
{
	struct dns_stream *stream = &context.streams[0];
	int pair[2];

	if (!context.epoll_fd)
		context.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	memset(&counters, 0, sizeof(counters));
	context.config = &config;
	context.now_ns = 1;
	context.next_ns = UINT64_MAX;
	context.stream_count = 1;
	*stream = (struct dns_stream){.query = calloc(1, sizeof(struct dns_pipe)),
		.answer = calloc(1, sizeof(struct dns_pipe))};
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	stream->client = pair[0];
	guest = pair[1];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	stream->server = pair[0];
	server = pair[1];
	got_length = asked_length = answers = 0;
}

static void stop(void)
{
	struct dns_stream *stream = &context.streams[0];

	if (stream->client >= 0) {
		close(stream->client);
		close(stream->server);
		free(stream->query);
		free(stream->answer);
	}
	close(guest);
	close(server);
}

static void put(int fd, const uint8_t *bytes, size_t length)
{
	if (fd == guest && length > sizeof(asked) - asked_length)
		return;
	/* A full socket, or one whose other end is closed: lost. */
	ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
	if (sent > 0 && fd == guest) {
		memcpy(asked + asked_length, bytes, (size_t)sent);
		asked_length += (size_t)sent;
	}
}

/* Whether the guest has asked what `length` bytes answer. */
static bool was_asked(const uint8_t *answer, size_t length)
{
	struct dns_question question;

	for (size_t at = 0; asked_length - at >= 2;) {
		size_t size = (size_t)(asked[at] << 8 | asked[at + 1]);
		const uint8_t *query = asked + at + 2;
		if (asked_length - at - 2 < size)
			return false;
		if (dns_message_read(query, size, false, &question) == 0 &&
			dns_message_answers(answer, length, dns_message_id(query), &question))
			return true;
		at += 2 + size;
	}
	return false;
}

static void put_message(int fd, const uint8_t *bytes, size_t length, uint8_t flags)
{
	uint8_t message[2 + 512] = {0};
	static const uint8_t question[] = {
		1, 'a', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1};

	if (length < 2)
		return;
	length = length < 200 ? length : 200;
	message[1] = (uint8_t)(DNS_HEADER + sizeof(question) + length - 2);
	message[3] = bytes[0] % 4;
	message[4] = flags;
	message[7] = 1;
	memcpy(message + 2 + DNS_HEADER, question, sizeof(question));
	message[2 + DNS_HEADER + 1] = (uint8_t)('a' + bytes[1] % 4);
	memcpy(message + 2 + DNS_HEADER + sizeof(question), bytes + 2, length - 2);
	put(fd, message, 2u + message[1]);
}

/* The server reads all the time, or nobody could write for long. */
static void drain_server(void)
{
	static uint8_t bytes[1 << 16];

	while (recv(server, bytes, sizeof(bytes), 0) > 0)
		;
}

static void read_guest(void)
{
	size_t at = 0;

	for (;;) {
		ssize_t length = recv(guest, got + got_length, sizeof(got) - got_length, 0);
		if (length <= 0)
			break;
		got_length += (size_t)length;
	}
	while (got_length - at >= 2) {
		size_t length = (size_t)(got[at] << 8 | got[at + 1]);
		struct dns_question question;
		if (got_length - at - 2 < length)
			break;
		CHECK(length >= DNS_HEADER && got[at + 4] & 0x80);
		/* Without a question, it says that the query was none. */
		if (dns_message_read(got + at + 2, length, true, &question) == 0)
			CHECK(was_asked(got + at + 2, length));
		else
			CHECK((got[at + 5] & 15) != DNS_RCODE_OK);
		answers++;
		at += 2 + length;
	}
	memmove(got, got + at, got_length - at);
	got_length -= at;
	CHECK(answers <= counters.answers + counters.answers_own);
	CHECK(counters.answers + context.streams[0].pending_count <= counters.forwarded);
	CHECK(context.streams[0].pending_count <= DNS_PIPELINE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	while (size >= 2 && context.streams[0].client >= 0) {
		enum step step = data[0] % STEP_COUNT;
		size_t length = data[1];
		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		switch (step) {
		case STEP_GUEST:
			put(guest, data, length);
			break;
		case STEP_SERVER:
			put(server, data, length);
			break;
		case STEP_GUEST_MESSAGE:
			put_message(guest, data, length, 0x01);
			break;
		case STEP_SERVER_MESSAGE:
			put_message(server, data, length, 0x81);
			break;
		case STEP_END:
			shutdown(guest, SHUT_WR);
			break;
		case STEP_COUNT:
			break;
		}
		dns_tcp_run(&context, 0);
		drain_server();
		read_guest();
		data += length;
		size -= length;
	}
	stop();
	return 0;
}
