/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/latency.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/ticks.h"

#define CAPACITY (4u << 20)
/* A frame that took longer was dropped: nobody else has the processors for so long. */
#define GIVE_UP_NS 1000000000.0

/* Stations that send while others are measured. */
struct load {
	struct station *stations;
	unsigned int count;
	unsigned int every; /* so many of them are one sender: 2 when they work in pairs */
};

static void keep_loading(const struct load *load)
{
	for (unsigned int i = 0; i < load->count; i++) {
		sink_poll(&load->stations[i].sink);
		if (i % load->every == 0)
			sender_post(&load->stations[i].sender, UINT32_MAX);
	}
}

/* Sends one frame and waits until it has come; false when it does not. */
static bool pass(
	struct station *from, struct station *to, uint64_t give_up_ticks, const struct load *load)
{
	uint64_t frames = to->sink.frames;
	uint64_t start = ticks_now();
	while (!sender_post(&from->sender, 1)) {
		keep_loading(load);
		if (ticks_now() - start > give_up_ticks)
			return false;
	}
	while (to->sink.frames == frames) {
		keep_loading(load);
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

int latency_run(struct latency *latency, struct station *stations, unsigned int count,
	const struct latency_options *options)
{
	uint64_t give_up = (uint64_t)(GIVE_UP_NS * options->ticks_per_ns);
	uint64_t interval = (uint64_t)((double)options->interval_ns * options->ticks_per_ns);
	unsigned int measured = options->echo ? 1 : 2;
	const struct load load = {
		.stations = stations + measured,
		.count = options->load ? count - measured : 0,
		.every = measured,
	};
	struct station *other = &stations[options->echo ? 0 : 1];
	uint64_t start = ticks_now();
	uint64_t end = start + (uint64_t)((double)options->ns * options->ticks_per_ns);

	*latency = (struct latency){.capacity = CAPACITY};
	latency->samples = calloc(CAPACITY, sizeof(*latency->samples));
	if (!latency->samples)
		return -ENOMEM;
	for (uint64_t due = start; ticks_now() < end && latency->count < latency->capacity;) {
		while (ticks_now() < due)
			keep_loading(&load);
		uint64_t begin = ticks_now();
		bool came = pass(&stations[0], other, give_up, &load);
		if (came && !options->echo)
			came = pass(other, &stations[0], give_up, &load);
		if (came)
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
