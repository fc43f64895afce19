/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opens and closes sessions across all tables: session, mapping, outside port, permission, guest's
 * count, counters, log.
 */
#pragma once

#include "nat/nat_private.h"

/* The space that a protocol's mappings live in. */
enum port_space flows_space(uint8_t protocol);

/* The state of a session that a packet of `direction` opens. `remote_port_be` is for UDP. */
enum session_state flows_first_state(enum flow_direction direction, uint8_t protocol,
	enum tcp_event event, uint16_t remote_port_be);

/*
 * The mapping of an inside address and port; makes one, with an outside port by the rules of
 * ports.h, when there is none. For protocols
 * without ports the inside port is the protocol number. Returns 0 and *ret_mapping; -EADDRNOTAVAIL
 * (no port), -EDQUOT (the guest has its share of them), -EBUSY (a protocol without ports has
 * another user), -ENOSPC (table full). A new one has no sessions: flows_open() or
 * flows_release_mapping() must follow.
 */
int flows_mapping(struct nat *nat, enum port_space space, uint32_t inside_be,
	uint16_t inside_port_be, uint32_t *ret_mapping);

/* Makes the mapping of a forwarded port, which must be marked as taken. 0 and *ret_mapping,
 * -EADDRNOTAVAIL or -ENOSPC. */
int flows_static_mapping(struct nat *nat, enum port_space space, uint32_t inside_be,
	uint16_t inside_port_be, uint16_t outside_port_be, uint32_t *ret_mapping);

/* Removes the mapping if it has no sessions. */
void flows_release_mapping(struct nat *nat, uint32_t mapping);

/*
 * Opens a session of `mapping` with the remote side of `key`, whose local side is the inside (OUT)
 * or outside (IN) one. `outside_be` is what the remote sees. Returns 0 and *ret_record; -EDQUOT or
 * -EBUSY (the guest's limits), -ENOSPC (table full), -EADDRINUSE (another session has the same
 * inside and remote sides), and the mapping is then released.
 */
int flows_open(struct nat *nat, uint32_t mapping, const struct flow_key *key,
	enum flow_direction direction, uint32_t outside_be, enum session_state state,
	uint32_t *ret_record);

/* Begins to fetch from random places of several tables what opening or closing the session, live or
 * not, will need: its buckets and its remote's permission. */
void flows_prefetch(const struct nat *nat, const struct session *s);

/* Whether a guest that sends there means a neighbour behind this NAT. */
bool flows_is_hairpin(
	const struct nat *nat, uint32_t remote_be, uint16_t remote_port_be, uint8_t protocol);

/*
 * Whether a session may show `outside_be` to that remote: the world sees the outside address alone,
 * the alias is between guests, as long as they are hairpinned. Network byte order.
 */
bool flows_may_meet(const struct nat *nat, uint32_t outside_be, uint32_t remote_be,
	uint16_t remote_port_be, uint8_t protocol);

/* Fills in what a session's addresses and ports determine: deltas and the hairpin flag. */
void flows_derive(const struct nat *nat, struct session *s);

/* Lets the remote of a session through the filter, once. */
void flows_permit(struct nat *nat, struct session *s);

/* Closes a live session; its mapping goes with its last one. */
void flows_close(struct nat *nat, uint32_t record);
