/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dns_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "backend/log.h"

#define EVENTS_MAX 64
/* Descriptors for other things than queries. */
#define OTHER_FDS (2 * DNS_STREAMS_MAX + 32)
#define NS_PER_S 1000000000
#define NS_PER_MS 1000000

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

int dns_server_watch(const struct dns_context *context, int fd, uint32_t events, enum dns_tag tag,
	uint32_t index)
{
	struct epoll_event event = {
		.events = events | EPOLLET, .data.u64 = (uint64_t)tag << 32 | index};

	/* One that is watched already is looked at anew. */
	if (epoll_ctl(context->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ||
		(errno == EEXIST && epoll_ctl(context->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0))
		return 0;
	return -errno;
}

/* 0: the question is not ours to answer. */
static int answer_question(const struct dns_context *context, const uint8_t *query,
	const struct dns_question *question, uint8_t answer[DNS_ANSWER_MAX])
{
	uint32_t now_s = (uint32_t)(context->now_ns / NS_PER_S);
	uint32_t address_be;

	switch (dns_names_find(&context->config->names, question, now_s, &address_be)) {
	case DNS_NAMES_FOUND:
		return (int)dns_message_answer(query, question, DNS_RCODE_OK, &address_be, answer);
	case DNS_NAMES_EMPTY:
		return (int)dns_message_answer(query, question, DNS_RCODE_OK, NULL, answer);
	case DNS_NAMES_UNKNOWN:
		return (int)dns_message_answer(query, question, DNS_RCODE_NO_NAME, NULL, answer);
	case DNS_NAMES_FOREIGN:
		break;
	}
	/* A zone comes in any number of messages; here each query has one answer. */
	if (question->type == DNS_TYPE_AXFR || question->type == DNS_TYPE_IXFR)
		return (int)dns_message_answer(
			query, question, DNS_RCODE_NOT_IMPLEMENTED, NULL, answer);
	return 0;
}

int dns_server_answer(const struct dns_context *context, const uint8_t *query, size_t length,
	struct dns_question *ret_question, uint8_t answer[DNS_ANSWER_MAX])
{
	int error = dns_message_read(query, length, false, ret_question);
	int made;

	/* What is no query is not answered, or two servers could talk for ever. */
	if (error && (length < DNS_HEADER || query[2] & 0x80)) {
		dns_server_drop(context, DNS_DROP_MALFORMED);
		return -1;
	}
	if (error)
		made = (int)dns_message_answer(query, NULL,
			error == -EOPNOTSUPP ? DNS_RCODE_NOT_IMPLEMENTED : DNS_RCODE_FORMAT, NULL,
			answer);
	else
		made = answer_question(context, query, ret_question, answer);
	context->config->counters->answers_own += made > 0;
	return made;
}

static void handle(struct dns_context *context, uint64_t data)
{
	uint32_t index = (uint32_t)data;

	switch ((enum dns_tag)(data >> 32)) {
	case DNS_TAG_UDP:
		dns_udp_listen(context);
		break;
	case DNS_TAG_TCP:
		dns_tcp_listen(context);
		break;
	case DNS_TAG_QUERY:
		dns_udp_receive(context, index);
		break;
	case DNS_TAG_STREAM:
		dns_tcp_run(context, index);
		break;
	}
}

static void expire(struct dns_context *context)
{
	if (context->now_ns < context->next_ns)
		return;
	context->next_ns = UINT64_MAX;
	dns_udp_expire(context);
	dns_tcp_expire(context);
}

static int rest_ms(const struct dns_context *context)
{
	if (context->next_ns == UINT64_MAX)
		return -1;
	if (context->next_ns <= context->now_ns)
		return 0;
	return (int)((context->next_ns - context->now_ns) / NS_PER_MS + 1);
}

static void serve(struct dns_context *context)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		context->now_ns = clock_ns();
		expire(context);
		int count = epoll_wait(context->epoll_fd, events, EVENTS_MAX, rest_ms(context));
		context->now_ns = clock_ns();
		for (int i = 0; i < count; i++)
			handle(context, events[i].data.u64);
	}
}

/* A query costs a descriptor. */
static int make_queries(struct dns_context *context)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_cur <= 2 * OTHER_FDS)
		return -EMFILE;
	context->queries_max = DNS_QUERIES_MAX;
	if (limit.rlim_cur - OTHER_FDS < DNS_QUERIES_MAX)
		context->queries_max = (unsigned int)limit.rlim_cur - OTHER_FDS;
	context->queries = calloc(context->queries_max, sizeof(*context->queries));
	if (!context->queries)
		return -ENOMEM;
	for (unsigned int i = 0; i < context->queries_max; i++)
		context->queries[i].fd = -1;
	for (unsigned int i = 0; i < DNS_STREAMS_MAX; i++)
		context->streams[i] = (struct dns_stream){.client = -1, .server = -1};
	return 0;
}

int dns_server_main(const struct dns_config *config)
{
	/* Too large for a stack. */
	static struct dns_context context;

	context.config = config;
	context.next_ns = UINT64_MAX;
	context.resolver = (struct dns_resolver){
		.path = config->resolver_path, .own_be = config->names.host_be};
	int error = make_queries(&context);
	context.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!error && context.epoll_fd < 0)
		error = -errno;
	if (!error)
		error = dns_server_watch(&context, config->udp_fd, EPOLLIN, DNS_TAG_UDP, 0);
	if (!error)
		error = dns_server_watch(&context, config->tcp_fd, EPOLLIN, DNS_TAG_TCP, 0);
	if (error) {
		log_error("the DNS server does not start: %s", strerror(-error));
		return EXIT_FAILURE;
	}
	serve(&context);
	return EXIT_SUCCESS;
}
