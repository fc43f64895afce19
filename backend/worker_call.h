/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How another thread has something done by a worker, which alone may touch what it owns: a letter
 * box for one call at a time. The worker looks at one word in each breath and carries the call out
 * between two breaths, when it holds no frame of anybody; so a call must be short (some thousand
 * steps, no system call, no allocation). Long work is cut into many calls.
 *
 * Callers take turns with a mutex of theirs; the worker takes none.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

struct worker;

typedef void worker_call_run(struct worker *worker, void *argument);

struct worker_call {
	worker_call_run *run; /* NULL: no call. Set by the caller, cleared by the worker */
	void *argument;	      /* of run; valid while run is not NULL */
	int wake_fd;	      /* eventfd: the worker looks into the box; watched by its epoll */
	int done_fd;	      /* eventfd: the caller may go on */
	pthread_mutex_t turn; /* of callers */
};

/* Makes an empty box. 0 or the negative errno of eventfd(). */
int worker_call_init(struct worker_call *call);
void worker_call_fini(struct worker_call *call);

/*
 * Has the worker run run(worker, argument), and waits for its return. Any thread but the worker's,
 * while worker_main() runs.
 */
void worker_call(struct worker *worker, worker_call_run *run, void *argument);

/* The worker: carries out the call in the box, when there is one. */
void worker_call_serve(struct worker *worker);

/* The worker: takes the wake-up that epoll told of. */
void worker_call_woken(struct worker_call *call);
