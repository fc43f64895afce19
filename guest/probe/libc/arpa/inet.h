/* SPDX-License-Identifier: BSD-3-Clause */
/* Network byte order for backend/bytes.h; the probe runs on little-endian machines only. */
#pragma once

#include <stdint.h>

static inline uint16_t htons(uint16_t host)
{
	return __builtin_bswap16(host);
}

static inline uint32_t htonl(uint32_t host)
{
	return __builtin_bswap32(host);
}

static inline uint16_t ntohs(uint16_t net_be)
{
	return __builtin_bswap16(net_be);
}

static inline uint32_t ntohl(uint32_t net_be)
{
	return __builtin_bswap32(net_be);
}
