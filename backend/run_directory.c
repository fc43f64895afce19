/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/host/run_path.h"

static int check(int fd, const char *path, char *error, size_t size)
{
	struct stat status;

	if (fstat(fd, &status) < 0) {
		int result = -errno;
		snprintf(error, size, "cannot look at directory %s: %s", path, strerror(-result));
		return result;
	}
	if (status.st_uid == geteuid() && !(status.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	snprintf(error, size,
		"directory %s belongs to uid %u with mode %04o: others could write to it, remove "
		"it",
		path, status.st_uid, status.st_mode & 07777);
	return -EPERM;
}

int run_directory_open(struct run_directory *ret_directory, char *error, size_t size)
{
	char path[RUN_DIRECTORY_CAPACITY] = "";
	int result = run_path(path, sizeof(path), error, size);

	if (result)
		return result;
	mode_t mask = umask(0022);
	int made = mkdir(path, 0755);
	umask(mask);
	if (made < 0 && errno != EEXIST) {
		result = -errno;
		snprintf(error, size, "cannot make directory %s: %s", path, strerror(-result));
		return result;
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		result = -errno;
		snprintf(error, size, "cannot open directory %s: %s", path, strerror(-result));
		return result;
	}
	result = check(fd, path, error, size);
	if (result) {
		close(fd);
		return result;
	}
	memcpy(ret_directory->path, path, sizeof(path));
	ret_directory->fd = fd;
	return 0;
}

void run_directory_close(struct run_directory *directory)
{
	if (!directory || directory->fd < 0)
		return;
	close(directory->fd);
	directory->fd = -1;
}
