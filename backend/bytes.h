/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fields of headers, which may lie at any address. Those with `_be` leave the bytes as they lie:
 * network byte order. The others read a field of network byte order as a number. The names are
 * short because they stand inside expressions; bounds are the caller's.
 */
#pragma once

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load16_be(const uint8_t *p)
{
	uint16_t value_be;

	memcpy(&value_be, p, sizeof(value_be));
	return value_be;
}

static inline uint32_t load32_be(const uint8_t *p)
{
	uint32_t value_be;

	memcpy(&value_be, p, sizeof(value_be));
	return value_be;
}

static inline uint64_t load64_be(const uint8_t *p)
{
	uint64_t value_be;

	memcpy(&value_be, p, sizeof(value_be));
	return value_be;
}

static inline uint16_t load16(const uint8_t *p)
{
	return ntohs(load16_be(p));
}

static inline uint32_t load32(const uint8_t *p)
{
	return ntohl(load32_be(p));
}

static inline void store16_be(uint8_t *p, uint16_t value_be)
{
	memcpy(p, &value_be, sizeof(value_be));
}

static inline void store32_be(uint8_t *p, uint32_t value_be)
{
	memcpy(p, &value_be, sizeof(value_be));
}
