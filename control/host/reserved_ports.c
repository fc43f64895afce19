/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * Each network has a state file, ports-NAMESPACE-TAP, with two lines: the ports that it wants, and
 * those of them that it added because they were not reserved before. It holds an exclusive flock on
 * the file as long as it lives. Whoever changes anything holds a flock on the directory meanwhile.
 *
 *   hold     looks at the files of this network namespace. One that nobody has locked is of a
 *            killed process: what it added is taken out, the file goes. One that is locked tells
 *            what is not free. Then the own file is written, and the kernel's list after it.
 *   release  takes out what was added, then the file.
 *
 * The file is written before the list, and names all that may be in it by us: however the process
 * dies, what it added is known. No two live networks want the same port, so that each port that we
 * added has one owner. A port that somebody else reserves while we have it goes with ours: the
 * kernel's list does not tell who asked.
 */
#include "control/host/reserved_ports.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "control/host/namespace_id.h"
#include "control/host/sysctl.h"

/* Two lines, and a terminator. */
#define FILE_SIZE (2 * PORT_SET_TEXT_SIZE + 1)
#define NAME_SIZE (sizeof("ports-18446744073709551615-") + IFNAMSIZ)

static const char reserved_sysctl[] = "net/ipv4/ip_local_reserved_ports";

struct reserved_ports {
	struct port_set wanted; /* what the network wants */
	struct port_set added;	/* those of them that were not reserved before */
	char name[NAME_SIZE];	/* of the state file */
	size_t prefix;		/* bytes of it that all files of this namespace have in common */
	int directory;		/* where it is; -1 = none */
	int fd;			/* of the state file, locked; -1 = none */
};

static int reserved_lock(int fd, int operation)
{
	while (flock(fd, operation) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Reads the kernel's list. */
static int reserved_read(struct port_set *ret_set)
{
	char text[PORT_SET_TEXT_SIZE];
	int r = sysctl_read(reserved_sysctl, text, sizeof(text));

	return r < 0 ? r : port_set_parse(text, ret_set);
}

/* Takes `out` out of the kernel's list and adds `in`. Writes only what is new. */
static int reserved_write(const struct port_set *out, const struct port_set *in)
{
	char text[PORT_SET_TEXT_SIZE];
	struct port_set before, after;
	int r = reserved_read(&before);

	if (r < 0)
		return r;
	after = before;
	port_set_remove(&after, out);
	port_set_join(&after, in);
	if (memcmp(&before, &after, sizeof(before)) == 0)
		return 0;
	r = port_set_format(&after, text, sizeof(text));
	/* An empty write changes nothing; a newline empties the list. */
	return r < 0 ? r : sysctl_write(reserved_sysctl, text[0] ? text : "\n");
}

/* Writes the state file, in one write. */
static int reserved_record(int fd, const struct port_set *wanted, const struct port_set *added)
{
	char text[FILE_SIZE];
	size_t length;
	int r = port_set_format(wanted, text, PORT_SET_TEXT_SIZE);

	if (r < 0)
		return r;
	length = strlen(text);
	text[length++] = '\n';
	r = port_set_format(added, text + length, PORT_SET_TEXT_SIZE);
	if (r < 0)
		return r;
	length += strlen(text + length);
	text[length++] = '\n';
	return pwrite(fd, text, length, 0) == (ssize_t)length ? 0 : -EIO;
}

/* Reads a state file; what is not whole was written by nobody who added anything. */
static void reserved_recorded(int fd, struct port_set *ret_wanted, struct port_set *ret_added)
{
	char text[FILE_SIZE];
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
	const char *second;

	*ret_wanted = (struct port_set){0};
	*ret_added = (struct port_set){0};
	if (length <= 0)
		return;
	text[length] = '\0';
	second = strchr(text, '\n');
	if (second && port_set_parse(text, ret_wanted) == 0)
		port_set_parse(second + 1, ret_added);
}

/*
 * Looks at the file of another network: adds what it wants to `taken`, or mends it when its process
 * is dead.
 */
static int reserved_look(int directory, const char *name, struct port_set *taken)
{
	static const struct port_set nothing;
	struct port_set wanted, added;
	int fd = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int r = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	reserved_recorded(fd, &wanted, &added);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		port_set_join(taken, &wanted);
	} else {
		r = reserved_write(&added, &nothing);
		if (r == 0)
			unlinkat(directory, name, 0);
	}
	close(fd);
	return r;
}

/* Looks at the files of all other networks in this network namespace. */
static int reserved_look_around(const struct reserved_ports *ports, struct port_set *taken)
{
	int fd = openat(ports->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!stream) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (entry = readdir(stream)))
		if (strncmp(entry->d_name, ports->name, ports->prefix) == 0 &&
			(ports->fd < 0 || strcmp(entry->d_name, ports->name) != 0))
			r = reserved_look(ports->directory, entry->d_name, taken);
	closedir(stream);
	return r;
}

