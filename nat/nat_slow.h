/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The miss: everything that is not a stored rewrite of a live session. Decides by all rules, opens
 * sessions, and ends in the same hit as the fast path. nat_begin() was called before.
 */
#pragma once

#include "nat/flow.h"
#include "nat/nat.h"
#include "nat/tcp_state.h"

enum nat_verdict nat_slow_out(struct nat *nat, struct packet *p);
enum nat_verdict nat_slow_in(struct nat *nat, struct packet *p);

/* A packet of a kind that has sessions, whose key is known, after its addresses were checked. */
enum nat_verdict nat_slow_session_out(
	struct nat *nat, struct packet *p, const struct flow_key *key, enum tcp_event event);
enum nat_verdict nat_slow_session_in(
	struct nat *nat, struct packet *p, const struct flow_key *key, enum tcp_event event);
