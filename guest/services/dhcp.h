/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DHCP server of the guests' LAN (RFC 2131), without input and output: a message in, a message
 * out. It is the only server there and answers for all of it: it says NAK to a client that comes
 * with an address of somewhere else, and takes over one that it does not remember (4.3.2 would have
 * it be silent, for the sake of other servers).
 *
 *   DISCOVER               OFFER of the address that dhcp_lease.h chooses
 *   REQUEST, SELECTING     ACK of the offered address, NAK for another; one that names another
 *                          server is none of ours
 *   REQUEST, INIT-REBOOT,  ACK when the client may have that address, else NAK
 *     RENEWING, REBINDING
 *   DECLINE                the address is left alone for DHCP_DECLINE_S
 *   RELEASE                the address is free for others, but remembered
 *   INFORM                 ACK with the settings and no lease
 *
 * Where an answer goes. To a client that says with ciaddr that it has an address: there. To all
 * others, and every NAK: to 255.255.255.255, since RedoxOS takes nothing else before it has an
 * address; with the client's MAC as Ethernet destination unless it asked for broadcasts. An answer
 * goes to the port that asked and to no other.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "guest/services/dhcp_lease.h"
#include "guest/services/dhcp_message.h"

/* How long a lease lasts, seconds; clients renew after half of it. */
#define DHCP_LEASE_S 43200
/* The domain of guests' names, dns_names.h. */
#define DHCP_DOMAIN "chnet"

/* What became of a message. */
enum dhcp_verdict {
	DHCP_VERDICT_REPLY,	 /* there is an answer */
	DHCP_VERDICT_SILENT,	 /* understood; no answer is due */
	DHCP_VERDICT_MALFORMED,	 /* the message lies, or makes no sense */
	DHCP_VERDICT_REFUSED,	 /* from a relay agent, or in the name of another MAC */
	DHCP_VERDICT_NO_ADDRESS, /* the LAN is full */
};

struct dhcp_server {
	struct dhcp_table *table; /* shared memory */
	struct dhcp_lan lan;
	uint32_t dns_be; /* the DNS server that clients are told; 0: none */
	uint16_t mtu;	 /* of the LAN, bytes */
};

/* An answer, and where it goes. */
struct dhcp_output {
	uint8_t message[DHCP_MESSAGE_MAX];
	size_t length;		      /* bytes in message */
	uint32_t destination_be;      /* IPv4 */
	uint8_t mac[DHCP_MAC_LENGTH]; /* Ethernet destination */
};

/*
 * Serves `length` bytes of a client at `port` whose Ethernet source is `mac`. Fills in *ret_output
 * for DHCP_VERDICT_REPLY only. Time is CLOCK_MONOTONIC, seconds.
 */
enum dhcp_verdict dhcp_serve(struct dhcp_server *server, uint16_t port,
	const uint8_t mac[DHCP_MAC_LENGTH], const uint8_t *message, size_t length, uint32_t now_s,
	struct dhcp_output *ret_output);
