/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/counter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int open_one(const char *name, const char *what, int *ret_fd)
{
	char path[128];
	int length = snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/tx_%s", name, what);
	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int counter_open(struct counter *counter, const char *name)
{
	*counter = (struct counter){-1, -1};
	int error = open_one(name, "packets", &counter->packets_fd);
	return error ? error : open_one(name, "bytes", &counter->bytes_fd);
}

void counter_close(struct counter *counter)
{
	if (counter->packets_fd >= 0)
		close(counter->packets_fd);
	if (counter->bytes_fd >= 0)
		close(counter->bytes_fd);
	counter->packets_fd = counter->bytes_fd = -1;
}

static int read_one(int fd, uint64_t *ret_value)
{
	char text[32];
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
	if (got < 0)
		return -errno;
	text[got] = '\0';
	*ret_value = strtoull(text, NULL, 10);
	return 0;
}

int counter_read(const struct counter *counter, struct counter_value *ret_value)
{
	struct counter_value value;
	int error = read_one(counter->packets_fd, &value.packets);
	if (!error)
		error = read_one(counter->bytes_fd, &value.bytes);
	if (!error)
		*ret_value = value;
	return error;
}

double counter_frames(const struct workload *workload, const struct counter_value *from,
	const struct counter_value *to)
{
	uint32_t headers = workload_headers(workload);
	double bytes = (double)(to->bytes - from->bytes);
	double payload = bytes - (double)(to->packets - from->packets) * headers;
	return payload / (workload->frame_length - headers);
}
