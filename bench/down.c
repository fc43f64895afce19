/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/down.h"

#include <errno.h>

#include "bench/ticks.h"

/* After so long without one, those on their way are lost. */
#define LOST_NS 1000000000.0
#define OPEN_NS 5000000000.0

/* The guest sends until the world has heard it. */
static int open_way(struct station *station, struct world *world, double ticks_per_ns)
{
	uint64_t end = ticks_now() + (uint64_t)(OPEN_NS * ticks_per_ns);
	int error = -EAGAIN;
	while (error == -EAGAIN && ticks_now() < end) {
		if (!sender_in_flight(&station->sender))
			sender_post(&station->sender, 1);
		sink_poll(&station->sink);
		error = world_learn(world);
	}
	/* What else has come by now is of no use. */
	while (!error && !world_learn(world))
		;
	/* From here on the stamps are the world's. */
	station->sink.stamp_seen = false;
	return error;
}

/* What has been counted since the counting began. */
static void count(struct rate *rate, const struct sink *sink, const struct sink *start)
{
	rate->received = sink->frames - start->frames;
	rate->foreign = sink->foreign - start->foreign;
	rate->samples = sink->samples - start->samples;
	rate->wrong = sink->wrong - start->wrong;
	rate->broken = sink->broken - start->broken;
}

/* Waits for what is on its way; how many frames did not come. */
static uint64_t drain(struct sink *sink, uint64_t due, uint64_t patience)
{
	uint64_t start = ticks_now();
	while ((int64_t)(due - sink->frames) > 0 && ticks_now() - start < patience)
		sink_poll(sink);
	return due > sink->frames ? due - sink->frames : 0;
}

int down_run(struct station *station, struct world *world, const struct rate_options *options,
	struct rate *ret_rate)
{
	struct rate rate = {0};
	struct sink *sink = &station->sink;
	int error = open_way(station, world, options->ticks_per_ns);
	uint64_t now = ticks_now();
	uint64_t moved_at = now;
	uint64_t from = now + (uint64_t)((double)options->warm_up_ns * options->ticks_per_ns);
	uint64_t end = from + (uint64_t)((double)options->ns * options->ticks_per_ns);
	uint64_t patience = (uint64_t)(LOST_NS * options->ticks_per_ns);
	uint64_t due = sink->frames; /* frames that the sink has when all have arrived */
	uint64_t arrived = sink->frames;
	struct sink start = *sink;
	/* A TAP's queue has room for 500 or 1000, a socket's for fewer. */
	int64_t window = station->sender.window;
	bool counting = false;

	while (now < end && !error) {
		bool moved = false;
		if ((int64_t)(due - sink->frames) <= window - WORLD_BURST) {
			int sent = world_send(world);
			error = sent < 0 && sent != -EAGAIN ? sent : 0;
			moved = sent > 0;
			due += moved ? (unsigned int)sent : 0;
		}
		moved |= sink_poll(sink) > 0;
		uint64_t then = now;
		now = ticks_now();
		if (!moved)
			rate.idle += (double)(now - then);
		if (sink->frames != arrived)
			moved_at = now;
		arrived = sink->frames;
		if (now - moved_at > patience) {
			rate.lost += due > sink->frames ? due - sink->frames : 0;
			due = sink->frames;
			moved_at = now;
		}
		if (!counting && now >= from) {
			counting = true;
			from = now;
			start = *sink;
			rate = (struct rate){0};
		}
	}
	count(&rate, sink, &start);
	rate.lost += drain(sink, due, patience);
	rate.ns = (uint64_t)((double)(now - from) / options->ticks_per_ns);
	rate.idle /= (double)(now - from);
	*ret_rate = rate;
	return error;
}
