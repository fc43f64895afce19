/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/tcp_state.h"

#include <stddef.h>

/* One line for each state: what DATA, SYN, SYN-ACK, FIN and RST make of it. */
#define ROW(state, data, syn, syn_ack, fin, rst)        \
	[SESSION_##state] = {[TCP_EVENT_DATA] = (data), \
		[TCP_EVENT_SYN] = (syn),                \
		[TCP_EVENT_SYN_ACK] = (syn_ack),        \
		[TCP_EVENT_FIN] = (fin),                \
		[TCP_EVENT_RST] = (rst)}
#define ROW_SAME(state, to) ROW(state, to, to, to, to, to)

/* Short names, to keep the table readable. */
enum {
	SYN_OUT = SESSION_SYN_OUT,
	SYN_IN = SESSION_SYN_IN,
	OPENING = SESSION_OPENING,
	BOTH_SYN = SESSION_SIMULTANEOUS,
	PICKED = SESSION_PICKED_UP,
	EST = SESSION_ESTABLISHED,
	FIN_OUT = SESSION_FIN_OUT,
	FIN_IN = SESSION_FIN_IN,
	BOTH_FIN = SESSION_FIN_BOTH,
	RESET = SESSION_RESET,
};

const uint8_t tcp_state_next[FLOW_DIRECTION_COUNT][SESSION_STATE_COUNT][TCP_EVENT_COUNT] = {
	[FLOW_OUT] =
		{
			/*               DATA      SYN             SYN-ACK        FIN       RST */
			ROW(SYN_OUT, SYN_OUT, SYN_OUT, SYN_OUT, SYN_OUT, RESET),
			ROW(SYN_IN, SYN_IN, BOTH_SYN, OPENING, SYN_IN, RESET),
			ROW(OPENING, EST, OPENING, OPENING, FIN_OUT, RESET),
			ROW(SIMULTANEOUS, EST, BOTH_SYN, EST, FIN_OUT, RESET),
			ROW(PICKED_UP, PICKED, SYN_OUT, PICKED, PICKED, RESET),
			ROW(ESTABLISHED, EST, EST, EST, FIN_OUT, RESET),
			ROW(FIN_OUT, FIN_OUT, FIN_OUT, FIN_OUT, FIN_OUT, RESET),
			ROW(FIN_IN, FIN_IN, FIN_IN, FIN_IN, BOTH_FIN, RESET),
			ROW(FIN_BOTH, BOTH_FIN, SYN_OUT, BOTH_FIN, BOTH_FIN, RESET),
			ROW(RESET, EST, SYN_OUT, EST, FIN_OUT, RESET),
			ROW_SAME(UDP, SESSION_UDP),
			ROW_SAME(UDP_WELL_KNOWN, SESSION_UDP_WELL_KNOWN),
			ROW_SAME(UDP_UNANSWERED, SESSION_UDP),
			ROW_SAME(ICMP, SESSION_ICMP),
			ROW_SAME(OTHER, SESSION_OTHER),
		},
	[FLOW_IN] =
		{
			/*               DATA      SYN             SYN-ACK        FIN       RST */
			ROW(SYN_OUT, SYN_OUT, BOTH_SYN, OPENING, SYN_OUT, RESET),
			ROW(SYN_IN, SYN_IN, SYN_IN, SYN_IN, SYN_IN, RESET),
			ROW(OPENING, EST, OPENING, OPENING, FIN_IN, RESET),
			ROW(SIMULTANEOUS, EST, BOTH_SYN, EST, FIN_IN, RESET),
			ROW(PICKED_UP, EST, PICKED, PICKED, FIN_IN, RESET),
			ROW(ESTABLISHED, EST, EST, EST, FIN_IN, RESET),
			ROW(FIN_OUT, FIN_OUT, FIN_OUT, FIN_OUT, BOTH_FIN, RESET),
			ROW(FIN_IN, FIN_IN, FIN_IN, FIN_IN, FIN_IN, RESET),
			ROW(FIN_BOTH, BOTH_FIN, SYN_IN, BOTH_FIN, BOTH_FIN, RESET),
			ROW(RESET, EST, SYN_IN, EST, FIN_IN, RESET),
			ROW_SAME(UDP, SESSION_UDP),
			ROW_SAME(UDP_WELL_KNOWN, SESSION_UDP_WELL_KNOWN),
			ROW_SAME(UDP_UNANSWERED, SESSION_UDP_UNANSWERED),
			ROW_SAME(ICMP, SESSION_ICMP),
			ROW_SAME(OTHER, SESSION_OTHER),
		},
};

/* Bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 16. */
#define EVENTS_WITHOUT_ACK                                                                         \
	TCP_EVENT_DATA, TCP_EVENT_FIN, TCP_EVENT_SYN, TCP_EVENT_SYN, TCP_EVENT_RST, TCP_EVENT_RST, \
		TCP_EVENT_RST, TCP_EVENT_RST
#define EVENTS_WITH_ACK                                                                     \
	TCP_EVENT_DATA, TCP_EVENT_FIN, TCP_EVENT_SYN_ACK, TCP_EVENT_SYN_ACK, TCP_EVENT_RST, \
		TCP_EVENT_RST, TCP_EVENT_RST, TCP_EVENT_RST

const uint8_t tcp_event_of_flags[32] = {EVENTS_WITHOUT_ACK,
	EVENTS_WITHOUT_ACK, /* without and with PSH */
	EVENTS_WITH_ACK, EVENTS_WITH_ACK};

static const char *const state_names[SESSION_STATE_COUNT] = {
	[SESSION_SYN_OUT] = "syn-out",
	[SESSION_SYN_IN] = "syn-in",
	[SESSION_OPENING] = "opening",
	[SESSION_SIMULTANEOUS] = "simultaneous",
	[SESSION_PICKED_UP] = "picked-up",
	[SESSION_ESTABLISHED] = "established",
	[SESSION_FIN_OUT] = "fin-out",
	[SESSION_FIN_IN] = "fin-in",
	[SESSION_FIN_BOTH] = "fin-both",
	[SESSION_RESET] = "reset",
	[SESSION_UDP] = "udp",
	[SESSION_UDP_WELL_KNOWN] = "udp-well-known",
	[SESSION_UDP_UNANSWERED] = "udp-unanswered",
	[SESSION_ICMP] = "icmp",
	[SESSION_OTHER] = "other",
};

const char *session_state_name(enum session_state state)
{
	return (size_t)state < SESSION_STATE_COUNT ? state_names[state] : "unknown";
}
