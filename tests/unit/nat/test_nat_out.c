/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest to world: mapping, port choice, rewrite and checksums. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

static void udp_is_translated(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	/* Miss and hit give the same. */
	for (int i = 0; i < 3; i++) {
		make_udp(&p, END(GUEST, 5000), END(REMOTE, 53), 40);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		assert_end(source_of(&p), OUTSIDE, 5000);
		assert_end(destination_of(&p), REMOTE, 53);
		assert_int_equal(p.head[p.l3_offset + 8], 64); /* TTL */
	}
	assert_int_equal(nat_counters(f->nat)->sessions_created, 1);
	assert_int_equal(nat_counters(f->nat)->misses, 1);
	assert_int_equal(nat_counters(f->nat)->packets_out, 3);
}

static void tcp_is_translated(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	assert_int_equal(
		tcp_out(f, &p, END(GUEST, 40001), END(REMOTE, 80), SYN), NAT_VERDICT_WORLD);
	assert_end(source_of(&p), OUTSIDE, 40001);
	for (uint16_t payload = 0; payload < 150; payload++) {
		make_tcp(&p, END(GUEST, 40001), END(REMOTE, 80), ACK | PSH, payload);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		assert_end(source_of(&p), OUTSIDE, 40001);
	}
}

static void icmp_echo_is_translated(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	for (int i = 0; i < 2; i++) {
		make_icmp(&p, 8, END(GUEST, 77), REMOTE, 56);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		assert_end(source_of(&p), OUTSIDE, 77);
		/* Another guest with the same identifier gets another one. */
		make_icmp(&p, 8, END(GUEST2, 77), REMOTE, 56);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		assert_string_equal(source_of(&p).address, OUTSIDE);
		assert_int_not_equal(source_of(&p).port, 77);
	}
}

/* RFC 4787 REQ-1, RFC 5382 REQ-1. */
static void mapping_is_endpoint_independent(void **state)
{
	struct fixture *f = *state;
	struct packet p;
	uint16_t port;

	udp_out(f, &p, END(GUEST, 6000), END(REMOTE, 1));
	assert_int_equal(udp_out(f, &p, END(GUEST2, 6000), END(REMOTE, 1)), NAT_VERDICT_WORLD);
	port = source_of(&p).port;
	assert_int_not_equal(port, 6000);
	udp_out(f, &p, END(GUEST2, 6000), END(REMOTE, 2));
	assert_int_equal(source_of(&p).port, port);
	udp_out(f, &p, END(GUEST2, 6000), END(REMOTE2, 3));
	assert_int_equal(source_of(&p).port, port);
	assert_int_equal(nat_counters(f->nat)->mappings_live, 2);
	assert_int_equal(nat_counters(f->nat)->sessions_live, 4);
}

static void protocols_are_independent(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	udp_out(f, &p, END(GUEST, 7000), END(REMOTE, 1));
	assert_int_equal(source_of(&p).port, 7000);
	tcp_out(f, &p, END(GUEST2, 7000), END(REMOTE, 1), SYN);
	assert_int_equal(source_of(&p).port, 7000);
	make_icmp(&p, 8, END("172.16.0.9", 7000), REMOTE, 8);
	send_out(f, &p);
	assert_int_equal(source_of(&p).port, 7000);
}

/* RFC 4787 REQ-3 and REQ-4, on collisions. */
static void ranges_and_parity_are_kept(void **state)
{
	static const uint16_t wanted[] = {53, 500, 1022, 1024, 5060, 65534};
	struct fixture *f = *state;
	struct packet p;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		for (int host = 2; host < 60; host++) {
			char address[16];
			uint16_t want = (uint16_t)(wanted[i] - host % 2), port;

			snprintf(address, sizeof(address), "172.16.0.%d", host);
			assert_int_equal(udp_out(f, &p, END(address, want), END(REMOTE, 9)),
				NAT_VERDICT_WORLD);
			port = source_of(&p).port;
			assert_int_equal(port < 1024, want < 1024);
			assert_int_equal(port % 2, want % 2);
		}
	}
}

static void partial_checksums_stay_partial(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	udp_out(f, &p, END(GUEST, 5000), END(REMOTE2, 1)); /* so that the port changes below */
	tcp_out(f, &p, END(GUEST, 5000), END(REMOTE2, 1), SYN);
	for (int i = 0; i < 200; i++) {
		make_tcp(&p, END(GUEST2, 5000), END(REMOTE, (uint16_t)(1 + i)), i & 1 ? SYN : ACK,
			(uint16_t)i);
		make_partial(&p);
		p.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		p.vnet.gso_size = 1460;
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		assert_int_equal(p.vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
		assert_int_not_equal(source_of(&p).port, 5000);
		complete_partial(&p);
		assert_checksums(&p);

		make_udp(&p, END(GUEST2, 5000), END(REMOTE, (uint16_t)(1 + i)), (uint16_t)i);
		make_partial(&p);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		complete_partial(&p);
		assert_checksums(&p);
	}
}

/* A tunnel's inner checksum may be the partial one; the outer one is complete then. */
static void partial_checksum_of_something_else(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	make_udp(&p, END(GUEST, 5000), END(REMOTE, 4789), 100);
	p.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	p.vnet.csum_start = (uint16_t)(p.l4_offset + 50);
	p.vnet.csum_offset = 16;
	assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
	p.vnet.flags = 0;
	assert_checksums(&p);
}

static void udp_checksum_zero_stays_zero(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	for (int i = 0; i < 2; i++) {
		make_udp(&p, END(GUEST, 5000), END(REMOTE, 53), 9);
		memset(p.head + p.l4_offset + 6, 0, 2);
		assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD);
		assert_int_equal(p.head[p.l4_offset + 6] | p.head[p.l4_offset + 7], 0);
	}
}

