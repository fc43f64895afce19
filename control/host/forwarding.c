/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * A state file, one for each network namespace, holds the original state (enum forwarding_was).
 * Whoever needs forwarding keeps a shared flock on it; the kernel drops the lock when the process
 * dies, so a crash cannot leave a phantom user, only a file that nobody has locked. Such a file
 * still holds the true original value, since it was written before the sysctl was touched: the next
 * user just goes on with it.
 *
 *   hold     shared lock; a file without a valid value is new (or its maker died at once): take the
 *            exclusive lock, look again, record the sysctl's value, go back to the shared lock.
 *            Then switch forwarding on.
 *   release  exclusive lock, without waiting: got it, then we are the last: restore, unlink.
 *
 * Two things can happen between opening the file and locking it, or while a lock is converted
 * (flock drops the old lock before it takes the new one): the last user unlinks the file. So after
 * every locking the descriptor must still be the file that the path names; if not, start again.
 * When two last users leave at once both drop their shared lock and one of them, at least, gets
 * the exclusive lock.
 *
 * We never restore a value that we did not change: an original "1" stays. But the kernel changes
 * another one with it: conf.all.accept_redirects becomes 0 when forwarding is switched on, and 1
 * when it is switched off, whatever it was. A host that takes no redirects shall take none after
 * us. And it switches forwarding off for every interface, also where it was on: those are written
 * down before the value, in lines of their own (forwarding_interfaces.h).
 *
 * Behind the value follow the names of those who need forwarding without a process that lives
 * (chnet setup), each after a newline. While there is one, the last user restores nothing. A name
 * is taken out by one write of newlines over it, so that no crash leaves half a name.
 *
 * A second lock on the file, of another kind that does not touch the first (an OFD lock), is held
 * for the moment in which the sysctl or a name is read and written.
 */
#include "control/host/forwarding.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/host/forwarding_interfaces.h"
#include "control/host/namespace_id.h"
#include "control/host/sysctl.h"

/* Most bytes of a state file. */
#define FILE_MAX 4096

static const char forwarding_sysctl[] = "net/ipv4/ip_forward";
static const char redirects_sysctl[] = "net/ipv4/conf/all/accept_redirects";

/* The first byte of the file. */
enum forwarding_was {
	FORWARDING_UNKNOWN = 0,
	FORWARDING_OFF = '0',	     /* off, redirects were taken */
	FORWARDING_OFF_STRICT = 's', /* off, redirects were not */
	FORWARDING_ON = '1',
};

struct forwarding {
	int fd;	    /* of the state file, locked; -1 = none */
	char *path; /* of the state file; owned */
};

static void forwarding_free(struct forwarding *forwarding)
{
	if (forwarding->fd >= 0)
		close(forwarding->fd);
	free(forwarding->path);
	free(forwarding);
}

/* Names the state file of the caller's network namespace. */
static int forwarding_path(const char *run_directory, char **ret_path)
{
	uint64_t id = 0;
	int r = namespace_id(&id);

	if (r < 0)
		return r;
	if (asprintf(ret_path, "%s/forwarding-%" PRIu64, run_directory, id) < 0)
		return -ENOMEM;
	return 0;
}

/* Takes a lock, and tells whether the file is still the one that the path names: 1 yes, 0 no. */
static int forwarding_lock(const struct forwarding *forwarding, int operation)
{
	struct stat open_file, named_file;

	while (flock(forwarding->fd, operation) < 0)
		if (errno != EINTR)
			return -errno;
	if (fstat(forwarding->fd, &open_file) < 0)
		return -errno;
	if (lstat(forwarding->path, &named_file) < 0)
		return errno == ENOENT ? 0 : -errno;
	return open_file.st_dev == named_file.st_dev && open_file.st_ino == named_file.st_ino;
}

/* Reads what was recorded, an enum forwarding_was, or a negative errno. */
static int forwarding_recorded(const struct forwarding *forwarding)
{
	char value = 0;

	if (pread(forwarding->fd, &value, 1, 0) < 0)
		return -errno;
	if (value == FORWARDING_OFF || value == FORWARDING_OFF_STRICT || value == FORWARDING_ON)
		return value;
	return FORWARDING_UNKNOWN;
}

