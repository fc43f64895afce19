/* SPDX-License-Identifier: BSD-3-Clause */
#include "nat/guests.h"

#include <errno.h>
#include <stddef.h>

#include "nat/table_memory.h"

#define SECOND_NS UINT64_C(1000000000)

static size_t table_size(const struct guests *guests)
{
	return ((size_t)guests->host_mask + 1) * sizeof(*guests->table);
}

int guests_init(struct guests *guests, uint8_t prefix, uint32_t sessions_max, uint32_t per_second)
{
	*guests = (struct guests){
		.host_mask = UINT32_MAX >> prefix,
		.sessions_max = sessions_max == 0 ? UINT32_MAX : sessions_max,
		.interval_ns = per_second == 0 ? 0 : SECOND_NS / per_second,
	};
	guests->table = table_memory_new(table_size(guests));
	return guests->table == NULL ? -ENOMEM : 0;
}

void guests_fini(struct guests *guests)
{
	table_memory_free(guests->table, table_size(guests));
	guests->table = NULL;
}

/*
 * The bucket as a time (GCRA): each session moves `refilled_ns` one interval ahead, and it may be
 * no later than now; it is never further back than a second, which is the burst.
 */
int guests_admit(struct guests *guests, uint32_t inside_be, uint64_t now_ns)
{
	struct guest *guest = guests_of(guests, inside_be);
	uint64_t refilled_ns = guest->refilled_ns;

	if (guest->sessions >= guests->sessions_max)
		return -EDQUOT;
	if (guests->interval_ns == 0)
		return 0;
	if (now_ns > SECOND_NS && refilled_ns < now_ns - SECOND_NS)
		refilled_ns = now_ns - SECOND_NS;
	if (refilled_ns + guests->interval_ns > now_ns)
		return -EBUSY;
	guest->refilled_ns = refilled_ns + guests->interval_ns;
	return 0;
}
