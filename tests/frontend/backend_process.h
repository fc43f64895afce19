/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program under test as a child process, in a network namespace of its own.
 *
 * What it writes to standard error goes to a file, so that it never waits for us; the file can be
 * read at any time and watched for lines. The test process is made the reaper of whatever the
 * program leaves behind, so that a data plane that outlives its monitor is found.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The most children that are looked at. */
#define BACKEND_PROCESS_CHILDREN_MAX 8

struct backend_process {
	pid_t pid;    /* the monitor; 0 when it does not run */
	int ready_fd; /* read end of what --ready-fd names, -1 */
	int error_fd; /* the file with its standard error, -1 */
	int watch_fd; /* inotify of that file, -1 */
	int netns_fd; /* its network namespace, -1; known once it is ready */
};

/* Why the tests cannot run here (no program, no rights), or NULL. */
const char *backend_process_unusable(void);

/*
 * Starts the program with `arguments` (NULL at the end, without its name) and a --ready-fd. Its
 * standard error goes to a file in `directory`. 0 or negative errno.
 */
int backend_process_start(
	struct backend_process *process, const char *directory, const char *const arguments[]);

/* Waits until the program says that guests can connect. 0, -ETIMEDOUT, or -ECHILD when it ended. */
int backend_process_wait_ready(struct backend_process *process);

/*
 * Waits for the program's end. *ret_status is as from waitpid(). 0, or -ETIMEDOUT (it was then
 * killed and waited for).
 */
int backend_process_wait_end(struct backend_process *process, int *ret_status);

/* Sends SIGTERM and waits as above. */
int backend_process_stop(struct backend_process *process, int *ret_status);

/* Kills what is left of it, and frees everything. Safe at any time after _start(). */
void backend_process_fini(struct backend_process *process);

/* Removes the leases that networks of this test program have kept. */
void backend_process_forget_leases(void);

/* The monitor's children that are data planes. Returns how many (at most the constant above). */
unsigned int backend_process_children(const struct backend_process *process, pid_t *pids);

/*
 * After the end: waits for processes that the program left behind; they must end by themselves.
 * Returns how many did not (they are killed).
 */
unsigned int backend_process_leftover_processes(void);

/* After the end: interfaces besides lo in the program's network namespace; negative errno. */
int backend_process_leftover_links(const struct backend_process *process);

/* How many bytes it has written to standard error: a place to search from. */
size_t backend_process_mark(const struct backend_process *process);

/*
 * Waits until a whole line that begins with `start` stands in standard error behind `mark`, and
 * copies it (without the newline). 0, -ETIMEDOUT, or -ENOSPC.
 */
int backend_process_wait_line(
	struct backend_process *process, size_t mark, const char *start, char *line, size_t size);

/* Copies what it wrote to our own standard error, for a person who reads a failure. */
void backend_process_show(const struct backend_process *process);

/*
 * Asks the program for its counters by SIGUSR1 and takes the one called `name`. It must not be zero
 * any more, since zeros are not printed: -ETIMEDOUT otherwise.
 */
int backend_process_counter(struct backend_process *process, const char *name, uint64_t *ret_value);
