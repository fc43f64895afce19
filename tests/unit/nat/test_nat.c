/* SPDX-License-Identifier: BSD-3-Clause */
/* What may change while sessions live: the way to the world. */
#include "fixture.h"

#include <string.h>

#include "nat/nat_private.h"

#define HOST2 "203.0.113.9"

static struct nat_config with_block(void)
{
	struct nat_config config = fixture_config();

	config.port_low = 50000;
	config.port_high = 59999;
	return config;
}

/* Ticks for so many seconds, as the worker does. */
static void tick(struct fixture *f, unsigned int seconds)
{
	for (unsigned int i = 0; i < seconds * 10; i++) {
		f->now_ns += SECOND / 10;
		nat_tick(f->nat, f->now_ns);
	}
	assert_null(nat_check(f->nat));
}

static void hairpin_follows_the_host(void **state)
{
	struct nat_config config = with_block();
	struct fixture f;
	struct packet p;

	fixture_init(&f, &config);
	udp_out(&f, &p, END(GUEST2, 50003), END(REMOTE, 9));
	/* Not ours yet, ours, someone else's again. */
	assert_int_equal(udp_out(&f, &p, END(GUEST, 50001), END(HOST, 50003)), NAT_VERDICT_WORLD);
	nat_set_way_out(f.nat, ip(HOST), true, 0);
	udp_out(&f, &p, END(GUEST2, 50003), END(HOST, 50002));
	assert_int_equal(udp_out(&f, &p, END(GUEST, 50002), END(HOST, 50003)), NAT_VERDICT_INSIDE);
	assert_end(source_of(&p), HOST, 50002);
	nat_set_way_out(f.nat, ip(HOST2), true, 0);
	udp_out(&f, &p, END(GUEST2, 50003), END(HOST2, 50004));
	assert_int_equal(udp_out(&f, &p, END(GUEST, 50004), END(HOST2, 50003)), NAT_VERDICT_INSIDE);
	assert_end(source_of(&p), HOST2, 50004);
	assert_int_equal(udp_out(&f, &p, END(GUEST, 50005), END(HOST, 50003)), NAT_VERDICT_WORLD);
	assert_end(source_of(&p), OUTSIDE, 50005);
	fixture_fini(&f);
}

/* With masquerade, only forwarded ports of the host's address are ours. */
static void the_block_comes_and_goes(void **state)
{
	struct nat_config config = with_block();
	struct fixture f;
	struct packet p;

	fixture_init(&f, &config);
	udp_out(&f, &p, END(GUEST2, 50003), END(REMOTE, 9));
	nat_set_way_out(f.nat, ip(HOST), false, 0);
	assert_int_equal(udp_out(&f, &p, END(GUEST, 50001), END(HOST, 50003)), NAT_VERDICT_WORLD);
	nat_set_way_out(f.nat, ip(HOST), true, 0);
	udp_out(&f, &p, END(GUEST2, 50003), END(HOST, 50002));
	assert_int_equal(udp_out(&f, &p, END(GUEST, 50002), END(HOST, 50003)), NAT_VERDICT_INSIDE);
	fixture_fini(&f);
}

/* With the host's ports shared: two guests that speak with each other over the host's address. */
static void init_hairpinned(struct fixture *f)
{
	struct nat_config config = with_block();
	struct packet p;

	config.alias_be = ip(HOST);
	config.alias_owns_range = true;
	fixture_init(f, &config);
	udp_out(f, &p, END(GUEST2, 50003), END(HOST, 50002));
	udp_out(f, &p, END(GUEST, 50002), END(HOST, 50003));
}

