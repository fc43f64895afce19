/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The world (or a guest) answers a packet that it was sent with an ICMP error; the guest (or the
 * world) must find in it the packet that it sent. RFC 5508 REQ-3 to REQ-7.
 */
#include "fixture.h"

#include <string.h>

#include "nat/nat_private.h"

/* Sends a packet out and an error about it in; verifies that what comes back embeds exactly what
 * was sent. `quote` bytes of the packet are embedded. */
static void error_about(
	struct fixture *f, const struct packet *sent, const char *router, uint16_t quote)
{
	struct packet world = *sent, error;
	const uint8_t *quoted;

	assert_int_equal(send_out(f, &world), NAT_VERDICT_WORLD);
	make_icmp_error(&error, 11, 0, router, OUTSIDE, &world, quote);
	assert_int_equal(send_in(f, &error), NAT_VERDICT_INSIDE);
	assert_string_equal(source_of(&error).address, router);
	assert_string_equal(destination_of(&error).address, source_of(sent).address);
	quoted = error.head + error.l4_offset + 8;
	assert_memory_equal(quoted, sent->head + sent->l3_offset, quote);
}

static void inbound(void **state)
{
	struct fixture *f = *state;
	struct packet p, taken;

	/* So that ports change as well. */
	udp_out(f, &taken, END(GUEST2, 5000), END(REMOTE2, 9));
	tcp_out(f, &taken, END(GUEST2, 5000), END(REMOTE2, 9), SYN);
	make_icmp(&taken, 8, END(GUEST2, 5000), REMOTE2, 8);
	send_out(f, &taken);

	make_udp(&p, END(GUEST, 5000), END(REMOTE, 33434), 32);
	error_about(f, &p, "192.0.2.1", 28);
	error_about(f, &p, "192.0.2.1", 60);
	error_about(f, &p, GATEWAY, 28); /* the host is the first hop */
	make_udp(&p, END(GUEST, 5000), END(REMOTE, 33434), 31);
	error_about(f, &p, REMOTE, 59);		/* odd length */
	memset(p.head + p.l4_offset + 6, 0, 2); /* no checksum */
	error_about(f, &p, REMOTE, 28);
	make_tcp(&p, END(GUEST, 5000), END(REMOTE, 80), SYN, 0);
	error_about(f, &p, "192.0.2.1", 28); /* no TCP checksum in there */
	error_about(f, &p, "192.0.2.1", 40);
	make_icmp(&p, 8, END(GUEST, 5000), REMOTE, 20);
	error_about(f, &p, "192.0.2.1", 28);
	error_about(f, &p, "192.0.2.1", 48);
	make_other(&p, 47, GUEST, REMOTE, 30);
	error_about(f, &p, "192.0.2.1", 28);
}

/* An error of the guest about something that the world sent. */
static void outbound(void **state)
{
	struct fixture *f = *state;
	struct packet p, sent, error;

	udp_out(f, &p, END(GUEST2, 5000), END(REMOTE2, 9));
	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 53));
	make_udp(&sent, END(REMOTE, 53), source_of(&p), 20);
	p = sent;
	assert_int_equal(send_in(f, &p), NAT_VERDICT_INSIDE);
	make_icmp_error(&error, 3, 3, GUEST, REMOTE, &p, 48);
	assert_int_equal(send_out(f, &error), NAT_VERDICT_WORLD);
	assert_string_equal(source_of(&error).address, OUTSIDE);
	assert_string_equal(destination_of(&error).address, REMOTE);
	assert_memory_equal(error.head + error.l4_offset + 8, sent.head + sent.l3_offset, 48);
	/* Not to someone else. */
	make_icmp_error(&error, 3, 3, GUEST, REMOTE2, &p, 48);
	assert_dropped(f, send_out(f, &error), &error, NAT_DROP_ICMP_ERROR);
}

