/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames a guest like RedoxOS gets, and which driver is one. */
#include "tests/unit/frame.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "backend/bytes.h"
#include "backend/drop.h"
#include "backend/ethernet.h"
#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "backend/withhold.h"

#define BIT(n) (UINT64_C(1) << (n))
#define GUEST_IP 0xac100002u
#define OTHER_IP 0xac100003u
#define LIMITED_BROADCAST 0xffffffffu

static const uint8_t guest_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
static const uint8_t other_mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x57};
static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t multicast[6] = {0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb};

static void drivers_are_told_apart(void **state)
{
	const uint64_t redox = BIT(VIRTIO_F_VERSION_1);
	static const unsigned int neutral[] = {VIRTIO_NET_F_MAC, 26 /* LOG_ALL */, 30};

	assert_true(withhold_applies(WITHHOLD_AUTO, redox, false));
	assert_false(withhold_applies(WITHHOLD_AUTO, redox, true)); /* firmware */
	assert_false(withhold_applies(WITHHOLD_AUTO, 0, false));    /* no features yet */
	for (unsigned int bit = 0; bit < 64; bit++) {
		bool counts = bit != VIRTIO_F_VERSION_1;
		for (unsigned int i = 0; i < sizeof(neutral) / sizeof(neutral[0]); i++)
			counts &= bit != neutral[i];
		assert_int_equal(withhold_applies(WITHHOLD_AUTO, redox | BIT(bit), false), !counts);
	}
	assert_true(withhold_applies(WITHHOLD_ALWAYS, UINT64_MAX, true));
	assert_false(withhold_applies(WITHHOLD_NEVER, redox, false));
}

struct made {
	uint8_t bytes[2048];
	uint32_t length;
};

static struct made made_of(const uint8_t *to, uint16_t type, uint32_t length)
{
	struct made made = {.length = length};
	memcpy(made.bytes, to, 6);
	memcpy(made.bytes + 6, other_mac, 6);
	store16_be(made.bytes + 12, htons(type));
	return made;
}

static struct made arp(const uint8_t *to, uint16_t operation, uint32_t sender, uint32_t target)
{
	static const uint8_t fixed[] = {0, 1, 8, 0, 6, 4};
	struct made made = made_of(to, ETHERNET_TYPE_ARP, 42);
	memcpy(made.bytes + 14, fixed, sizeof(fixed));
	store16_be(made.bytes + 20, htons(operation));
	memcpy(made.bytes + 22, other_mac, 6);
	store32_be(made.bytes + 28, htonl(sender));
	store32_be(made.bytes + 38, htonl(target));
	return made;
}

/* UDP with `port` as destination, `length` bytes of frame. */
static struct made udp(const uint8_t *to, uint32_t ip, uint16_t port, uint32_t length)
{
	struct made made = made_of(to, ETHERNET_TYPE_IPV4, length);
	uint8_t *l3 = made.bytes + 14;
	l3[0] = 0x45;
	store16_be(l3 + 2, htons((uint16_t)(length - 14)));
	l3[8] = 64;
	l3[9] = IPPROTO_UDP;
	store32_be(l3 + 12, htonl(OTHER_IP));
	store32_be(l3 + 16, htonl(ip));
	store16_be(l3 + 22, htons(port));
	store16_be(l3 + 24, htons((uint16_t)(length - 34)));
	return made;
}

static struct made dhcp(const uint8_t *to, uint32_t ip, const uint8_t *client)
{
	struct made made = udp(to, ip, 68, 342);
	memcpy(made.bytes + 42 + 28, client, 6);
	return made;
}

static struct made fragment(uint16_t word)
{
	struct made made = udp(guest_mac, GUEST_IP, 9, 100);
	store16_be(made.bytes + 20, htons(word));
	return made;
}

static struct made tagged(void)
{
	struct made plain = udp(guest_mac, GUEST_IP, 9, 100);
	struct made made = made_of(guest_mac, ETHERNET_TYPE_8021Q, plain.length + 4);
	memcpy(made.bytes + 16, plain.bytes + 12, plain.length - 12);
	return made;
}

static unsigned int judge_vnet(const struct withhold_guest *guest, const struct made *made,
	uint8_t gso_type, uint16_t gso_size)
{
	struct frame *frame = frame_new(made->bytes, made->length, PACKET_HEAD_INITIAL, 500);
	parse_packet(&frame->packet);
	frame->packet.vnet.gso_type = gso_type;
	frame->packet.vnet.gso_size = gso_size;
	frame->packet.vnet.hdr_len = gso_type ? 42 : 0;
	unsigned int verdict = withhold_judge(guest, &frame->packet);
	frame_free(frame);
	return verdict;
}

