/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What test data look like: byte n of a stream is n modulo 251. 251 is prime and divides no size of
 * a packet, so that what was moved, left out or repeated does not fit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_PERIOD 251
/* The longest piece, bytes. */
#define PATTERN_PIECE 2048

/* Writes `length` bytes (at most PATTERN_PIECE) of the stream from `offset` on. */
void pattern_fill(uint32_t offset, uint8_t *bytes, size_t length);

/* Whether these bytes are the stream's from `offset` on. */
bool pattern_matches(uint32_t offset, const uint8_t *bytes, size_t length);
