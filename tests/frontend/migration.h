/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The source's side of a live migration, as Cloud Hypervisor does it: a dirty log that the back end
 * writes and that is swapped for a fresh one in each round, and the destination's copy of memory.
 *
 * States: begun -> copied any number of times -> finished. Functions assert (cmocka).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/frontend/frontend.h"

#define MIGRATION_PAGE 4096u

struct migration {
	struct frontend *port;
	uint8_t *copies[GUEST_RAM_REGIONS_MAX]; /* the destination's memory, by region */
	uint8_t *log;				/* that the back end writes now */
	uint64_t log_size;			/* bytes */
	uint8_t *taken;				/* bits taken from logs since migration_forget() */
	uint64_t offset; /* of a log in its file, bytes: 0 with Cloud Hypervisor */
};

/* Turns logging on and then copies all memory. */
void migration_begin(struct migration *migration, struct frontend *port, uint64_t log_offset);

/* A round: swaps the log, and copies the pages that the old one names. */
void migration_copy(struct migration *migration);

/* The last round, with both rings disabled, as they stay; logging is off afterwards. */
void migration_finish(struct migration *migration);

/*
 * Makes the destination: a front end with the source's options, the memory that was copied, and the
 * driver as it is. It is not connected; frontend_resume() lets it run.
 */
void migration_arrive(const struct migration *migration, struct frontend *destination);

/* Frees; logging should be off. */
void migration_fini(struct migration *migration);

/* Forgets which pages were marked so far. */
void migration_forget(struct migration *migration);
/* Was this page, by guest physical address, marked since then? */
bool migration_was_marked(const struct migration *migration, uint64_t guest);

/* Calls `visit` for each stretch of guest memory that only the device writes: both used rings, and
 * receive buffers and headers. */
void migration_walk(const struct migration *migration,
	void (*visit)(const struct migration *migration, uint64_t guest, uint64_t length));

/* For migration_walk(): the copy must be what the memory is. */
void migration_expect_same(const struct migration *migration, uint64_t guest, uint64_t length);

/* Where the destination has a guest physical address; the stretch lies in one region. */
uint8_t *migration_copy_at(const struct migration *migration, uint64_t guest);
