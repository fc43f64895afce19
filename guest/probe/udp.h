/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP (RFC 768). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "guest/probe/ip.h"

/* The most in one datagram, bytes. */
#define UDP_DATA_MAX (FRAME_IP_PAYLOAD - FRAME_UDP_HEADER)

struct udp_message {
	uint16_t source;      /* port */
	uint16_t destination; /* port */
	const uint8_t *data;
	size_t length; /* bytes */
};

/* Reads a datagram. 0; -EPROTONOSUPPORT: it is not UDP; -EBADMSG: its length lies. */
int udp_read(const struct ip_datagram *datagram, struct udp_message *ret_message);

/*
 * Writes the header in front of `length` bytes that lie at payload + FRAME_UDP_HEADER, checksum
 * zero; returns the length of both.
 */
size_t udp_write(uint16_t source, uint16_t destination, size_t length, uint8_t *payload);
