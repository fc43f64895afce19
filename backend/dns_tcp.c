/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DNS over TCP (RFC 7766): a client's connection is paired with one to a server, opened by the
 * first query that is forwarded. One message at a time is under way in each direction. Whoever can
 * read or write is run until nothing moves any more, which is what edge-triggered events ask for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/dns_server.h"

/* What a step came to. */
enum step {
	STEP_STUCK, /* nothing can move */
	STEP_MOVED,
	STEP_ENDED, /* the other side says no more, or is gone */
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void end_stream(struct dns_context *context, struct dns_stream *stream)
{
	if (stream->client >= 0)
		context->stream_count--;
	close_fd(&stream->client);
	close_fd(&stream->server);
	free(stream->query);
	free(stream->answer);
	*stream = (struct dns_stream){.client = -1, .server = -1};
}

/* How long the message in a pipe is, its two bytes of length included; 2 as long as unknown. */
static size_t whole(const struct dns_pipe *pipe)
{
	return pipe->filled < 2 ? 2 : 2 + (size_t)(pipe->bytes[0] << 8 | pipe->bytes[1]);
}

static bool is_full(const struct dns_pipe *pipe)
{
	return pipe->filled >= 2 && pipe->filled == whole(pipe);
}

static enum step fill(struct dns_pipe *pipe, int fd)
{
	if (is_full(pipe))
		return STEP_STUCK;
	ssize_t length =
		recv(fd, pipe->bytes + pipe->filled, whole(pipe) - pipe->filled, MSG_DONTWAIT);
	if (length < 0 && errno == EAGAIN)
		return STEP_STUCK;
	if (length <= 0)
		return STEP_ENDED;
	pipe->filled += (size_t)length;
	return STEP_MOVED;
}

/* Writes a full pipe; empties it when all is written. */
static enum step drain(struct dns_pipe *pipe, int fd)
{
	if (!is_full(pipe))
		return STEP_STUCK;
	ssize_t length = send(fd, pipe->bytes + pipe->drained, pipe->filled - pipe->drained,
		MSG_DONTWAIT | MSG_NOSIGNAL);
	if (length < 0 && errno == EAGAIN)
		return STEP_STUCK;
	if (length < 0)
		return STEP_ENDED;
	pipe->drained += (size_t)length;
	if (pipe->drained == pipe->filled)
		pipe->filled = pipe->drained = 0;
	return STEP_MOVED;
}

/* Connects to the next server. False when all were tried. */
static bool connect_server(struct dns_context *context, struct dns_stream *stream)
{
	uint32_t index = (uint32_t)(stream - context->streams);

	dns_resolver_refresh(&context->resolver);
	while (stream->tries < DNS_TRIES) {
		const struct dns_server *server =
			&context->resolver.servers[stream->tries++ % context->resolver.count];
		stream->server = socket(
			server->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (stream->server < 0)
			return false;
		int result = connect(
			stream->server, (const struct sockaddr *)&server->address, server->length);
		if ((result == 0 || errno == EINPROGRESS) &&
			dns_server_watch(context, stream->server, EPOLLIN | EPOLLOUT,
				DNS_TAG_STREAM, index) == 0)
			return true;
		close_fd(&stream->server);
	}
	return false;
}

/* Answers the query in the pipe, or sees that it goes on to the server. */
static enum step route(struct dns_context *context, struct dns_stream *stream)
{
	struct dns_pipe *query = stream->query, *answer = stream->answer;
	struct dns_question question;
	uint8_t made[DNS_ANSWER_MAX];

	if (!is_full(query) || stream->routed || answer->filled)
		return STEP_STUCK;
	int length =
		dns_server_answer(context, query->bytes + 2, query->filled - 2, &question, made);
	if (length < 0)
		return STEP_ENDED;
	if (length == 0) {
		stream->routed = true;
		stream->tries = 0;
		return STEP_MOVED;
	}
	answer->bytes[0] = (uint8_t)(length >> 8);
	answer->bytes[1] = (uint8_t)length;
	memcpy(answer->bytes + 2, made, (size_t)length);
	answer->filled = 2 + (size_t)length;
	query->filled = 0;
	return STEP_MOVED;
}

static enum step to_server(struct dns_context *context, struct dns_stream *stream)
{
	if (!stream->routed)
		return STEP_STUCK;
	if (stream->server < 0 && !connect_server(context, stream))
		return STEP_ENDED;
	enum step step = drain(stream->query, stream->server);
	/* Not connected: the next one, unless this one has part of it or owes answers. */
	if (step == STEP_ENDED && !stream->query->drained && !stream->waiting) {
		close_fd(&stream->server);
		return STEP_MOVED;
	}
	if (step == STEP_MOVED && !stream->query->filled) {
		stream->routed = false;
		stream->waiting++;
	}
	return step;
}

static enum step from_server(struct dns_stream *stream)
{
	if (stream->server < 0 || !stream->waiting)
		return STEP_STUCK;
	enum step step = fill(stream->answer, stream->server);
	if (step == STEP_MOVED && is_full(stream->answer))
		stream->waiting--;
	return step;
}

static enum step from_client(struct dns_stream *stream)
{
	if (stream->ended)
		return STEP_STUCK;
	enum step step = fill(stream->query, stream->client);
	if (step != STEP_ENDED)
		return step;
	stream->ended = true; /* but it may wait for answers */
	return STEP_MOVED;
}

/* One step of each kind. */
static enum step turn(struct dns_context *context, struct dns_stream *stream)
{
	enum step step, best = STEP_STUCK;

	for (int kind = 0; kind < 5; kind++) {
		switch (kind) {
		case 0:
			step = from_client(stream);
			break;
		case 1:
			step = route(context, stream);
			break;
		case 2:
			step = to_server(context, stream);
			break;
		case 3:
			step = from_server(stream);
			break;
		default:
			step = drain(stream->answer, stream->client);
			break;
		}
		if (step == STEP_ENDED)
			return STEP_ENDED;
		if (step == STEP_MOVED)
			best = STEP_MOVED;
	}
	return best;
}

static bool is_finished(const struct dns_stream *stream)
{
	return stream->ended && !is_full(stream->query) && !stream->waiting &&
	       !stream->answer->filled;
}

static void touch(struct dns_context *context, struct dns_stream *stream)
{
	stream->end_ns = context->now_ns + DNS_IDLE_NS;
	if (stream->end_ns < context->next_ns)
		context->next_ns = stream->end_ns;
}

void dns_tcp_run(struct dns_context *context, uint32_t index)
{
	struct dns_stream *stream = &context->streams[index];
	enum step step = STEP_MOVED;

	while (stream->client >= 0 && step == STEP_MOVED) {
		step = turn(context, stream);
		if (step == STEP_ENDED || is_finished(stream))
			end_stream(context, stream);
		else if (step == STEP_MOVED)
			touch(context, stream);
	}
}

static void take(struct dns_context *context, int fd, const struct sockaddr_in *address)
{
	struct dns_stream *place = NULL;
	unsigned int count = 0;

	for (unsigned int i = 0; i < DNS_STREAMS_MAX; i++) {
		struct dns_stream *stream = &context->streams[i];
		if (stream->client < 0)
			place = place ? place : stream;
		else
			count += stream->address.sin_addr.s_addr == address->sin_addr.s_addr;
	}
	if (!place || count >= DNS_STREAMS_MAX / 4) {
		close(fd);
		return;
	}
	place->client = fd;
	place->address = *address;
	place->query = calloc(1, sizeof(*place->query));
	place->answer = calloc(1, sizeof(*place->answer));
	context->stream_count++;
	touch(context, place);
	uint32_t index = (uint32_t)(place - context->streams);
	if (!place->query || !place->answer ||
		dns_server_watch(context, fd, EPOLLIN | EPOLLOUT, DNS_TAG_STREAM, index) < 0)
		end_stream(context, place);
}

void dns_tcp_listen(struct dns_context *context)
{
	for (;;) {
		struct sockaddr_in address = {0};
		socklen_t size = sizeof(address);
		int fd = accept4(context->config->tcp_fd, (struct sockaddr *)&address, &size,
			SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			take(context, fd, &address);
		else if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

void dns_tcp_expire(struct dns_context *context)
{
	for (unsigned int i = 0; context->stream_count && i < DNS_STREAMS_MAX; i++) {
		struct dns_stream *stream = &context->streams[i];
		if (stream->client < 0)
			continue;
		if (stream->end_ns <= context->now_ns)
			end_stream(context, stream);
		else if (stream->end_ns < context->next_ns)
			context->next_ns = stream->end_ns;
	}
}
