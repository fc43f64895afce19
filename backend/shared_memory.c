/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int shared_memory_init(struct shared_memory *ret_memory, const char *name, size_t size)
{
	int error = 0;
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		error = -errno;
		goto out;
	}
	void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED) {
		error = -errno;
		goto out;
	}
	*ret_memory = (struct shared_memory){.address = address, .size = size};
out:
	close(fd);
	return error;
}

void shared_memory_fini(struct shared_memory *memory)
{
	if (!memory || !memory->address)
		return;
	munmap(memory->address, memory->size);
	memory->address = NULL;
}
