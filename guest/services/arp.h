/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ARP for IPv4 over Ethernet (RFC 826): answers and asks on behalf of addresses that chnet has
 * itself. Pure functions on one packet; what guests say about themselves is kept in
 * backend/neighbour.h.
 *
 * Packets come parsed, PACKET_ARP set. All addresses lie in network byte order.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "backend/packet.h"

/* Offsets in an ARP packet, bytes. */
#define ARP_OPERATION 6
#define ARP_SENDER_MAC 8
#define ARP_SENDER_IP 14
#define ARP_TARGET_MAC 18
#define ARP_TARGET_IP 24
#define ARP_LENGTH 28

/* An address that chnet answers for. */
struct arp_host {
	uint32_t ip_be;
	uint8_t mac[ETHERNET_ADDRESS_LENGTH];
};

/* Who sent the packet, as it says itself: the sender protocol address, 0.0.0.0 in a probe. */
static inline uint32_t arp_sender_ip(const struct packet *p)
{
	uint32_t ip_be;

	memcpy(&ip_be, p->head + p->l3_offset + ARP_SENDER_IP, sizeof(ip_be));
	return ip_be;
}

/* The same: the sender hardware address, 6 bytes in the packet. */
static inline const uint8_t *arp_sender_mac(const struct packet *p)
{
	return p->head + p->l3_offset + ARP_SENDER_MAC;
}

/* The address that the packet asks for. */
static inline uint32_t arp_target_ip(const struct packet *p)
{
	uint32_t ip_be;

	memcpy(&ip_be, p->head + p->l3_offset + ARP_TARGET_IP, sizeof(ip_be));
	return ip_be;
}

/*
 * When `p` is a request for one of `hosts`, turns it into the reply in place, a VLAN tag kept, to
 * be sent where it came from; else leaves it alone and returns false.
 *
 * The target hardware address of a request is not looked at: RedoxOS sends ff:ff:ff:ff:ff:ff. A
 * probe (RFC 5227) for one of `hosts` is answered like any request, which defends the address; one
 * for another's address is none of ours. Announcements of a guest's own address ask for that
 * address and so are not answered either.
 */
bool arp_answer(struct packet *p, const struct arp_host hosts[], uint16_t count);

/*
 * Makes `p` a broadcast request for `target_be` from `sender`, parsed and without segments. Fields
 * that have nothing to do with the frame (port, reason) are left alone.
 */
void arp_request(struct packet *p, const struct arp_host *sender, uint32_t target_be);
