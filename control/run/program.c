/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/run/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether the path names a program. */
static int check(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || access(path, X_OK) < 0)
		return -EACCES;
	return 0;
}

/* Writes "directory/name"; `length` bytes of directory. */
static int join(const char *directory, size_t length, const char *name, char *path, size_t size)
{
	int r = snprintf(path, size, "%.*s/%s", (int)length, directory, name);

	return r < 0 || (size_t)r >= size ? -ENAMETOOLONG : check(path);
}

int program_find(const char *name, char *path, size_t size)
{
	const char *list = getenv("PATH");
	int result = -ENOENT;

	if (strchr(name, '/')) {
		int r = snprintf(path, size, "%s", name);

		return r < 0 || (size_t)r >= size ? -ENAMETOOLONG : check(path);
	}
	while (list && *list) {
		size_t length = strcspn(list, ":");
		int r = length ? join(list, length, name, path, size) : -ENOENT;

		if (r == 0)
			return 0;
		if (r == -EACCES)
			result = r;
		list += length + (list[length] == ':');
	}
	return result;
}

int program_find_beside(const char *name, char *path, size_t size)
{
	char own[4096];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	if (length > 0) {
		own[length] = '\0';
		slash = strrchr(own, '/');
		if (slash && join(own, (size_t)(slash - own), name, path, size) == 0)
			return 0;
	}
	return program_find(name, path, size);
}
