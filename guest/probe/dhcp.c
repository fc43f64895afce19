/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/dhcp.h"

#include <errno.h>
#include <string.h>

#include "backend/bytes.h"

/* The message, offsets. */
#define DHCP_OP 0
#define DHCP_HTYPE 1
#define DHCP_HLEN 2
#define DHCP_XID 4
#define DHCP_FLAGS 10
#define DHCP_YIADDR 16
#define DHCP_CHADDR 28
#define DHCP_MAGIC 236
#define DHCP_OPTIONS 240

#define OP_REQUEST 1
#define OP_REPLY 2
#define HTYPE_ETHERNET 1
#define FLAG_BROADCAST 0x8000
#define MAGIC 0x63825363

#define OPTION_PAD 0
#define OPTION_MASK 1
#define OPTION_ROUTER 3
#define OPTION_DNS 6
#define OPTION_REQUESTED 50
#define OPTION_LEASE 51
#define OPTION_KIND 53
#define OPTION_SERVER 54
#define OPTION_WANTED 55
#define OPTION_END 255

static uint8_t *add_address(uint8_t *p, uint8_t option, uint32_t address_be)
{
	*p++ = option;
	*p++ = sizeof(address_be);
	store32_be(p, address_be);
	return p + sizeof(address_be);
}

void dhcp_write(
	const uint8_t mac[6], uint32_t xid_be, const struct dhcp_lease *offer, uint8_t *data)
{
	static const uint8_t wanted[] = {OPTION_WANTED, 3, OPTION_MASK, OPTION_ROUTER, OPTION_DNS};
	uint8_t *p = data + DHCP_OPTIONS;

	memset(data, 0, DHCP_MESSAGE);
	data[DHCP_OP] = OP_REQUEST;
	data[DHCP_HTYPE] = HTYPE_ETHERNET;
	data[DHCP_HLEN] = 6;
	store32_be(data + DHCP_XID, xid_be);
	store16_be(data + DHCP_FLAGS, htons(FLAG_BROADCAST));
	memcpy(data + DHCP_CHADDR, mac, 6);
	store32_be(data + DHCP_MAGIC, htonl(MAGIC));
	*p++ = OPTION_KIND;
	*p++ = 1;
	*p++ = offer ? DHCP_REQUEST : DHCP_DISCOVER;
	if (offer) {
		p = add_address(p, OPTION_REQUESTED, offer->ip_be);
		p = add_address(p, OPTION_SERVER, offer->server_be);
	}
	memcpy(p, wanted, sizeof(wanted));
	p[sizeof(wanted)] = OPTION_END;
}

/* Takes in one option, whose `length` bytes are all there. 0 or -EBADMSG. */
static int read_option(
	uint8_t option, const uint8_t *value, size_t length, struct dhcp_lease *lease)
{
	switch (option) {
	case OPTION_KIND:
		lease->kind = length > 0 ? value[0] : 0;
		return length == 1 ? 0 : -EBADMSG;
	case OPTION_MASK:
	case OPTION_SERVER:
	case OPTION_LEASE:
		if (length != 4)
			return -EBADMSG;
		if (option == OPTION_MASK)
			lease->mask_be = load32_be(value);
		else if (option == OPTION_SERVER)
			lease->server_be = load32_be(value);
		else
			lease->lease_s = load32(value);
		return 0;
	case OPTION_ROUTER:
	case OPTION_DNS:
		if (length < 4 || length % 4 != 0)
			return -EBADMSG;
		if (option == OPTION_ROUTER)
			lease->router_be = load32_be(value);
		else
			lease->dns_be = load32_be(value);
		return 0;
	default: /* not asked for */
		return 0;
	}
}

/* Reads all options. */
static int read_options(const uint8_t *p, const uint8_t *end, struct dhcp_lease *lease)
{
	while (p < end && *p != OPTION_END) {
		uint8_t option = *p++;

		if (option == OPTION_PAD)
			continue;
		if (p == end || *p > end - p - 1)
			return -EBADMSG;
		if (read_option(option, p + 1, *p, lease) < 0)
			return -EBADMSG;
		p += 1 + *p;
	}
	return 0;
}

int dhcp_read(const uint8_t *data, size_t length, const uint8_t mac[6], uint32_t xid_be,
	struct dhcp_lease *ret_lease)
{
	struct dhcp_lease lease = {0};
	int r;

	if (length < DHCP_OPTIONS || load32(data + DHCP_MAGIC) != MAGIC)
		return -EBADMSG;
	if (data[DHCP_OP] != OP_REPLY || load32_be(data + DHCP_XID) != xid_be ||
		memcmp(data + DHCP_CHADDR, mac, 6) != 0)
		return -EPROTONOSUPPORT;
	lease.ip_be = load32_be(data + DHCP_YIADDR);
	r = read_options(data + DHCP_OPTIONS, data + length, &lease);
	if (r < 0)
		return r;
	*ret_lease = lease;
	return 0;
}
