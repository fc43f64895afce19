/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/guest_ram.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
/* Between regions that are not adjacent, as the hole below 4 GiB on a PC. */
#define GAP (UINT64_C(1) << 32)

static int make_file(uint64_t size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

int guest_ram_init(struct guest_ram *ram, const struct guest_ram_layout *layout)
{
	memset(ram, 0, sizeof(*ram));
	uint64_t size = layout->region_size;

	for (unsigned int i = 0; i < layout->regions; i++) {
		struct guest_ram_region *region = &ram->regions[i];
		bool share = layout->one_file && i > 0;
		int fd = share ? ram->regions[0].fd
			       : make_file(layout->one_file ? size * layout->regions : size);
		if (fd < 0)
			return fd;
		*region = (struct guest_ram_region){
			.guest = layout->adjacent ? i * size : i * GAP,
			.size = size,
			.file_offset = layout->one_file ? i * size : 0,
			.used = PAGE,
			.host = MAP_FAILED,
			.fd = fd,
		};
		ram->count = i + 1;
		region->host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			(off_t)region->file_offset);
		if (region->host == MAP_FAILED)
			return -errno;
	}
	return 0;
}

void guest_ram_fini(struct guest_ram *ram)
{
	for (unsigned int i = 0; i < ram->count; i++) {
		if (ram->regions[i].host != MAP_FAILED)
			munmap(ram->regions[i].host, ram->regions[i].size);
		if (i == 0 || ram->regions[i].fd != ram->regions[0].fd)
			close(ram->regions[i].fd);
	}
	memset(ram, 0, sizeof(*ram));
}

int guest_ram_grow(struct guest_ram *ram, uint64_t size)
{
	if (ram->count == 0 || ram->count == GUEST_RAM_REGIONS_MAX)
		return -ENOSPC;
	const struct guest_ram_region *last = &ram->regions[ram->count - 1];
	int fd = make_file(size);
	if (fd < 0)
		return fd;
	uint8_t *host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (host == MAP_FAILED) {
		int error = errno;
		close(fd);
		return -error;
	}
	ram->regions[ram->count++] = (struct guest_ram_region){
		.guest = last->guest + last->size + GAP,
		.size = size,
		.host = host,
		.fd = fd,
	};
	return 0;
}

uint64_t guest_ram_alloc(struct guest_ram *ram, uint64_t size, uint64_t align)
{
	for (unsigned int i = 0; i < ram->count; i++) {
		struct guest_ram_region *region = &ram->regions[(ram->turn + i) % ram->count];
		uint64_t start = (region->used + align - 1) & ~(align - 1);
		if (start > region->size || region->size - start < size)
			continue;
		region->used = start + size;
		ram->turn = (ram->turn + i + 1) % ram->count;
		return region->guest + start;
	}
	return 0;
}

/* How many bytes from `guest` on lie in the same region (at most `length`), and where; 0: none. */
static uint64_t piece_at(
	const struct guest_ram *ram, uint64_t guest, uint64_t length, uint8_t **ret_host)
{
	for (unsigned int i = 0; i < ram->count; i++) {
		const struct guest_ram_region *region = &ram->regions[i];
		uint64_t offset = guest - region->guest;
		if (offset >= region->size)
			continue;
		*ret_host = region->host + offset;
		return region->size - offset < length ? region->size - offset : length;
	}
	return 0;
}

void *guest_ram_at(const struct guest_ram *ram, uint64_t guest, uint64_t length)
{
	uint8_t *host = NULL;
	return piece_at(ram, guest, length, &host) == length ? host : NULL;
}

int guest_ram_write(struct guest_ram *ram, uint64_t guest, const void *bytes, uint64_t length)
{
	const uint8_t *from = bytes;
	while (length > 0) {
		uint8_t *host = NULL;
		uint64_t piece = piece_at(ram, guest, length, &host);
		if (piece == 0)
			return -EFAULT;
		memcpy(host, from, piece);
		from += piece;
		guest += piece;
		length -= piece;
	}
	return 0;
}

int guest_ram_read(const struct guest_ram *ram, uint64_t guest, void *bytes, uint64_t length)
{
	uint8_t *to = bytes;
	while (length > 0) {
		uint8_t *host = NULL;
		uint64_t piece = piece_at(ram, guest, length, &host);
		if (piece == 0)
			return -EFAULT;
		memcpy(to, host, piece);
		to += piece;
		guest += piece;
		length -= piece;
	}
	return 0;
}