/* With the exclusive lock: records the present state unless one is recorded by now. */
static int forwarding_record(const struct forwarding *forwarding)
{
	char value[16], redirects[16], lines[FILE_MAX / 2], was = FORWARDING_ON;
	size_t length = 0;
	int r = forwarding_recorded(forwarding);

	if (r != FORWARDING_UNKNOWN)
		return r < 0 ? r : 0;
	r = sysctl_read(forwarding_sysctl, value, sizeof(value));
	if (r < 0)
		return r;
	if (value[0] == '0') {
		length = forwarding_interfaces_list(lines, sizeof(lines));
		was = sysctl_read(redirects_sysctl, redirects, sizeof(redirects)) == 0 &&
				      redirects[0] == '0'
			      ? FORWARDING_OFF_STRICT
			      : FORWARDING_OFF;
	}
	/* In place of what a maker that was killed here has left. One byte is all or nothing. */
	if (ftruncate(forwarding->fd, 0) < 0)
		return -errno;
	if (pwrite(forwarding->fd, lines, length, 1) != (ssize_t)length)
		return -EIO;
	return pwrite(forwarding->fd, &was, 1, 0) < 0 ? -errno : 0;
}

/*
 * Opens and locks the file, with a value recorded in it. Returns 1; 0 when the file was unlinked
 * meanwhile, so that it must be opened anew; or a negative errno.
 */
static int forwarding_enter(struct forwarding *forwarding)
{
	int r;

	if (forwarding->fd >= 0)
		close(forwarding->fd);
	forwarding->fd =
		open(forwarding->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, (mode_t)0600);
	if (forwarding->fd < 0)
		return -errno;
	r = forwarding_lock(forwarding, LOCK_SH);
	if (r <= 0)
		return r;
	r = forwarding_recorded(forwarding);
	if (r != FORWARDING_UNKNOWN)
		return r < 0 ? r : 1;
	r = forwarding_lock(forwarding, LOCK_EX);
	if (r <= 0)
		return r;
	r = forwarding_record(forwarding);
	if (r < 0)
		return r;
	return forwarding_lock(forwarding, LOCK_SH);
}

