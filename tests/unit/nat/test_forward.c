/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <errno.h>

#include "nat/forward.h"

static struct nat_forward forward(uint8_t protocol, uint16_t outside, const char *inside,
	uint16_t inside_port, uint16_t count)
{
	return (struct nat_forward){
		.inside_be = ip(inside),
		.inside_port = inside_port,
		.outside_port = outside,
		.count = count,
		.protocol = protocol,
	};
}

static int add(struct fixture *f, struct nat_forward forward_)
{
	int ret = nat_forward_add(f->nat, &forward_);

	assert_null(nat_check(f->nat));
	return ret;
}

static int drop(struct fixture *f, struct nat_forward forward_)
{
	int ret = nat_forward_remove(f->nat, &forward_);

	assert_null(nat_check(f->nat));
	return ret;
}

static void from_the_world(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	assert_dropped(
		f, tcp_in(f, &p, END(REMOTE, 9), END(OUTSIDE, 8080), SYN), &p, NAT_DROP_NO_MAPPING);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, GUEST, 80, 1)), 0);
	for (uint16_t i = 0; i < 3; i++) {
		struct end remote = END(i == 2 ? REMOTE2 : REMOTE, (uint16_t)(9 + i));

		assert_int_equal(
			tcp_in(f, &p, remote, END(OUTSIDE, 8080), SYN), NAT_VERDICT_INSIDE);
		assert_end(source_of(&p), remote.address, remote.port);
		assert_end(destination_of(&p), GUEST, 80);
		assert_int_equal(
			tcp_out(f, &p, END(GUEST, 80), remote, SYN | ACK), NAT_VERDICT_WORLD);
		assert_end(source_of(&p), OUTSIDE, 8080);
		assert_int_equal(
			tcp_in(f, &p, remote, END(OUTSIDE, 8080), ACK), NAT_VERDICT_INSIDE);
	}
	/* UDP and other ports were not meant. */
	assert_int_equal(udp_in(f, &p, END(REMOTE, 9), END(OUTSIDE, 8080)), NAT_VERDICT_DROP);
	assert_int_equal(tcp_in(f, &p, END(REMOTE, 9), END(OUTSIDE, 8081), SYN), NAT_VERDICT_DROP);
	assert_int_equal(tcp_in(f, &p, END(REMOTE, 9), END(OUTSIDE, 8079), SYN), NAT_VERDICT_DROP);
}

static void ranges(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	assert_int_equal(add(f, forward(IPPROTO_UDP, 5000, GUEST, 6000, 11)), 0);
	for (uint16_t port = 5000; port <= 5010; port++) {
		assert_int_equal(
			udp_in(f, &p, END(REMOTE, 1), END(OUTSIDE, port)), NAT_VERDICT_INSIDE);
		assert_end(destination_of(&p), GUEST, (uint16_t)(port + 1000));
	}
	assert_int_equal(udp_in(f, &p, END(REMOTE, 1), END(OUTSIDE, 4999)), NAT_VERDICT_DROP);
	assert_int_equal(udp_in(f, &p, END(REMOTE, 1), END(OUTSIDE, 5011)), NAT_VERDICT_DROP);
	/* The whole space. */
	assert_int_equal(add(f, forward(IPPROTO_TCP, 1, GUEST2, 1, 65535)), 0);
	assert_int_equal(
		tcp_in(f, &p, END(REMOTE, 1), END(OUTSIDE, 65535), SYN), NAT_VERDICT_INSIDE);
	assert_end(destination_of(&p), GUEST2, 65535);
	/* Nothing is left for others. */
	assert_dropped(f, tcp_out(f, &p, END(GUEST, 7), END(REMOTE, 1), SYN), &p,
		NAT_DROP_PORTS_EXHAUSTED);
}

/* What the guest sends from a forwarded port leaves with the outside port; no one else gets it. */
static void outbound(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	assert_int_equal(add(f, forward(IPPROTO_UDP, 5353, GUEST, 53, 1)), 0);
	assert_int_equal(udp_out(f, &p, END(GUEST, 53), END(REMOTE, 7)), NAT_VERDICT_WORLD);
	assert_end(source_of(&p), OUTSIDE, 5353);
	assert_int_equal(udp_out(f, &p, END(GUEST2, 5353), END(REMOTE, 7)), NAT_VERDICT_WORLD);
	assert_int_not_equal(source_of(&p).port, 5353);
	/* Anyone may send to it, in every filter mode. */
	assert_int_equal(udp_in(f, &p, END(REMOTE2, 9), END(OUTSIDE, 5353)), NAT_VERDICT_INSIDE);
}

