/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions across all tables: limits of a guest, the log, other protocols, picked up connections.
 */
#include "fixture.h"

#include <string.h>

#include "nat/nat_private.h"

struct lines {
	struct nat_log line[100];
	uint32_t count;
};

static void collect(void *userdata, const struct nat_log *log)
{
	struct lines *lines = userdata;

	if (lines->count < 100)
		lines->line[lines->count] = *log;
	lines->count++;
}

/* RFC 6888 REQ-4. */
static void sessions_of_a_guest(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;

	config.sessions_per_guest = 5;
	fixture_init(&f, &config);
	for (uint16_t i = 0; i < 5; i++)
		assert_int_equal(
			udp_out(&f, &p, END(GUEST, i), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	assert_dropped(
		&f, udp_out(&f, &p, END(GUEST, 5), END(REMOTE, 2000)), &p, NAT_DROP_GUEST_LIMIT);
	/* Also not from outside, and also after a restart. */
	assert_dropped(
		&f, udp_in(&f, &p, END(REMOTE, 1), END(OUTSIDE, 1)), &p, NAT_DROP_GUEST_LIMIT);
	fixture_restart(&f);
	assert_dropped(
		&f, udp_out(&f, &p, END(GUEST, 5), END(REMOTE, 2000)), &p, NAT_DROP_GUEST_LIMIT);
	/* Others and live ones are unharmed. */
	assert_int_equal(udp_out(&f, &p, END(GUEST2, 5), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	for (uint16_t i = 0; i < 5; i++)
		assert_int_equal(
			udp_out(&f, &p, END(GUEST, i), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	fixture_fini(&f);
}

/* RFC 5508 REQ-8: whom there is no room for is told; the host itself and remotes are not. */
static void refusals_are_told(void **state)
{
	struct nat_config config = fixture_config();
	struct packet p, *told;
	enum nat_verdict verdict;
	struct fixture f;

	config.sessions_per_guest = 1;
	config.filter = NAT_FILTER_ENDPOINT_INDEPENDENT;
	fixture_init(&f, &config);
	assert_int_equal(udp_out(&f, &p, END(GUEST, 1), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	assert_dropped(
		&f, udp_out(&f, &p, END(GUEST, 2), END(REMOTE, 2000)), &p, NAT_DROP_GUEST_LIMIT);
	assert_int_equal(nat_take(f.nat, &told, &verdict, 1), 1);
	assert_int_equal(verdict, NAT_VERDICT_INSIDE);
	assert_checksums(told);
	assert_string_equal(source_of(told).address, GATEWAY);
	assert_string_equal(destination_of(told).address, GUEST);
	assert_int_equal(told->head[told->l4_offset], 3);
	assert_int_equal(told->head[told->l4_offset + 1], 13);
	assert_memory_equal(told->head + told->l4_offset + 8, p.head + p.l3_offset, p.l3_length);

	assert_dropped(
		&f, udp_in(&f, &p, END(REMOTE2, 1), END(OUTSIDE, 1)), &p, NAT_DROP_GUEST_LIMIT);
	assert_int_equal(nat_take(f.nat, &told, &verdict, 1), 0);
	fixture_fini(&f);
}

/* A guest that is merely too fast may try again, and an error would end its connection. */
static void haste_is_not_told(void **state)
{
	struct nat_config config = fixture_config();
	enum nat_verdict verdict;
	struct packet p, *told;
	struct fixture f;

	config.new_sessions_per_guest = 1;
	fixture_init(&f, &config);
	assert_int_equal(udp_out(&f, &p, END(GUEST, 1), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	assert_dropped(
		&f, udp_out(&f, &p, END(GUEST, 2), END(REMOTE, 2000)), &p, NAT_DROP_GUEST_RATE);
	assert_int_equal(nat_take(f.nat, &told, &verdict, 1), 0);
	fixture_fini(&f);
}

/* Opens sessions, one for each remote port, until one is refused; returns how many. */
static uint32_t open_many(struct fixture *f, const char *guest)
{
	struct packet p;
	uint16_t n = 0;

	while (n < 60000 && udp_out(f, &p, END(guest, 3000), END(REMOTE, (uint16_t)(1024 + n))) ==
				    NAT_VERDICT_WORLD)
		n++;
	return n;
}

/* Without any limit set, one guest that takes all it can get does not lock the others out. */
static void fair_share_of_sessions(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;
	uint32_t n;

	config.sessions = 900;
	fixture_init(&f, &config);
	n = open_many(&f, GUEST);
	assert_int_equal(n, 800);
	assert_dropped(
		&f, udp_out(&f, &p, END(GUEST, 3000), END(REMOTE, 1)), &p, NAT_DROP_GUEST_LIMIT);
	assert_in_range(open_many(&f, GUEST2), 80, 100);
	/* What it has goes on. */
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(
			udp_out(&f, &p, END(GUEST, 3000), END(REMOTE, (uint16_t)(1024 + i))),
			NAT_VERDICT_WORLD);
	/* The same after a restart, and what is over does not count. */
	fixture_restart(&f);
	assert_dropped(
		&f, udp_out(&f, &p, END(GUEST, 3000), END(REMOTE, 1)), &p, NAT_DROP_GUEST_LIMIT);
	fixture_advance(&f, 301);
	assert_int_equal(udp_out(&f, &p, END(GUEST, 3000), END(REMOTE, 1)), NAT_VERDICT_WORLD);
	fixture_fini(&f);
}

static void fair_share_of_ports(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;
	uint16_t n = 0;

	config.port_low = 50000;
	config.port_high = 50089;
	fixture_init(&f, &config);
	for (int restart = 0; restart < 2; restart++) {
		while (n < 1000 &&
			udp_out(&f, &p, END(GUEST, n), END(REMOTE, 2000)) == NAT_VERDICT_WORLD)
			n++;
		assert_int_equal(n, 80);
		assert_int_equal(p.reason, NAT_DROP_GUEST_LIMIT);
		fixture_restart(&f);
	}
	/* The other spaces are not touched by it. */
	assert_int_equal(tcp_out(&f, &p, END(GUEST, n), END(REMOTE, 80), SYN), NAT_VERDICT_WORLD);
	assert_int_equal(udp_out(&f, &p, END(GUEST2, 7), END(REMOTE, 53)), NAT_VERDICT_WORLD);
	/* A port that it has serves more remotes. */
	assert_int_equal(udp_out(&f, &p, END(GUEST, 0), END(REMOTE2, 53)), NAT_VERDICT_WORLD);
	fixture_advance(&f, 301);
	assert_int_equal(udp_out(&f, &p, END(GUEST, n), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	fixture_fini(&f);
}

/* A flood to a forwarded port fills no more than half, and leaves room to the guest itself. */
static void remotes_take_half(void **state)
{
	const struct nat_forward web = {.inside_be = ip(GUEST),
		.inside_port = 80,
		.outside_port = 8080,
		.count = 1,
		.protocol = IPPROTO_TCP};
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;
	uint16_t n = 0;

	config.sessions = 300;
	fixture_init(&f, &config);
	assert_int_equal(nat_forward_add(f.nat, &web), 0);
	while (n < 1000 && tcp_in(&f, &p, END(REMOTE, (uint16_t)(1024 + n)), END(OUTSIDE, 8080),
				   SYN) == NAT_VERDICT_INSIDE)
		n++;
	assert_int_equal(n, 150);
	assert_int_equal(p.reason, NAT_DROP_GUEST_LIMIT);
	assert_in_range(open_many(&f, GUEST), 100, 150);
	fixture_fini(&f);
}

static void new_sessions_of_a_guest(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;

	config.new_sessions_per_guest = 10;
	fixture_init(&f, &config);
	for (uint16_t i = 0; i < 10; i++)
		assert_int_equal(
			udp_out(&f, &p, END(GUEST, i), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	assert_dropped(
		&f, udp_out(&f, &p, END(GUEST, 10), END(REMOTE, 2000)), &p, NAT_DROP_GUEST_RATE);
	assert_int_equal(udp_out(&f, &p, END(GUEST2, 10), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	assert_int_equal(udp_out(&f, &p, END(GUEST, 0), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	f.now_ns += SECOND / 10;
	assert_int_equal(udp_out(&f, &p, END(GUEST, 10), END(REMOTE, 2000)), NAT_VERDICT_WORLD);
	assert_int_equal(udp_out(&f, &p, END(GUEST, 11), END(REMOTE, 2000)), NAT_VERDICT_DROP);
	fixture_fini(&f);
}

/* RFC 6888, section 4. */
static void log_lines(void **state)
{
	static struct lines lines;
	struct nat_config config = fixture_config();
	const struct nat_log *l;
	struct fixture f;
	struct packet p;

	config.log = collect;
	config.log_userdata = &lines;
	fixture_init(&f, &config);
	udp_out(&f, &p, END(GUEST2, 5000), END(REMOTE, 2));
	udp_out(&f, &p, END(GUEST, 5000), END(REMOTE, 2000));
	udp_in(&f, &p, END(REMOTE, 2000), source_of(&p));
	assert_int_equal(lines.count, 2);
	l = &lines.line[1];
	assert_int_equal(l->event, NAT_LOG_CREATE);
	assert_int_equal(l->protocol, IPPROTO_UDP);
	assert_int_equal(l->inside_be, ip(GUEST));
	assert_int_equal(l->outside_be, ip(OUTSIDE));
	assert_int_equal(l->remote_be, ip(REMOTE));
	assert_int_equal(ntohs(l->inside_port_be), 5000);
	assert_int_not_equal(ntohs(l->outside_port_be), 5000);
	assert_int_equal(ntohs(l->remote_port_be), 2000);
	assert_false(l->inbound);
	assert_int_equal(l->bytes_out + l->bytes_in + l->age_ns, 0);

	udp_in(&f, &p, END(REMOTE2, 3), END(OUTSIDE, 5000));
	assert_int_equal(lines.count, 2); /* refused */
	udp_in(&f, &p, END(REMOTE, 3), END(OUTSIDE, 5000));
	assert_int_equal(lines.count, 3);
	assert_true(lines.line[2].inbound);
	assert_int_equal(lines.line[2].inside_be, ip(GUEST2));

	fixture_restart(&f); /* nothing is new */
	assert_int_equal(lines.count, 3);
	fixture_advance(&f, 301);
	while (nat_tick(f.nat, f.now_ns))
		;
	fixture_advance(&f, 20);
	while (nat_tick(f.nat, f.now_ns))
		;
	assert_int_equal(lines.count, 6);
	for (int i = 3; i < 6; i++) {
		l = &lines.line[i];
		assert_int_equal(l->event, NAT_LOG_DELETE);
		assert_true(l->age_ns > 300 * SECOND && l->age_ns < 322 * SECOND);
		if (l->inside_be != ip(GUEST))
			continue;
		assert_int_equal(l->bytes_out, 39);
		assert_int_equal(l->bytes_in, 39);
	}
	fixture_fini(&f);
}

/* Protocols without ports: by inside address, one user each. */
static void other_protocols(void **state)
{
	static const uint8_t protocols[] = {4, 41, 47, 50, 132};
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;

	fixture_init(&f, &config);
	for (size_t i = 0; i < sizeof(protocols); i++) {
		make_other(&p, protocols[i], REMOTE, OUTSIDE, 40);
		assert_dropped(&f, send_in(&f, &p), &p, NAT_DROP_NO_MAPPING);
		for (int round = 0; round < 2; round++) {
			make_other(&p, protocols[i], GUEST, REMOTE, 40);
			assert_int_equal(send_out(&f, &p), NAT_VERDICT_WORLD);
			assert_string_equal(source_of(&p).address, OUTSIDE);
			make_other(&p, protocols[i], REMOTE, OUTSIDE, 40);
			assert_int_equal(send_in(&f, &p), NAT_VERDICT_INSIDE);
			assert_string_equal(destination_of(&p).address, GUEST);
		}
		make_other(&p, protocols[i], GUEST2, REMOTE, 40);
		assert_dropped(&f, send_out(&f, &p), &p, NAT_DROP_PROTOCOL_BUSY);
		make_other(&p, protocols[i], REMOTE2, OUTSIDE, 40);
		assert_dropped(&f, send_in(&f, &p), &p, NAT_DROP_FILTERED);
	}
	/* Time makes room for another user. */
	fixture_advance(&f, 601);
	make_other(&p, 47, GUEST2, REMOTE, 40);
	assert_int_equal(send_out(&f, &p), NAT_VERDICT_WORLD);
	fixture_fini(&f);
}

/* What was lost with a flow memory goes on with the guest's next segment. */
static void connections_are_picked_up(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;

	fixture_init(&f, &config);
	assert_int_equal(
		tcp_in(&f, &p, END(REMOTE, 80), END(OUTSIDE, 5000), ACK), NAT_VERDICT_DROP);
	assert_int_equal(
		tcp_out(&f, &p, END(GUEST, 5000), END(REMOTE, 80), ACK), NAT_VERDICT_WORLD);
	assert_end(source_of(&p), OUTSIDE, 5000);
	assert_int_equal(
		tcp_in(&f, &p, END(REMOTE, 80), END(OUTSIDE, 5000), ACK), NAT_VERDICT_INSIDE);
	fixture_advance(&f, 7000);
	assert_int_equal(
		tcp_in(&f, &p, END(REMOTE, 80), END(OUTSIDE, 5000), ACK), NAT_VERDICT_INSIDE);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_are_told),
		cmocka_unit_test(haste_is_not_told),
		cmocka_unit_test(sessions_of_a_guest),
		cmocka_unit_test(fair_share_of_sessions),
		cmocka_unit_test(fair_share_of_ports),
		cmocka_unit_test(remotes_take_half),
		cmocka_unit_test(new_sessions_of_a_guest),
		cmocka_unit_test(log_lines),
		cmocka_unit_test(other_protocols),
		cmocka_unit_test(connections_are_picked_up),
	};

	return cmocka_run_group_tests_name("flows", tests, NULL, NULL);
}