static void sessions_of_a_former_address_end_soon(void **state)
{
	struct fixture f;
	struct packet p;

	init_hairpinned(&f);
	udp_out(&f, &p, END(GUEST, 50001), END(REMOTE, 9)); /* has nothing to do with it */
	uint64_t before = nat_counters(f.nat)->sessions_live;
	assert_true(before >= 3);
	nat_set_way_out(f.nat, ip(HOST2), true, 0);
	assert_null(nat_check(f.nat));
	/* They work until then. */
	assert_int_equal(udp_out(&f, &p, END(GUEST, 50002), END(HOST, 50003)), NAT_VERDICT_INSIDE);
	tick(&f, 20);
	assert_int_equal(nat_counters(f.nat)->sessions_live, 1);
	make_udp(&p, END(REMOTE, 9), END(OUTSIDE, 50001), 20);
	assert_int_equal(send_in(&f, &p), NAT_VERDICT_INSIDE);
	assert_int_equal(udp_out(&f, &p, END(GUEST, 50002), END(HOST, 50003)), NAT_VERDICT_WORLD);
	fixture_fini(&f);
}

/* The same address again changes nothing. */
static void the_same_way_ends_nothing(void **state)
{
	struct fixture f;

	init_hairpinned(&f);
	uint64_t before = nat_counters(f.nat)->sessions_live;
	nat_set_way_out(f.nat, ip(HOST), true, 1400);
	tick(&f, 20);
	assert_int_equal(nat_counters(f.nat)->sessions_live, before);
	assert_false(f.nat->moved);
	fixture_fini(&f);
}

/* A process that dies in between leaves sessions that the next one does not take. */
static void a_restart_after_the_change(void **state)
{
	struct fixture f;
	struct packet p;

	init_hairpinned(&f);
	udp_out(&f, &p, END(GUEST, 50001), END(REMOTE, 9));
	f.config.alias_be = ip(HOST2);
	fixture_restart(&f);
	assert_int_equal(f.adopted, 1);
	assert_null(nat_check(f.nat));
	make_udp(&p, END(REMOTE, 9), END(OUTSIDE, 50001), 20);
	assert_int_equal(send_in(&f, &p), NAT_VERDICT_INSIDE);
	fixture_fini(&f);
}

/* The host keeps its address and no longer shares its ports: what was hairpinned over that address
 * leaves as ours, never as the host's. */
static void a_restart_with_ports_no_longer_shared(void **state)
{
	struct fixture f;
	struct packet p;

	init_hairpinned(&f);
	f.config.alias_owns_range = false;
	fixture_restart(&f);
	assert_int_equal(f.adopted, 1);
	assert_int_equal(udp_out(&f, &p, END(GUEST, 50002), END(HOST, 50003)), NAT_VERDICT_WORLD);
	assert_end(source_of(&p), OUTSIDE, 50002);
	fixture_fini(&f);
}

#define SMALL 64
#define SMALL_BUCKETS 16

/* The flows of nat_check_tells_keys_apart(). */
static struct flow_key small_key(uint32_t i, enum flow_direction direction)
{
	uint32_t local_be = direction == FLOW_OUT ? ip(GUEST) : ip(OUTSIDE);

	return flow_key(local_be, htons((uint16_t)(2000 + i)), ip(REMOTE), htons(9), IPPROTO_UDP);
}

/* Whether one of them has both entries in one full bucket, under the same tag. */
static bool has_twins(const uint64_t seed[2])
{
	uint32_t count[SMALL_BUCKETS] = {0};
	uint64_t hash[SMALL][FLOW_DIRECTION_COUNT];

	for (uint32_t i = 0; i < SMALL; i++)
		for (int direction = 0; direction < FLOW_DIRECTION_COUNT; direction++) {
			struct flow_key key = small_key(i, (enum flow_direction)direction);
			hash[i][direction] = flow_hash(&key, seed);
			count[hash[i][direction] % SMALL_BUCKETS]++;
		}
	for (uint32_t i = 0; i < SMALL; i++) {
		const uint64_t *both = hash[i];
		if (both[FLOW_OUT] % SMALL_BUCKETS == both[FLOW_IN] % SMALL_BUCKETS &&
			session_tag(both[FLOW_OUT]) == session_tag(both[FLOW_IN]) &&
			count[both[FLOW_OUT] % SMALL_BUCKETS] > SESSION_BUCKET_ENTRIES)
			return true;
	}
	return false;
}

