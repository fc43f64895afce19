/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP errors in both directions (RFC 5508, REQ-3 to REQ-7; RFC 4787, REQ-12; RFC 5382, REQ-9).
 *
 * An error carries the start of the packet that it is about, as its sender saw that packet. It
 * belongs to the session of the embedded packet, whoever sent it, and is translated in three
 * places: the outer address on our side, the embedded address and port on our side, and the
 * checksums around them (embedded IPv4, embedded L4 as far as it is there, ICMP). Errors neither
 * refresh nor change nor end a session.
 *
 *               outer                      embedded
 *   in          router -> outside          outside:port -> remote     becomes inside:port -> remote
 *   out         guest -> remote            remote -> inside:port      becomes remote ->
 * outside:port hairpin     out, then in
 *
 * Refused: errors with a wrong ICMP checksum or a wrong embedded header checksum (REQ-3), about
 * later fragments, without live session, or that are not addressed to who sent the embedded packet.
 */
#pragma once

#include "nat/nat_private.h"

/* Whether it is an ICMP error that NATs translate: destination unreachable, time exceeded,
 * parameter problem. Redirects and source quenches end here. */
bool icmp_error_is(const struct packet *p);

enum nat_verdict icmp_error_out(struct nat *nat, struct packet *p);
enum nat_verdict icmp_error_in(struct nat *nat, struct packet *p);
