/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A value of Cloud Hypervisor's command line such as "size=512M,shared=on": keys and values as its
 * own option parser reads them. Commas within [brackets] or "quotes" belong to the value, quotes
 * are dropped, and of two equal keys the last one counts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether brackets and quotes are closed, so that the VMM could read it at all. */
bool spec_is_balanced(const char *spec);

/* Whether `key` is there, with a value or without. */
bool spec_has(const char *spec, const char *key);

/*
 * Copies the value of `key`, terminated and without quotes, to `value`. Returns 0; -ENOENT when the
 * key is missing or has no value; -ENOSPC when it does not fit.
 */
int spec_get(const char *spec, const char *key, char *value, size_t size);

/* Whether the switch `key` is on: "on" or "true", in any case. */
bool spec_is_on(const char *spec, const char *key);

/*
 * Reads the value of `key` as a decimal number. Returns 0; -ENOENT when it is missing; -EINVAL when
 * it is no number of 32 bits.
 */
int spec_get_number(const char *spec, const char *key, uint32_t *ret_number);
