/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <string.h>

#include "nat/flow.h"

#define SEEDS 500
#define KEYS 2048
#define BUCKETS 512
#define ENTRIES 12 /* of a bucket; 8 on the average */

/* Always the same (SplitMix64), so that a failure is no matter of chance. */
static uint64_t next_seed(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A guest's connections to one server, or a port of it to many neighbours. */
static struct flow_key key_of(bool one_server, uint32_t i, enum flow_direction direction)
{
	uint32_t local = direction == FLOW_OUT ? 0xac100002 : 0xac1000fe;
	uint32_t remote = one_server ? 0xc6336402 : 0xc6330000 + i;
	uint16_t port = (uint16_t)(one_server ? 32768 + i : 5000);

	return flow_key(htonl(local), htons(port), htonl(remote), htons(443), IPPROTO_TCP);
}

/* Whatever the seed, no more entries want into a full bucket than chance has it: 1.6 %. */
static void any_seed_spreads(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int round = 0; round < 2 * SEEDS; round++) {
		const uint64_t seed[2] = {next_seed(&random), next_seed(&random)};
		uint32_t count[BUCKETS] = {0}, beyond = 0;

		for (uint32_t i = 0; i < KEYS; i++)
			for (int direction = 0; direction < FLOW_DIRECTION_COUNT; direction++) {
				struct flow_key key =
					key_of(round % 2 == 0, i, (enum flow_direction)direction);
				count[flow_hash(&key, seed) % BUCKETS]++;
			}
		for (int i = 0; i < BUCKETS; i++)
			beyond += count[i] > ENTRIES ? count[i] - ENTRIES : 0;
		assert_in_range(beyond, 0, 2 * KEYS * 4 / 100);
	}
}

/* Chains of as many heads as keys; chance has seven or eight in the longest. */
static void any_seed_keeps_chains_short(void **state)
{
	uint64_t random = 2;

	(void)state;
	for (int round = 0; round < SEEDS; round++) {
		uint64_t seed = next_seed(&random);
		uint8_t length[KEYS] = {0};

		/* As mapping and permission have them: something that counts up in a word. */
		for (uint64_t i = 0; i < KEYS; i++) {
			uint64_t key =
				round % 2 == 0 ? i << 32 | 0x020010ac : i | 0x026433c6ull << 32;
			uint8_t *chain = &length[flow_mix(key ^ seed, ~seed) % KEYS];

			assert_in_range(++*chain, 1, 16);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_seed_spreads),
		cmocka_unit_test(any_seed_keeps_chains_short),
	};

	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
