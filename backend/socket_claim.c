/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/socket_claim.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/claim_lock.h"
#include "control/number.h"

#define LOCK_NAME_CAPACITY 80
#define DIRECTORY_CAPACITY sizeof(((struct sockaddr_un *)0)->sun_path)

struct claimed {
	char path[DIRECTORY_CAPACITY];	    /* of the socket, as the user wrote it */
	char directory[DIRECTORY_CAPACITY]; /* its part before the file name; "." without one */
	char lock_name[LOCK_NAME_CAPACITY]; /* in the run directory */
};

struct socket_claim {
	int directory_fd;   /* the run directory; borrowed */
	unsigned int count; /* numbers below it may be claimed */
	struct claimed claimed[SOCKET_CLAIM_MAX];
	const char *directories[SOCKET_CLAIM_MAX]; /* NULL: there is no such number */
	int fds[SOCKET_CLAIM_MAX]; /* the locked files, close-on-exec; -1: not claimed */
	bool has_owner;
	uid_t owner; /* of the first directory */
	gid_t group;
};

struct failure {
	char *text;
	size_t size;
};

static int fail(const struct failure *failure, int error, const char *path, const char *what)
{
	snprintf(failure->text, failure->size, "socket %s: %s", path, what);
	return error;
}

static int fail_directory(const struct failure *failure, const char *path, const char *directory)
{
	char what[DIRECTORY_CAPACITY + 64];
	int error = -errno;

	if (error == -ENOENT)
		snprintf(what, sizeof(what),
			"there is no directory %s: make it, or take another path", directory);
	else
		snprintf(what, sizeof(what), "cannot use directory %s: %s", directory,
			strerror(-error));
	return fail(failure, error, path, what);
}

/* Splits a path; `directory` has DIRECTORY_CAPACITY bytes. Returns the file name in it. */
static const char *split(const char *path, char *directory)
{
	const char *slash = strrchr(path, '/');

	if (!slash) {
		memcpy(directory, ".", sizeof("."));
		return path;
	}
	size_t length = slash == path ? 1 : (size_t)(slash - path);
	memcpy(directory, path, length);
	directory[length] = 0;
	return slash + 1;
}

/* Two paths to one file give one name, whatever links and mounts lie between. */
static int name_lock(struct socket_claim *claim, unsigned int index, const struct failure *failure)
{
	struct claimed *claimed = &claim->claimed[index];
	const char *file = split(claimed->path, claimed->directory);
	struct stat status;
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	if (stat(claimed->directory, &status) < 0)
		return fail_directory(failure, claimed->path, claimed->directory);
	if (!S_ISDIR(status.st_mode)) {
		errno = ENOTDIR;
		return fail_directory(failure, claimed->path, claimed->directory);
	}
	if (!claim->has_owner) {
		claim->has_owner = true;
		claim->owner = status.st_uid;
		claim->group = status.st_gid;
	}
	for (; *file; file++)
		hash = (hash ^ (uint8_t)*file) * 0x100000001b3;
	snprintf(claimed->lock_name, sizeof(claimed->lock_name),
		CLAIM_LOCK_PREFIX "%jx-%jx-%016" PRIx64 ".lock", (uintmax_t)status.st_dev,
		(uintmax_t)status.st_ino, hash);
	return 0;
}

static int take_lock(struct socket_claim *claim, unsigned int index, const struct failure *failure)
{
	struct claimed *claimed = &claim->claimed[index];
	char what[128];
	pid_t holder = 0;

	int error = claim_lock_take(
		claim->directory_fd, claimed->lock_name, &claim->fds[index], &holder);
	if (!error)
		return 0;
	if (error == -EADDRINUSE && holder)
		snprintf(what, sizeof(what),
			"is served by another chnet-vhost (process %d): stop that one, or take "
			"another path",
			holder);
	else if (error == -EADDRINUSE)
		snprintf(what, sizeof(what),
			"is served by another chnet-vhost: stop that one, or take another path");
	else
		snprintf(what, sizeof(what), "cannot lock it: %s", strerror(-error));
	return fail(failure, error, claimed->path, what);
}

/* Whether someone listens there. ECONNREFUSED alone proves that nobody does. */
static bool is_live(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return true;
	memcpy(address.sun_path, path, strlen(path));
	bool live = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
		    errno != ECONNREFUSED;
	close(fd);
	return live;
}

/* Sees to it that there is a socket, or nothing: *ret_there. */
static int look(const char *path, bool *ret_there, const struct failure *failure)
{
	struct stat status;

	*ret_there = false;
	if (lstat(path, &status) < 0) {
		if (errno == ENOENT)
			return 0;
		int error = -errno;
		return fail(failure, error, path, strerror(-error));
	}
	if (S_ISDIR(status.st_mode))
		return fail(
			failure, -EISDIR, path, "is a directory: add the socket's own name to it");
	if (!S_ISSOCK(status.st_mode))
		return fail(failure, -ENOTSOCK, path,
			"there is a file that is no socket: remove it, or take another path");
	*ret_there = true;
	return 0;
}

/* Whether a VMM can listen there, or does. */
static int check_vmms(const char *path, const struct failure *failure)
{
	bool there;

	return look(path, &there, failure);
}

static int clear(const char *path, const struct failure *failure)
{
	bool there;
	int result = look(path, &there, failure);

	if (result || !there)
		return result;
	if (is_live(path))
		return fail(failure, -EADDRINUSE, path,
			"is served by another process: stop that one, or take another path");
	if (unlink(path) < 0 && errno != ENOENT) {
		int error = -errno;
		return fail(failure, error, path, strerror(-error));
	}
	return 0;
}

