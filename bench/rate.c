/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/rate.h"

#include "bench/ticks.h"

/* One turn over all stations. Each sender may send `limit` frames. True when anything moved. */
static bool turn(struct station *stations, unsigned int count, const struct rate_options *options,
	uint32_t limit)
{
	uint32_t moved = 0;
	for (unsigned int i = 0; i < count; i++) {
		moved += sink_poll(&stations[i].sink);
		unsigned int sender = options->both ? i : i / 2;
		if ((options->both || !(i & 1)) && sender < options->active)
			moved += sender_post(&stations[i].sender, limit);
	}
	return moved;
}

/* Adds up (sign +1) or takes off (sign -1) what the stations have counted so far. */
static void add(
	struct rate *rate, const struct station *stations, unsigned int count, uint64_t sign)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct sink *sink = &stations[i].sink;
		rate->sent += sign * stations[i].sender.frames;
		rate->misordered += sign * stations[i].sender.misordered;
		rate->received += sign * sink->frames;
		rate->foreign += sign * sink->foreign;
		rate->samples += sign * sink->samples;
		rate->wrong += sign * sink->wrong;
		rate->broken += sign * sink->broken;
	}
}

static uint64_t sent(const struct station *stations, unsigned int count)
{
	uint64_t frames = 0;
	for (unsigned int i = 0; i < count; i++)
		frames += stations[i].sender.frames;
	return frames;
}

/* How many frames each sender owes at this time. */
static uint32_t owed(const struct rate_options *options, double elapsed_ticks, double senders,
	uint64_t sent_each)
{
	double due = options->pace / senders * elapsed_ticks / options->ticks_per_ns / 1e9;
	return due > (double)sent_each ? (uint32_t)(due - (double)sent_each) : 0;
}

int rate_run(struct station *stations, unsigned int count, const struct rate_options *options,
	struct rate *ret_rate)
{
	struct rate rate = {0};
	double senders = options->active;
	uint64_t start = ticks_now();
	uint64_t count_from =
		start + (uint64_t)((double)options->warm_up_ns * options->ticks_per_ns);
	uint64_t end = count_from + (uint64_t)((double)options->ns * options->ticks_per_ns);
	const uint64_t first = sent(stations, count);
	uint64_t first_frames = stations[0].sender.frames;
	uint64_t now = start;
	uint64_t idle = 0;
	bool counting = false;
	struct counter_value from = {0}, to = {0};
	int error = 0;

	while ((now < end || !counting) && !error) {
		uint32_t limit = UINT32_MAX;
		if (options->pace > 0)
			limit = owed(options, (double)(now - start), senders,
				stations[0].sender.frames - first_frames);
		bool moved = turn(stations, count, options, limit);
		uint64_t then = now;
		now = ticks_now();
		if (!moved)
			idle += now - then;
		if (!counting && now >= count_from &&
			sent(stations, count) - first >= options->warm_up) {
			counting = true;
			end += now - count_from;
			idle = 0;
			count_from = now;
			add(&rate, stations, count, (uint64_t)-1);
			if (options->counter)
				error = counter_read(options->counter, &from);
		}
	}
	if (options->counter && !error)
		error = counter_read(options->counter, &to);
	if (options->counter && !error) {
		rate.out = counter_frames(options->workload, &from, &to);
		rate.packets = to.packets - from.packets;
	}
	add(&rate, stations, count, 1);
	rate.frames = sent(stations, count);
	rate.ns = (uint64_t)((double)(now - count_from) / options->ticks_per_ns);
	rate.idle = (double)idle / (double)(now - count_from);
	*ret_rate = rate;
	return error;
}
