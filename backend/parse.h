/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds the headers of a frame: fills in flags, offsets and lengths of struct packet. It never
 * fails: what is not understood, or lies, has its flag missing (or PACKET_MALFORMED set). The
 * virtio-net header comes next: parse_vnet.h.
 *
 * What is read is read from `head`, which is private; packet_pull() is called when a header reaches
 * beyond it. What parse_packet() looks at:
 *
 *   Ethernet   one 802.1Q tag is skipped. With a second one (or 802.1ad) `ethertype` is that tag's
 *              and nothing behind it is known: see binding.h.
 *   IPv4       version, header length, total length against the frame; not the header checksum
 *              (parse_ipv4_checksum_ok() for paths that have the time). A fragment that would
 *              reach beyond 65,535 bytes is malformed.
 *   TCP        the header with all options lies in the datagram, data offset at least 5
 *   UDP        the header lies in the datagram; its length is 8 at least and, when the datagram is
 *              no fragment, inside it
 *   ICMP       8 bytes
 *   ARP        Ethernet and IPv4 address sizes (RFC 826); everything else is malformed
 *   IPv6       EtherType only
 *
 * A datagram whose TCP, UDP or ICMP header lies keeps PACKET_IPV4 but has no PACKET_L4: a switch
 * may carry it, a NAT must not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/packet.h"

/* The EtherTypes that chnet tells apart, host byte order. */
#define ETHERNET_TYPE_IPV4 0x0800
#define ETHERNET_TYPE_ARP 0x0806
#define ETHERNET_TYPE_8021Q 0x8100
#define ETHERNET_TYPE_8021AD 0x88a8
#define ETHERNET_TYPE_QINQ_OLD 0x9100
#define ETHERNET_TYPE_IPV6 0x86dd

/*
 * Fills in the fields of `p` below "Filled in by parse()" but reason and port. May pull bytes into
 * the head.
 */
void parse_packet(struct packet *p);

/* The same for `count` packets. */
void parse_burst(struct packet packets[], uint16_t count);

/* Whether the header checksum of a packet with PACKET_IPV4 is right. */
bool parse_ipv4_checksum_ok(const struct packet *p);
