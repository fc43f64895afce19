/* SPDX-License-Identifier: BSD-3-Clause */
/* The frames were made with scapy 2.5.0. */
#include "guest/services/arp.h"

#include <arpa/inet.h>

#include "backend/parse.h"
#include "tests/unit/frame.h"

static const char linux_request[] =
	"ffffffffffff52540012345608060001080006040001525400123456ac100002000000000000ac10"
	"0001";

static const char redox_request[] =
	"ffffffffffff52540012345608060001080006040001525400123456ac100002ffffffffffffac10"
	"0001";

static const char gateway_reply[] =
	"52540012345602000000000108060001080006040002020000000001ac100001525400123456ac10"
	"0002";

static const char tagged_request[] =
	"ffffffffffff5254001234568100000708060001080006040001525400123456ac10000200000000"
	"0000ac100001";

static const char tagged_reply[] =
	"5254001234560200000000018100000708060001080006040002020000000001ac10000152540012"
	"3456ac100002";

static const char probe_of_gateway[] =
	"ffffffffffff5254001234560806000108000604000152540012345600000000000000000000ac10"
	"0001";

static const char reply_to_probe[] =
	"52540012345602000000000108060001080006040002020000000001ac1000015254001234560000"
	"0000";

static const char gateway_request[] =
	"ffffffffffff02000000000108060001080006040001020000000001ac100001000000000000ac10"
	"0002";

#define GATEWAY 0xac100001U
#define NAT 0xac1000feU

static struct arp_host hosts[2];

static int setup(void **state)
{
	hosts[0] = (struct arp_host){.ip_be = htonl(NAT), .mac = {2, 0, 0, 0, 0, 2}};
	hosts[1] = (struct arp_host){.ip_be = htonl(GATEWAY), .mac = {2, 0, 0, 0, 0, 1}};
	return 0;
}

static struct frame *load(const char *hex)
{
	uint8_t bytes[128];
	uint32_t length = frame_hex(hex, bytes, sizeof(bytes));
	struct frame *f = frame_new(bytes, length, 20, 9);

	parse_packet(&f->packet);
	assert_true((f->packet.flags & PACKET_ARP) != 0);
	return f;
}

static void assert_bytes(const struct packet *p, const char *hex)
{
	uint8_t expected[128], bytes[128];
	uint32_t length = frame_hex(hex, expected, sizeof(expected));

	assert_int_equal(frame_bytes(p, bytes, sizeof(bytes)), length);
	assert_memory_equal(bytes, expected, length);
}

static void assert_answered(const char *request, const char *reply)
{
	struct frame *f = load(request);

	f->packet.vnet.flags = 1;
	assert_true(arp_answer(&f->packet, hosts, 2));
	assert_bytes(&f->packet, reply);
	assert_int_equal(f->packet.flags, PACKET_ARP);
	assert_int_equal(f->packet.vnet.flags, 0);
	frame_free(f);
}

static void test_answers(void **state)
{
	assert_answered(linux_request, gateway_reply);
	assert_answered(redox_request, gateway_reply);
	assert_answered(tagged_request, tagged_reply);
	assert_answered(probe_of_gateway, reply_to_probe);
}

/* Padding to 60 bytes, as a card would send it, does not come back. */
static void test_padding(void **state)
{
	uint8_t bytes[60];
	uint32_t length = frame_hex(linux_request, bytes, sizeof(bytes));
	struct frame *f;

	memset(bytes + length, 0xee, sizeof(bytes) - length);
	f = frame_new(bytes, sizeof(bytes), 60, 1);
	parse_packet(&f->packet);
	assert_true(arp_answer(&f->packet, hosts, 2));
	assert_bytes(&f->packet, gateway_reply);
	frame_free(f);
}

static void assert_refused(struct frame *f, uint16_t count)
{
	uint8_t before[128], after[128];
	uint32_t length = frame_bytes(&f->packet, before, sizeof(before));

	assert_false(arp_answer(&f->packet, hosts, count));
	assert_int_equal(frame_bytes(&f->packet, after, sizeof(after)), length);
	assert_memory_equal(before, after, length);
	frame_free(f);
}

static void test_refusals(void **state)
{
	struct frame *f;

	/* Nothing to answer for. */
	assert_refused(load(linux_request), 0);
	assert_refused(load(linux_request), 1);
	/* Replies; other operations. */
	assert_refused(load(gateway_reply), 2);
	f = load(linux_request);
	f->packet.head[14 + ARP_OPERATION + 1] = 3;
	assert_refused(f, 2);
	f = load(linux_request);
	f->packet.head[14 + ARP_OPERATION] = 1;
	assert_refused(f, 2);
	/* A probe, and an announcement, of another address. */
	f = load(probe_of_gateway);
	f->packet.head[14 + ARP_TARGET_IP + 3] = 9;
	assert_refused(f, 2);
	f = load(linux_request);
	f->packet.head[14 + ARP_TARGET_IP + 3] = 2;
	assert_refused(f, 2);
	/* From a group address. */
	f = load(linux_request);
	f->packet.head[6] |= 1;
	assert_refused(f, 2);
}

static void test_second_host(void **state)
{
	struct frame *f = load(linux_request);

	f->packet.head[14 + ARP_TARGET_IP + 3] = 254;
	assert_true(arp_answer(&f->packet, hosts, 2));
	assert_int_equal(arp_sender_ip(&f->packet), htonl(NAT));
	assert_memory_equal(arp_sender_mac(&f->packet), hosts[0].mac, 6);
	assert_memory_equal(f->packet.head + 6, hosts[0].mac, 6);
	assert_int_equal(arp_target_ip(&f->packet), htonl(0xac100002U));
	frame_free(f);
}

static void test_request(void **state)
{
	struct packet p, parsed;

	memset(&p, 0xdd, sizeof(p));
	arp_request(&p, &hosts[1], htonl(0xac100002U));
	assert_bytes(&p, gateway_request);
	assert_int_equal(p.port, 0xdddd);
	parsed = p;
	parse_packet(&parsed);
	assert_int_equal(parsed.flags, p.flags);
	assert_int_equal(parsed.l3_offset, p.l3_offset);
	assert_int_equal(parsed.ethertype, p.ethertype);
	assert_int_equal(parsed.l4_offset, p.l4_offset);
	assert_int_equal(parsed.l4_protocol, p.l4_protocol);
	assert_int_equal(parsed.l3_length, p.l3_length);
	assert_null(p.segments);
	assert_int_equal(p.vnet.flags | p.vnet.gso_type, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_second_host),
		cmocka_unit_test(test_request),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
