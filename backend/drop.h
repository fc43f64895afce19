/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why a frame went no further. Every drop has a name, a counter for each port that it came from (or
 * was meant for, for the reasons below "out"), and one exit: stats_drop().
 */
#pragma once

#include "nat/nat.h"

/* The names are what users see. */
#define DROP_TABLE(X)                                                                             \
	/* the frame or its virtio-net header lies */                                             \
	X(DROP_MALFORMED, "malformed")                                                            \
	X(DROP_VNET_HEADER, "vnet_header")                                                        \
	/* the guest speaks with an address that is not its own */                                \
	X(DROP_SPOOFED_MAC, "spoofed_mac")                                                        \
	X(DROP_SPOOFED_IP, "spoofed_ip")                                                          \
	/* DHCP: no sense in it; by a relay or in another's name; no address left; of a server */ \
	X(DROP_DHCP_MALFORMED, "dhcp_malformed")                                                  \
	X(DROP_DHCP_REFUSED, "dhcp_refused")                                                      \
	X(DROP_DHCP_NO_ADDRESS, "dhcp_no_address")                                                \
	X(DROP_DHCP_SERVER, "dhcp_server")                                                        \
	/* nowhere to go */                                                                       \
	X(DROP_NO_ROUTE, "no_route")                                                              \
	X(DROP_SAME_PORT, "same_port")                                                            \
	X(DROP_NEIGHBOUR_UNKNOWN, "neighbour_unknown")                                            \
	X(DROP_NEIGHBOUR_WAIT_FULL, "neighbour_wait_full")                                        \
	/* out: the port that the frame was meant for could not take it */                        \
	X(DROP_PORT_DOWN, "port_down")                                                            \
	X(DROP_PORT_FULL, "port_full")                                                            \
	X(DROP_TOO_LARGE, "too_large")                                                            \
	X(DROP_CHECKSUM, "checksum")                                                              \
	X(DROP_UPLINK_WRITE, "uplink_write")                                                      \
	/* out: of no use to the guest, or more than its driver takes; see withhold.h */          \
	X(DROP_WITHHELD_PROTOCOL, "withheld_protocol")                                            \
	X(DROP_WITHHELD_ARP, "withheld_arp")                                                      \
	X(DROP_WITHHELD_GROUP, "withheld_group")                                                  \
	X(DROP_WITHHELD_UNICAST, "withheld_unicast")                                              \
	X(DROP_WITHHELD_FRAGMENT, "withheld_fragment")                                            \
	X(DROP_WITHHELD_SIZE, "withheld_size")                                                    \
	/* a guest's ring: the chain is refused, or the whole ring (see ring.h) */                \
	X(DROP_RING_ADDRESS, "ring_address")                                                      \
	X(DROP_RING_LENGTH, "ring_length")                                                        \
	X(DROP_RING_LOOP, "ring_loop")                                                            \
	X(DROP_RING_INDEX, "ring_index")                                                          \
	X(DROP_RING_DIRECTION, "ring_direction")                                                  \
	X(DROP_RING_INDIRECT, "ring_indirect")

enum drop {
#define DROP_ENUM(id, name) id,
	DROP_TABLE(DROP_ENUM)
#undef DROP_ENUM
	/* The NAT's own reasons follow: DROP_NAT + enum nat_drop. */
	DROP_NAT,
	DROP_COUNT = DROP_NAT + NAT_DROP_COUNT,
};

/* The name of a reason; never NULL for one below DROP_COUNT. */
const char *drop_name(unsigned int reason);
