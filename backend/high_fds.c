/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/high_fds.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Half of what this process may have stays free. */
static int find_floor(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	return limit.rlim_cur / 2 < HIGH_FDS_FLOOR ? (int)(limit.rlim_cur / 2) : HIGH_FDS_FLOOR;
}

void high_fds_begin(struct high_fds *high)
{
	int floor = find_floor();

	memset(high, 0, sizeof(*high));
	for (;;) {
		int fd = dup(STDERR_FILENO);
		if (fd < 0)
			return;
		if (fd >= floor) {
			close(fd);
			return;
		}
		high->ours[fd / 8] |= (unsigned char)(1 << fd % 8);
	}
}

void high_fds_end(struct high_fds *high)
{
	for (int fd = 0; fd < HIGH_FDS_FLOOR; fd++)
		if (high->ours[fd / 8] & 1 << fd % 8)
			close(fd);
	memset(high, 0, sizeof(*high));
}
