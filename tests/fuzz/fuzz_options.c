/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line: each line of the input is an argument. Whatever it is, it is refused in one
 * line, or what it asks for can be built.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/options.h"

#define ARGUMENTS_MAX 200

static void check_refusal(const char *error)
{
	size_t length = strnlen(error, OPTIONS_ERROR_CAPACITY);
	assert(length > 0 && length < OPTIONS_ERROR_CAPACITY);
}

static bool share_a_port(const struct host_forward *a, const struct host_forward *b)
{
	return a->protocol == b->protocol && a->listen_port < b->listen_port + b->count &&
	       b->listen_port < a->listen_port + a->count;
}

static void check_forwards(const struct options *options)
{
	assert(options->forward_count <= OPTIONS_FORWARDS_MAX);
	for (unsigned int i = 0; i < options->forward_count; i++) {
		const struct host_forward *forward = &options->forwards[i];
		uint32_t mask = UINT32_MAX << (32 - options->prefix);

		assert(forward->count > 0 && forward->listen_port > 0 && forward->to_port > 0);
		assert(forward->listen_port + forward->count <= 65536);
		assert(forward->to_port + forward->count <= 65536);
		assert((forward->to_be.s_addr & __builtin_bswap32(mask)) == options->lan_be);
		for (unsigned int j = 0; j < i; j++)
			assert(!share_a_port(forward, &options->forwards[j]));
	}
}

static void check(const struct options *options)
{
	struct nat_config nat = options_nat_config(options);

	assert(options->socket_count > 0 && options->socket_count <= OPTIONS_SOCKETS_MAX);
	assert((nat_memory_size(&nat) > 0) == (options->nat == OPTIONS_NAT_USER));
	check_forwards(options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct options options;
	char *text = malloc(size + 1), *rest = text;
	char *argv[ARGUMENTS_MAX + 1] = {"chnet-vhost"};
	char error[OPTIONS_ERROR_CAPACITY] = "";
	enum options_action action;
	int argc = 1;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	while (rest && argc < ARGUMENTS_MAX)
		argv[argc++] = strsep(&rest, "\n");
	if (options_parse(argc, argv, &options, &action, error, sizeof(error)) < 0)
		check_refusal(error);
	else if (action == OPTIONS_RUN)
		check(&options);
	free(text);
	return 0;
}
