/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers that nobody outside can guess, without a system call for each (RFC 6056 for ports, and
 * the seeds of hash tables): SipHash-2-4 of a counter under a key from getrandom().
 */
#pragma once

#include <stdint.h>

struct random {
	uint64_t key[2];
	uint64_t counter;
};

/* Takes a key from the kernel. 0 or negative errno. */
int random_init(struct random *random);

/* 64 bits. */
uint64_t random_next(struct random *random);

/* Uniform (to 2^-32) in 0 .. bound - 1; `bound` is not 0. */
static inline uint32_t random_below(struct random *random, uint32_t bound)
{
	return (uint32_t)(((random_next(random) >> 32) * bound) >> 32);
}
