/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The drivers of docs/guests.md, as they behave on the rings: one row for each. What a row cannot
 * say has functions of its own (redox.h). Read in the drivers' sources; a row is what a back end
 * can see of it, nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/frontend/driver.h"
#include "tests/frontend/frontend.h"

enum personality_kind {
	PERSONALITY_DRIVER,  /* driver.h does it all */
	PERSONALITY_REDOX_A, /* redox.h, the stock driver */
	PERSONALITY_REDOX_B, /* redox.h, patched */
};

struct personality {
	const char *name;
	enum personality_kind kind;
	uint64_t features; /* that it acks of what is offered; VERSION_1 is added */
	struct driver_layout rx_layout;
	struct driver_layout tx_layout;
	uint32_t rx_buffer; /* bytes of one receive buffer, header included */
	uint16_t rx_slots;  /* the most receive buffers that it posts; 0: a ring full */
	uint16_t tx_slots;  /* the most frames in flight; 0: 64 */
	uint16_t size_min;  /* the smallest queue that it can use */
	uint32_t frame_max; /* bytes of the longest frame without TSO, Ethernet header included */
	bool no_vector;	    /* has no interrupt at all: the VMM sends no SET_VRING_CALL */
	bool no_interrupt;  /* has a vector, and never asks for an interrupt; with ok_first it says
			     * so after DRIVER_OK */
	bool kicks_always;  /* never looks whether a kick is wanted */
	bool ok_first;	    /* DRIVER_OK, and then the first receive buffer */
	bool one_buffer;    /* drops frames that lie in several, though it acked MRG_RXBUF */
	bool shared_header; /* all transmitted frames have the same header of zeros */
	bool no_bursts;	    /* redox-a: sees the newest frame of a burst, and each buffer once */
};

#define PERSONALITY_COUNT 16
extern const struct personality personalities[PERSONALITY_COUNT];

/* The row of this name; NULL: there is none. */
const struct personality *personality_find(const char *name);

/* The options of a front end for it with queues of `size`. */
struct frontend_options personality_options(const struct personality *personality, uint16_t size);