/* Takes (F_WRLCK) or gives back (F_UNLCK) the turn to change the sysctl or the names. */
static int forwarding_turn(const struct forwarding *forwarding, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

	while (fcntl(forwarding->fd, F_OFD_SETLKW, &lock) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/*
 * Reads the names, each between newlines, into `names` (FILE_MAX bytes, terminated). Returns their
 * length or a negative errno.
 */
static int forwarding_names(const struct forwarding *forwarding, char *names)
{
	ssize_t length = pread(forwarding->fd, names, FILE_MAX - 1, 1);

	if (length < 0)
		return -errno;
	names[length] = '\0';
	return (int)length;
}

/* Writes "0" or "1" unless that is the value already (/proc/sys may be read-only). */
static int write_when_other(const char *name, const char *wanted)
{
	char value[16];
	int r = sysctl_read(name, value, sizeof(value));

	return r == 0 && (value[0] == '0') != (wanted[0] == '0') ? sysctl_write(name, wanted) : r;
}

/*
 * Makes the state that was, or FORWARDING_ON. One at a time: while the kernel waits for its own
 * lock it takes the new value back and tries again, so that somebody else could read a '1' that is
 * not there yet.
 */
static int forwarding_set(const struct forwarding *forwarding, enum forwarding_was wanted)
{
	char names[FILE_MAX];
	int r = forwarding_turn(forwarding, F_WRLCK);

	if (r < 0)
		return r;
	r = write_when_other(forwarding_sysctl, wanted == FORWARDING_ON ? "1" : "0");
	if (r == 0 && wanted == FORWARDING_OFF_STRICT)
		r = write_when_other(redirects_sysctl, "0");
	if (r == 0 && wanted != FORWARDING_ON && forwarding_names(forwarding, names) > 0)
		r = forwarding_interfaces_restore(names);
	forwarding_turn(forwarding, F_UNLCK);
	return r;
}

/* Finds a name, whose length is that of `user`; NULL when it is not there. */
static char *forwarding_find(char *names, const char *user)
{
	size_t length = strlen(user);

	for (char *name = names; *name; name += strcspn(name, "\n")) {
		name += strspn(name, "\n");
		if (strcspn(name, "\n") == length && strncmp(name, user, length) == 0 && length)
			return name;
	}
	return NULL;
}

int forwarding_keep(struct forwarding *forwarding, const char *user)
{
	char names[FILE_MAX], line[256];
	int r = forwarding_turn(forwarding, F_WRLCK);
	int length;

	if (r < 0)
		return r;
	r = forwarding_names(forwarding, names);
	if (r >= 0 && !forwarding_find(names, user)) {
		length = snprintf(line, sizeof(line), "\n%s\n", user);
		if (length >= (int)sizeof(line) || r + length >= FILE_MAX - 1)
			r = -ENOSPC;
		else if (pwrite(forwarding->fd, line, (size_t)length, 1 + r) != length)
			r = -errno;
	}
	forwarding_turn(forwarding, F_UNLCK);
	return r < 0 ? r : 0;
}

/* Takes a name out. */
static int forwarding_forget(struct forwarding *forwarding, const char *user)
{
	char names[FILE_MAX], *name;
	int r = forwarding_turn(forwarding, F_WRLCK);

	if (r < 0)
		return r;
	r = forwarding_names(forwarding, names);
	name = r > 0 ? forwarding_find(names, user) : NULL;
	if (name) {
		memset(name, '\n', strlen(user));
		if (pwrite(forwarding->fd, name, strlen(user), 1 + (name - names)) < 0)
			r = -errno;
	}
	forwarding_turn(forwarding, F_UNLCK);
	return r < 0 ? r : 0;
}

/* Whether somebody needs forwarding who has no process; an unreadable file counts as yes. */
static bool forwarding_kept(const struct forwarding *forwarding)
{
	char names[FILE_MAX];

	if (forwarding_names(forwarding, names) < 0)
		return true;
	for (const char *name = names; *name; name += strcspn(name, "\n")) {
		name += strspn(name, "\n");
		if (*name && *name != FORWARDING_INTERFACE)
			return true;
	}
	return false;
}

/* Opens the state file and holds it, without touching the sysctl. */
static int forwarding_join(const char *run_directory, bool make, struct forwarding **ret_forwarding)
{
	struct forwarding *forwarding = calloc(1, sizeof(*forwarding));
	int r;

	if (!forwarding)
		return -ENOMEM;
	forwarding->fd = -1;
	r = forwarding_path(run_directory, &forwarding->path);
	if (r < 0) {
		forwarding->path = NULL; /* asprintf may have left anything there */
		goto fail;
	}
	if (!make && access(forwarding->path, F_OK) < 0) {
		r = -errno;
		goto fail;
	}
	do
		r = forwarding_enter(forwarding);
	while (r == 0);
	if (r < 0)
		goto fail;
	*ret_forwarding = forwarding;
	return 0;
fail:
	forwarding_free(forwarding);
	return r;
}

int forwarding_hold(const char *run_directory, struct forwarding **ret_forwarding)
{
	struct forwarding *forwarding = NULL;
	int r = forwarding_join(run_directory, true, &forwarding);

	if (r < 0)
		return r;
	r = forwarding_set(forwarding, FORWARDING_ON);
	if (r < 0) {
		forwarding_release(forwarding);
		return r;
	}
	*ret_forwarding = forwarding;
	return 0;
}

int forwarding_drop(const char *run_directory, const char *user)
{
	struct forwarding *forwarding = NULL;
	int r = forwarding_join(run_directory, false, &forwarding);
	int released;

	if (r < 0 || !forwarding)
		return r == -ENOENT ? 0 : r;
	r = user ? forwarding_forget(forwarding, user) : 0;
	released = forwarding_release(forwarding);
	return r < 0 ? r : released;
}

int forwarding_release(struct forwarding *forwarding)
{
	int r;

	if (!forwarding)
		return 0;
	r = forwarding_lock(forwarding, LOCK_EX | LOCK_NB);
	if (r == -EWOULDBLOCK)
		r = 0; /* others still need it */
	else if (r == 1 && !forwarding_kept(forwarding)) {
		r = forwarding_recorded(forwarding);
		if (r == FORWARDING_OFF || r == FORWARDING_OFF_STRICT)
			r = forwarding_set(forwarding, (enum forwarding_was)r);
		/* What could not be restored stays recorded, for the next one to try. */
		if (r >= 0)
			r = unlink(forwarding->path) < 0 ? -errno : 0;
	}
	forwarding_free(forwarding);
	return r < 0 ? r : 0;
}

void forwarding_close_in_child(struct forwarding *forwarding)
{
	if (forwarding)
		forwarding_free(forwarding);
}
