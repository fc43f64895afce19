/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/claim_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long the kernel may take to bury a data plane whose monitor is dead, milliseconds. */
#define DYING_MS 2000
/* The same for a monitor that was killed a moment ago; a live one costs us this much. */
#define KILLED_MS 200

/* Whether a process has ended, or ends within `timeout_ms`; a zombie has. */
static bool has_ended(pid_t pid, int timeout_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return errno == ESRCH;
	struct pollfd ended = {.fd = fd, .events = POLLIN};
	int count = poll(&ended, 1, timeout_ms);
	close(fd);
	return count == 1;
}

/* 0 when the lock is ours; -EADDRINUSE with *ret_holder, the monitor that has it, or 0. */
static int lock(int fd, pid_t *ret_holder)
{
	char text[64];
	int monitor, data_plane;

	*ret_holder = 0;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
	if (length <= 0)
		return -EADDRINUSE;
	text[length] = 0;
	if (sscanf(text, "%d %d", &monitor, &data_plane) != 2 || monitor <= 0 || data_plane <= 0)
		return -EADDRINUSE;
	*ret_holder = monitor;
	if (!has_ended(monitor, KILLED_MS) || !has_ended(data_plane, DYING_MS))
		return -EADDRINUSE;
	return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -EADDRINUSE;
}

/* The file may have been removed by its last holder between open and lock: then there is another.
 */
int claim_lock_take(int directory_fd, const char *name, int *ret_fd, pid_t *ret_holder)
{
	for (;;) {
		struct stat status;
		int fd =
			openat(directory_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		int error = lock(fd, ret_holder);
		if (!error && fstat(fd, &status) < 0)
			error = -errno;
		/* What a holder before us noted holds no more. */
		if (!error && ftruncate(fd, 0) < 0)
			error = -errno;
		if (!error && status.st_nlink > 0) {
			*ret_fd = fd;
			return 0;
		}
		close(fd);
		if (error)
			return error;
	}
}

/* Removes one file unless somebody holds it. */
static void sweep_one(int directory_fd, const char *name)
{
	int fd = openat(directory_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(directory_fd, name, 0);
	close(fd);
}

static void sweep(int directory_fd)
{
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (!stream) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(stream));) {
		if (strncmp(entry->d_name, CLAIM_LOCK_PREFIX, strlen(CLAIM_LOCK_PREFIX)) == 0)
			sweep_one(directory_fd, entry->d_name);
	}
	closedir(stream);
}

int claim_lock_begin(int directory_fd)
{
	while (flock(directory_fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	sweep(directory_fd);
	return 0;
}

void claim_lock_end(int directory_fd)
{
	flock(directory_fd, LOCK_UN);
}
