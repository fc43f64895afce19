/* SPDX-License-Identifier: BSD-3-Clause */
/* A data plane as a process: its birth, and the words for its death. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "backend/dataplane.h"
#include "backend/socket_claim.h"

/* Room for child_describe(). */
#define CHILD_TEXT_CAPACITY 128

struct child_config {
	int (*run)(const struct dataplane_config *config); /* dataplane_main() */
	struct dataplane_config dataplane;		   /* all but ready_fd */
	unsigned int tap_count;				   /* entries in dataplane.tap_fds */
	const struct socket_claim *claim;		   /* whose locks the child keeps */
	const char *const *directories; /* where it may make and remove sockets */
	unsigned int directory_count;
	bool connects;	 /* it may connect to sockets of VMMs */
	int kept_fds[3]; /* further descriptors that it keeps; 0 or -1: none */
};

/*
 * Forks a data plane, which enters the sandbox and ends with what config->run returns. It keeps
 * standard output and error, the TAP's descriptors, the claim's locks, kept_fds and its end of the
 * ready pipe, and no other descriptor. Signals must be blocked (dataplane.h). On success returns 0,
 * the process and the non-blocking end of the pipe that gets one byte when it is ready, and nothing
 * when it dies before. Negative errno otherwise.
 */
int child_start(const struct child_config *config, pid_t *ret_pid, int *ret_ready_fd);

/* For children of any kind: closes every descriptor but `kept`, which is sorted in place. 0 or a
 * negative errno. */
int child_close_others(int kept[], size_t count);

/* As many descriptors as the process may have. */
void child_raise_descriptor_limit(void);

/* How a process ended, from waitpid()'s status: "was killed by signal 9 (Killed)". */
const char *child_describe(int status, char text[CHILD_TEXT_CAPACITY]);
