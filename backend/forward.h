/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a frame goes: the "decide" of a worker's breath. See forward_guest.c and forward_uplink.c;
 * docs/architecture.md draws the ways.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/packet.h"
#include "backend/worker.h"

/* Decides a burst from a guest's port and sends it on. */
void forward_from_guest(
	struct worker *worker, struct port *from, struct packet *const packets[], uint16_t count);

/* Decides a burst from the uplink and sends it on. */
void forward_from_uplink(struct worker *worker, struct packet *const packets[], uint16_t count);

/* Expiry; called every WORKER_TICK_NS while forward_has_state(). */
void forward_tick(struct worker *worker);
bool forward_has_state(const struct worker *worker);

/*
 * Deals with a guest's frame that is DHCP for the network (forward_dhcp.c); false when it is not.
 * forward_dhcp_taken() is the server's dhcp_lan.taken, with the worker as context.
 */
bool forward_dhcp(struct worker *worker, const struct packet *p);
bool forward_dhcp_taken(void *worker, uint32_t ip_be, const uint8_t mac[6]);

/* Shared by the two directions. */

/* Counts a frame that goes no further, on behalf of the port that it came from. */
void forward_drop(struct worker *worker, const struct packet *p, unsigned int reason);

/* Sends a group frame, or one whose destination is unknown, to every guest but its sender. */
void forward_flood(struct worker *worker, struct packet *p);

/* Sends a frame to the inside host at its IPv4 destination; asks for its MAC if need be. */
void forward_inside(struct worker *worker, struct packet *p);

/* Keeps a copy of a frame for `address_be` until its MAC is known, and asks for it. */
void forward_wait(struct worker *worker, struct packet *p, uint32_t address_be);

/* Sends what the NAT and the neighbour table have of their own. */
void forward_extra(struct worker *worker);

/* Sends a frame that the NAT translated to the host. */
void forward_world(struct worker *worker, struct packet *p);

/* Carries out the NAT's verdicts on a burst, and sends what the NAT adds. */
void forward_verdicts(struct worker *worker, struct packet *const packets[],
	const enum nat_verdict verdicts[], uint16_t count);
