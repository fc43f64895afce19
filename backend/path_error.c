/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/path_error.h"

#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "backend/bytes.h"
#include "backend/ethernet.h"
#include "nat/icmp_send.h"

#define DONT_FRAGMENT 0x4000

void path_error_add(struct path_error *error, const struct packet *p, uint16_t port, uint16_t mtu)
{
	const uint8_t *ip = p->head + p->l3_offset;
	uint16_t available = (uint16_t)(p->head_length - p->l3_offset);
	const struct icmp_error said = {
		.type = ICMP_DEST_UNREACH,
		.code = ICMP_FRAG_NEEDED,
		.mtu = mtu,
		.source_be = load32_be(ip + offsetof(struct iphdr, daddr)),
		.about = ip,
		.length = available < p->l3_length ? available : (uint16_t)p->l3_length,
	};

	if (!(load16(ip + offsetof(struct iphdr, frag_off)) & DONT_FRAGMENT) ||
		!ethernet_is_station(ethernet_destination(p)) || icmp_send_is_forbidden(&said))
		return;
	if (error->waits || *error->now_ns < error->next_ns)
		return;
	error->waits = true;
	error->next_ns = *error->now_ns + PATH_ERROR_INTERVAL_NS;
	struct packet *answer = &error->packet;
	icmp_send_fill(answer, &said, htons(error->next_id++));
	memcpy(answer->head, p->head + ETHERNET_SOURCE_OFFSET, ETHERNET_ADDRESS_LENGTH);
	memcpy(answer->head + ETHERNET_SOURCE_OFFSET, p->head, ETHERNET_ADDRESS_LENGTH);
	answer->port = port;
}
