/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dirty_log.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int dirty_log_init(struct dirty_log *log, int fd, uint64_t size, uint64_t offset)
{
	struct stat file;
	uint64_t end;
	uint64_t before = offset % (uint64_t)sysconf(_SC_PAGESIZE);

	if (fstat(fd, &file))
		return -errno;
	if (!size || __builtin_add_overflow(offset, size, &end) || !S_ISREG(file.st_mode) ||
		(uint64_t)file.st_size < end)
		return -EINVAL;
	size_t mapped = size + before;
	void *mapping = mmap(
		NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(offset - before));
	if (mapping == MAP_FAILED)
		return -errno;
	*log = (struct dirty_log){
		.bits = (uint8_t *)mapping + before,
		.size = size,
		.mapping = mapping,
		.mapped = mapped,
	};
	return 0;
}

void dirty_log_fini(struct dirty_log *log)
{
	if (log->mapping)
		munmap(log->mapping, log->mapped);
	*log = (struct dirty_log){0};
}

void dirty_log_mark(const struct dirty_log *log, uint64_t guest, uint64_t length)
{
	if (!length)
		return;
	uint64_t page = guest / DIRTY_LOG_PAGE;
	uint64_t last = (guest + (length - 1)) / DIRTY_LOG_PAGE;
	for (; page <= last && page / 8 < log->size; page++)
		__atomic_fetch_or(
			&log->bits[page / 8], (uint8_t)(1u << page % 8), __ATOMIC_SEQ_CST);
}
