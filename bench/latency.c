/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/latency.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/ticks.h"

#define CAPACITY (4u << 20)
/* A frame that took longer was dropped. */
#define GIVE_UP_NS 100000000.0

/* Sends one frame and waits until it has come; false when it does not. */
static bool pass(struct station *from, struct station *to, uint64_t give_up_ticks)
{
	uint64_t frames = to->sink.frames;
	uint64_t start = ticks_now();
	while (!sender_post(&from->sender, 1)) {
		if (ticks_now() - start > give_up_ticks)
			return false;
	}
	while (to->sink.frames == frames) {
		sink_poll(&to->sink);
		if (ticks_now() - start > give_up_ticks)
			return false;
	}
	return true;
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a;
	uint32_t right = *(const uint32_t *)b;
	return (left > right) - (left < right);
}

int latency_run(struct latency *latency, struct station stations[2], uint64_t ns,
	uint64_t interval_ns, double ticks_per_ns)
{
	uint64_t give_up = (uint64_t)(GIVE_UP_NS * ticks_per_ns);
	uint64_t interval = (uint64_t)((double)interval_ns * ticks_per_ns);
	uint64_t start = ticks_now();
	uint64_t end = start + (uint64_t)((double)ns * ticks_per_ns);

	*latency = (struct latency){.capacity = CAPACITY};
	latency->samples = calloc(CAPACITY, sizeof(*latency->samples));
	if (!latency->samples)
		return -ENOMEM;
	for (uint64_t due = start; ticks_now() < end && latency->count < latency->capacity;) {
		while (ticks_now() < due)
			;
		uint64_t begin = ticks_now();
		if (pass(&stations[0], &stations[1], give_up) &&
			pass(&stations[1], &stations[0], give_up))
			latency->samples[latency->count++] = (uint32_t)(ticks_now() - begin);
		else
			latency->lost++;
		due = begin + interval;
	}
	qsort(latency->samples, latency->count, sizeof(*latency->samples), compare);
	return 0;
}

void latency_fini(struct latency *latency)
{
	free(latency->samples);
	*latency = (struct latency){0};
}

uint32_t latency_percentile(const struct latency *latency, double share)
{
	if (!latency->count)
		return 0;
	uint32_t at = (uint32_t)(share * (double)latency->count);
	return latency->samples[at < latency->count ? at : latency->count - 1];
}
