/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The monitor's answers to control_message.h: changes to the configuration of a running network,
 * and to what of it needs rights. Each is made whole or not at all.
 */
#pragma once

#include "backend/control_message.h"
#include "backend/foundation.h"
#include "backend/options.h"

struct change {
	struct options *options; /* what the next data plane starts with */
	struct foundation *foundation;
	unsigned int serial;		   /* of the next socket that gets its path from us */
	bool leaving[OPTIONS_SOCKETS_MAX]; /* no longer configured, still claimed */
	bool connects; /* sandboxes let data planes connect to VMMs; as the network was started */
};

/* Carries a request out. `request` may hold anything; `answer` is always filled in. */
void change_answer(struct change *change, const struct control_request *request,
	struct control_answer *answer);

/*
 * Takes one request from the line and answers it; never waits. 0, also when there is none; -EPIPE:
 * the other end is closed; another negative errno: it does not take its answers. The line is of no
 * use then.
 */
int change_serve(struct change *change, int fd);

/* No data plane serves the ports that are leaving any more: gives their sockets up. */
void change_forget_leaving(struct change *change);
