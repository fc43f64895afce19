/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/icmp_send.h"

#include <arpa/inet.h>
#include <errno.h>

#include "nat/hit.h"

#define IPV4_HEADER_MIN 20
#define IPV4_TOTAL_LENGTH 2
#define IPV4_FRAGMENT 6
#define IPV4_TTL 8
#define IPV4_PROTOCOL 9
#define ICMP_HEADER 8
#define ICMP_MTU 6
#define SECOND_NS UINT64_C(1000000000)
#define INTERVAL_NS (SECOND_NS / ICMP_SEND_PER_SECOND)

bool icmp_send_is_forbidden(const struct icmp_error *error)
{
	const uint8_t *ip = error->about;
	size_t header = (size_t)(ip[0] & 0xf) * 4;
	uint32_t source = ntohl(load32_be(ip + IPV4_SOURCE));

	if (error->length < header + ICMP_HEADER ||
		(load16_be(ip + IPV4_FRAGMENT) & htons(0x1fff)) != 0)
		return true;
	if (source >> 24 == 0 || source >> 24 == 127 || source >= 0xe0000000)
		return true;
	return ip[IPV4_PROTOCOL] == IPPROTO_ICMP && ip[header + ICMP_TYPE] != ICMP_ECHO &&
	       ip[header + ICMP_TYPE] != ICMP_ECHOREPLY &&
	       ip[header + ICMP_TYPE] != ICMP_TIMESTAMP &&
	       ip[header + ICMP_TYPE] != ICMP_TIMESTAMPREPLY;
}

/* A token bucket as a time; see guests_admit(). */
static bool is_too_many(struct nat *nat, enum icmp_budget budget)
{
	uint64_t burst_ns = ICMP_SEND_BURST * INTERVAL_NS;
	uint64_t spent_ns = nat->icmp_spent_ns[budget];

	if (nat->now_ns > burst_ns && spent_ns < nat->now_ns - burst_ns)
		spent_ns = nat->now_ns - burst_ns;
	if (spent_ns + INTERVAL_NS > nat->now_ns)
		return true;
	nat->icmp_spent_ns[budget] = spent_ns + INTERVAL_NS;
	return false;
}

/*
 * Gives the quoted datagram the destination that its sender gave it. Behind an alias it came to us
 * with another; its sender would not know it again. Checksums are kept right as far as they are
 * there: whoever gets the error may look.
 */
static void name_alias(const struct nat *nat, uint8_t *ip, size_t length)
{
	size_t header = (size_t)(ip[0] & 0xf) * 4;
	uint16_t delta = checksum_delta32(nat->config.outside_be, nat->config.alias_be);
	uint8_t *l4 = ip + header;

	if (!nat_is_aliased(nat) || load32_be(ip + IPV4_DESTINATION) != nat->config.outside_be)
		return;
	store32_be(ip + IPV4_DESTINATION, nat->config.alias_be);
	store16_be(ip + IPV4_CHECKSUM, checksum_update(load16_be(ip + IPV4_CHECKSUM), delta));
	if (ip[IPV4_PROTOCOL] == IPPROTO_TCP && length >= header + TCP_CHECKSUM + 2)
		store16_be(l4 + TCP_CHECKSUM, checksum_update(load16_be(l4 + TCP_CHECKSUM), delta));
	else if (ip[IPV4_PROTOCOL] == IPPROTO_UDP && length >= header + UDP_CHECKSUM + 2)
		store16_be(l4 + UDP_CHECKSUM,
			checksum_update_udp(load16_be(l4 + UDP_CHECKSUM), delta));
}

static void seal(uint8_t *icmp, size_t length)
{
	store16_be(icmp + ICMP_CHECKSUM, 0);
	store16_be(icmp + ICMP_CHECKSUM, checksum_finish(checksum_add(0, icmp, length)));
}

void icmp_send_fill(struct packet *p, const struct icmp_error *error, uint16_t id_be)
{
	uint16_t quote = error->length < ICMP_SEND_QUOTE_MAX ? error->length : ICMP_SEND_QUOTE_MAX;
	uint16_t total = (uint16_t)(IPV4_HEADER_MIN + ICMP_HEADER + quote);
	uint8_t *ip = p->head + ETHERNET_HEADER_LENGTH, *icmp = ip + IPV4_HEADER_MIN;

	memset(p, 0, sizeof(*p));
	store16_be(p->head + 12, htons(0x0800));
	ip[0] = 0x45;
	store16_be(ip + IPV4_TOTAL_LENGTH, htons(total));
	store16_be(ip + 4, id_be);
	ip[IPV4_TTL] = 64;
	ip[IPV4_PROTOCOL] = IPPROTO_ICMP;
	store32_be(ip + IPV4_SOURCE, error->source_be);
	store32_be(ip + IPV4_DESTINATION, load32_be(error->about + IPV4_SOURCE));
	store16_be(ip + IPV4_CHECKSUM, checksum_ipv4_header(ip, IPV4_HEADER_MIN));
	icmp[0] = error->type;
	icmp[1] = error->code;
	store16_be(icmp + ICMP_MTU, htons(error->mtu));
	memcpy(icmp + ICMP_HEADER, error->about, quote);
	seal(icmp, (size_t)(ICMP_HEADER + quote));

	p->length = (uint32_t)(ETHERNET_HEADER_LENGTH + total);
	p->head_length = (uint16_t)p->length;
	p->flags = PACKET_IPV4 | PACKET_L4;
	p->l3_offset = ETHERNET_HEADER_LENGTH;
	p->l4_offset = ETHERNET_HEADER_LENGTH + IPV4_HEADER_MIN;
	p->ethertype = 0x0800;
	p->l4_protocol = IPPROTO_ICMP;
	p->l3_length = total;
}

int icmp_send(struct nat *nat, const struct icmp_error *error)
{
	uint16_t frame;

	if (icmp_send_is_forbidden(error))
		return -EINVAL;
	if (is_too_many(nat, error->budget))
		return -EBUSY;
	frame = outbox_new(&nat->outbox);
	if (frame == OUTBOX_NONE)
		return -ENOBUFS;
	struct packet *p = &nat->outbox.frames[frame].packet;
	icmp_send_fill(p, error, htons(nat->fragments.next_id++));
	if (error->verdict == NAT_VERDICT_WORLD) {
		uint8_t *icmp = p->head + p->l4_offset;
		size_t length = p->length - p->l4_offset;

		name_alias(nat, icmp + ICMP_HEADER, length - ICMP_HEADER);
		seal(icmp, length);
	}
	outbox_send(&nat->outbox, frame, error->verdict);
	nat_count(&nat->counters->icmp_sent, 1);
	return 0;
}
