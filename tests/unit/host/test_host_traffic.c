/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What host_up() builds, judged by the packets that pass: the test is the data plane behind the TAP
 * and, in a second namespace, the world. That a packet does not pass is seen without waiting: one
 * that does pass is sent behind it, and nothing overtakes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/host.h"
#include "tests/unit/host/namespace.h"

#define GUEST "172.16.0.2"
#define OUTSIDE "172.16.0.254"
#define HOST "198.51.100.1"
#define WORLD "198.51.100.2"
#define PORT 4242
#define PAYLOAD_SIZE 8

/* The MAC address that answers for the guests' side of the TAP. */
static const uint8_t guest_mac[] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

static struct host *host;
static int host_namespace, world_namespace;
static int world_socket; /* UDP, bound to PORT, in the world */

/* A frame of Ethernet, IPv4 and UDP (or TCP), without options. */
struct frame {
	struct ether_header ethernet;
	struct iphdr ip;
	union {
		struct {
			struct udphdr header;
			char payload[PAYLOAD_SIZE];
		} udp;
		struct tcphdr tcp;
	};
} __attribute__((packed));

static int set_up(void **state)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = INADDR_ANY};

	namespace_new_network();
	host_namespace = namespace_here();
	world_namespace = namespace_make();
	namespace_run("ip link add eth0 type veth peer name eth0 netns /proc/%d/fd/%d", getpid(),
		world_namespace);
	namespace_run("ip link set eth0 up; ip addr add " HOST "/24 dev eth0; "
		      "ip route add default via " WORLD);
	namespace_join(world_namespace);
	/* the world knows a way to the guests, but must not be let in */
	namespace_run("ip link set eth0 up; ip addr add " WORLD "/24 dev eth0; "
		      "ip route add 172.16.0.0/24 via " HOST);
	world_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(world_socket >= 0);
	assert_int_equal(bind(world_socket, (struct sockaddr *)&address, sizeof(address)), 0);
	namespace_join(host_namespace);
	return 0;
}

static int tear_down(void **state)
{
	host_down(host);
	host = NULL;
	close(world_socket);
	close(world_namespace);
	close(host_namespace);
	return 0;
}

static void up(enum nft_nat nat)
{
	struct host_config config = {
		.tap = "tap0",
		.queues = 1,
		.address_be = {inet_addr("172.16.0.1")},
		.prefix_length = 24,
		.outside_be = {inet_addr(OUTSIDE)},
		.nat = nat,
		.run_directory = "/run/chnet",
	};
	char error[512];

	if (host_up(&config, &host, error, sizeof(error)) < 0)
		fail_msg("%s", error);
}

