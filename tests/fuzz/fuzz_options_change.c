/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes to a network that runs, as they come over the control line from a data plane that was
 * taken over, or over the API: each line of the input is one, its first byte says what. Refused in
 * one sentence, and then nothing has changed; or what is configured can still be built, and a
 * forward is found again by the text that it is shown as.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/options_change.h"
#include "tests/fuzz/check.h"

static struct options options;
static struct options before;

static void begin(void)
{
	char *argv[] = {"chnet-vhost", "--socket", "/run/a,mac=52:54:00:12:34:56,ip=172.16.0.2",
		"--forward", "tcp:8080=172.16.0.2:80", NULL};
	char error[OPTIONS_ERROR_CAPACITY];
	enum options_action action;

	CHECK(options_parse(5, argv, &options, &action, error, sizeof(error)) == 0);
}

static void check_forwards(void)
{
	char text[OPTIONS_FORWARD_TEXT], error[OPTIONS_ERROR_CAPACITY];
	unsigned int index;

	CHECK(options.forward_count <= OPTIONS_FORWARDS_MAX);
	for (unsigned int i = 0; i < options.forward_count; i++) {
		options_show_forward(&options.forwards[i], text);
		CHECK(strlen(text) < sizeof(text) - 1);
		CHECK(options_change_find_forward(&options, text, &index, error, sizeof(error)) ==
			0);
		CHECK(index == i);
	}
}

static void check_sockets(void)
{
	CHECK(options.socket_count <= OPTIONS_SOCKETS_MAX);
	CHECK(!options.socket_count ||
		options_change_has_socket(&options, options.socket_count - 1));
	for (unsigned int i = 0; i < options.socket_count; i++)
		for (unsigned int j = 0; j < i; j++)
			CHECK(!options.sockets[i].path[0] ||
				strcmp(options.sockets[i].path, options.sockets[j].path) != 0);
}

static void change(const char *line)
{
	char error[OPTIONS_ERROR_CAPACITY] = "";
	unsigned int index = 0;
	int result = 0;

	before = options;
	switch (line[0]) {
	case 's':
		result =
			options_change_add_socket(&options, line + 1, &index, error, sizeof(error));
		CHECK(result || options_change_has_socket(&options, index));
		break;
	case 'f':
		result = options_change_add_forward(&options, line + 1, error, sizeof(error));
		break;
	case 'd':
		result = options_change_find_forward(
			&options, line + 1, &index, error, sizeof(error));
		if (!result)
			options_change_remove_forward(&options, index);
		break;
	default:
		index = (uint8_t)line[0] % OPTIONS_SOCKETS_MAX;
		if (options_change_has_socket(&options, index))
			options_change_remove_socket(&options, index);
		break;
	}
	if (!result)
		return;
	CHECK(error[0] && !strchr(error, '\n'));
	CHECK(memcmp(&before, &options, sizeof(options)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text, *line;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	begin();
	for (int i = 0; i < 300 && (line = strsep(&rest, "\n")); i++)
		change(line);
	check_sockets();
	check_forwards();
	free(text);
	return 0;
}
