/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes to the options of a network that runs: what a further --socket or --forward would have
 * been. Texts come from the API, so from whoever may use it; they are read by the same parsers as
 * the command line.
 *
 * A port that went leaves its place in options.sockets with an empty path, since the others keep
 * their numbers; the next one takes the first such place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "backend/options.h"

/*
 * Adds the socket that `spec` describes, as --socket would. 0 and *ret_index; or -EINVAL with one
 * line in `error` (size bytes), and nothing is changed.
 */
int options_change_add_socket(struct options *options, const char *spec, unsigned int *ret_index,
	char *error, size_t size);

/* Whether there is a socket of that number. */
bool options_change_has_socket(const struct options *options, unsigned int index);

/* Takes a socket away. */
void options_change_remove_socket(struct options *options, unsigned int index);

/* Adds the forward that `spec` describes, as --forward would: it is the last one then. */
int options_change_add_forward(struct options *options, const char *spec, char *error, size_t size);

/*
 * Finds the forward that is the same as `spec`. 0 and *ret_index; -EINVAL for what is no forward,
 * -ENOENT when there is none like it, with one line in `error`.
 */
int options_change_find_forward(const struct options *options, const char *spec,
	unsigned int *ret_index, char *error, size_t size);

/* Takes a forward away; those behind it move up. */
void options_change_remove_forward(struct options *options, unsigned int index);

/* Room for options_show_forward(). */
#define OPTIONS_FORWARD_TEXT 72

/* A forward as --forward takes it. */
void options_show_forward(const struct host_forward *forward, char text[OPTIONS_FORWARD_TEXT]);