/* nat_check() takes no entry of one key for that of the other. */
static void nat_check_tells_keys_apart(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;
	int seen = 0;

	config.sessions = SMALL;
	for (uint64_t n = 1; seen < 20; n++) {
		const uint64_t seed[2] = {n * 0x9e3779b97f4a7c15, ~n * 0xbf58476d1ce4e5b9};
		if (!has_twins(seed))
			continue;
		seen++;
		fixture_init(&f, &config);
		memcpy(f.nat->sessions.seed, seed, sizeof(seed));
		for (uint16_t i = 0; i < SMALL; i++)
			udp_out(&f, &p, END(GUEST, 2000 + i), END(REMOTE, 9));
		fixture_fini(&f);
	}
}

/* A SYN with the MSS option, through the NAT; returns what became of the option. */
static uint16_t mss_of_syn(struct fixture *f, uint16_t port, uint16_t mss)
{
	struct packet p;

	/* 12 bytes of data become options: MSS, end. */
	make_tcp(&p, END(GUEST, port), END(REMOTE, 80), SYN, 12);
	uint8_t *option = p.head + p.l4_offset + 20;
	p.head[p.l4_offset + 12] = 8 << 4;
	memset(option, 0, 12);
	option[0] = 2;
	option[1] = 4;
	option[2] = (uint8_t)(mss >> 8);
	option[3] = (uint8_t)mss;
	fill_checksum(&p);
	assert_int_equal(send_out(f, &p), NAT_VERDICT_WORLD); /* verifies the checksum */
	return (uint16_t)(option[2] << 8 | option[3]);
}

static void mss_follows_the_path(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;

	config.mtu_path = 1400;
	fixture_init(&f, &config);
	assert_int_equal(mss_of_syn(&f, 1001, 1460), 1360);
	nat_set_way_out(f.nat, 0, false, 1280);
	assert_int_equal(mss_of_syn(&f, 1002, 1460), 1240);
	nat_set_way_out(f.nat, 0, false, 9000);
	assert_int_equal(mss_of_syn(&f, 1003, 1460), 1460);
	assert_int_equal(mss_of_syn(&f, 1004, 65495), 8960);
	nat_set_way_out(f.nat, 0, false, 0);
	assert_int_equal(mss_of_syn(&f, 1005, 65495), 65495);
	nat_set_way_out(f.nat, 0, false, 1); /* no link is as small as that */
	assert_int_equal(mss_of_syn(&f, 1006, 1460), 536);
	/* Nothing is refused for it: what is too long is the host's to say. */
	assert_int_equal(f.nat->mtu[FLOW_OUT], UINT32_MAX);
	assert_int_equal(f.nat->mtu[FLOW_IN], UINT32_MAX);
	fixture_fini(&f);
}

/* The smaller one counts when the NAT minds the links itself. */
static void mss_is_that_of_the_smallest_link(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;

	config.mtu_out = 1300;
	config.mtu_path = 1400;
	fixture_init(&f, &config);
	assert_int_equal(mss_of_syn(&f, 1001, 1460), 1260);
	nat_set_way_out(f.nat, 0, false, 1200);
	assert_int_equal(mss_of_syn(&f, 1002, 1460), 1160);
	nat_set_way_out(f.nat, 0, false, 0);
	assert_int_equal(mss_of_syn(&f, 1003, 1460), 1260);
	fixture_fini(&f);
}

static void small_paths_are_no_configuration(void **state)
{
	struct nat_config config = fixture_config();

	config.mtu_path = 575;
	assert_int_equal(nat_memory_size(&config), 0);
	config.mtu_path = 576;
	assert_true(nat_memory_size(&config) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hairpin_follows_the_host),
		cmocka_unit_test(the_block_comes_and_goes),
		cmocka_unit_test(sessions_of_a_former_address_end_soon),
		cmocka_unit_test(the_same_way_ends_nothing),
		cmocka_unit_test(a_restart_after_the_change),
		cmocka_unit_test(a_restart_with_ports_no_longer_shared),
		cmocka_unit_test(nat_check_tells_keys_apart),
		cmocka_unit_test(mss_follows_the_path),
		cmocka_unit_test(mss_is_that_of_the_smallest_link),
		cmocka_unit_test(small_paths_are_no_configuration),
	};

	return cmocka_run_group_tests_name("nat", tests, NULL, NULL);
}
