/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DHCP messages (RFC 2131, 2) and their options (RFC 2132), read from and written to plain bytes:
 * the payload of a UDP datagram. Nothing here knows leases; dhcp.h does.
 *
 * A message is a guest's, so every length is checked: an option that reaches beyond its field, or
 * whose length is not the one that its number demands, makes the message malformed. The end option
 * may be missing. Options that are given twice count once, as the first says. Option overload (RFC
 * 2132, 9.3) is followed: the options in `file` and `sname` are read after those in their place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_MAC_LENGTH 6
/* A host's name of one label (RFC 1035, 2.3.4), with its terminating zero. */
#define DHCP_NAME_CAPACITY 64
/* What every client takes: an IP datagram of 576 bytes without IP and UDP headers (RFC 2131, 2). */
#define DHCP_MESSAGE_MAX 548
#define DHCP_CLIENT_ID_MAX 255

/* Values of option 53 (RFC 2132, 9.6). */
enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	DHCP_REQUEST = 3,
	DHCP_DECLINE = 4,
	DHCP_ACK = 5,
	DHCP_NAK = 6,
	DHCP_RELEASE = 7,
	DHCP_INFORM = 8,
};

/* What a client says. */
struct dhcp_request {
	uint8_t type;			       /* enum dhcp_type */
	bool broadcast;			       /* cannot take unicast before it has an address */
	uint8_t mac[6];			       /* chaddr */
	uint32_t xid_be;		       /* the exchange's number */
	uint16_t flags_be;		       /* as sent; goes back */
	uint32_t ciaddr_be;		       /* the client's address while it has one; 0: none */
	uint32_t requested_be;		       /* option 50; 0: none */
	uint32_t server_be;		       /* option 54; 0: none */
	uint64_t wanted[4];		       /* option 55 as a set of option numbers */
	uint8_t client_id_length;	       /* bytes; 0: none */
	uint8_t client_id[DHCP_CLIENT_ID_MAX]; /* option 61, goes back (RFC 6842) */
	char name[DHCP_NAME_CAPACITY]; /* option 12 up to its first dot, lower case; "": none that
					* is a name */
};

/* What the server says. */
struct dhcp_answer {
	uint8_t type;	    /* enum dhcp_type: OFFER, ACK or NAK */
	uint32_t yiaddr_be; /* the client's address from now on; 0: none is given */
	uint32_t server_be; /* option 54 */
	uint32_t lease_s;   /* options 51, 58, 59, seconds; 0: left out */
	uint32_t lan_be;    /* option 28 follows from it */
	uint8_t prefix;	    /* option 1, bits */
	uint32_t router_be; /* option 3 */
	uint32_t dns_be;    /* option 6; 0: left out */
	uint16_t mtu;	    /* option 26, bytes */
	const char *name;   /* option 12; "": left out */
	const char *domain; /* option 15; "": left out */
};

/*
 * Reads `length` bytes. 0; -EBADMSG for a malformed message; -EPROTONOSUPPORT for one that is no
 * client's on Ethernet, or that came through a relay agent.
 */
int dhcp_message_read(const uint8_t *message, size_t length, struct dhcp_request *ret_request);

/*
 * Writes the answer to `request`; a NAK has none of the settings. Options 3 and 6 have one address
 * each: RedoxOS ignores any other length. Options 12, 15, 26 and 28 are given to who asked for
 * them. Returns its length in bytes, at least 300 (RFC 1542, 2.1).
 */
size_t dhcp_message_write(const struct dhcp_request *request, const struct dhcp_answer *answer,
	uint8_t message[DHCP_MESSAGE_MAX]);

/*
 * Whether `length` bytes at `text` are a name of one label (RFC 1123, 2.1): letters, digits and
 * hyphens, none at the ends. Writes it in lower case, zero terminated, to ret_name when they are.
 */
bool dhcp_name_read(const uint8_t *text, size_t length, char ret_name[DHCP_NAME_CAPACITY]);
