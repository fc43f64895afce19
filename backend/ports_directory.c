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
/* More networks than end within the moment between two system calls. */
#define TURNS_MAX 1000

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

/*
 * The directory of a network, and the one that all have in common. That one may go while it is
 * empty, with another network that ends; each such end costs a turn.
 */
static int open_below(int parent, const char *name)
{
	int fd = -ENOENT;

	for (int turn = 0; fd == -ENOENT && turn < TURNS_MAX; turn++) {
		int above = open_made(parent, PARENT);

		fd = above < 0 ? above : open_made(above, name);
		if (above >= 0)
			close(above);
	}
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
	int fd = open_below(parent->fd, name);
	int result = fd < 0 ? fd : 0;

	snprintf(made.path, sizeof(made.path), "%s/" PARENT "/%s", parent->path, name);
	/* Who is not root runs the data plane as himself (sandbox.h). */
	if (!result && geteuid() == 0 && fchown(fd, uid, gid) < 0)
		result = -errno;
	if (!result)
		remove_sockets(fd);
	if (fd >= 0)
		close(fd);
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
