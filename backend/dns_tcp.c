/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DNS over TCP (RFC 7766): a client's connection is paired with one to a server, opened by the
 * first query that is forwarded. One message at a time is under way in each direction; up to
 * DNS_PIPELINE_MAX queries wait for answers, which may come in any order. Whoever can read or write
 * is run until nothing moves any more, which is what edge-triggered events ask for, but for
 * DNS_BURST turns at a time.
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

/* `reason`: why queries that wait get no answer. */
static void end_stream(struct dns_context *context, struct dns_stream *stream, enum dns_drop reason)
{
	context->stream_count--;
	context->config->counters->drops[reason] += stream->pending_count + stream->routed;
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
		context->config->counters->tries_refused++;
		close_fd(&stream->server);
	}
	return false;
}

static void put_answer(struct dns_pipe *pipe, const uint8_t *message, size_t length)
{
	pipe->bytes[0] = (uint8_t)(length >> 8);
	pipe->bytes[1] = (uint8_t)length;
	memcpy(pipe->bytes + 2, message, length);
	pipe->filled = 2 + length;
}

/* Answers the query in the pipe, or sees that it goes on to the server. */
static enum step route(struct dns_context *context, struct dns_stream *stream)
{
	struct dns_pipe *query = stream->query, *answer = stream->answer;
	struct dns_question question;
	uint8_t made[DNS_ANSWER_MAX];

	if (!is_full(query) || stream->routed || answer->filled ||
		stream->pending_count == DNS_PIPELINE_MAX)
		return STEP_STUCK;
	int length =
		dns_server_answer(context, query->bytes + 2, query->filled - 2, &question, made);
	context->config->counters->queries_tcp++;
	if (length < 0)
		return STEP_ENDED;
	if (length == 0) {
		stream->pending[stream->pending_count] = (struct dns_pending){
			.id = dns_message_id(query->bytes + 2), .question = question};
		stream->routed = true;
		stream->tries = 0;
		context->config->counters->forwarded++;
		return STEP_MOVED;
	}
	query->filled = 0;
	put_answer(answer, made, (size_t)length);
	return STEP_MOVED;
}

/* No server takes the query: its client is told. No answer is under way, since none is owed. */
static enum step fail(struct dns_context *context, struct dns_stream *stream)
{
	struct dns_pipe *query = stream->query;
	uint8_t made[DNS_ANSWER_MAX];

	dns_server_drop(context, DNS_DROP_NO_SERVER);
	size_t length = dns_message_answer(query->bytes + 2,
		&stream->pending[stream->pending_count].question, DNS_RCODE_FAILURE, NULL, made);
	stream->routed = false;
	query->filled = 0;
	put_answer(stream->answer, made, length);
	return STEP_MOVED;
}

/* Whether the server has refused or ended the connection, which may have been idle for long. */
static bool has_hung_up(int fd)
{
	uint8_t byte;
	ssize_t length = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return length == 0 || (length < 0 && errno != EAGAIN);
}

static enum step to_server(struct dns_context *context, struct dns_stream *stream)
{
	if (!stream->routed)
		return STEP_STUCK;
	if (stream->server < 0 && !connect_server(context, stream))
		return fail(context, stream);
	/* This one has no part of it, and owes no answers: another one may be asked. */
	bool is_first = !stream->query->drained && !stream->pending_count;
	enum step step = is_first && has_hung_up(stream->server)
				 ? STEP_ENDED
				 : drain(stream->query, stream->server);
	if (step == STEP_ENDED && is_first) {
		context->config->counters->tries_refused++;
		close_fd(&stream->server);
		return STEP_MOVED;
	}
	if (step == STEP_MOVED && !stream->query->filled) {
		stream->routed = false;
		stream->pending_count++;
	}
	return step;
}

/* Whether a whole answer is to a query that waits; that one waits no more. */
static bool is_owed(struct dns_stream *stream)
{
	const struct dns_pipe *answer = stream->answer;

	for (unsigned int i = 0; i < stream->pending_count; i++) {
		const struct dns_pending *pending = &stream->pending[i];
		if (!dns_message_answers(
			    answer->bytes + 2, answer->filled - 2, pending->id, &pending->question))
			continue;
		/* The one behind them, if any, moves up as well. */
		stream->pending_count--;
		memmove(&stream->pending[i], &stream->pending[i + 1],
			(stream->pending_count + 1 - i) * sizeof(*pending));
		return true;
	}
	return false;
}

static enum step from_server(struct dns_context *context, struct dns_stream *stream)
{
	struct dns_pipe *answer = stream->answer;

	if (stream->server < 0 || !stream->pending_count || is_full(answer))
		return STEP_STUCK;
	enum step step = fill(answer, stream->server);
	if (step != STEP_MOVED || !is_full(answer))
		return step;
	if (is_owed(stream)) {
		context->config->counters->answers++;
	} else {
		dns_server_drop(context, DNS_DROP_FORGED);
		answer->filled = 0;
	}
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
			step = from_server(context, stream);
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
	return stream->ended && !is_full(stream->query) && !stream->pending_count &&
	       !stream->answer->filled;
}

static void touch(struct dns_context *context, struct dns_stream *stream)
{
	stream->end_ns = context->now_ns + DNS_IDLE_NS;
	if (stream->end_ns < context->next_ns)
		context->next_ns = stream->end_ns;
}

/* Others have their turn; what can move is told of again. */
static void go_on_later(struct dns_context *context, struct dns_stream *stream, uint32_t index)
{
	if (dns_server_watch(context, stream->client, EPOLLIN | EPOLLOUT, DNS_TAG_STREAM, index) <
		0)
		end_stream(context, stream, DNS_DROP_STREAM_LOST);
}

void dns_tcp_run(struct dns_context *context, uint32_t index)
{
	struct dns_stream *stream = &context->streams[index];
	enum step step = STEP_MOVED;

	for (int count = 0; stream->client >= 0 && step == STEP_MOVED; count++) {
		if (count == DNS_BURST) {
			go_on_later(context, stream, index);
			return;
		}
		step = turn(context, stream);
		if (step == STEP_ENDED || is_finished(stream))
			end_stream(context, stream, DNS_DROP_STREAM_LOST);
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
		dns_server_drop(
			context, place ? DNS_DROP_GUEST_STREAMS_FULL : DNS_DROP_STREAMS_FULL);
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
		end_stream(context, place, DNS_DROP_STREAM_LOST);
}

void dns_tcp_listen(struct dns_context *context)
{
	for (int n = 0; n < DNS_BURST; n++) {
		struct sockaddr_in address = {0};
		socklen_t size = sizeof(address);
		int fd = accept4(context->config->tcp_fd, (struct sockaddr *)&address, &size,
			SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			take(context, fd, &address);
		else if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
	dns_server_watch(context, context->config->tcp_fd, EPOLLIN, DNS_TAG_TCP, 0);
}

void dns_tcp_expire(struct dns_context *context)
{
	for (unsigned int i = 0; context->stream_count && i < DNS_STREAMS_MAX; i++) {
		struct dns_stream *stream = &context->streams[i];
		if (stream->client < 0)
			continue;
		if (stream->end_ns <= context->now_ns)
			end_stream(context, stream, DNS_DROP_STREAM_IDLE);
		else if (stream->end_ns < context->next_ns)
			context->next_ns = stream->end_ns;
	}
}
