/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dirty_log.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is mapped begins and ends at blocks of so many bytes: huge pages are neither mapped nor
 * unmapped in part. */
static uint64_t block_of(const struct stat *file)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), block = (uint64_t)file->st_blksize;

	return block > page && block % page == 0 ? block : page;
}

int dirty_log_init(struct dirty_log *log, int fd, uint64_t size, uint64_t offset)
{
	struct stat file;
	uint64_t end, mapped;

	if (fstat(fd, &file))
		return -errno;
	if (!size || __builtin_add_overflow(offset, size, &end) || !S_ISREG(file.st_mode) ||
		(uint64_t)file.st_size < end)
		return -EINVAL;
	uint64_t block = block_of(&file), before = offset % block;
	if (__builtin_add_overflow(before + size, block - 1, &mapped))
		return -EINVAL;
	mapped -= mapped % block;
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
