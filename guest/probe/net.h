/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The probe as a station: frames go through here, requests for our address and pings are answered,
 * and the rest goes to the check that is being made.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/probe/frame.h"
#include "guest/probe/ip.h"
#include "guest/probe/virtio_net.h"

struct net {
	struct virtio_net device;
	struct frame_station station;
	struct ip_tally tally;
	uint32_t gateway_be;
	bool gateway_known;  /* it has answered, station.gateway_mac is its MAC */
	uint32_t foreign;    /* frames that were for one other station */
	uint32_t groups;     /* frames to groups that we are not in, which is no fault */
	uint32_t arp_faults; /* ARP messages that are none */
	/* Takes datagrams for us; NULL: nobody does. */
	void (*listener)(void *context, const struct ip_datagram *datagram);
	void *context;
};

/* Takes what came in, at most so much that sending is not forgotten, and kicks. */
void net_poll(struct net *net);

/*
 * Polls for so many microseconds, or until *done is true. Returns whether it is.
 */
bool net_wait(struct net *net, const bool *done, uint32_t limit_us);

/* Room for FRAME_IP_PAYLOAD bytes behind an IP header, or NULL while there is none. */
uint8_t *net_room(struct net *net);

/* Sends so many bytes of net_room(). */
void net_send(struct net *net, uint32_t destination_be, uint8_t protocol, size_t length);

/* Asks who has the gateway's address. False: there is no room. */
bool net_ask_gateway(struct net *net);
