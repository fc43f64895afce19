/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/low_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

static void close_from(struct low_descriptors *low, unsigned int count)
{
	while (low->count > count)
		close(low->fds[--low->count]);
}

void low_descriptors_reserve(int fd)
{
	/* The table grows to hold this number, and never shrinks. */
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, LOW_DESCRIPTORS_MAX);

	if (copy >= 0)
		close(copy);
}

void low_descriptors_hold(struct low_descriptors *low, int fd, unsigned int count)
{
	low->count = 0;
	while (low->count < count && low->count < LOW_DESCRIPTORS_MAX) {
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

		if (copy < 0) {
			close_from(low, low->count / 2);
			return;
		}
		low->fds[low->count++] = copy;
	}
}

void low_descriptors_let_go(struct low_descriptors *low)
{
	close_from(low, 0);
}
