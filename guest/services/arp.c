/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/arp.h"

#include <stddef.h>

#define OPERATION_REQUEST 1
#define OPERATION_REPLY 2
#define ETHERTYPE_ARP_HIGH 0x08
#define ETHERTYPE_ARP_LOW 0x06

static const struct arp_host *find(const struct arp_host hosts[], uint16_t count, uint32_t ip_be)
{
	for (uint16_t i = 0; i < count; i++) {
		if (hosts[i].ip_be == ip_be)
			return &hosts[i];
	}
	return NULL;
}

bool arp_answer(struct packet *p, const struct arp_host hosts[], uint16_t count)
{
	uint8_t *ethernet = p->head;
	uint8_t *arp = p->head + p->l3_offset;
	const struct arp_host *host;

	if (arp[ARP_OPERATION] != 0 || arp[ARP_OPERATION + 1] != OPERATION_REQUEST)
		return false;
	host = find(hosts, count, arp_target_ip(p));
	if (host == NULL || (ethernet[ETHERNET_ADDRESS_LENGTH] & 1) != 0)
		return false;

	memcpy(ethernet, ethernet + ETHERNET_ADDRESS_LENGTH, ETHERNET_ADDRESS_LENGTH);
	memcpy(ethernet + ETHERNET_ADDRESS_LENGTH, host->mac, ETHERNET_ADDRESS_LENGTH);
	arp[ARP_OPERATION + 1] = OPERATION_REPLY;
	/* The sender, MAC and IP, becomes the target. */
	memcpy(arp + ARP_TARGET_MAC, arp + ARP_SENDER_MAC, ARP_TARGET_MAC - ARP_SENDER_MAC);
	memcpy(arp + ARP_SENDER_MAC, host->mac, ETHERNET_ADDRESS_LENGTH);
	memcpy(arp + ARP_SENDER_IP, &host->ip_be, sizeof(host->ip_be));

	packet_trim(p, p->l3_offset + ARP_LENGTH);
	p->flags &= (uint16_t)~PACKET_BROADCAST;
	p->vnet = (struct virtio_net_hdr_v1){0};
	return true;
}

void arp_request(struct packet *p, const struct arp_host *sender, uint32_t target_be)
{
	/* Hardware type Ethernet, protocol type IPv4, address lengths 6 and 4, request. */
	static const uint8_t start[] = {
		ETHERTYPE_ARP_HIGH, ETHERTYPE_ARP_LOW, 0, 1, 0x08, 0, 6, 4, 0, OPERATION_REQUEST};
	uint8_t *arp = p->head + ETHERNET_HEADER_LENGTH;

	memset(p->head, 0xff, ETHERNET_ADDRESS_LENGTH);
	memcpy(p->head + ETHERNET_ADDRESS_LENGTH, sender->mac, ETHERNET_ADDRESS_LENGTH);
	memcpy(p->head + 2 * ETHERNET_ADDRESS_LENGTH, start, sizeof(start));
	memcpy(arp + ARP_SENDER_MAC, sender->mac, ETHERNET_ADDRESS_LENGTH);
	memcpy(arp + ARP_SENDER_IP, &sender->ip_be, sizeof(sender->ip_be));
	memset(arp + ARP_TARGET_MAC, 0, ETHERNET_ADDRESS_LENGTH);
	memcpy(arp + ARP_TARGET_IP, &target_be, sizeof(target_be));

	p->vnet = (struct virtio_net_hdr_v1){0};
	p->length = ETHERNET_HEADER_LENGTH + ARP_LENGTH;
	p->head_length = ETHERNET_HEADER_LENGTH + ARP_LENGTH;
	p->segments = NULL;
	p->segment_count = 0;
	p->flags = PACKET_ARP | PACKET_BROADCAST;
	p->l3_offset = ETHERNET_HEADER_LENGTH;
	p->l4_offset = 0;
	p->l4_protocol = 0;
	p->l3_length = 0;
	p->ethertype = ETHERTYPE_ARP_HIGH << 8 | ETHERTYPE_ARP_LOW;
}
