/* SPDX-License-Identifier: BSD-3-Clause */
/* World to guest: replies, filtering, refusals. */
#include "fixture.h"

static void udp_reply(void **state)
{
	struct fixture *f = *state;
	struct packet p;
	uint16_t port;

	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 53));
	udp_out(f, &p, END(GUEST2, 5000), END(REMOTE, 53));
	port = source_of(&p).port;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			udp_in(f, &p, END(REMOTE, 53), END(OUTSIDE, 5000)), NAT_VERDICT_INSIDE);
		assert_end(source_of(&p), REMOTE, 53);
		assert_end(destination_of(&p), GUEST, 5000);
		assert_int_equal(p.head[p.l3_offset + 8], 64); /* TTL */
		assert_int_equal(
			udp_in(f, &p, END(REMOTE, 53), END(OUTSIDE, port)), NAT_VERDICT_INSIDE);
		assert_end(destination_of(&p), GUEST2, 5000);
	}
	assert_int_equal(nat_counters(f->nat)->packets_in, 6);
	assert_int_equal(nat_counters(f->nat)->misses, 2);
}

static void tcp_connection(void **state)
{
	struct fixture *f = *state;
	struct end inside = END(GUEST, 40000), remote = END(REMOTE, 80),
		   outside = END(OUTSIDE, 40000);
	struct packet p;

	assert_int_equal(tcp_out(f, &p, inside, remote, SYN), NAT_VERDICT_WORLD);
	assert_int_equal(tcp_in(f, &p, remote, outside, SYN | ACK), NAT_VERDICT_INSIDE);
	assert_end(destination_of(&p), GUEST, 40000);
	assert_int_equal(tcp_out(f, &p, inside, remote, ACK), NAT_VERDICT_WORLD);
	for (uint16_t payload = 0; payload < 100; payload++) {
		make_tcp(&p, remote, outside, ACK | PSH, payload);
		if (payload % 2 == 0)
			make_partial(&p); /* a local sender behind the TAP */
		assert_int_equal(send_in(f, &p), NAT_VERDICT_INSIDE);
		if (payload % 2 == 0)
			complete_partial(&p);
		assert_checksums(&p);
	}
	assert_int_equal(tcp_in(f, &p, remote, outside, FIN | ACK), NAT_VERDICT_INSIDE);
	assert_int_equal(tcp_out(f, &p, inside, remote, FIN | ACK), NAT_VERDICT_WORLD);
	assert_int_equal(tcp_in(f, &p, remote, outside, ACK), NAT_VERDICT_INSIDE);
}

static void icmp_echo_reply(void **state)
{
	struct fixture *f = *state;
	struct packet p;
	uint16_t id;

	make_icmp(&p, 8, END(GUEST, 5), REMOTE, 56);
	send_out(f, &p);
	make_icmp(&p, 8, END(GUEST2, 5), REMOTE, 56);
	send_out(f, &p);
	id = source_of(&p).port;
	for (int i = 0; i < 2; i++) {
		make_icmp(&p, 0, END(REMOTE, 5), OUTSIDE, 56);
		assert_int_equal(send_in(f, &p), NAT_VERDICT_INSIDE);
		assert_end(destination_of(&p), GUEST, 5);
		make_icmp(&p, 0, END(REMOTE, id), OUTSIDE, 56);
		assert_int_equal(send_in(f, &p), NAT_VERDICT_INSIDE);
		assert_end(destination_of(&p), GUEST2, 5);
	}
	/* Nobody outside may ping in. */
	make_icmp(&p, 8, END(REMOTE, 5), OUTSIDE, 56);
	assert_dropped(f, send_in(f, &p), &p, NAT_DROP_PROTOCOL);
	make_icmp(&p, 0, END(REMOTE2, 5), OUTSIDE, 56);
	assert_dropped(f, send_in(f, &p), &p, NAT_DROP_FILTERED);
}

static void udp_zero_checksum(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 53));
	make_udp(&p, END(REMOTE, 53), END(OUTSIDE, 5000), 20);
	p.head[p.l4_offset + 6] = 0;
	p.head[p.l4_offset + 7] = 0;
	assert_int_equal(send_in(f, &p), NAT_VERDICT_INSIDE);
	assert_int_equal(p.head[p.l4_offset + 6] | p.head[p.l4_offset + 7], 0);
}

