/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Locks, however many signals come meanwhile. */
static int lock(int fd, bool wait)
{
	while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int lock_file_open(const char *path, bool make, bool wait, int *ret_fd)
{
	for (;;) {
		struct stat status;
		int fd = open(path, (make ? O_RDWR | O_CREAT : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC,
			(mode_t)0644);
		int r;

		if (fd < 0)
			return -errno;
		r = lock(fd, wait);
		if (r == 0 && fstat(fd, &status) < 0)
			r = -errno;
		if (r == 0 && status.st_nlink > 0) {
			*ret_fd = fd;
			return 0;
		}
		/* Its last holder removed it in between: there is another, or none. */
		close(fd);
		if (r < 0)
			return r;
	}
}

void lock_file_remove(const char *path, int fd)
{
	if (fd < 0)
		return;
	unlink(path);
	close(fd);
}