static void expect(const struct withhold_guest *guest, struct made made, unsigned int verdict)
{
	assert_int_equal(judge_vnet(guest, &made, 0, 0), verdict);
}

static struct withhold_guest known(void)
{
	return (struct withhold_guest){.mac = ethernet_load(guest_mac), .ip_be = htonl(GUEST_IP)};
}

static void arp_for_the_guest_passes(void **state)
{
	struct withhold_guest guest = known(), unknown = {0};

	expect(&guest, arp(broadcast, 1, OTHER_IP, GUEST_IP), DROP_COUNT);
	expect(&guest, arp(guest_mac, 1, OTHER_IP, GUEST_IP), DROP_COUNT);
	expect(&guest, arp(guest_mac, 2, OTHER_IP, GUEST_IP), DROP_COUNT);
	expect(&guest, arp(broadcast, 1, OTHER_IP, OTHER_IP), DROP_WITHHELD_ARP);
	expect(&guest, arp(broadcast, 1, GUEST_IP, OTHER_IP), DROP_WITHHELD_ARP);
	expect(&guest, arp(broadcast, 2, OTHER_IP, GUEST_IP), DROP_WITHHELD_ARP);
	expect(&guest, arp(other_mac, 1, OTHER_IP, GUEST_IP), DROP_WITHHELD_ARP);
	expect(&guest, arp(other_mac, 2, OTHER_IP, GUEST_IP), DROP_WITHHELD_ARP);
	/* Whoever has said nothing may have any address. */
	expect(&unknown, arp(broadcast, 1, OTHER_IP, GUEST_IP), DROP_COUNT);
	expect(&unknown, arp(broadcast, 1, OTHER_IP, OTHER_IP), DROP_COUNT);
	expect(&unknown, arp(guest_mac, 2, OTHER_IP, GUEST_IP), DROP_COUNT);
	expect(&unknown, arp(broadcast, 2, OTHER_IP, GUEST_IP), DROP_WITHHELD_ARP);
}

static void only_its_own_unicast_passes(void **state)
{
	struct withhold_guest guest = known(), unknown = {0};

	expect(&guest, udp(guest_mac, GUEST_IP, 9, 100), DROP_COUNT);
	expect(&unknown, udp(guest_mac, GUEST_IP, 9, 100), DROP_COUNT);
	expect(&guest, udp(other_mac, GUEST_IP, 9, 100), DROP_WITHHELD_UNICAST);
	expect(&guest, udp(guest_mac, OTHER_IP, 9, 100), DROP_WITHHELD_UNICAST);
	expect(&guest, udp(broadcast, GUEST_IP, 9, 100), DROP_WITHHELD_GROUP);
	expect(&guest, udp(broadcast, LIMITED_BROADCAST, 9, 100), DROP_WITHHELD_GROUP);
	expect(&guest, udp(multicast, 0xe00000fb, 5353, 100), DROP_WITHHELD_GROUP);
	expect(&unknown, udp(broadcast, LIMITED_BROADCAST, 9, 100), DROP_WITHHELD_GROUP);
}

static void dhcp_for_the_guest_passes(void **state)
{
	struct withhold_guest guest = known(), unknown = {0};

	expect(&guest, dhcp(guest_mac, LIMITED_BROADCAST, guest_mac), DROP_COUNT);
	expect(&guest, dhcp(broadcast, LIMITED_BROADCAST, guest_mac), DROP_COUNT);
	expect(&unknown, dhcp(guest_mac, LIMITED_BROADCAST, guest_mac), DROP_COUNT);
	/* The address that it is given is not its own yet. */
	expect(&guest, dhcp(guest_mac, OTHER_IP, guest_mac), DROP_COUNT);
	expect(&guest, dhcp(broadcast, LIMITED_BROADCAST, other_mac), DROP_WITHHELD_GROUP);
	expect(&guest, dhcp(other_mac, OTHER_IP, other_mac), DROP_WITHHELD_UNICAST);
	/* Too short to say whose it is. */
	expect(&guest, udp(broadcast, LIMITED_BROADCAST, 68, 75), DROP_WITHHELD_GROUP);
}

