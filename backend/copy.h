/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies of the sizes that headers and small frames have, without a call: two overlapping moves of
 * a fixed size, which the compiler turns into vector registers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Copies `length` bytes, 1 to any number; the ranges do not overlap. */
static inline void copy_bytes(void *to, const void *from, size_t length)
{
	uint8_t *out = to;
	const uint8_t *in = from;
	if (length > 128 || length < 16) {
		memcpy(out, in, length);
	} else if (length >= 64) {
		memcpy(out, in, 64);
		if (length > 64)
			memcpy(out + length - 64, in + length - 64, 64);
	} else if (length >= 32) {
		memcpy(out, in, 32);
		memcpy(out + length - 32, in + length - 32, 32);
	} else {
		memcpy(out, in, 16);
		memcpy(out + length - 16, in + length - 16, 16);
	}
}

#define COPY_LINE 64 /* bytes that a cache moves at once */

/*
 * A copy to `length` bytes at `to` will follow: their lines are fetched, and taken away from other
 * processors, while something else is done. They need not be there: nothing is read or written.
 */
static inline void copy_expect(uint8_t *to, size_t length)
{
	/* From the beginning of the first line, so that the last is among them. */
	size_t before = (uintptr_t)to % COPY_LINE;
	to -= before;
	for (size_t at = 0; at < before + length; at += COPY_LINE) {
#ifdef __x86_64__
		/* The builtin becomes a prefetch for reading when compiled for any processor; those
		 * that are too old for this one take it as nothing. */
		__asm__ volatile("prefetchw %0" : : "m"(to[at]));
#else
		__builtin_prefetch(to + at, 1);
#endif
	}
}
