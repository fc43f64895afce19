/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP echo (RFC 792): what ping sends, and the answer to others' pings. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/probe/ip.h"

/* Bytes behind the header of a request of ours. */
#define ECHO_DATA 56

/* Writes a request to `payload`, checksum zero; returns its length, bytes. */
size_t echo_write(uint16_t identifier, uint16_t sequence, uint8_t *payload);

/* Whether the datagram answers just that request, with its data unchanged. */
bool echo_answers(const struct ip_datagram *datagram, uint16_t identifier, uint16_t sequence);

/*
 * Writes the answer to a request to `payload` (FRAME_IP_PAYLOAD bytes), checksum zero; returns its
 * length, or 0 when the datagram is no request.
 */
size_t echo_reply(const struct ip_datagram *datagram, uint8_t *payload);
