/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's side of DHCP (RFC 2131, 2132), as far as one address for a few seconds needs it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_CLIENT_PORT 68
#define DHCP_SERVER_PORT 67
/* Length of what we send, bytes: the least that a relay takes (RFC 1542, 2.1). */
#define DHCP_MESSAGE 300

/* Values of option 53. */
#define DHCP_DISCOVER 1
#define DHCP_OFFER 2
#define DHCP_REQUEST 3
#define DHCP_ACK 5

/* What a server gave. */
struct dhcp_lease {
	uint8_t kind;	    /* option 53 */
	uint32_t ip_be;	    /* our address */
	uint32_t server_be; /* option 54 */
	uint32_t router_be; /* the first of option 3; 0: none */
	uint32_t mask_be;   /* option 1; 0: none */
	uint32_t dns_be;    /* the first of option 6; 0: none */
	uint32_t lease_s;   /* option 51, seconds; 0: none */
};

/*
 * Writes a message to `data` (DHCP_MESSAGE bytes): DISCOVER without an offer (NULL), REQUEST of
 * what was offered with one.
 */
void dhcp_write(
	const uint8_t mac[6], uint32_t xid_be, const struct dhcp_lease *offer, uint8_t *data);

/* Reads an answer to our exchange. 0; -EPROTONOSUPPORT: it is none; -EBADMSG: malformed. */
int dhcp_read(const uint8_t *data, size_t length, const uint8_t mac[6], uint32_t xid_be,
	struct dhcp_lease *ret_lease);
