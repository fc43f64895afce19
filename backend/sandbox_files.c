/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/sandbox_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Everything of Landlock's first version that changes a file system. */
#define CHANGES                                                                 \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |        \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |     \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static int allow_sockets(int ruleset, const char *directory)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_MAKE_SOCK,
		.parent_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC),
	};

	if (rule.parent_fd < 0)
		return -errno;
	int error =
		syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
			? -errno
			: 0;
	close(rule.parent_fd);
	return error;
}

int sandbox_files_restrict(const char *const directories[], unsigned int count)
{
	const struct landlock_ruleset_attr handled = {.handled_access_fs = CHANGES};
	int ruleset = (int)syscall(
		SYS_landlock_create_ruleset, &handled, sizeof(handled.handled_access_fs), 0);
	int error = 0;

	if (ruleset < 0)
		return errno == ENOSYS ? -EOPNOTSUPP : -errno;
	for (unsigned int i = 0; !error && i < count; i++)
		if (directories[i])
			error = allow_sockets(ruleset, directories[i]);
	if (!error && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		error = -errno;
	close(ruleset);
	return error;
}
