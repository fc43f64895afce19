/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/vhost_announce.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <string.h>

/* An Ethernet frame without its checksum is at least so long. */
#define FRAME_LENGTH 60
/* RFC 903, "reverse request". */
#define REVERSE_REQUEST 3

_Static_assert(FRAME_LENGTH <= PACKET_HEAD_INITIAL, "the frame is all head");

void vhost_announce_init(
	struct vhost_announcement *announcement, const uint8_t *mac, uint32_t ip_be)
{
	*announcement = (struct vhost_announcement){.ip_be = ip_be, .is_named = mac};
	if (mac)
		memcpy(announcement->mac, mac, sizeof(announcement->mac));
}

void vhost_announce_reset(struct vhost_announcement *announcement)
{
	announcement->due = false;
	if (!announcement->is_named)
		memset(announcement->mac, 0, sizeof(announcement->mac));
}

void vhost_announce_ask(struct vhost_announcement *announcement, const uint8_t *mac)
{
	static const uint8_t none[ETHER_ADDR_LEN];
	if (mac && !announcement->is_named && !(mac[0] & 1))
		memcpy(announcement->mac, mac, sizeof(announcement->mac));
	announcement->due = memcmp(announcement->mac, none, sizeof(none)) != 0;
}

void vhost_announce_fill(const struct vhost_announcement *announcement, struct packet *ret_packet)
{
	const uint8_t *mac = announcement->mac;
	struct ether_header ethernet = {
		.ether_type = htons(announcement->ip_be ? ETHERTYPE_ARP : ETHERTYPE_REVARP)};
	struct ether_arp arp = {
		.ea_hdr =
			{
				.ar_hrd = htons(ARPHRD_ETHER),
				.ar_pro = htons(ETHERTYPE_IP),
				.ar_hln = ETHER_ADDR_LEN,
				.ar_pln = sizeof(announcement->ip_be),
				.ar_op = htons(
					announcement->ip_be ? ARPOP_REQUEST : REVERSE_REQUEST),
			},
	};

	memset(ethernet.ether_dhost, 0xff, ETHER_ADDR_LEN);
	memcpy(ethernet.ether_shost, mac, ETHER_ADDR_LEN);
	memcpy(arp.arp_sha, mac, ETHER_ADDR_LEN);
	memcpy(arp.arp_spa, &announcement->ip_be, sizeof(arp.arp_spa));
	memcpy(arp.arp_tpa, &announcement->ip_be, sizeof(arp.arp_tpa));
	if (!announcement->ip_be)
		memcpy(arp.arp_tha, mac, ETHER_ADDR_LEN);

	memset(&ret_packet->vnet, 0, sizeof(ret_packet->vnet));
	memset(ret_packet->head, 0, FRAME_LENGTH);
	memcpy(ret_packet->head, &ethernet, sizeof(ethernet));
	memcpy(ret_packet->head + sizeof(ethernet), &arp, sizeof(arp));
	ret_packet->length = FRAME_LENGTH;
	ret_packet->head_length = FRAME_LENGTH;
	ret_packet->segments = NULL;
	ret_packet->segment_count = 0;
}
