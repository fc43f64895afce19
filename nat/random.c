/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/random.h"

#include <errno.h>
#include <sys/random.h>

int random_init(struct random *random)
{
	ssize_t n = getrandom(random->key, sizeof(random->key), 0);

	if (n < 0)
		return -errno;
	if (n != sizeof(random->key))
		return -EIO;
	random->counter = 0;
	return 0;
}

static inline uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 of the eight bytes of the counter, little endian. */
uint64_t random_next(struct random *random)
{
	const uint64_t blocks[2] = {random->counter++, (uint64_t)8 << 56};
	uint64_t v[4] = {
		random->key[0] ^ 0x736f6d6570736575,
		random->key[1] ^ 0x646f72616e646f6d,
		random->key[0] ^ 0x6c7967656e657261,
		random->key[1] ^ 0x7465646279746573,
	};

	for (int i = 0; i < 2; i++) {
		v[3] ^= blocks[i];
		sip_round(v);
		sip_round(v);
		v[0] ^= blocks[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
