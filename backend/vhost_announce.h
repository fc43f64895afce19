/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that goes on at another place (after a migration, or a restore) is announced on its
 * behalf, so that others' frames find it before it speaks. A VMM may have its driver do that
 * (VIRTIO_NET_F_GUEST_ANNOUNCE needs the control queue), or ask the back end (SEND_RARP, QEMU);
 * Cloud Hypervisor does neither unless `ctrl-vq=on`. So a guest whose rings have been in use when a
 * front end brings them is announced, too, when its socket names its MAC.
 *
 * The frame goes through the worker as if the guest had sent it: what the guest may not say, it may
 * not have said for it either.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/packet.h"

struct vhost_announcement {
	uint8_t mac[6]; /* the guest's; zeros: not known */
	uint32_t ip_be; /* its address, or 0 */
	bool is_named;	/* its socket names the MAC, once and for all */
	bool due;	/* set by control while the rings are parked, cleared by the worker */
};

/* What the socket says of its guest: `mac` (6 bytes, copied) may be NULL, the address 0. */
void vhost_announce_init(
	struct vhost_announcement *announcement, const uint8_t *mac, uint32_t ip_be);

/* The front end has gone, and what it said with it. */
void vhost_announce_reset(struct vhost_announcement *announcement);

/* The guest is to be announced, if its MAC is known: by its socket or, else, as `mac` (6 bytes, may
 * be NULL). Rings parked. */
void vhost_announce_ask(struct vhost_announcement *announcement, const uint8_t *mac);

/*
 * Makes the frame: an ARP announcement (RFC 5227, 2.3) when the address is known, else a reverse
 * ARP request (RFC 903), as QEMU's.
 */
void vhost_announce_fill(const struct vhost_announcement *announcement, struct packet *ret_packet);