/* With --outside-ports the world knows the host's address. */
static void outbound_names_the_alias(void **state)
{
	struct nat_config config = fixture_config();
	struct packet p, error;
	struct fixture f;

	config.alias_be = ip(HOST);
	config.alias_owns_range = true;
	fixture_init(&f, &config);
	udp_out(&f, &p, END(GUEST, 5000), END(REMOTE, 53));
	make_udp(&p, END(REMOTE, 53), END(OUTSIDE, 5000), 20);
	assert_int_equal(send_in(&f, &p), NAT_VERDICT_INSIDE);
	make_icmp_error(&error, 3, 3, GUEST, REMOTE, &p, 48);
	assert_int_equal(send_out(&f, &error), NAT_VERDICT_WORLD);
	assert_string_equal(source_of(&error).address, OUTSIDE); /* the host rewrites that */
	make_udp(&p, END(REMOTE, 53), END(HOST, 5000), 20);
	assert_memory_equal(error.head + error.l4_offset + 8 + 12, p.head + p.l3_offset + 12, 8);

	/* And inbound errors quote it. */
	make_udp(&p, END(HOST, 5000), END(REMOTE, 53), 20);
	make_icmp_error(&error, 3, 4, "192.0.2.1", OUTSIDE, &p, 28);
	assert_int_equal(send_in(&f, &error), NAT_VERDICT_INSIDE);
	assert_string_equal(destination_of(&error).address, GUEST);
	make_udp(&p, END(GUEST, 5000), END(REMOTE, 53), 20);
	assert_memory_equal(error.head + error.l4_offset + 8 + 12, p.head + p.l3_offset + 12, 12);
	fixture_fini(&f);
}

/* While the host has no address there is no alias to name. */
static void outbound_without_an_alias(void **state)
{
	struct nat_config config = fixture_config();
	struct packet p, error;
	struct fixture f;

	config.alias_owns_range = true;
	fixture_init(&f, &config);
	udp_out(&f, &p, END(GUEST, 5000), END(REMOTE, 53));
	make_udp(&p, END(REMOTE, 53), END(OUTSIDE, 5000), 20);
	assert_int_equal(send_in(&f, &p), NAT_VERDICT_INSIDE);
	make_icmp_error(&error, 3, 3, GUEST, REMOTE, &p, 48);
	assert_int_equal(send_out(&f, &error), NAT_VERDICT_WORLD);
	make_udp(&p, END(REMOTE, 53), END(OUTSIDE, 5000), 20);
	assert_memory_equal(error.head + error.l4_offset + 8 + 12, p.head + p.l3_offset + 12, 8);
	fixture_fini(&f);
}

/* RFC 5508 REQ-7. */
static void hairpin(void **state)
{
	struct fixture *f = *state;
	struct packet p, sent, error;

	udp_out(f, &p, END(GUEST2, 3000), END(OUTSIDE, 9));
	make_udp(&sent, END(GUEST, 2000), END(OUTSIDE, 3000), 12);
	p = sent;
	assert_int_equal(send_out(f, &p), NAT_VERDICT_INSIDE);
	make_icmp_error(&error, 3, 3, GUEST2, OUTSIDE, &p, 40);
	assert_int_equal(send_out(f, &error), NAT_VERDICT_INSIDE);
	assert_string_equal(source_of(&error).address, OUTSIDE);
	assert_string_equal(destination_of(&error).address, GUEST);
	assert_memory_equal(error.head + error.l4_offset + 8, sent.head + sent.l3_offset, 40);
}

/* The embedded headers reach behind the first bytes of the frame; options are passed. */
static void behind_the_head(void **state)
{
	struct fixture *f = *state;
	struct packet world, error;
	struct iovec segment;

	make_udp(&world, END(GUEST, 5000), END(REMOTE, 53), 40);
	assert_int_equal(send_out(f, &world), NAT_VERDICT_WORLD);
	make_icmp_error(&error, 3, 1, "192.0.2.1", OUTSIDE, &world, 68);
	for (uint16_t head = 42; head < 110; head += 7) {
		struct packet cut = error;
		uint8_t rest[PACKET_HEAD_CAPACITY];

		memcpy(rest, error.head, sizeof(rest));
		memset(cut.head + head, 0xee, sizeof(cut.head) - head);
		segment = (struct iovec){rest + head, error.length - head};
		cut.head_length = head;
		cut.segments = &segment;
		cut.segment_count = 1;
		assert_int_equal(send_in(f, &cut), NAT_VERDICT_INSIDE);
		assert_string_equal(destination_of(&cut).address, GUEST);
	}
}

