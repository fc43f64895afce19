/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/withhold.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <netinet/ip.h>

#include "backend/bytes.h"
#include "backend/drop.h"
#include "backend/ethernet.h"
#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "guest/services/arp.h"

#define BIT(n) (UINT64_C(1) << (n))
/* Bits of the protocol and of migration: they say nothing of the driver. */
#define F_LOG_ALL 26
#define F_PROTOCOL_FEATURES 30

#define TYPE_OFFSET 12
#define ARP_REQUEST 1
#define UDP_HEADER 8
#define UDP_DESTINATION 2
#define DHCP_CLIENT 68
#define DHCP_CHADDR 28

bool withhold_applies(enum withhold_when when, uint64_t features, bool polls)
{
	const uint64_t neutral = BIT(VIRTIO_NET_F_MAC) | BIT(F_LOG_ALL) | BIT(F_PROTOCOL_FEATURES);

	switch (when) {
	case WITHHOLD_AUTO:
		return (features & ~neutral) == BIT(VIRTIO_F_VERSION_1) && !polls;
	case WITHHOLD_ALWAYS:
		return true;
	case WITHHOLD_NEVER:
		break;
	}
	return false;
}

void withhold_learn(struct withhold_guest *guest, const struct packet *p)
{
	const uint8_t *l3 = p->head + ETHERNET_HEADER_LENGTH;
	uint64_t mac = ethernet_source(p);
	uint32_t ip_be = 0;

	switch (load16(p->head + TYPE_OFFSET)) {
	case ETHERNET_TYPE_ARP:
		if (p->head_length >= ETHERNET_HEADER_LENGTH + ARP_LENGTH)
			ip_be = load32_be(l3 + ARP_SENDER_IP);
		break;
	case ETHERNET_TYPE_IPV4:
		if (p->head_length >= ETHERNET_HEADER_LENGTH + sizeof(struct iphdr))
			ip_be = load32_be(l3 + offsetof(struct iphdr, saddr));
		break;
	default: /* says nothing of its address */
		break;
	}
	if (ethernet_is_station(mac))
		guest->mac = mac;
	if (ip_be)
		guest->ip_be = ip_be;
}

/* Is the MAC that `p` goes to the guest's, as far as it is known? */
static bool is_own_mac(const struct withhold_guest *guest, uint64_t mac)
{
	return ethernet_is_station(mac) && (!guest->mac || guest->mac == mac);
}

static bool is_own_ip(const struct withhold_guest *guest, uint32_t ip_be)
{
	return !guest->ip_be || guest->ip_be == ip_be;
}

/* An answer of DHCP, to a group address too, when its client is this guest. */
static bool is_own_dhcp(const struct withhold_guest *guest, const struct packet *p)
{
	uint32_t chaddr = p->l4_offset + UDP_HEADER + DHCP_CHADDR;

	if (!(p->flags & PACKET_L4) || (p->flags & PACKET_FRAGMENT) ||
		p->l4_protocol != IPPROTO_UDP ||
		load16(p->head + p->l4_offset + UDP_DESTINATION) != DHCP_CLIENT)
		return false;
	if (is_own_mac(guest, ethernet_destination(p)))
		return true;
	/* Of a foreign server. The guest takes any answer for its own (no matter whose it is). */
	uint8_t mac[ETHERNET_ADDRESS_LENGTH];
	return !packet_read(p, chaddr, mac, sizeof(mac)) && is_own_mac(guest, ethernet_load(mac));
}

static bool is_own_arp(const struct withhold_guest *guest, const struct packet *p)
{
	uint64_t mac = ethernet_destination(p);
	bool request = load16(p->head + p->l3_offset + ARP_OPERATION) == ARP_REQUEST;

	if (!request)
		return is_own_mac(guest, mac);
	return (!ethernet_is_station(mac) || is_own_mac(guest, mac)) &&
	       is_own_ip(guest, arp_target_ip(p));
}

static bool is_too_long(const struct packet *p)
{
	switch (p->vnet.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return p->length > WITHHOLD_FRAME_MAX;
	case VIRTIO_NET_HDR_GSO_UDP_L4: /* cut elsewhere, they would be other datagrams */
		return p->vnet.hdr_len + (uint32_t)p->vnet.gso_size > WITHHOLD_FRAME_MAX;
	default: /* TCP is a stream: cut as short as need be */
		return false;
	}
}

unsigned int withhold_judge(const struct withhold_guest *guest, const struct packet *p)
{
	uint64_t mac = ethernet_destination(p);

	if (p->l3_offset != ETHERNET_HEADER_LENGTH || !(p->flags & (PACKET_IPV4 | PACKET_ARP)))
		return DROP_WITHHELD_PROTOCOL;
	if (p->flags & PACKET_ARP)
		return is_own_arp(guest, p) ? DROP_COUNT : DROP_WITHHELD_ARP;
	if (!is_own_dhcp(guest, p)) {
		if (!ethernet_is_station(mac))
			return DROP_WITHHELD_GROUP;
		if (!is_own_mac(guest, mac) ||
			!is_own_ip(guest,
				load32_be(p->head + p->l3_offset + offsetof(struct iphdr, daddr))))
			return DROP_WITHHELD_UNICAST;
	}
	if (p->flags & PACKET_FRAGMENT)
		return DROP_WITHHELD_FRAGMENT;
	return is_too_long(p) ? DROP_WITHHELD_SIZE : DROP_COUNT;
}