/* RFC 4787 REQ-9, RFC 5382 REQ-8: the source seen is the outside address and port. */
static void hairpin(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	udp_out(f, &p, END(GUEST2, 3000), END(OUTSIDE, 9999)); /* nobody there, but lets it in */
	assert_dropped(f, NAT_VERDICT_DROP, &p, NAT_DROP_NO_MAPPING);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			udp_out(f, &p, END(GUEST, 2000), END(OUTSIDE, 3000)), NAT_VERDICT_INSIDE);
		assert_end(source_of(&p), OUTSIDE, 2000);
		assert_end(destination_of(&p), GUEST2, 3000);
		assert_int_equal(
			udp_out(f, &p, END(GUEST2, 3000), END(OUTSIDE, 2000)), NAT_VERDICT_INSIDE);
		assert_end(source_of(&p), OUTSIDE, 3000);
		assert_end(destination_of(&p), GUEST, 2000);
	}
	/* Partial checksums survive both translations. */
	make_udp(&p, END(GUEST, 2000), END(OUTSIDE, 3000), 33);
	make_partial(&p);
	assert_int_equal(send_out(f, &p), NAT_VERDICT_INSIDE);
	complete_partial(&p);
	assert_checksums(&p);
}

/* With --outside-ports the world knows the guests by the host's address; neighbours too. */
static void hairpin_through_the_alias(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;

	config.alias_be = ip(HOST);
	config.alias_owns_range = true;
	config.port_low = 50000;
	config.port_high = 59999;
	fixture_init(&f, &config);
	udp_out(&f, &p, END(GUEST2, 50003), END(HOST, 50999));
	assert_int_equal(udp_out(&f, &p, END(GUEST, 50002), END(HOST, 50003)), NAT_VERDICT_INSIDE);
	assert_end(source_of(&p), HOST, 50002);
	assert_end(destination_of(&p), GUEST2, 50003);
	assert_int_equal(udp_out(&f, &p, END(GUEST2, 50003), END(HOST, 50002)), NAT_VERDICT_INSIDE);
	assert_end(source_of(&p), HOST, 50003);
	assert_end(destination_of(&p), GUEST, 50002);
	/* Ports outside the block are the host's own. */
	assert_int_equal(udp_out(&f, &p, END(GUEST, 50002), END(HOST, 22)), NAT_VERDICT_WORLD);
	assert_end(source_of(&p), OUTSIDE, 50002);
	fixture_fini(&f);
}

static void refusals(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	assert_dropped(
		f, udp_out(f, &p, END("10.0.0.1", 1), END(REMOTE, 1)), &p, NAT_DROP_NOT_INSIDE);
	assert_dropped(f, udp_out(f, &p, END(OUTSIDE, 1), END(REMOTE, 1)), &p, NAT_DROP_NOT_INSIDE);
	assert_dropped(f, udp_out(f, &p, END(LAN, 1), END(REMOTE, 1)), &p, NAT_DROP_NOT_INSIDE);
	assert_dropped(
		f, udp_out(f, &p, END("172.16.0.255", 1), END(REMOTE, 1)), &p, NAT_DROP_NOT_INSIDE);
	assert_dropped(f, udp_out(f, &p, END(GUEST, 1), END(GUEST2, 1)), &p, NAT_DROP_DESTINATION);
	assert_dropped(
		f, udp_out(f, &p, END(GUEST, 1), END("172.16.0.255", 1)), &p, NAT_DROP_DESTINATION);
	assert_dropped(f, udp_out(f, &p, END(GUEST, 1), END(LAN, 1)), &p, NAT_DROP_DESTINATION);
	assert_dropped(f, udp_out(f, &p, END(GUEST, 1), END("224.0.0.251", 5353)), &p,
		NAT_DROP_DESTINATION);
	assert_dropped(f, udp_out(f, &p, END(GUEST, 1), END("255.255.255.255", 1)), &p,
		NAT_DROP_DESTINATION);
	assert_dropped(
		f, udp_out(f, &p, END(GUEST, 1), END("127.0.0.1", 1)), &p, NAT_DROP_DESTINATION);
	assert_dropped(
		f, tcp_out(f, &p, END(GUEST, 1), END(REMOTE, 1), RST), &p, NAT_DROP_NO_SESSION);
	assert_dropped(f, tcp_out(f, &p, END(GUEST, 1), END(REMOTE, 1), SYN | ACK), &p,
		NAT_DROP_NO_SESSION);
	make_icmp(&p, 0, END(GUEST, 1), REMOTE, 8);
	assert_dropped(f, send_out(f, &p), &p, NAT_DROP_PROTOCOL);
	make_udp(&p, END(GUEST, 1), END(REMOTE, 1), 8);
	p.flags |= PACKET_MALFORMED;
	assert_dropped(f, send_out(f, &p), &p, NAT_DROP_MALFORMED);
	make_udp(&p, END(GUEST, 1), END(REMOTE, 1), 8);
	p.flags &= (uint16_t)~PACKET_L4;
	assert_dropped(f, send_out(f, &p), &p, NAT_DROP_PROTOCOL);
	assert_int_equal(nat_counters(f->nat)->sessions_created, 0);
}