/* What each filter lets in: the same port, another port, another address. RFC 4787 REQ-8. */
static void filters(void **state)
{
	static const struct {
		enum nat_filter filter;
		bool other_port, other_address;
	} cases[] = {
		{NAT_FILTER_ENDPOINT_INDEPENDENT, true, true},
		{NAT_FILTER_ADDRESS, true, false},
		{NAT_FILTER_ADDRESS_AND_PORT, false, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nat_config config = fixture_config();
		struct fixture f;
		struct packet p;
		enum nat_verdict verdict;

		config.filter = cases[i].filter;
		fixture_init(&f, &config);
		udp_out(&f, &p, END(GUEST, 5000), END(REMOTE, 53));
		assert_int_equal(
			udp_in(&f, &p, END(REMOTE, 53), END(OUTSIDE, 5000)), NAT_VERDICT_INSIDE);
		verdict = udp_in(&f, &p, END(REMOTE, 54), END(OUTSIDE, 5000));
		assert_int_equal(verdict == NAT_VERDICT_INSIDE, cases[i].other_port);
		if (!cases[i].other_port)
			assert_dropped(&f, verdict, &p, NAT_DROP_FILTERED);
		verdict = udp_in(&f, &p, END(REMOTE2, 53), END(OUTSIDE, 5000));
		assert_int_equal(verdict == NAT_VERDICT_INSIDE, cases[i].other_address);
		if (!cases[i].other_address)
			assert_dropped(&f, verdict, &p, NAT_DROP_FILTERED);

		tcp_out(&f, &p, END(GUEST, 5000), END(REMOTE, 53), SYN);
		verdict = tcp_in(&f, &p, END(REMOTE, 54), END(OUTSIDE, 5000), SYN);
		assert_int_equal(verdict == NAT_VERDICT_INSIDE, cases[i].other_port);
		verdict = tcp_in(&f, &p, END(REMOTE2, 53), END(OUTSIDE, 5000), SYN);
		assert_int_equal(verdict == NAT_VERDICT_INSIDE, cases[i].other_address);
		fixture_fini(&f);
	}
}

/* A remote that only spoke itself is not let in for that: permission comes from the guest. */
static void permission_needs_the_guest(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 53));
	fixture_advance(f, 295);
	assert_int_equal(udp_in(f, &p, END(REMOTE, 54), END(OUTSIDE, 5000)), NAT_VERDICT_INSIDE);
	fixture_advance(f, 6); /* the guest's session is over, the remote's lives */
	assert_int_equal(udp_in(f, &p, END(REMOTE, 54), END(OUTSIDE, 5000)), NAT_VERDICT_INSIDE);
	while (nat_tick(f->nat, f->now_ns))
		;
	assert_int_equal(nat_counters(f->nat)->sessions_live, 1);
	assert_dropped(
		f, udp_in(f, &p, END(REMOTE, 55), END(OUTSIDE, 5000)), &p, NAT_DROP_FILTERED);
	/* An answer of the guest changes that. */
	assert_int_equal(udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 54)), NAT_VERDICT_WORLD);
	assert_int_equal(udp_in(f, &p, END(REMOTE, 55), END(OUTSIDE, 5000)), NAT_VERDICT_INSIDE);
}

/* RFC 5382 REQ-2. */
static void simultaneous_open(void **state)
{
	struct fixture *f = *state;
	struct end inside = END(GUEST, 40000), remote = END(REMOTE, 40000),
		   outside = END(OUTSIDE, 40000);
	struct packet p;

	assert_dropped(f, tcp_in(f, &p, remote, outside, SYN), &p, NAT_DROP_NO_MAPPING);
	assert_int_equal(tcp_out(f, &p, inside, remote, SYN), NAT_VERDICT_WORLD);
	assert_int_equal(tcp_in(f, &p, remote, outside, SYN), NAT_VERDICT_INSIDE);
	assert_int_equal(tcp_out(f, &p, inside, remote, SYN | ACK), NAT_VERDICT_WORLD);
	assert_int_equal(tcp_in(f, &p, remote, outside, SYN | ACK), NAT_VERDICT_INSIDE);
	fixture_advance(f, 7000); /* established */
	assert_int_equal(tcp_in(f, &p, remote, outside, ACK), NAT_VERDICT_INSIDE);
}

