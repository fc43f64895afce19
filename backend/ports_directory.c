/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/ports_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARENT "ports"

/* The directory of that name, made if need be; -errno otherwise. */
static int open_made(int parent, const char *name)
{
	mode_t mask = umask(0022);
	int made = mkdirat(parent, name, 0755);
	int error = errno;

	umask(mask);
	if (made < 0 && error != EEXIST)
		return -error;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fd;
}

/* Nobody serves them: their network's name is ours now. */
static void remove_sockets(int fd)
{
	struct stat status;
	int copy = dup(fd);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);

	if (!stream) {
		if (copy >= 0)
			close(copy);
		return;
	}
	for (struct dirent *entry; (entry = readdir(stream));)
		if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISSOCK(status.st_mode))
			unlinkat(fd, entry->d_name, 0);
	closedir(stream);
}

int ports_directory_open(struct ports_directory *directory, const struct run_directory *parent,
	const char *name, uid_t uid, gid_t gid, char *error, size_t size)
{
	struct ports_directory made;
	int result = 0, fd = -1;

	snprintf(made.path, sizeof(made.path), "%s/" PARENT "/%s", parent->path, name);
	int above = open_made(parent->fd, PARENT);
	if (above >= 0)
		fd = open_made(above, name);
	if (above < 0 || fd < 0)
		result = above < 0 ? above : fd;
	/* Who is not root runs the data plane as himself (sandbox.h). */
	if (!result && geteuid() == 0 && fchown(fd, uid, gid) < 0)
		result = -errno;
	if (!result)
		remove_sockets(fd);
	if (fd >= 0)
		close(fd);
	if (above >= 0)
		close(above);
	if (result)
		snprintf(error, size, "cannot make directory %s: %s", made.path, strerror(-result));
	else
		*directory = made;
	return result;
}

void ports_directory_close(struct ports_directory *directory, const struct run_directory *parent)
{
	if (!directory->path[0])
		return;
	rmdir(directory->path);
	directory->path[0] = 0;
	/* The last network takes it away. */
	unlinkat(parent->fd, PARENT, AT_REMOVEDIR);
}
