/* SPDX-License-Identifier: BSD-3-Clause */
/* chnet-vhost as a process of its own: away from the terminal, its words in a file. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct arguments;

/*
 * Starts it in a session of its own, with standard output and error in the file `log`, which is
 * made anew, and with `lifeline_fd` as its --lifeline-fd. *ret_ready_fd becomes readable when
 * guests can connect, and hangs up when it ends before. Returns 0 or a negative errno.
 */
int backend_process_start(const struct arguments *arguments, const char *log, int lifeline_fd,
	pid_t *ret_pid, int *ret_ready_fd);

/* Copies the last line that chnet-vhost wrote to `log`, without its name in front, to `text`. */
void backend_process_complaint(const char *log, char *text, size_t size);
