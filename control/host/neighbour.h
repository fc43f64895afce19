/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <netinet/in.h>

struct nl_sock;

/* What the host's ARP table says of an address. */
enum neighbour_state {
	NEIGHBOUR_NONE,	  /* nobody asked */
	NEIGHBOUR_SILENT, /* asked, and no answer came */
	NEIGHBOUR_SEEN,	  /* it answered, now or before */
};

/* Looks address_be up on interface `index`. Returns a neighbour_state or a negative errno. */
int neighbour_look_up(struct nl_sock *socket, int index, struct in_addr address_be);