static uint16_t checksum(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Writes `length` bytes of a frame to the TAP. */
static void tap_write(const void *frame, size_t length)
{
	struct virtio_net_hdr_v1 header = {0};
	struct iovec parts[] = {{&header, sizeof(header)}, {(void *)frame, length}};

	assert_int_equal(
		writev(host_tap(host)->fds[0], parts, 2), (ssize_t)(sizeof(header) + length));
}

static struct frame frame_from(const char *source, uint8_t protocol, size_t l4_length)
{
	struct frame frame = {0};

	memcpy(frame.ethernet.ether_dhost, host_mac(host), ETH_ALEN);
	memcpy(frame.ethernet.ether_shost, guest_mac, ETH_ALEN);
	frame.ethernet.ether_type = htons(ETHERTYPE_IP);
	frame.ip.version = 4;
	frame.ip.ihl = 5;
	frame.ip.ttl = 64;
	frame.ip.protocol = protocol;
	frame.ip.saddr = inet_addr(source);
	frame.ip.daddr = inet_addr(WORLD);
	frame.ip.tot_len = htons((uint16_t)(sizeof(frame.ip) + l4_length));
	frame.ip.check = checksum(&frame.ip, sizeof(frame.ip));
	return frame;
}

/* Sends a datagram from a guest, or from our NAT, to the world. */
static void send_out(const char *source, const char payload[PAYLOAD_SIZE])
{
	struct frame frame = frame_from(source, IPPROTO_UDP, sizeof(frame.udp));

	frame.udp.header.source = htons(PORT);
	frame.udp.header.dest = htons(PORT);
	frame.udp.header.len = htons(sizeof(frame.udp));
	memcpy(frame.udp.payload, payload, PAYLOAD_SIZE);
	tap_write(&frame, offsetof(struct frame, udp) + sizeof(frame.udp));
}

/* The next datagram in the world must be this one, from the host's address. */
static struct sockaddr_in assert_world_gets(const char *payload)
{
	struct pollfd poll_fd = {.fd = world_socket, .events = POLLIN};
	struct sockaddr_in source = {0};
	socklen_t length = sizeof(source);
	char buffer[64] = "";

	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	assert_int_equal(recvfrom(world_socket, buffer, sizeof(buffer), 0,
				 (struct sockaddr *)&source, &length),
		PAYLOAD_SIZE);
	assert_memory_equal(buffer, payload, PAYLOAD_SIZE);
	assert_string_equal(inet_ntoa(source.sin_addr), HOST);
	return source;
}

/* Answers an ARP request for an address of the LAN, as the data plane does. */
static void answer_arp(const uint8_t *request)
{
	uint8_t reply[sizeof(struct ether_header) + sizeof(struct ether_arp)];
	struct ether_header *ethernet = (struct ether_header *)reply;
	struct ether_arp arp;

	memcpy(reply, request, sizeof(reply));
	memcpy(&arp, reply + sizeof(*ethernet), sizeof(arp));
	if (arp.arp_op != htons(ARPOP_REQUEST))
		return;
	arp.arp_op = htons(ARPOP_REPLY);
	memcpy(arp.arp_tha, arp.arp_sha, ETH_ALEN);
	memcpy(arp.arp_sha, guest_mac, ETH_ALEN);
	{
		uint8_t target[4];

		memcpy(target, arp.arp_tpa, sizeof(target));
		memcpy(arp.arp_tpa, arp.arp_spa, sizeof(target));
		memcpy(arp.arp_spa, target, sizeof(target));
	}
	memcpy(ethernet->ether_dhost, arp.arp_tha, ETH_ALEN);
	memcpy(ethernet->ether_shost, guest_mac, ETH_ALEN);
	memcpy(reply + sizeof(*ethernet), &arp, sizeof(arp));
	tap_write(reply, sizeof(reply));
}

/* The next IPv4 frame that the host sends to the TAP; ARP is answered on the way. */
static struct frame next_frame(void)
{
	struct pollfd poll_fd = {.fd = host_tap(host)->fds[0], .events = POLLIN};
	struct frame frame;

	for (;;) {
		uint8_t buffer[TAP_HEADER_LENGTH + 2048] = {0};
		const uint8_t *bytes = buffer + TAP_HEADER_LENGTH;

		assert_int_equal(poll(&poll_fd, 1, 5000), 1);
		assert_true(read(poll_fd.fd, buffer, sizeof(buffer)) > TAP_HEADER_LENGTH);
		memcpy(&frame, bytes, sizeof(frame));
		if (frame.ethernet.ether_type == htons(ETHERTYPE_ARP))
			answer_arp(bytes);
		if (frame.ethernet.ether_type == htons(ETHERTYPE_IP))
			return frame;
	}
}

static void assert_guest_side_gets(const char *destination, const char *payload)
{
	struct frame frame = next_frame();

	assert_int_equal(frame.ip.protocol, IPPROTO_UDP);
	assert_string_equal(inet_ntoa((struct in_addr){frame.ip.daddr}), destination);
	assert_string_equal(inet_ntoa((struct in_addr){frame.ip.saddr}), WORLD);
	assert_memory_equal(frame.udp.payload, payload, PAYLOAD_SIZE);
}

static void world_sends(const struct sockaddr_in *to, const char *payload)
{
	assert_int_equal(sendto(world_socket, payload, PAYLOAD_SIZE, 0, (const struct sockaddr *)to,
				 sizeof(*to)),
		PAYLOAD_SIZE);
}

/* Sends from the world straight to an address of the LAN, which must stay outside. */
static void world_intrudes(const char *address)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = inet_addr(address)};

	world_sends(&to, "intruder");
}