/* Opens the state file of this network, which is not there yet, and locks it. */
static int reserved_open(struct reserved_ports *ports)
{
	ports->fd = openat(ports->directory, ports->name,
		O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)0600);
	if (ports->fd < 0)
		return -errno;
	return reserved_lock(ports->fd, LOCK_EX | LOCK_NB);
}

/* With the directory locked: reserves `wanted` and nothing else. */
static int reserved_apply(struct reserved_ports *ports, const struct port_set *wanted)
{
	struct port_set taken = {0}, others, added, both;
	int r = reserved_look_around(ports, &taken);

	if (r < 0)
		return r;
	if (port_set_meets(&taken, wanted))
		return -EADDRINUSE;
	if (ports->fd < 0)
		r = reserved_open(ports);
	if (r == 0)
		r = reserved_read(&others);
	if (r < 0)
		return r;
	port_set_remove(&others, &ports->added);
	added = *wanted;
	port_set_remove(&added, &others);
	both = added;
	port_set_join(&both, &ports->added);
	r = reserved_record(ports->fd, wanted, &both);
	if (r == 0)
		r = reserved_write(&ports->added, &added);
	if (r < 0) {
		reserved_record(ports->fd, &ports->wanted, &ports->added);
		return r;
	}
	ports->wanted = *wanted;
	ports->added = added;
	return reserved_record(ports->fd, wanted, &added);
}

int reserved_ports_change(struct reserved_ports *ports, const struct port_set *wanted)
{
	int r = reserved_lock(ports->directory, LOCK_EX);

	if (r < 0)
		return r;
	r = reserved_apply(ports, wanted);
	reserved_lock(ports->directory, LOCK_UN);
	return r;
}

/* Makes an empty hold: no file, nothing wanted. */
static int reserved_new(
	const char *run_directory, const char *tap, struct reserved_ports **ret_ports)
{
	struct reserved_ports *ports = calloc(1, sizeof(*ports));
	uint64_t id = 0;
	int r;

	if (!ports)
		return -ENOMEM;
	ports->fd = -1;
	ports->directory = open(run_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = ports->directory < 0 ? -errno : namespace_id(&id);
	if (r < 0) {
		reserved_ports_close_in_child(ports);
		return r;
	}
	ports->prefix =
		(size_t)snprintf(ports->name, sizeof(ports->name), "ports-%" PRIu64 "-", id);
	snprintf(ports->name + ports->prefix, sizeof(ports->name) - ports->prefix, "%s", tap);
	*ret_ports = ports;
	return 0;
}

int reserved_ports_hold(const char *run_directory, const char *tap, const struct port_set *wanted,
	struct reserved_ports **ret_ports)
{
	struct reserved_ports *ports = NULL;
	int r = reserved_new(run_directory, tap, &ports);

	if (r < 0)
		return r;
	r = reserved_ports_change(ports, wanted);
	if (r < 0) {
		reserved_ports_release(ports);
		return r;
	}
	*ret_ports = ports;
	return 0;
}

int reserved_ports_mend(const char *run_directory)
{
	struct reserved_ports *ports = NULL;
	struct port_set taken = {0};
	int r = reserved_new(run_directory, "", &ports);

	/* Nobody reserved anything in a directory that was never made. */
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = reserved_lock(ports->directory, LOCK_EX);
	if (r == 0) {
		r = reserved_look_around(ports, &taken);
		reserved_lock(ports->directory, LOCK_UN);
	}
	reserved_ports_close_in_child(ports);
	return r;
}

int reserved_ports_release(struct reserved_ports *ports)
{
	static const struct port_set nothing;
	int r = 0;

	if (!ports)
		return 0;
	if (ports->fd >= 0)
		r = reserved_lock(ports->directory, LOCK_EX);
	if (ports->fd >= 0 && r == 0) {
		r = reserved_write(&ports->added, &nothing);
		/* What could not be taken out stays written down, for the next one to try. */
		if (r == 0)
			unlinkat(ports->directory, ports->name, 0);
		reserved_lock(ports->directory, LOCK_UN);
	}
	reserved_ports_close_in_child(ports);
	return r;
}

void reserved_ports_close_in_child(struct reserved_ports *ports)
{
	if (!ports)
		return;
	if (ports->fd >= 0)
		close(ports->fd);
	if (ports->directory >= 0)
		close(ports->directory);
	free(ports);
}
