/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The miss: everything that is not a stored rewrite of a live session. Decides by all rules, opens
 * sessions, and ends in the same hit as the fast path. nat_set_now() was called before.
 */
#pragma once

#include "nat/nat.h"

enum nat_verdict nat_slow_out(struct nat *nat, struct packet *p);
enum nat_verdict nat_slow_in(struct nat *nat, struct packet *p);