/* The rule that starts with `match` must have counted this many packets. */
static void assert_counted(const char *match, int packets)
{
	const char *rules = namespace_output(
		"nft list table ip chnet-tap0 | grep -F '%s counter packets %d '; true", match,
		packets);

	if (rules[0] == '\0')
		fail_msg("not %d packets at '%s': %s", packets, match,
			namespace_output("nft list table ip chnet-tap0"));
}

static void only_our_nat_leaves(void **state)
{
	struct sockaddr_in source;

	up(NFT_NAT_USER);
	send_out(GUEST, "guest---");
	send_out(OUTSIDE, "outside-");
	source = assert_world_gets("outside-");
	assert_counted("iifname \"tap0\"", 1);

	world_intrudes(GUEST);
	world_intrudes(OUTSIDE);
	world_sends(&source, "answer--");
	assert_guest_side_gets(OUTSIDE, "answer--");
	assert_counted("\toifname \"tap0\"", 2);
}

static void the_whole_lan_leaves(void **state)
{
	struct sockaddr_in source;

	up(NFT_NAT_KERNEL);
	send_out(GUEST, "guest---");
	source = assert_world_gets("guest---");
	world_intrudes(GUEST);
	world_sends(&source, "answer--");
	assert_guest_side_gets(GUEST, "answer--");
	assert_counted("\toifname \"tap0\"", 1);
	/* a source that is not of the LAN */
	send_out("203.0.113.77", "spoofed-");
	send_out(GUEST, "again---");
	assert_world_gets("again---");
}

/* What connection tracking does not translate must not leave with an address of the LAN. */
static void the_invalid_stays(void **state)
{
	struct frame frame;
	struct sockaddr_ll from;
	struct pollfd poll_fd = {.events = POLLIN};
	int sniffer;

	up(NFT_NAT_USER);
	namespace_join(world_namespace);
	sniffer = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
	assert_true(sniffer >= 0);
	namespace_join(host_namespace);

	frame = frame_from(OUTSIDE, IPPROTO_TCP, sizeof(frame.tcp));
	frame.tcp.source = htons(PORT);
	frame.tcp.dest = htons(PORT);
	frame.tcp.doff = 5;
	frame.tcp.syn = 1;
	frame.tcp.fin = 1;
	tap_write(&frame, offsetof(struct frame, tcp) + sizeof(frame.tcp));
	send_out(OUTSIDE, "valid---");
	assert_world_gets("valid---");
	assert_counted("ct state invalid", 1);

	/* the first packet that the world saw is the second */
	poll_fd.fd = sniffer;
	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	{
		struct iphdr ip;
		socklen_t length = sizeof(from);

		assert_int_equal(
			recvfrom(sniffer, &ip, sizeof(ip), 0, (struct sockaddr *)&from, &length),
			sizeof(ip));
		assert_int_equal(ip.protocol, IPPROTO_UDP);
	}
	close(sniffer);
}

/* Rules follow the default route while packets flow. */
static void the_way_out_may_change(void **state)
{
	up(NFT_NAT_USER);
	send_out(OUTSIDE, "first---");
	assert_world_gets("first---");
	/* the default goes away: any way will do */
	namespace_run("ip route del default");
	assert_int_equal(host_refresh(host), 1);
	send_out(OUTSIDE, "second--");
	assert_world_gets("second--");
	/* it comes back by an interface that does not lead to the world */
	namespace_run("ip link add wlan0 type veth peer name wlan1; ip link set wlan0 up; "
		      "ip route add default dev wlan0");
	assert_int_equal(host_refresh(host), 1);
	send_out(OUTSIDE, "third---");
	namespace_run("ip route replace default via " WORLD);
	assert_int_equal(host_refresh(host), 1);
	send_out(OUTSIDE, "fourth--");
	assert_world_gets("fourth--");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_our_nat_leaves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_whole_lan_leaves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_invalid_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_way_out_may_change, set_up, tear_down),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
