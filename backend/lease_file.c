/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/lease_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/host/lock_file.h"

/* Every page is there before anybody writes to it: a full file system is an error now, and not a
 * fatal signal later. */
static int give_size(int fd, size_t size)
{
	struct stat status;

	if (fchmod(fd, 0600) < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (status.st_size != (off_t)size && ftruncate(fd, 0) < 0)
		return -errno;
	return -posix_fallocate(fd, 0, (off_t)size);
}

int lease_file_open(const char *directory, const char *name, size_t size,
	struct shared_memory *ret_memory, struct lease_file *ret_file)
{
	struct lease_file file = {.fd = -1};

	if (asprintf(&file.path, "%s/%s" LEASE_FILE_SUFFIX, directory, name) < 0)
		return -ENOMEM;
	int error = lock_file_open(file.path, true, false, &file.fd);
	if (error)
		goto fail;
	error = give_size(file.fd, size);
	if (error)
		goto fail;
	void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
	if (address == MAP_FAILED) {
		error = -errno;
		goto fail;
	}
	*ret_memory = (struct shared_memory){.address = address, .size = size};
	*ret_file = file;
	return 0;
fail:
	if (file.fd >= 0)
		close(file.fd);
	free(file.path);
	return error;
}

void lease_file_close(struct lease_file *file, bool remove)
{
	if (!file || !file->path)
		return;
	if (remove)
		unlink(file->path);
	close(file->fd);
	free(file->path);
	*file = (struct lease_file){.fd = -1};
}
