/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the data plane's control thread asks the monitor, which alone has rights and keeps the
 * configuration that the next data plane starts with: one request, one answer, in order, over a
 * pair of SOCK_SEQPACKET sockets that each data plane gets anew.
 *
 * To the monitor a request is hostile input: a data plane that was taken over may send anything.
 * So there are few kinds, of one size; texts go through the parsers of the command line; and no
 * request can do more than whoever may use the API can. A data plane that does not take its answers
 * loses the line.
 *
 * An answer repeats the serial number of its request: one that comes after its request was given up
 * is not taken for that of the next one.
 *
 *   PORT_ADD        text: as --socket, or from its first comma on; answer: number, text: the whole
 *   PORT_REMOVE     number; the port is no longer configured
 *   PORT_GONE       number; its socket may be removed. After PORT_REMOVE, by the data plane that
 *                   served the port; when that dies first, the monitor sees to it
 *   FORWARD_ADD     text: as --forward; the host's rules hold when it is answered
 *   FORWARD_REMOVE  text: the same
 *   LOG_LEVEL       text: its name
 *   EGRESS          answer: text: the interface of the way out, or ""
 */
#pragma once

#include <stdint.h>

#define CONTROL_REQUEST_TEXT 384
#define CONTROL_ANSWER_TEXT 512

/* How long a data plane waits for an answer, seconds; the monitor waits for nobody. */
#define CONTROL_PATIENCE_S 10

enum control_kind {
	CONTROL_PORT_ADD,
	CONTROL_PORT_REMOVE,
	CONTROL_PORT_GONE,
	CONTROL_FORWARD_ADD,
	CONTROL_FORWARD_REMOVE,
	CONTROL_LOG_LEVEL,
	CONTROL_EGRESS,
};
#define CONTROL_KIND_COUNT (CONTROL_EGRESS + 1)

struct control_request {
	uint32_t kind; /* enum control_kind */
	uint32_t number;
	uint32_t serial;		 /* chosen by who asks */
	char text[CONTROL_REQUEST_TEXT]; /* terminated */
};

struct control_answer {
	int32_t error; /* 0 or a negative errno; then `text` is a sentence for the user */
	uint32_t number;
	uint32_t serial;		/* of the request */
	char text[CONTROL_ANSWER_TEXT]; /* terminated */
};
