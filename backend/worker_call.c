/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/worker_call.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend/worker.h"

int worker_call_init(struct worker_call *call)
{
	*call = (struct worker_call){.wake_fd = -1, .done_fd = -1};
	pthread_mutex_init(&call->turn, NULL);
	call->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	call->done_fd = eventfd(0, EFD_CLOEXEC);
	if (call->wake_fd >= 0 && call->done_fd >= 0)
		return 0;
	int error = -errno;
	worker_call_fini(call);
	return error;
}

void worker_call_fini(struct worker_call *call)
{
	if (call->wake_fd >= 0)
		close(call->wake_fd);
	if (call->done_fd >= 0)
		close(call->done_fd);
	call->wake_fd = -1;
	call->done_fd = -1;
	pthread_mutex_destroy(&call->turn);
}

/* Neither eventfd can be full. */
static void signal_fd(int fd)
{
	const uint64_t one = 1;
	ssize_t written = write(fd, &one, sizeof(one));

	(void)written;
}

void worker_call(struct worker *worker, worker_call_run *run, void *argument)
{
	struct worker_call *call = &worker->call;
	uint64_t count;

	pthread_mutex_lock(&call->turn);
	call->argument = argument;
	__atomic_store_n(&call->run, run, __ATOMIC_RELEASE);
	signal_fd(call->wake_fd);
	while (read(call->done_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	pthread_mutex_unlock(&call->turn);
}

void worker_call_serve(struct worker *worker)
{
	struct worker_call *call = &worker->call;
	worker_call_run *run = __atomic_load_n(&call->run, __ATOMIC_ACQUIRE);

	if (!run)
		return;
	run(worker, call->argument);
	__atomic_store_n(&call->run, NULL, __ATOMIC_RELEASE);
	signal_fd(call->done_fd);
}

void worker_call_woken(struct worker_call *call)
{
	uint64_t count;
	ssize_t length = read(call->wake_fd, &count, sizeof(count));

	(void)length;
}