static void what_is_no_plain_ipv4_is_withheld(void **state)
{
	struct withhold_guest guest = known();

	expect(&guest, made_of(guest_mac, ETHERNET_TYPE_IPV6, 100), DROP_WITHHELD_PROTOCOL);
	expect(&guest, made_of(broadcast, ETHERNET_TYPE_IPV6, 100), DROP_WITHHELD_PROTOCOL);
	expect(&guest, made_of(guest_mac, 0x88cc, 60), DROP_WITHHELD_PROTOCOL);
	expect(&guest, made_of(guest_mac, ETHERNET_TYPE_IPV4, 20), DROP_WITHHELD_PROTOCOL);
	expect(&guest, tagged(), DROP_WITHHELD_PROTOCOL);
	expect(&guest, fragment(0x2000), DROP_WITHHELD_FRAGMENT);
	expect(&guest, fragment(0x0010), DROP_WITHHELD_FRAGMENT);
	expect(&guest, fragment(0x4000), DROP_COUNT);
}

static void nothing_longer_than_its_buffer_passes(void **state)
{
	struct withhold_guest guest = known();
	struct made longest = udp(guest_mac, GUEST_IP, 9, WITHHOLD_FRAME_MAX);
	struct made tcp = udp(guest_mac, GUEST_IP, 9, 2000);

	expect(&guest, longest, DROP_COUNT);
	expect(&guest, udp(guest_mac, GUEST_IP, 9, WITHHOLD_FRAME_MAX + 1), DROP_WITHHELD_SIZE);
	/* Large frames are cut, but for datagrams that are too long. */
	tcp.bytes[23] = IPPROTO_TCP;
	tcp.bytes[46] = 0x50;
	assert_int_equal(judge_vnet(&guest, &tcp, VIRTIO_NET_HDR_GSO_TCPV4, 1460), DROP_COUNT);
	struct made large = udp(guest_mac, GUEST_IP, 9, 2000);
	assert_int_equal(judge_vnet(&guest, &large, VIRTIO_NET_HDR_GSO_UDP_L4, 1458), DROP_COUNT);
	assert_int_equal(
		judge_vnet(&guest, &large, VIRTIO_NET_HDR_GSO_UDP_L4, 1459), DROP_WITHHELD_SIZE);
}

static void learn(struct withhold_guest *guest, struct made made)
{
	struct frame *frame = frame_new(made.bytes, made.length, PACKET_HEAD_INITIAL, 500);
	withhold_learn(guest, &frame->packet);
	frame_free(frame);
}

static void guest_is_who_it_says(void **state)
{
	struct withhold_guest guest = {0};

	learn(&guest, made_of(broadcast, ETHERNET_TYPE_IPV6, 60));
	assert_int_equal(guest.mac, ethernet_load(other_mac));
	assert_int_equal(guest.ip_be, 0);
	/* A probe has no address. */
	learn(&guest, arp(broadcast, 1, 0, GUEST_IP));
	assert_int_equal(guest.ip_be, 0);
	learn(&guest, arp(broadcast, 1, GUEST_IP, OTHER_IP));
	assert_int_equal(guest.ip_be, htonl(GUEST_IP));
	learn(&guest, udp(broadcast, GUEST_IP, 9, 60));
	assert_int_equal(guest.ip_be, htonl(OTHER_IP));
	/* Cut short, they say nothing. */
	struct made cut = arp(broadcast, 1, GUEST_IP, OTHER_IP);
	cut.length = 41;
	learn(&guest, cut);
	cut = udp(broadcast, GUEST_IP, 9, 60);
	store32_be(cut.bytes + 26, htonl(GUEST_IP));
	cut.length = 33;
	learn(&guest, cut);
	assert_int_equal(guest.ip_be, htonl(OTHER_IP));
	cut = made_of(broadcast, ETHERNET_TYPE_IPV6, 60);
	cut.bytes[6] = 1; /* no station */
	learn(&guest, cut);
	assert_int_equal(guest.mac, ethernet_load(other_mac));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drivers_are_told_apart),
		cmocka_unit_test(arp_for_the_guest_passes),
		cmocka_unit_test(only_its_own_unicast_passes),
		cmocka_unit_test(dhcp_for_the_guest_passes),
		cmocka_unit_test(what_is_no_plain_ipv4_is_withheld),
		cmocka_unit_test(nothing_longer_than_its_buffer_passes),
		cmocka_unit_test(guest_is_who_it_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
