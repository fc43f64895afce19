/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/migration.h"

#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Bytes of a log for this memory, as Cloud Hypervisor counts them, whole words. */
static uint64_t log_bytes(const struct guest_ram *ram)
{
	uint64_t last = 0;
	for (unsigned int i = 0; i < ram->count; i++) {
		uint64_t end = ram->regions[i].guest + ram->regions[i].size - 1;
		last = end > last ? end : last;
	}
	return (last / (MIGRATION_PAGE * 8) + 1 + 7) & ~UINT64_C(7);
}

/* Gives the back end a fresh log; returns the one before. */
static uint8_t *swap(struct migration *m)
{
	uint64_t page = m->offset & ~UINT64_C(0xfff);
	int fd = memfd_create("dirty log", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)(m->offset + m->log_size)), 0);
	uint8_t *fresh = mmap(NULL, m->offset - page + m->log_size, PROT_READ | PROT_WRITE,
		MAP_SHARED, fd, (off_t)page);
	assert_ptr_not_equal(fresh, MAP_FAILED);
	uint8_t *old = m->log;
	m->log = fresh + (m->offset - page);
	assert_int_equal(frontend_set_log_base(m->port, fd, m->log_size, m->offset), 0);
	close(fd);
	/* The answer comes before the rings run again; after the next one they do. */
	assert_int_equal(
		client_get_u64(&m->port->client, CLIENT_GET_FEATURES, &m->port->offered), 0);
	return old;
}

static void unmap(const struct migration *m, uint8_t *log)
{
	uint64_t before = m->offset & 0xfff;
	if (log)
		munmap(log - before, before + m->log_size);
}

uint8_t *migration_copy_at(const struct migration *migration, uint64_t guest)
{
	const struct guest_ram *ram = &migration->port->ram;
	for (unsigned int i = 0; i < ram->count; i++)
		if (guest - ram->regions[i].guest < ram->regions[i].size)
			return migration->copies[i] + (guest - ram->regions[i].guest);
	return NULL;
}

void migration_begin(struct migration *migration, struct frontend *port, uint64_t log_offset)
{
	struct migration *m = migration;
	*m = (struct migration){
		.port = port, .log_size = log_bytes(&port->ram), .offset = log_offset};
	m->taken = calloc(1, m->log_size);
	assert_non_null(m->taken);
	assert_null(swap(m));
	port->logging = true;
	assert_int_equal(frontend_set_features(port), 0);
	for (uint32_t i = 0; i < DRIVER_QUEUES; i++)
		assert_int_equal(frontend_set_vring_addr(port, i), 0);
	for (unsigned int i = 0; i < port->ram.count; i++) {
		m->copies[i] = malloc(port->ram.regions[i].size);
		assert_non_null(m->copies[i]);
		memcpy(m->copies[i], port->ram.regions[i].host, port->ram.regions[i].size);
	}
}

/* Copies the pages that a log names. */
static void copy_pages(struct migration *m, const uint8_t *log)
{
	for (uint64_t page = 0; page < m->log_size * 8; page++) {
		if (!(log[page / 8] & 1 << page % 8))
			continue;
		uint8_t *to = migration_copy_at(m, page * MIGRATION_PAGE);
		/* A mark where there is no memory is a fault. */
		assert_non_null(to);
		memcpy(to, guest_ram_at(&m->port->ram, page * MIGRATION_PAGE, MIGRATION_PAGE),
			MIGRATION_PAGE);
	}
	for (uint64_t i = 0; i < m->log_size; i++)
		m->taken[i] |= log[i];
}

void migration_copy(struct migration *migration)
{
	uint8_t *old = swap(migration);
	copy_pages(migration, old);
	unmap(migration, old);
}

static void enable(struct migration *m, uint32_t on)
{
	for (uint32_t i = 0; i < DRIVER_QUEUES; i++)
		assert_int_equal(
			client_set_vring(&m->port->client, CLIENT_SET_VRING_ENABLE, i, on), 0);
}

void migration_finish(struct migration *migration)
{
	struct migration *m = migration;
	enable(m, 0);
	migration_copy(m);
	m->port->logging = false;
	for (uint32_t i = 0; i < DRIVER_QUEUES; i++)
		assert_int_equal(frontend_set_vring_addr(m->port, i), 0);
	assert_int_equal(frontend_set_features(m->port), 0);
}

void migration_arrive(const struct migration *migration, struct frontend *destination)
{
	const struct frontend *source = migration->port;

	assert_int_equal(frontend_init(destination, &source->options), 0);
	assert_int_equal(destination->ram.count, source->ram.count);
	for (unsigned int i = 0; i < source->ram.count; i++) {
		assert_int_equal(destination->ram.regions[i].guest, source->ram.regions[i].guest);
		memcpy(destination->ram.regions[i].host, migration->copies[i],
			source->ram.regions[i].size);
	}
	driver_adopt(&destination->driver, &source->driver);
}

void migration_fini(struct migration *migration)
{
	unmap(migration, migration->log);
	free(migration->taken);
	for (unsigned int i = 0; i < GUEST_RAM_REGIONS_MAX; i++)
		free(migration->copies[i]);
	*migration = (struct migration){0};
}

void migration_forget(struct migration *migration)
{
	memset(migration->taken, 0, migration->log_size);
}

bool migration_was_marked(const struct migration *migration, uint64_t guest)
{
	uint64_t page = guest / MIGRATION_PAGE;
	assert_true(page / 8 < migration->log_size);
	return migration->taken[page / 8] & 1 << page % 8;
}

void migration_expect_same(const struct migration *m, uint64_t guest, uint64_t length)
{
	while (length) {
		uint64_t part = MIGRATION_PAGE - guest % MIGRATION_PAGE;
		part = part < length ? part : length;
		if (memcmp(guest_ram_at(&m->port->ram, guest, part), migration_copy_at(m, guest),
			    part) != 0)
			fail_msg("the page of 0x%llx was written and not marked",
				(unsigned long long)guest);
		guest += part;
		length -= part;
	}
}

void migration_walk(const struct migration *migration,
	void (*visit)(const struct migration *migration, uint64_t guest, uint64_t length))
{
	const struct driver *driver = &migration->port->driver;
	uint32_t body = driver->options.rx_buffer;

	for (unsigned int i = 0; i < DRIVER_QUEUES; i++)
		visit(migration, driver->queues[i].used_guest,
			4 + 8 * (uint64_t)driver->queues[i].options.size + 2);
	if (driver->rx_headers)
		body -= DRIVER_HEADER_LENGTH;
	for (uint16_t i = 0; i < driver->rx_slots; i++) {
		if (driver->rx_headers)
			visit(migration, driver->rx_headers[i], DRIVER_HEADER_LENGTH);
		visit(migration, driver->rx_buffers[i], body);
	}
}
