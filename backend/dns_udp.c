/* SPDX-License-Identifier: BSD-3-Clause */
/* DNS over UDP: a table of queries that wait for their answers. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/dns_server.h"

static void send_to_client(const struct dns_context *context, const struct sockaddr_in *client,
	const uint8_t *message, size_t length)
{
	/* A client that is gone, or a full buffer: the client asks again. */
	if (sendto(context->config->udp_fd, message, length, MSG_DONTWAIT,
		    (const struct sockaddr *)client, sizeof(*client)) < 0)
		dns_server_drop(context, DNS_DROP_SEND);
}

static void end_query(struct dns_context *context, struct dns_query *query)
{
	if (query->fd >= 0) {
		close(query->fd);
		context->query_count--;
	}
	query->fd = -1;
}

/* Sends the query to one server. 0 or a negative errno. */
static int try_server(struct dns_context *context, struct dns_query *query,
	const struct dns_server *server, uint32_t index)
{
	uint16_t id;

	int fd = socket(server->address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (getrandom(&id, sizeof(id), 0) != sizeof(id) ||
		connect(fd, (const struct sockaddr *)&server->address, server->length) < 0 ||
		dns_server_watch(context, fd, EPOLLIN, DNS_TAG_QUERY, index) < 0)
		goto fail;
	query->id = id;
	dns_message_set_id(query->message, id);
	if (send(fd, query->message, query->length, 0) < 0)
		goto fail;
	query->fd = fd;
	query->end_ns = context->now_ns + DNS_TRY_NS;
	if (query->end_ns < context->next_ns)
		context->next_ns = query->end_ns;
	context->query_count++;
	return 0;
fail:;
	int error = -errno;
	close(fd);
	return error;
}

/* Asks the next server; after the last try, tells the client. */
static void ask(struct dns_context *context, struct dns_query *query)
{
	uint8_t answer[DNS_ANSWER_MAX];
	uint32_t index = (uint32_t)(query - context->queries);

	end_query(context, query);
	dns_resolver_refresh(&context->resolver);
	while (query->tries < DNS_TRIES) {
		unsigned int number = query->tries++ % context->resolver.count;
		if (!try_server(context, query, &context->resolver.servers[number], index))
			return;
		context->config->counters->tries_refused++;
	}
	dns_server_drop(context, DNS_DROP_NO_SERVER);
	dns_message_set_id(query->message, query->client_id);
	size_t length = dns_message_answer(
		query->message, &query->question, DNS_RCODE_FAILURE, NULL, answer);
	send_to_client(context, &query->client, answer, length);
}

/* A place for one more query of this client; NULL: it, or everybody, has too many. */
static struct dns_query *find_place(struct dns_context *context, const struct sockaddr_in *client)
{
	struct dns_query *place = NULL;
	unsigned int count = 0;

	for (unsigned int i = 0; i < context->queries_max; i++) {
		struct dns_query *query = &context->queries[i];
		if (query->fd < 0)
			place = place ? place : query;
		else
			count += query->client.sin_addr.s_addr == client->sin_addr.s_addr;
	}
	if (count < context->queries_max / 2 && place)
		return place;
	dns_server_drop(context, place ? DNS_DROP_GUEST_FULL : DNS_DROP_TABLE_FULL);
	return NULL;
}

static void take(struct dns_context *context, const struct sockaddr_in *client, size_t length)
{
	uint8_t answer[DNS_ANSWER_MAX];
	struct dns_question question;
	int made = dns_server_answer(context, context->buffer, length, &question, answer);

	context->config->counters->queries_udp++;
	if (made > 0)
		send_to_client(context, client, answer, (size_t)made);
	if (made != 0)
		return;
	if (length > DNS_QUERY_MAX) {
		dns_server_drop(context, DNS_DROP_TOO_LONG);
		return;
	}
	struct dns_query *query = find_place(context, client);
	if (!query)
		return;
	query->client = *client;
	query->client_id = dns_message_id(context->buffer);
	query->question = question;
	query->tries = 0;
	query->length = (uint16_t)length;
	memcpy(query->message, context->buffer, length);
	context->config->counters->forwarded++;
	ask(context, query);
}

void dns_udp_listen(struct dns_context *context)
{
	for (int n = 0; n < DNS_BURST; n++) {
		struct sockaddr_in client = {0};
		socklen_t size = sizeof(client);
		ssize_t length = recvfrom(context->config->udp_fd, context->buffer,
			sizeof(context->buffer), MSG_DONTWAIT, (struct sockaddr *)&client, &size);
		if (length < 0 && errno == EAGAIN)
			return;
		/* Other errors are those of earlier answers (ICMP). */
		if (length >= 0)
			take(context, &client, (size_t)length);
	}
	/* A guest that asks without end holds nobody up. It fails for want of memory alone, and
	 * then the next datagram is an event. */
	dns_server_watch(context, context->config->udp_fd, EPOLLIN, DNS_TAG_UDP, 0);
}

void dns_udp_receive(struct dns_context *context, uint32_t index)
{
	struct dns_query *query = &context->queries[index];

	while (query->fd >= 0) {
		ssize_t length = recv(query->fd, context->buffer, sizeof(context->buffer), 0);
		if (length < 0 && errno == EAGAIN)
			return;
		if (length < 0) {
			context->config->counters->tries_refused++; /* nobody there */
			ask(context, query);
			return;
		}
		if (!dns_message_answers(
			    context->buffer, (size_t)length, query->id, &query->question)) {
			dns_server_drop(context, DNS_DROP_FORGED);
			continue; /* not the answer: it may come yet */
		}
		context->config->counters->answers++;
		dns_message_set_id(context->buffer, query->client_id);
		send_to_client(context, &query->client, context->buffer, (size_t)length);
		end_query(context, query);
	}
}

void dns_udp_expire(struct dns_context *context)
{
	for (unsigned int i = 0; context->query_count && i < context->queries_max; i++) {
		struct dns_query *query = &context->queries[i];
		if (query->fd < 0)
			continue;
		if (query->end_ns <= context->now_ns) {
			context->config->counters->tries_silent++;
			ask(context, query);
		} else if (query->end_ns < context->next_ns) {
			context->next_ns = query->end_ns;
		}
	}
}