/* A neighbour, the guest itself and the host, through the outside address. */
static void from_inside(void **state)
{
	struct fixture *f = *state;
	struct packet p;
	uint16_t port;

	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, GUEST, 80, 1)), 0);
	assert_int_equal(
		tcp_out(f, &p, END(GUEST2, 4000), END(OUTSIDE, 8080), SYN), NAT_VERDICT_INSIDE);
	assert_end(source_of(&p), OUTSIDE, 4000);
	assert_end(destination_of(&p), GUEST, 80);
	assert_int_equal(
		tcp_out(f, &p, END(GUEST, 80), END(OUTSIDE, 4000), SYN | ACK), NAT_VERDICT_INSIDE);
	assert_end(source_of(&p), OUTSIDE, 8080);
	assert_end(destination_of(&p), GUEST2, 4000);

	assert_int_equal(
		tcp_out(f, &p, END(GUEST, 5000), END(OUTSIDE, 8080), SYN), NAT_VERDICT_INSIDE);
	assert_end(source_of(&p), OUTSIDE, 5000);
	assert_end(destination_of(&p), GUEST, 80);

	/* The host's packets come in on the uplink. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			tcp_in(f, &p, END(GATEWAY, 4000), END(OUTSIDE, 8080), i ? ACK : SYN),
			NAT_VERDICT_INSIDE);
		assert_string_equal(source_of(&p).address, OUTSIDE);
		port = source_of(&p).port;
		assert_end(destination_of(&p), GUEST, 80);
		assert_int_equal(tcp_out(f, &p, END(GUEST, 80), END(OUTSIDE, port), SYN | ACK),
			NAT_VERDICT_INSIDE);
		assert_end(source_of(&p), OUTSIDE, 8080);
		assert_end(destination_of(&p), GATEWAY, 4000);
	}
}

/* A guest calls the host's own address at a forwarded port; its other ports stay the host's. */
static void through_the_alias(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;

	config.alias_be = ip(HOST);
	fixture_init(&f, &config);
	assert_int_equal(add(&f, forward(IPPROTO_TCP, 8080, GUEST, 80, 1)), 0);
	assert_int_equal(
		tcp_out(&f, &p, END(GUEST2, 4000), END(HOST, 8080), SYN), NAT_VERDICT_INSIDE);
	assert_end(destination_of(&p), GUEST, 80);
	assert_int_equal(
		tcp_out(&f, &p, END(GUEST, 80), source_of(&p), SYN | ACK), NAT_VERDICT_INSIDE);
	assert_end(source_of(&p), HOST, 8080);
	assert_end(destination_of(&p), GUEST2, 4000);
	assert_int_equal(tcp_out(&f, &p, END(GUEST2, 4000), END(HOST, 22), SYN), NAT_VERDICT_WORLD);
	fixture_fini(&f);
}

static void survives_a_restart(void **state)
{
	struct fixture *f = *state;
	struct nat_forward list[3];
	struct packet p;

	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, GUEST, 80, 1)), 0);
	assert_int_equal(add(f, forward(IPPROTO_UDP, 7000, GUEST2, 7000, 10)), 0);
	/* An older mapping of the inside port, and a newer one. */
	tcp_out(f, &p, END(GUEST2, 90), END(REMOTE, 1), SYN);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 9090, GUEST2, 90, 1)), 0);
	tcp_in(f, &p, END(REMOTE2, 1), END(OUTSIDE, 9090), SYN);
	tcp_in(f, &p, END(REMOTE, 1), END(OUTSIDE, 8080), SYN);
	for (int i = 0; i < 2; i++) {
		fixture_restart(f);
		assert_int_equal(f->adopted, 1);
		assert_int_equal(nat_counters(f->nat)->sessions_live, 3);
		assert_int_equal(nat_forward_list(f->nat, list, 2), 3);
		assert_int_equal(list[0].outside_port, 8080);
		assert_int_equal(list[1].outside_port, 7000);
		assert_int_equal(tcp_out(f, &p, END(GUEST, 80), END(REMOTE, 1), SYN | ACK),
			NAT_VERDICT_WORLD);
		assert_end(source_of(&p), OUTSIDE, 8080);
		assert_int_equal(tcp_in(f, &p, END(REMOTE, 1), END(OUTSIDE, 90), SYN | ACK),
			NAT_VERDICT_INSIDE);
		assert_int_equal(tcp_out(f, &p, END(GUEST2, 90), END(REMOTE2, 1), SYN | ACK),
			NAT_VERDICT_WORLD);
		assert_end(source_of(&p), OUTSIDE, 9090);
	}
	assert_int_equal(udp_in(f, &p, END(REMOTE2, 1), END(OUTSIDE, 7009)), NAT_VERDICT_INSIDE);
}

