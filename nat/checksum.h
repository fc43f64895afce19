/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum: RFC 1071 (sum), RFC 1624 (incremental update), and the partial checksums
 * of virtio (1.2, 5.1.6.2).
 *
 * Three kinds of values, told apart by name:
 *
 *   sum       uint64_t, ones' complement sum of 16-bit words as they lie in memory, not folded.
 *             Sums can be added with checksum_join(). Since words are taken as they lie in memory,
 *             results are stored without byte swapping, on either kind of machine.
 *   folded    uint16_t, the sum folded to 16 bits, NOT inverted. This is what the checksum field
 *             of a packet with VIRTIO_NET_HDR_F_NEEDS_CSUM holds for the pseudo-header.
 *   checksum  uint16_t, inverted: what a complete packet carries in its checksum field.
 *
 * "_be" arguments and all 16-bit results are in network byte order, as they lie in the packet.
 * All functions are pure; the small ones are inline since the fast path calls them per packet.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Ones' complement addition of two sums: the carry comes back in at the bottom. */
static inline uint64_t checksum_join(uint64_t a, uint64_t b)
{
	uint64_t sum = a + b;

	return sum + (sum < a);
}

/*
 * Adds `length` bytes at `data` (any alignment) to `sum`. An odd last byte counts as the high byte
 * of a word in network order (RFC 1071), so that only the last piece of a message may have an odd
 * length; for pieces in the middle use checksum_add_at().
 */
uint64_t checksum_add(uint64_t sum, const void *data, size_t length);

/* The same for a piece that lies `offset` bytes behind the start of the message: only whether it
 * is odd matters. */
uint64_t checksum_add_at(uint64_t sum, const void *data, size_t length, size_t offset);

/* Folds a sum to 16 bits, not inverted. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

/* The checksum field that belongs to a sum. */
static inline uint16_t checksum_finish(uint64_t sum)
{
	return (uint16_t)~checksum_fold(sum);
}

/* The same for UDP, where zero means "no checksum", so that zero goes as 0xffff (RFC 768). */
static inline uint16_t checksum_finish_udp(uint64_t sum)
{
	uint16_t checksum = checksum_finish(sum);

	return checksum == 0 ? UINT16_MAX : checksum;
}

/*
 * The pseudo-header of TCP and UDP over IPv4 (RFC 9293, 3.1). `length` is that of the L4 header
 * and its payload, bytes, host byte order; the whole length of a GSO frame too.
 */
static inline uint64_t checksum_pseudo_ipv4(
	uint32_t source_be, uint32_t destination_be, uint8_t protocol, uint16_t length)
{
	return (uint64_t)source_be + destination_be + __builtin_bswap16(length) +
	       __builtin_bswap16(protocol);
}

/* The pseudo-header over IPv6 (RFC 8200, 8.1); addresses are 16 bytes of any alignment. */
uint64_t checksum_pseudo_ipv6(
	const void *source, const void *destination, uint8_t next_header, uint32_t length);

/* The checksum field of an IPv4 header of `length` bytes whose field counts as zero. */
uint16_t checksum_ipv4_header(const void *header, size_t length);

/*
 * What a field's change adds to the folded sum of its packet: ~m + m' of RFC 1624. Folded; deltas
 * of several fields are summed with checksum_delta_join() and applied at once, which is how the NAT
 * stores a session's whole rewrite.
 */
static inline uint16_t checksum_delta16(uint16_t old_be, uint16_t new_be)
{
	return checksum_fold((uint64_t)(uint16_t)~old_be + new_be);
}

static inline uint16_t checksum_delta32(uint32_t old_be, uint32_t new_be)
{
	return checksum_fold((uint64_t)(uint32_t)~old_be + new_be);
}

static inline uint16_t checksum_delta_join(uint16_t a, uint16_t b)
{
	return checksum_fold((uint64_t)a + b);
}

/*
 * The checksum field after a change: HC' = ~(~HC + ~m + m'), RFC 1624, equation 3. It never makes
 * 0xffff out of a valid checksum, which equation 4 does.
 */
static inline uint16_t checksum_update(uint16_t checksum, uint16_t delta)
{
	return (uint16_t)~checksum_fold((uint64_t)(uint16_t)~checksum + delta);
}

/* The same for UDP: zero ("none") stays zero, and a result of zero goes as 0xffff. */
static inline uint16_t checksum_update_udp(uint16_t checksum, uint16_t delta)
{
	uint16_t updated;

	if (checksum == 0)
		return 0;
	updated = checksum_update(checksum, delta);
	return updated == 0 ? UINT16_MAX : updated;
}

/* The same for a partial (folded, not inverted) checksum; `delta` must then hold the changes of the
 * pseudo-header only, for ports are summed later by whoever completes it. */
static inline uint16_t checksum_update_partial(uint16_t folded, uint16_t delta)
{
	return checksum_fold((uint64_t)folded + delta);
}

/* One field changed: short forms. */
static inline uint16_t checksum_update16(uint16_t checksum, uint16_t old_be, uint16_t new_be)
{
	return checksum_update(checksum, checksum_delta16(old_be, new_be));
}

static inline uint16_t checksum_update32(uint16_t checksum, uint32_t old_be, uint32_t new_be)
{
	return checksum_update(checksum, checksum_delta32(old_be, new_be));
}
