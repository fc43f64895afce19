/* SPDX-License-Identifier: BSD-3-Clause */
/* Guest to world: the fast path. */
#include "nat/burst.h"

void nat_out_burst(struct nat *nat, struct packet *const packets[], enum nat_verdict verdicts[],
	uint16_t count, uint64_t now_ns)
{
	uint64_t hits = 0;

	nat_begin(nat, now_ns);
	for (uint16_t done = 0; done < count;) {
		uint16_t left = count - done;
		uint16_t n = left < BURST_CHUNK ? left : BURST_CHUNK;

		hits += burst_chunk(nat, packets + done, verdicts + done, n, FLOW_OUT);
		done += n;
	}
	nat_count(&nat->counters->packets_out, hits);
}