static void hot_removal(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, GUEST, 80, 2)), 0);
	assert_int_equal(
		tcp_in(f, &p, END(REMOTE, 1), END(OUTSIDE, 8080), SYN), NAT_VERDICT_INSIDE);
	assert_int_equal(drop(f, forward(IPPROTO_TCP, 8080, GUEST, 80, 1)), -ENOENT);
	assert_int_equal(drop(f, forward(IPPROTO_TCP, 8080, GUEST, 80, 2)), 0);
	assert_int_equal(drop(f, forward(IPPROTO_TCP, 8080, GUEST, 80, 2)), -ENOENT);
	/* What lives goes on. */
	assert_int_equal(
		tcp_out(f, &p, END(GUEST, 80), END(REMOTE, 1), SYN | ACK), NAT_VERDICT_WORLD);
	assert_int_equal(
		tcp_in(f, &p, END(REMOTE, 1), END(OUTSIDE, 8080), ACK), NAT_VERDICT_INSIDE);
	/* What is new does not come in. */
	assert_dropped(
		f, tcp_in(f, &p, END(REMOTE2, 1), END(OUTSIDE, 8080), SYN), &p, NAT_DROP_FILTERED);
	assert_dropped(f, tcp_in(f, &p, END(REMOTE2, 1), END(OUTSIDE, 8081), SYN), &p,
		NAT_DROP_NO_MAPPING);
	/* And again. */
	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, GUEST, 80, 2)), 0);
	assert_int_equal(
		tcp_in(f, &p, END(REMOTE2, 1), END(OUTSIDE, 8080), SYN), NAT_VERDICT_INSIDE);
	fixture_advance(f, 8000);
	while (nat_tick(f->nat, f->now_ns))
		;
	assert_null(nat_check(f->nat));
	assert_int_equal(nat_counters(f->nat)->mappings_live, 0);
	assert_int_equal(
		tcp_in(f, &p, END(REMOTE2, 1), END(OUTSIDE, 8080), SYN), NAT_VERDICT_INSIDE);
}

/* Two ways to one inside port: a remote that uses both from one port cannot be told apart. */
static void two_ways_to_one_port(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, GUEST, 80, 1)), 0);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 9090, GUEST, 80, 1)), 0);
	assert_int_equal(
		tcp_in(f, &p, END(REMOTE, 1), END(OUTSIDE, 8080), SYN), NAT_VERDICT_INSIDE);
	assert_int_equal(
		tcp_in(f, &p, END(REMOTE, 2), END(OUTSIDE, 9090), SYN), NAT_VERDICT_INSIDE);
	assert_int_equal(tcp_in(f, &p, END(REMOTE, 1), END(OUTSIDE, 9090), SYN), NAT_VERDICT_DROP);
	assert_int_equal(
		tcp_out(f, &p, END(GUEST, 80), END(REMOTE, 2), SYN | ACK), NAT_VERDICT_WORLD);
	assert_end(source_of(&p), OUTSIDE, 9090);
	assert_int_equal(
		tcp_out(f, &p, END(GUEST, 80), END(REMOTE, 1), SYN | ACK), NAT_VERDICT_WORLD);
	assert_end(source_of(&p), OUTSIDE, 8080);
}

static void refusals(void **state)
{
	struct fixture *f = *state;
	struct nat_forward bad = forward(IPPROTO_TCP, 8080, GUEST, 80, 1);
	struct packet p;

	assert_int_equal(add(f, forward(IPPROTO_ICMP, 8080, GUEST, 80, 1)), -EINVAL);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 0, GUEST, 80, 1)), -EINVAL);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, GUEST, 0, 1)), -EINVAL);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, GUEST, 80, 0)), -EINVAL);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 65535, GUEST, 80, 2)), -EINVAL);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 80, GUEST, 65535, 2)), -EINVAL);
	bad.spare = 1;
	assert_int_equal(add(f, bad), -EINVAL);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, REMOTE, 80, 1)), -ENETUNREACH);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, OUTSIDE, 80, 1)), -ENETUNREACH);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, GATEWAY, 80, 1)), -ENETUNREACH);

	assert_int_equal(add(f, forward(IPPROTO_TCP, 8080, GUEST, 80, 10)), 0);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 8089, GUEST2, 80, 1)), -EEXIST);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 8071, GUEST2, 80, 10)), -EEXIST);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 8070, GUEST2, 80, 10)), 0);
	assert_int_equal(add(f, forward(IPPROTO_UDP, 8080, GUEST2, 80, 1)), 0);

	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 1));
	assert_int_equal(add(f, forward(IPPROTO_UDP, 4999, GUEST2, 80, 3)), -EADDRINUSE);
	assert_int_equal(add(f, forward(IPPROTO_UDP, 4999, GUEST, 4999, 3)), 0);
	/* That one was the guest's own mapping; now anyone may send to it. */
	assert_int_equal(udp_in(f, &p, END(REMOTE2, 1), END(OUTSIDE, 5000)), NAT_VERDICT_INSIDE);

	for (uint16_t i = 4; i < FORWARD_MAX; i++)
		assert_int_equal(add(f, forward(IPPROTO_TCP, (uint16_t)(i + 1), GUEST, i, 1)), 0);
	assert_int_equal(add(f, forward(IPPROTO_TCP, 9999, GUEST, 80, 1)), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(from_the_world, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(ranges, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(outbound, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(from_inside, fixture_set_up, fixture_tear_down),
		cmocka_unit_test(through_the_alias),
		cmocka_unit_test_setup_teardown(
			survives_a_restart, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(hot_removal, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			two_ways_to_one_port, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(refusals, fixture_set_up, fixture_tear_down),
	};

	return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