static void ports_run_out(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;

	config.port_low = 50000;
	config.port_high = 50009;
	fixture_init(&f, &config);
	/* One guest leaves a share for others: see test_flows. */
	for (uint16_t i = 0; i < 9; i++)
		assert_int_equal(
			udp_out(&f, &p, END(GUEST, i), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	assert_int_equal(udp_out(&f, &p, END(GUEST2, 9), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	assert_dropped(&f, udp_out(&f, &p, END(GUEST, 10), END(REMOTE, 2000)), &p,
		NAT_DROP_PORTS_EXHAUSTED);
	assert_dropped(&f, udp_out(&f, &p, END(GUEST2, 10), END(REMOTE, 2000)), &p,
		NAT_DROP_PORTS_EXHAUSTED);
	/* Live ones are unharmed. */
	for (uint16_t i = 0; i < 9; i++)
		assert_int_equal(
			udp_out(&f, &p, END(GUEST, i), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	/* Expired ones make room at once. */
	fixture_advance(&f, 301);
	assert_int_equal(udp_out(&f, &p, END(GUEST, 10), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	fixture_fini(&f);
}

static void table_is_full(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;

	config.sessions = 64;
	fixture_init(&f, &config);
	for (uint16_t i = 0; i < 64; i++)
		assert_int_equal(
			udp_out(&f, &p, END(i < 57 ? GUEST : GUEST2, 1000), END(REMOTE, i)),
			NAT_VERDICT_WORLD);
	assert_dropped(
		&f, udp_out(&f, &p, END(GUEST, 1000), END(REMOTE, 64)), &p, NAT_DROP_TABLE_FULL);
	assert_dropped(
		&f, udp_out(&f, &p, END(GUEST2, 1000), END(REMOTE, 64)), &p, NAT_DROP_TABLE_FULL);
	for (uint16_t i = 0; i < 64; i++)
		assert_int_equal(
			udp_out(&f, &p, END(i < 57 ? GUEST : GUEST2, 1000), END(REMOTE, i)),
			NAT_VERDICT_WORLD);
	fixture_advance(&f, 301);
	assert_int_equal(udp_out(&f, &p, END(GUEST2, 1000), END(REMOTE, 64)), NAT_VERDICT_WORLD);
	fixture_fini(&f);
}

/* More packets than one chunk, several flows, misses and hits mixed, in one burst. */
static void bursts(void **state)
{
	static struct packet storage[100];
	struct packet *packets[100];
	enum nat_verdict verdicts[100];
	struct fixture *f = *state;

	for (uint16_t round = 0; round < 3; round++) {
		for (uint16_t i = 0; i < 100; i++) {
			packets[i] = &storage[i];
			if (i % 10 == 9)
				make_udp(packets[i], END(GUEST, i), END(GUEST2, 7), 8);
			else
				make_udp(packets[i], END(GUEST, (uint16_t)(1000 + i % 7)),
					END(REMOTE, (uint16_t)(7 + round)), 8);
		}
		nat_out_burst(f->nat, packets, verdicts, 100, f->now_ns);
		assert_null(nat_check(f->nat));
		for (uint16_t i = 0; i < 100; i++) {
			assert_int_equal(
				verdicts[i], i % 10 == 9 ? NAT_VERDICT_DROP : NAT_VERDICT_WORLD);
			if (i % 10 == 9)
				continue;
			assert_end(source_of(packets[i]), OUTSIDE, (uint16_t)(1000 + i % 7));
			assert_checksums(packets[i]);
		}
	}
	assert_int_equal(nat_counters(f->nat)->sessions_created, 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			udp_is_translated, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			tcp_is_translated, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			icmp_echo_is_translated, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			mapping_is_endpoint_independent, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			protocols_are_independent, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			ranges_and_parity_are_kept, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			partial_checksums_stay_partial, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			partial_checksum_of_something_else, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			udp_checksum_zero_stays_zero, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(hairpin, fixture_set_up, fixture_tear_down),
		cmocka_unit_test(hairpin_through_the_alias),
		cmocka_unit_test_setup_teardown(refusals, fixture_set_up, fixture_tear_down),
		cmocka_unit_test(ports_run_out),
		cmocka_unit_test(table_is_full),
		cmocka_unit_test_setup_teardown(bursts, fixture_set_up, fixture_tear_down),
	};

	return cmocka_run_group_tests_name("nat_out", tests, NULL, NULL);
}
