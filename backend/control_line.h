/* SPDX-License-Identifier: BSD-3-Clause */
/* The data plane's end of the line to its monitor (control_message.h). */
#pragma once

#include <stddef.h>

#include "backend/control_message.h"

/*
 * Asks the monitor and waits for its answer. `text` may be NULL. 0 and, if ret_answer is not NULL,
 * *ret_answer; otherwise a negative errno with one line in `error` (size bytes): the monitor's, or
 * -ETIMEDOUT. One thread at a time may ask.
 */
int control_line_ask(int fd, enum control_kind kind, unsigned int number, const char *text,
	struct control_answer *ret_answer, char *error, size_t size);
