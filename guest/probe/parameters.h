/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel command line asks for: words as probe.NAME=VALUE, separated by spaces. Other
 * words are somebody else's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "guest/probe/text.h"

enum parameters_choice {
	PARAMETERS_AUTO,
	PARAMETERS_ON,
	PARAMETERS_OFF,
};

struct parameters {
	uint32_t ip_be;		       /* our address when DHCP gives none */
	uint32_t gateway_be;	       /* likewise */
	uint32_t server_be;	       /* who echoes UDP, and sends and takes TCP */
	uint16_t server_port;	       /* of both; 0: there is no such server */
	enum parameters_choice dhcp;   /* on: an answer is due; off: nobody is asked */
	enum parameters_choice paging; /* for registers above 4 GiB, see registers.h */
	uint32_t bytes;		       /* the most that a TCP transfer moves, bytes */
	uint32_t time_ms;	       /* the longest that it lasts, milliseconds */
	uint32_t patience_ms;	       /* how long silence may last before a check has failed */
	uint32_t pings;		       /* echo requests to the gateway */
};

/*
 * Reads the command line of `length` bytes. Returns 0; or -EINVAL with the first bad word in
 * `complaint`.
 */
int parameters_read(
	const char *line, size_t length, struct parameters *ret_parameters, struct text *complaint);
