/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/binding.h"

#include <errno.h>

#include "backend/parse.h"

/* Offsets in an ARP packet (RFC 826) and in an IPv4 header, bytes. */
#define ARP_SENDER_MAC 8
#define ARP_SENDER_IP 14
#define IPV4_SOURCE 12

_Static_assert(BINDING_SLOTS > 2 * (PORT_MAX + BINDING_RESERVED_MAX),
	"the sets stay half empty, so that probing is short and ends");

static uint32_t slot_of(uint64_t number)
{
	return (uint32_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

_Static_assert(BINDING_SLOTS == 1 << (64 - 56), "a hash for each slot");

static bool has_mac(const struct binding *binding, uint64_t mac)
{
	for (uint32_t i = slot_of(mac);; i = (i + 1) % BINDING_SLOTS) {
		if (binding->macs[i] == mac)
			return mac != 0;
		if (binding->macs[i] == 0)
			return false;
	}
}

static bool has_ip(const struct binding *binding, uint32_t ip_be)
{
	for (uint32_t i = slot_of(ip_be);; i = (i + 1) % BINDING_SLOTS) {
		if (binding->ips_be[i] == ip_be)
			return ip_be != 0;
		if (binding->ips_be[i] == 0)
			return false;
	}
}

static void add_mac(struct binding *binding, uint64_t mac)
{
	uint32_t i = slot_of(mac);

	if (mac == 0)
		return;
	while (binding->macs[i] != 0)
		i = (i + 1) % BINDING_SLOTS;
	binding->macs[i] = mac;
}

static void add_ip(struct binding *binding, uint32_t ip_be)
{
	uint32_t i = slot_of(ip_be);

	if (ip_be == 0)
		return;
	while (binding->ips_be[i] != 0)
		i = (i + 1) % BINDING_SLOTS;
	binding->ips_be[i] = ip_be;
}

/* Fills the two sets anew; changes are rare, and linear probing deletes badly. */
static void rebuild(struct binding *binding)
{
	memset(binding->macs, 0, sizeof(binding->macs));
	memset(binding->ips_be, 0, sizeof(binding->ips_be));
	for (int i = 0; i < BINDING_RESERVED_MAX; i++) {
		add_mac(binding, binding->reserved_mac[i]);
		add_ip(binding, binding->reserved_ip_be[i]);
	}
	for (int i = 0; i < PORT_MAX; i++) {
		add_mac(binding, binding->mac[i]);
		add_ip(binding, binding->ip_be[i]);
	}
}

void binding_init(struct binding *binding)
{
	memset(binding, 0, sizeof(*binding));
}

int binding_reserve_mac(struct binding *binding, uint64_t mac)
{
	if (!ethernet_is_station(mac))
		return -EINVAL;
	for (int i = 0; i < PORT_MAX; i++) {
		if (binding->mac[i] == mac)
			return -EEXIST;
	}
	for (int i = 0; i < BINDING_RESERVED_MAX; i++) {
		if (binding->reserved_mac[i] == mac)
			return 0;
		if (binding->reserved_mac[i] == 0) {
			binding->reserved_mac[i] = mac;
			rebuild(binding);
			return 0;
		}
	}
	return -ENOSPC;
}

int binding_reserve_ip(struct binding *binding, uint32_t ip_be)
{
	if (ip_be == 0)
		return -EINVAL;
	for (int i = 0; i < PORT_MAX; i++) {
		if (binding->ip_be[i] == ip_be)
			return -EEXIST;
	}
	for (int i = 0; i < BINDING_RESERVED_MAX; i++) {
		if (binding->reserved_ip_be[i] == ip_be)
			return 0;
		if (binding->reserved_ip_be[i] == 0) {
			binding->reserved_ip_be[i] = ip_be;
			rebuild(binding);
			return 0;
		}
	}
	return -ENOSPC;
}

int binding_set(struct binding *binding, uint16_t port, uint64_t mac, uint32_t ip_be)
{
	if (mac != 0 && !ethernet_is_station(mac))
		return -EINVAL;
	if (mac != binding->mac[port] && has_mac(binding, mac))
		return -EEXIST;
	if (ip_be != binding->ip_be[port] && has_ip(binding, ip_be))
		return -EEXIST;
	binding->mac[port] = mac;
	binding->ip_be[port] = ip_be;
	rebuild(binding);
	return 0;
}

static bool mac_allowed(const struct binding *binding, uint16_t port, uint64_t mac)
{
	if (binding->mac[port] != 0)
		return mac == binding->mac[port];
	return ethernet_is_station(mac) && !has_mac(binding, mac);
}

static bool ip_allowed(const struct binding *binding, uint16_t port, const uint8_t *address)
{
	uint32_t ip_be;

	memcpy(&ip_be, address, sizeof(ip_be));
	if (ip_be == 0)
		return true;
	if (binding->ip_be[port] != 0)
		return ip_be == binding->ip_be[port];
	return !has_ip(binding, ip_be);
}

static bool is_vlan(uint16_t ethertype)
{
	return ethertype == ETHERNET_TYPE_8021Q || ethertype == ETHERNET_TYPE_8021AD ||
	       ethertype == ETHERNET_TYPE_QINQ_OLD;
}

enum binding_result binding_check(
	const struct binding *binding, uint16_t port, const struct packet *p)
{
	const uint8_t *l3 = p->head + p->l3_offset;

	if ((p->flags & PACKET_MALFORMED) != 0)
		return BINDING_UNREADABLE;
	if (!mac_allowed(binding, port, ethernet_source(p)))
		return BINDING_SPOOFED_MAC;
	if ((p->flags & PACKET_IPV4) != 0)
		return ip_allowed(binding, port, l3 + IPV4_SOURCE) ? BINDING_OK
								   : BINDING_SPOOFED_IP;
	if ((p->flags & PACKET_ARP) != 0) {
		if (!mac_allowed(binding, port, ethernet_load(l3 + ARP_SENDER_MAC)))
			return BINDING_SPOOFED_MAC;
		return ip_allowed(binding, port, l3 + ARP_SENDER_IP) ? BINDING_OK
								     : BINDING_SPOOFED_IP;
	}
	return is_vlan(p->ethertype) ? BINDING_UNREADABLE : BINDING_OK;
}
