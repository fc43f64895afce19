/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/vhost_events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/* How far behind the pipe's reading end its writing end is looked for. */
#define SEARCH_MAX 64

int vhost_events_before(void)
{
	/* Any descriptor will do to ask for the lowest free number. */
	int pair[2];
	if (pipe2(pair, O_CLOEXEC))
		return -errno;
	close(pair[0]);
	close(pair[1]);
	return pair[0];
}

static bool is_pipe_end(int fd, int access, struct stat *ret_status)
{
	int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && (flags & O_ACCMODE) == access && !fstat(fd, ret_status) &&
	       S_ISFIFO(ret_status->st_mode);
}

int vhost_events_find(int before)
{
	struct stat reading, writing;

	if (before < 0 || !is_pipe_end(before, O_RDONLY, &reading))
		return -ENOENT;
	for (int fd = before + 1; fd <= before + SEARCH_MAX; fd++)
		if (is_pipe_end(fd, O_WRONLY, &writing) && writing.st_ino == reading.st_ino &&
			writing.st_dev == reading.st_dev)
			return fd;
	return -ENOENT;
}

void vhost_events_wake(int pipe)
{
	/* A full pipe wakes as well. */
	if (pipe >= 0 && write(pipe, "1", 1) < 0)
		return;
}
