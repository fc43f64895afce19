/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/options_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/options_value.h"

/* A parser on a copy of the options, which the caller frees; NULL: out of memory. */
static struct options *begin(struct options_parser *parser, const struct options *options,
	const char *what, char *error, size_t size)
{
	struct options *copy = malloc(sizeof(*copy));

	if (!copy) {
		snprintf(error, size, "out of memory");
		return NULL;
	}
	*copy = *options;
	*parser = (struct options_parser){.options = copy, .error = error, .error_size = size};
	options_at(parser, "%s", what);
	return copy;
}

int options_change_add_socket(struct options *options, const char *spec, unsigned int *ret_index,
	char *error, size_t size)
{
	struct options_parser parser;
	struct options *copy = begin(&parser, options, "port", error, size);
	unsigned int index = 0;

	if (!copy)
		return -ENOMEM;
	while (index < copy->socket_count && copy->sockets[index].path[0])
		index++;
	int result = options_socket_parse(&parser, spec);
	if (!result)
		result = options_socket_check_all(&parser);
	if (!result) {
		*options = *copy;
		*ret_index = index;
	}
	free(copy);
	return result;
}

bool options_change_has_socket(const struct options *options, unsigned int index)
{
	return index < options->socket_count && options->sockets[index].path[0];
}

void options_change_remove_socket(struct options *options, unsigned int index)
{
	options->sockets[index] = (struct options_socket){0};
	while (options->socket_count && !options->sockets[options->socket_count - 1].path[0])
		options->socket_count--;
}

int options_change_add_forward(struct options *options, const char *spec, char *error, size_t size)
{
	struct options_parser parser;
	struct options *copy = begin(&parser, options, "forward", error, size);

	if (!copy)
		return -ENOMEM;
	int result = options_forward_parse(&parser, spec);
	if (!result)
		result = options_forward_check(&parser);
	if (!result)
		*options = *copy;
	free(copy);
	return result;
}

static bool is_same(const struct host_forward *a, const struct host_forward *b)
{
	return a->protocol == b->protocol && a->listen_be.s_addr == b->listen_be.s_addr &&
	       a->listen_port == b->listen_port && a->to_be.s_addr == b->to_be.s_addr &&
	       a->to_port == b->to_port && a->count == b->count;
}

int options_change_find_forward(const struct options *options, const char *spec,
	unsigned int *ret_index, char *error, size_t size)
{
	struct options_parser parser;
	struct options *copy = begin(&parser, options, "forward", error, size);

	if (!copy)
		return -ENOMEM;
	/* Alone, so that it does not meet itself. */
	copy->forward_count = 0;
	int result = options_forward_parse(&parser, spec);
	for (unsigned int i = 0; !result && i < options->forward_count; i++) {
		if (!is_same(&options->forwards[i], &copy->forwards[0]))
			continue;
		*ret_index = i;
		free(copy);
		return 0;
	}
	free(copy);
	if (result)
		return result;
	snprintf(error, size, "there is no forward %s: the list of forwards has all of them", spec);
	return -ENOENT;
}

void options_change_remove_forward(struct options *options, unsigned int index)
{
	options->forward_count--;
	memmove(&options->forwards[index], &options->forwards[index + 1],
		(options->forward_count - index) * sizeof(options->forwards[0]));
}

/* ":port" or ":low-high" behind what is there. */
static size_t show_ports(char *text, size_t at, uint16_t low, uint16_t count)
{
	int length = count == 1 ? snprintf(text + at, OPTIONS_FORWARD_TEXT - at, "%u", low)
				: snprintf(text + at, OPTIONS_FORWARD_TEXT - at, "%u-%u", low,
					  low + count - 1u);
	return at + (size_t)length;
}

void options_show_forward(const struct host_forward *forward, char text[OPTIONS_FORWARD_TEXT])
{
	char address[INET_ADDRSTRLEN];
	size_t at = (size_t)snprintf(text, OPTIONS_FORWARD_TEXT,
		"%s:", forward->protocol == IPPROTO_TCP ? "tcp" : "udp");

	if (forward->listen_be.s_addr)
		at += (size_t)snprintf(text + at, OPTIONS_FORWARD_TEXT - at,
			"%s:", options_show_ipv4(forward->listen_be.s_addr, address));
	at = show_ports(text, at, forward->listen_port, forward->count);
	at += (size_t)snprintf(text + at, OPTIONS_FORWARD_TEXT - at,
		"=%s:", options_show_ipv4(forward->to_be.s_addr, address));
	show_ports(text, at, forward->to_port, forward->count);
}
