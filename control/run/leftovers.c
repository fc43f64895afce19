/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * Whether something is in use is never guessed: records, starts and claims are locked files, users
 * of a network hold a FIFO open, sockets answer or refuse. What nobody holds is taken away in the
 * order in which it was made, the other way round: networks on TAPs, sockets, files, and last the
 * sysctl.
 */
#include "control/run/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/claim_lock.h"
#include "backend/lease_file.h"
#include "control/host/forwarding.h"
#include "control/host/host_record.h"
#include "control/host/lock_file.h"
#include "control/host/reserved_ports.h"
#include "control/run/plan.h"

/* Where networks keep the sockets of ports that were added while they ran (ports_directory.h). */
#define PORTS "ports"

/* What is being done. */
struct removal {
	const char *directory;
	const char *kept;   /* network whose set-up goes; or NULL */
	FILE *file;	    /* for what was done; or NULL */
	unsigned int count; /* of it */
	int result;	    /* first error */
	char *error;	    /* line of it */
	size_t size;	    /* bytes of error */
};

static void done(struct removal *removal, const char *what, const char *name)
{
	removal->count++;
	if (removal->file)
		fprintf(removal->file, "removed %s %s\n", what, name);
}

static void failed(struct removal *removal, int error, const char *what, const char *name)
{
	if (removal->result < 0)
		return;
	removal->result = error;
	snprintf(removal->error, removal->size, "cannot remove %s %s: %s", what, name,
		error == -EBUSY	  ? "a VM runs on it: stop that first"
		: error == -EXDEV ? "it is in another network namespace: clean up there"
				  : strerror(-error));
}

/* Calls `function` for each file of the directory that matches, with its path and the part of its
 * name in front of `suffix`. */
static void each(struct removal *removal, const char *pattern, const char *suffix,
	void (*function)(struct removal *removal, const char *path, const char *name))
{
	char full[PLAN_PATH_SIZE], name[PLAN_PATH_SIZE];
	glob_t found = {0};

	snprintf(full, sizeof(full), "%s/%s", removal->directory, pattern);
	if (glob(full, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++) {
			const char *file = strrchr(found.gl_pathv[i], '/') + 1;

			snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(suffix)),
				file);
			function(removal, found.gl_pathv[i], name);
		}
	}
	globfree(&found);
}

/* A network on a TAP. */
static void remove_record(struct removal *removal, const char *path, const char *name)
{
	bool wanted = removal->kept && strcmp(removal->kept, name) == 0;
	struct host_record record;
	int fd, r = host_record_open(removal->directory, name, false, &fd);

	if (r == -EWOULDBLOCK && wanted)
		failed(removal, -EBUSY, "the network", name);
	if (r < 0)
		return;
	r = host_record_read(fd, &record);
	if (r == 0 && record.kept && !wanted) {
		close(fd);
		return;
	}
	if (r == 0)
		r = host_record_undo(removal->directory, name, &record);
	if (r < 0 && r != -ENOENT && r != -EBADMSG) {
		failed(removal, r, "the network", name);
		close(fd);
		return;
	}
	host_record_remove(removal->directory, name, fd);
	done(removal, "the network", name);
}

/* Whether somebody listens at the socket; in doubt, yes. */
static bool is_live(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;
	bool live;

	if (strlen(path) >= sizeof(address.sun_path))
		return true;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return true;
	memcpy(address.sun_path, path, strlen(path));
	live = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
	       errno != ECONNREFUSED;
	close(fd);
	return live;
}

/* Whether the network of that name answers: its directory may be empty and is needed all the same.
 */
static bool network_runs(const char *directory, const char *name)
{
	char path[PLAN_PATH_SIZE];

	snprintf(path, sizeof(path), "%.400s/%.40s.sock", directory, name);
	return access(path, F_OK) == 0 && is_live(path);
}

static void remove_socket(struct removal *removal, const char *path, const char *name)
{
	if (is_live(path))
		return;
	if (unlink(path) == 0)
		done(removal, "the socket", path);
	else
		failed(removal, -errno, "the socket", path);
}

static void remove_file(struct removal *removal, const char *path)
{
	if (unlink(path) == 0)
		done(removal, "the file", path);
	else if (errno != ENOENT)
		failed(removal, -errno, "the file", path);
}

/* The FIFO of a network's users, which has a reader as long as the network runs; and its log. */
static void remove_users(struct removal *removal, const char *path, const char *name)
{
	char log[PLAN_PATH_SIZE];
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return;
	}
	if (errno != ENXIO)
		return;
	remove_file(removal, path);
	snprintf(log, sizeof(log), "%.400s/%.40s.log", removal->directory, name);
	remove_file(removal, log);
}

/* What a network's start, join or end left that nobody is at any more. */
static void remove_turn(struct removal *removal, const char *path, const char *name)
{
	int fd;

	if (lock_file_open(path, false, false, &fd) < 0)
		return;
	lock_file_remove(path, fd);
	done(removal, "the lock", path);
}

/* The directories of hot-added ports' sockets, as far as they are empty. */
static void remove_ports(const struct removal *removal)
{
	char pattern[PLAN_PATH_SIZE];
	glob_t found = {0};

	snprintf(pattern, sizeof(pattern), "%s/" PORTS "/*", removal->directory);
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			if (!network_runs(removal->directory, strrchr(found.gl_pathv[i], '/') + 1))
				rmdir(found.gl_pathv[i]);
	globfree(&found);
	snprintf(pattern, sizeof(pattern), "%s/" PORTS, removal->directory);
	rmdir(pattern);
}

/* The leases of a network that does not run. */
static void remove_leases(struct removal *removal, const char *path, const char *name)
{
	int fd;

	if (lock_file_open(path, false, false, &fd) < 0)
		return;
	lock_file_remove(path, fd);
	done(removal, "the leases of", name);
}

/* Locks of sockets of killed processes. */
static void remove_claims(struct removal *removal)
{
	int fd = open(removal->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	/* Beginning a turn is what removes them. */
	if (claim_lock_begin(fd) == 0)
		claim_lock_end(fd);
	close(fd);
}

int leftovers_remove(const char *directory, const char *kept, FILE *file, unsigned int *ret_count,
	char *error, size_t size)
{
	struct removal removal = {
		.directory = directory, .kept = kept, .file = file, .error = error, .size = size};

	each(&removal, "*" HOST_RECORD_SUFFIX, HOST_RECORD_SUFFIX, remove_record);
	each(&removal, "*.vhost", ".vhost", remove_socket);
	each(&removal, "*.sock", ".sock", remove_socket);
	each(&removal, PORTS "/*/*.sock", ".sock", remove_socket);
	remove_ports(&removal);
	each(&removal, "*.users", ".users", remove_users);
	each(&removal, "*.lock", ".lock", remove_turn);
	each(&removal, "*" LEASE_FILE_SUFFIX, LEASE_FILE_SUFFIX, remove_leases);
	remove_claims(&removal);
	int r = forwarding_drop(directory, NULL);
	if (r < 0)
		failed(&removal, r, "the change of", "net.ipv4.ip_forward");
	r = reserved_ports_mend(directory);
	if (r < 0)
		failed(&removal, r, "the change of", "net.ipv4.ip_local_reserved_ports");
	*ret_count = removal.count;
	return removal.result;
}