/* An inbound connection to a mapping, opened, used and refused by the guest. */
static void inbound_connection(void **state)
{
	struct fixture *f = *state;
	struct end inside = END(GUEST, 40000), remote = END(REMOTE, 7000),
		   outside = END(OUTSIDE, 40000);
	struct packet p;

	tcp_out(f, &p, inside, END(REMOTE, 80), SYN);
	assert_int_equal(tcp_in(f, &p, remote, outside, SYN), NAT_VERDICT_INSIDE);
	assert_int_equal(tcp_out(f, &p, inside, remote, SYN | ACK), NAT_VERDICT_WORLD);
	assert_end(source_of(&p), OUTSIDE, 40000);
	assert_int_equal(tcp_in(f, &p, remote, outside, ACK), NAT_VERDICT_INSIDE);
	fixture_advance(f, 7000);
	assert_int_equal(tcp_in(f, &p, remote, outside, ACK), NAT_VERDICT_INSIDE);

	assert_int_equal(tcp_out(f, &p, inside, END(REMOTE, 80), ACK), NAT_VERDICT_WORLD);
	assert_int_equal(tcp_in(f, &p, END(REMOTE, 7001), outside, SYN), NAT_VERDICT_INSIDE);
	assert_int_equal(tcp_out(f, &p, inside, END(REMOTE, 7001), RST | ACK), NAT_VERDICT_WORLD);
}

static void refusals(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	tcp_out(f, &p, END(GUEST, 5000), END(REMOTE, 80), SYN);
	assert_dropped(
		f, udp_in(f, &p, END(REMOTE, 80), END(OUTSIDE, 5000)), &p, NAT_DROP_NO_MAPPING);
	assert_dropped(f, tcp_in(f, &p, END(REMOTE, 81), END(OUTSIDE, 5000), ACK), &p,
		NAT_DROP_NO_SESSION);
	assert_dropped(f, tcp_in(f, &p, END(REMOTE, 81), END(OUTSIDE, 5000), RST), &p,
		NAT_DROP_NO_SESSION);
	assert_dropped(f, udp_in(f, &p, END(REMOTE, 80), END("203.0.113.1", 5000)), &p,
		NAT_DROP_DESTINATION);
	assert_dropped(
		f, udp_in(f, &p, END(REMOTE, 80), END(GUEST, 5000)), &p, NAT_DROP_DESTINATION);
	assert_dropped(
		f, udp_in(f, &p, END("127.0.0.1", 80), END(OUTSIDE, 5000)), &p, NAT_DROP_MALFORMED);
	assert_dropped(f, udp_in(f, &p, END("172.16.0.255", 80), END(OUTSIDE, 5000)), &p,
		NAT_DROP_MALFORMED);
	make_other(&p, 47, REMOTE, OUTSIDE, 20);
	assert_dropped(f, send_in(f, &p), &p, NAT_DROP_NO_MAPPING);

	make_other(&p, 0, REMOTE, OUTSIDE, 20);
	assert_dropped(f, send_in(f, &p), &p, NAT_DROP_PROTOCOL);
}

/* The host takes its own address out of what the world sends; only guests come by it (hairpin). */
static void the_alias_is_no_way_in(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;

	config.alias_be = ip(HOST);
	config.alias_owns_range = true;
	config.port_low = 5000;
	config.port_high = 5999;
	fixture_init(&f, &config);
	udp_out(&f, &p, END(GUEST, 5000), END(REMOTE, 80));
	assert_dropped(
		&f, udp_in(&f, &p, END(REMOTE, 81), END(HOST, 5000)), &p, NAT_DROP_DESTINATION);
	/* Nor for what says that it comes from there. */
	assert_dropped(
		&f, udp_in(&f, &p, END(HOST, 22), END(HOST, 5000)), &p, NAT_DROP_DESTINATION);
	assert_int_equal(udp_in(&f, &p, END(REMOTE, 81), END(OUTSIDE, 5000)), NAT_VERDICT_INSIDE);
	assert_int_equal(udp_out(&f, &p, END(GUEST, 5000), END(REMOTE, 81)), NAT_VERDICT_WORLD);
	assert_end(source_of(&p), OUTSIDE, 5000);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(udp_reply, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(tcp_connection, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(icmp_echo_reply, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			udp_zero_checksum, fixture_set_up, fixture_tear_down),
		cmocka_unit_test(filters),
		cmocka_unit_test_setup_teardown(
			permission_needs_the_guest, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			simultaneous_open, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			inbound_connection, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(refusals, fixture_set_up, fixture_tear_down),
		cmocka_unit_test(the_alias_is_no_way_in),
	};

	return cmocka_run_group_tests_name("nat_in", tests, NULL, NULL);
}
