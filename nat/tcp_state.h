/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of a session: the TCP state machine of RFC 7857, section 2 (which is that of RFC 6146,
 * 3.5.2, with its own time-outs), and one state each for what has no machine.
 *
 *                     SYN out            SYN-ACK in (or SYN in: SIMULTANEOUS)
 *   (none) -----------------> SYN_OUT -----------------> OPENING --+ any further segment
 *     | SYN in (filter)                                            v
 *     +---------------------> SYN_IN --- SYN-ACK out --> OPENING -> ESTABLISHED
 *     | other segment out                                          ^   |
 *     +---------------------> PICKED_UP ----- segment in ----------+   | FIN out / FIN in
 *                                                                      v
 *   RESET <----- RST, from any state                         FIN_OUT / FIN_IN
 *     |                                                                | the other FIN
 *     +--- a segment that is not RST: ESTABLISHED                      v
 *                                                                  FIN_BOTH
 *
 * A reset is not the end: it only starts the closing time-out, since a forged one must not cut a
 * live connection (RFC 7857, 2.2). Nothing but time ends a session. A SYN in FIN_BOTH or RESET
 * begins a new connection on the same ports. PICKED_UP exists so that connections survive the loss
 * of a flow memory: their next segment out gets the same outside port again, if it is free.
 *
 * Time-outs: partial in SYN_*, OPENING, SIMULTANEOUS and PICKED_UP; established in ESTABLISHED and
 * FIN_OUT / FIN_IN (half-closed connections are in use); closing in FIN_BOTH and RESET.
 */
#pragma once

#include <stdint.h>

#include "nat/flow.h"

/* Stored in the flow memory: append only, or change FLOW_MEMORY_VERSION. */
enum session_state {
	SESSION_SYN_OUT,
	SESSION_SYN_IN,
	SESSION_OPENING,      /* SYN one way, SYN-ACK the other */
	SESSION_SIMULTANEOUS, /* SYN both ways, RFC 9293, 3.5 figure 7 */
	SESSION_PICKED_UP,
	SESSION_ESTABLISHED,
	SESSION_FIN_OUT,
	SESSION_FIN_IN,
	SESSION_FIN_BOTH,
	SESSION_RESET,
	/* No TCP from here on: these have the event TCP_EVENT_DATA only. */
	SESSION_UDP,
	SESSION_UDP_WELL_KNOWN, /* remote port 0 to 1023 */
	SESSION_UDP_UNANSWERED, /* opened from outside; the guest sent nothing yet */
	SESSION_ICMP,
	SESSION_OTHER,
};
#define SESSION_STATE_TCP_COUNT (SESSION_RESET + 1)
#define SESSION_STATE_COUNT (SESSION_OTHER + 1)

enum tcp_event {
	TCP_EVENT_DATA, /* anything without SYN, FIN, RST; and every packet that is not TCP */
	TCP_EVENT_SYN,
	TCP_EVENT_SYN_ACK,
	TCP_EVENT_FIN,
	TCP_EVENT_RST,
};
#define TCP_EVENT_COUNT (TCP_EVENT_RST + 1)

/* What becomes of a session: [direction][state][event]. */
extern const uint8_t tcp_state_next[FLOW_DIRECTION_COUNT][SESSION_STATE_COUNT][TCP_EVENT_COUNT];

/* The event of the low five bits of a TCP header's flags (FIN, SYN, RST, PSH, ACK); RST wins over
 * SYN, SYN over FIN. */
extern const uint8_t tcp_event_of_flags[32];

const char *session_state_name(enum session_state state);