/* They belong to a session but do nothing to it. */
static void sessions_are_left_alone(void **state)
{
	struct fixture *f = *state;
	struct packet world, error, p;

	make_tcp(&world, END(GUEST, 5000), END(REMOTE, 80), SYN, 0);
	send_out(f, &world);
	for (int i = 0; i < 6; i++) {
		make_icmp_error(&error, 3, 3, "192.0.2.1", OUTSIDE, &world, 40);
		assert_int_equal(send_in(f, &error), NAT_VERDICT_INSIDE);
		fixture_advance(f, 39);
	}
	assert_int_equal(
		tcp_in(f, &p, END(REMOTE, 80), END(OUTSIDE, 5000), SYN | ACK), NAT_VERDICT_INSIDE);
	fixture_advance(f, 241);
	make_icmp_error(&error, 3, 3, "192.0.2.1", OUTSIDE, &world, 40);
	assert_dropped(f, send_in(f, &error), &error, NAT_DROP_ICMP_ERROR);
}

static void expect_refused(struct fixture *f, struct packet *error)
{
	assert_dropped(f, send_in(f, error), error, NAT_DROP_ICMP_ERROR);
}

static void refusals(void **state)
{
	struct fixture *f = *state;
	struct packet world, other, error;

	make_udp(&world, END(GUEST, 5000), END(REMOTE, 53), 12);
	send_out(f, &world);
	/* Another remote, another port: no session. */
	make_udp(&other, END(OUTSIDE, 5000), END(REMOTE2, 53), 12);
	make_icmp_error(&error, 3, 3, REMOTE, OUTSIDE, &other, 28);
	expect_refused(f, &error);
	make_udp(&other, END(OUTSIDE, 5001), END(REMOTE, 53), 12);
	make_icmp_error(&error, 3, 3, REMOTE, OUTSIDE, &other, 28);
	expect_refused(f, &error);
	/* About somebody else's packet. */
	make_udp(&other, END(HOST, 5000), END(REMOTE, 53), 12);
	make_icmp_error(&error, 3, 3, REMOTE, OUTSIDE, &other, 28);
	expect_refused(f, &error);
	/* Wrong ICMP checksum. */
	make_icmp_error(&error, 3, 3, REMOTE, OUTSIDE, &world, 28);
	error.head[error.l4_offset + 2] ^= 1;
	expect_refused(f, &error);
	/* Wrong checksum of the embedded header. */
	other = world;
	other.head[other.l3_offset + 10] ^= 1;
	make_icmp_error(&error, 3, 3, REMOTE, OUTSIDE, &other, 28);
	expect_refused(f, &error);
	/* Too short. */
	for (uint16_t quote = 0; quote < 28; quote++) {
		make_icmp_error(&error, 3, 3, REMOTE, OUTSIDE, &world, quote);
		expect_refused(f, &error);
	}
	/* Redirect, source quench. */
	make_icmp_error(&error, 5, 1, REMOTE, OUTSIDE, &world, 28);
	assert_dropped(f, send_in(f, &error), &error, NAT_DROP_PROTOCOL);
	make_icmp_error(&error, 4, 0, REMOTE, OUTSIDE, &world, 28);
	assert_dropped(f, send_in(f, &error), &error, NAT_DROP_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(inbound, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(outbound, fixture_set_up, fixture_tear_down),
		cmocka_unit_test(outbound_names_the_alias),
		cmocka_unit_test(outbound_without_an_alias),
		cmocka_unit_test_setup_teardown(hairpin, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(behind_the_head, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			sessions_are_left_alone, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(refusals, fixture_set_up, fixture_tear_down),
	};

	return cmocka_run_group_tests_name("icmp_error", tests, NULL, NULL);
}