static int begin(int directory_fd, const char *path, const struct failure *failure)
{
	int error = claim_lock_begin(directory_fd);

	return error ? fail(failure, error, path, strerror(-error)) : 0;
}

/* Gives a number that is free to `path`, and locks that unless it is a VMM's. During a turn. */
static int take(struct socket_claim *claim, unsigned int index, const char *path, bool is_vmms,
	const struct failure *failure)
{
	struct claimed *claimed = &claim->claimed[index];
	size_t length = strlen(path);

	if (length >= sizeof(claimed->path))
		return fail(failure, -ENAMETOOLONG, path, "is too long");
	memcpy(claimed->path, path, length + 1);
	int error = name_lock(claim, index, failure);
	for (unsigned int i = 0; !error && i < claim->count; i++)
		if (claim->directories[i] &&
			strcmp(claim->claimed[i].lock_name, claimed->lock_name) == 0)
			error = fail(failure, -EADDRINUSE, path,
				"is given twice: each guest needs a socket of its own");
	if (!error && !is_vmms)
		error = take_lock(claim, index, failure);
	if (error)
		return error;
	claim->directories[index] = claimed->directory;
	if (index >= claim->count)
		claim->count = index + 1;
	return 0;
}

int socket_claim_take(int directory_fd, const char *const paths[], unsigned int count,
	uint64_t of_vmms, struct socket_claim **ret_claim, char *error_text, size_t size)
{
	const struct failure failure = {.text = error_text, .size = size};
	int error = 0;
	struct socket_claim *claim = calloc(1, sizeof(*claim));

	if (!claim)
		return fail(&failure, -ENOMEM, paths[0], "out of memory");
	claim->directory_fd = directory_fd;
	for (unsigned int i = 0; i < SOCKET_CLAIM_MAX; i++)
		claim->fds[i] = -1;
	error = begin(directory_fd, paths[0], &failure);
	for (unsigned int i = 0; !error && i < count; i++)
		error = take(claim, i, paths[i], of_vmms >> i & 1, &failure);
	claim_lock_end(directory_fd);
	for (unsigned int i = 0; !error && i < count; i++)
		if (of_vmms >> i & 1)
			error = check_vmms(paths[i], &failure);
	if (!error)
		error = socket_claim_clear(claim, error_text, size);
	if (error) {
		socket_claim_release(claim);
		return error;
	}
	*ret_claim = claim;
	return 0;
}

int socket_claim_add(struct socket_claim *claim, unsigned int index, const char *path, bool is_vmms,
	char *error_text, size_t size)
{
	const struct failure failure = {.text = error_text, .size = size};

	int error = begin(claim->directory_fd, path, &failure);
	if (!error)
		error = take(claim, index, path, is_vmms, &failure);
	claim_lock_end(claim->directory_fd);
	if (error)
		return error;
	error = is_vmms ? check_vmms(path, &failure) : clear(path, &failure);
	if (error)
		socket_claim_drop(claim, index);
	return error;
}

void socket_claim_drop(struct socket_claim *claim, unsigned int index)
{
	char unused[1];
	const struct failure ignored = {.text = unused, .size = sizeof(unused)};

	claim->directories[index] = NULL;
	if (claim->fds[index] < 0)
		return;
	/* Only what nobody listens on: somebody may have taken the path by force. */
	clear(claim->claimed[index].path, &ignored);
	unlinkat(claim->directory_fd, claim->claimed[index].lock_name, 0);
	close(claim->fds[index]);
	claim->fds[index] = -1;
}

int socket_claim_clear(struct socket_claim *claim, char *error_text, size_t size)
{
	const struct failure failure = {.text = error_text, .size = size};
	int error = 0;

	for (unsigned int i = 0; !error && i < claim->count; i++)
		if (claim->fds[i] >= 0)
			error = clear(claim->claimed[i].path, &failure);
	return error;
}

void socket_claim_note(struct socket_claim *claim, pid_t data_plane)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%10d %10d\n", getpid(), data_plane);

	for (unsigned int i = 0; i < claim->count; i++) {
		if (claim->fds[i] < 0)
			continue;
		/* Only makes the messages of others less precise when it fails. */
		ssize_t written = pwrite(claim->fds[i], text, (size_t)length, 0);
		(void)written;
	}
}

int socket_claim_check_rights(const struct socket_claim *claim, char *error_text, size_t size)
{
	const struct failure failure = {.text = error_text, .size = size};

	for (unsigned int i = 0; i < claim->count; i++) {
		const char *directory = claim->directories[i];
		char what[DIRECTORY_CAPACITY + 128];
		if (claim->fds[i] < 0)
			continue;
		if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0)
			continue;
		int error = -errno;
		snprintf(what, sizeof(what),
			"uid %u, without privileges, may make no file in %s: take a directory of "
			"its own",
			geteuid(), directory);
		return fail(&failure, error, claim->claimed[i].path, what);
	}
	return 0;
}

uid_t socket_claim_owner(const struct socket_claim *claim)
{
	return claim->owner;
}

gid_t socket_claim_group(const struct socket_claim *claim)
{
	const char *text = getenv("SUDO_GID");
	uint32_t gid;

	if (claim->owner != 0)
		return claim->group;
	if (text && number_read(text, 0, INT32_MAX, &gid) == 0)
		return gid;
	return getegid();
}

const char *const *socket_claim_directories(const struct socket_claim *claim)
{
	return claim->directories;
}

const int *socket_claim_fds(const struct socket_claim *claim)
{
	return claim->fds;
}

unsigned int socket_claim_count(const struct socket_claim *claim)
{
	return claim->count;
}

void socket_claim_release(struct socket_claim *claim)
{
	if (!claim)
		return;
	for (unsigned int i = 0; i < claim->count; i++)
		socket_claim_drop(claim, i);
	free(claim);
}
