/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/workload.h"

#include <arpa/inet.h>
#include <string.h>

#define LAN 0xac100000u /* 172.16.0.0/24 */
#define LAN_MASK 0xffffff00u
#define GATEWAY_IP 0xac100001u
#define FIRST_IP 0xac100002u
#define FIRST_MAC_TAIL 0x56u
#define SOURCE_PORT_LOW 1024u
/* Of one guest, which can have 8/9 of the NAT's ports (nat/guests.h). */
#define SOURCE_PORTS 50000u
#define DESTINATION_PORT 5001u

struct frames_end workload_end(unsigned int index)
{
	unsigned int tail = FIRST_MAC_TAIL + index;
	return (struct frames_end){
		.mac = {0x52, 0x54, 0, 0x12, (uint8_t)(0x34 + (tail >> 8)), (uint8_t)tail},
		.ip = FIRST_IP + index,
	};
}

struct frames_end workload_gateway(void)
{
	return (struct frames_end){.ip = GATEWAY_IP};
}

bool workload_leaves(uint32_t ip)
{
	return (ip & LAN_MASK) != LAN;
}

uint32_t workload_ports(uint32_t flow)
{
	uint16_t source = htons((uint16_t)(SOURCE_PORT_LOW + flow % SOURCE_PORTS));
	uint16_t destination = htons((uint16_t)(DESTINATION_PORT + flow / SOURCE_PORTS));
	return source | (uint32_t)destination << 16;
}

#define TCP_SEQUENCE 4
#define TCP_CHECKSUM 16

void workload_set_sequence(uint8_t *tcp, uint32_t sequence, bool complete)
{
	uint32_t old, new = htonl(sequence);
	uint16_t checksum;
	memcpy(&old, tcp + TCP_SEQUENCE, sizeof(old));
	memcpy(tcp + TCP_SEQUENCE, &new, sizeof(new));
	if (!complete)
		return;
	memcpy(&checksum, tcp + TCP_CHECKSUM, sizeof(checksum));
	/* RFC 1624, equation 3. */
	uint32_t sum = (uint16_t)~checksum;
	sum += (uint16_t)~old + (uint32_t)(uint16_t)(~old >> 16);
	sum += (uint16_t) new + (new >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	checksum = (uint16_t)~sum;
	memcpy(tcp + TCP_CHECKSUM, &checksum, sizeof(checksum));
}

/* More flows than slots means that ports are rewritten on the way: no complete checksum then. */
static void drop_udp_checksum(uint8_t *frame)
{
	memset(frame + FRAMES_ETHERNET + FRAMES_IPV4 + 6, 0, 2);
}

void workload_build(const struct workload *workload, const struct frames_end *from,
	const struct frames_end *to, uint32_t flow, uint32_t sequence, uint8_t *frame,
	struct virtio_net_hdr_v1 *vnet)
{
	/* The stamp comes last: its words do not change a checksum over zeros. */
	static const uint8_t zeros[UINT16_MAX];
	struct frames_end source = *from;
	struct frames_end target = *to;
	uint32_t ports = workload_ports(flow);
	uint32_t headers = workload_headers(workload);
	uint32_t length = workload->frame_length;
	struct workload_stamp stamp = {sequence, ~sequence};

	source.port = ntohs((uint16_t)ports);
	target.port = ntohs((uint16_t)(ports >> 16));
	memset(vnet, 0, sizeof(*vnet));
	switch (workload->kind) {
	case WORKLOAD_UDP:
		frames_udp(frame, &source, &target, zeros, length - headers);
		if (workload->flows > workload->queue_size)
			drop_udp_checksum(frame);
		break;
	case WORKLOAD_TCP:
	case WORKLOAD_TSO:
		frames_tcp(frame, &source, &target, 0, FRAMES_TCP_ACK, zeros, length - headers);
		if (workload->kind == WORKLOAD_TSO)
			frames_make_tso4(frame, length, WORKLOAD_SEGMENT, vnet);
		break;
	case WORKLOAD_ICMP:
		frames_icmp_echo(
			frame, &source, &target, FRAMES_ICMP_ECHO, zeros, length - headers);
		break;
	}
	memcpy(frame + WORKLOAD_STAMP_OFFSET, &stamp, sizeof(stamp));
}
