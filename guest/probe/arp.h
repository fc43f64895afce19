/* SPDX-License-Identifier: BSD-3-Clause */
/* Who has which address (RFC 826). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "guest/probe/frame.h"

#define ARP_FRAME 42 /* bytes */
#define ARP_REQUEST 1
#define ARP_REPLY 2

struct arp_message {
	uint16_t operation;	       /* ARP_REQUEST or ARP_REPLY */
	uint8_t mac[FRAME_MAC_LENGTH]; /* of the sender */
	uint32_t ip_be;		       /* of the sender */
	uint32_t target_be;	       /* whom it asks for, or answers */
};

/* Reads the ARP frame of `length` bytes. 0, or -EBADMSG. */
int arp_read(const uint8_t *frame, size_t length, struct arp_message *ret_message);

/* Asks everybody for `target_be`. Returns the length of the frame. */
size_t arp_write_request(
	const struct frame_station *station, uint32_t target_be, uint8_t frame[FRAME_MAX]);

/* Answers a request for our address. Returns the length of the frame. */
size_t arp_write_reply(const struct frame_station *station, const struct arp_message *request,
	uint8_t frame[FRAME_MAX]);
