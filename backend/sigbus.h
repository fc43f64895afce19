/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory that is not there. A front end may truncate the file behind its guest's memory while
 * we use it; whoever touches a page beyond the end gets SIGBUS. The handler replaces the whole
 * mapping that holds the page by anonymous memory (a page of a huge page cannot be replaced alone),
 * marks its port and returns; the port's rings are then stopped and the other guests never notice.
 * A fault anywhere else is fatal: the monitor starts a new data plane.
 *
 * librte_vhost may fault in memory that it has just mapped and that no hook has seen: while a
 * message is served, a fault of that thread outside of any known mapping is answered with one page.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/guest_memory.h"

/* Installs the handler. 0 or -errno. */
int sigbus_install(void);

/* Which of a port's mappings: a region's number below GUEST_MEMORY_REGIONS_MAX, or its dirty log.
 */
#define SIGBUS_SLOT_LOG GUEST_MEMORY_REGIONS_MAX
#define SIGBUS_SLOTS (SIGBUS_SLOT_LOG + 1)

/* Tells of a mapping of the front end's memory that belongs to `port`. A NULL address removes it.
 */
void sigbus_watch(uint16_t port, unsigned int slot, void *address, size_t length);

/* This thread serves (true) or has served (false) a message of `port`. */
void sigbus_message(uint16_t port, bool serving);

/* Some port was hit: look which with sigbus_hit(). */
extern bool sigbus_pending;

/* Did a fault hit memory of `port` since the last call? */
bool sigbus_hit(uint16_t port);
