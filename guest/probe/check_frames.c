/* SPDX-License-Identifier: BSD-3-Clause */
/* What was counted on the way. */
#include "guest/probe/check.h"
#include "guest/probe/tap_output.h"

/* Adds ", NUMBER WHAT", unless the number is zero. */
static void add(struct text *detail, uint32_t number, const char *what)
{
	if (number == 0)
		return;
	text_add(detail, ", ");
	text_number(detail, number);
	text_add(detail, " ");
	text_add(detail, what);
}

bool check_checksums(struct probe *probe)
{
	static const char name[] = "every checksum is right";
	const struct ip_tally *tally = &probe->net.tally;
	struct text detail;

	if (tally->checksums == 0) {
		tap_output_skip(name, "nothing came that has one");
		return true;
	}
	text_clear(&detail);
	text_number(&detail, tally->checksums);
	text_add(&detail, " verified");
	add(&detail, tally->bad_headers, "wrong of IPv4 headers");
	add(&detail, tally->bad_payloads, "wrong of ICMP, UDP or TCP");
	tap_output_result(tally->bad_headers == 0 && tally->bad_payloads == 0, name, &detail);
	return true;
}

bool check_frames(struct probe *probe)
{
	static const char name[] = "every frame is well made, and for us";
	const struct net *net = &probe->net;
	const struct virtio_net_faults *faults = &net->device.faults;
	struct text detail;
	uint32_t bad;

	bad = faults->used + faults->length + faults->header + net->tally.malformed +
	      net->tally.fragments + net->arp_faults + net->foreign;
	text_clear(&detail);
	text_number(&detail, net->device.received);
	text_add(&detail, " received, ");
	text_number(&detail, net->device.sent);
	text_add(&detail, " sent, ");
	text_number(&detail, net->device.kicks);
	text_add(&detail, " kicks");
	add(&detail, faults->used, "lies in used rings");
	add(&detail, faults->length, "of no length");
	add(&detail, faults->header, "with an offload");
	add(&detail, net->tally.malformed + net->arp_faults, "malformed");
	add(&detail, net->tally.fragments, "fragments");
	add(&detail, net->foreign, "of others");
	add(&detail, net->groups, "to groups");
	add(&detail, net->tally.other, "of unknown protocols");
	tap_output_result(bad == 0, name, &detail);
	return true;
}
