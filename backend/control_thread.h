/* SPDX-License-Identifier: BSD-3-Clause */
/* The data plane's control thread: serves the API. It moves no packets, and no worker waits for it.
 */
#pragma once

#include "backend/api_network.h"

struct control_thread;

/*
 * Serves `view` on its configuration's api_fd, in a thread of its own, until
 * control_thread_stop(). The worker's thread must run as long. 0 with *ret_thread, or a negative
 * errno.
 */
int control_thread_start(struct api_view *view, struct control_thread **ret_thread);

/* Ends it and frees it; what is being served is finished. NULL is allowed. */
void control_thread_stop(struct control_thread *thread);
