/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chnet-generator: loads a vhost-user back end from one core, and counts what comes back.
 *
 * It is a set of front ends in one process (station.h). What it does for each frame is what a
 * guest's driver does and no more, so that the core behind it is the bottleneck; `idle_percent` in
 * its output says whether that was so.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/bare_device.h"
#include "bench/bare_tap.h"
#include "bench/counter.h"
#include "bench/down.h"
#include "bench/generator_options.h"
#include "bench/latency.h"
#include "bench/rate.h"
#include "bench/ticks.h"

/* An announcement that did not arrive is sent again, until the path is there. */
#define ANNOUNCE_NS 1000000u
#define PATH_NS UINT64_C(10000000000)
/* Between two looks meanwhile: this processor is for the back end's other threads, too. */
#define LOOK_US 20
/* Of a frame that loads the path while others are timed. */
#define LOAD_BYTES 1514

static struct station stations[STATIONS_MAX];
static struct counter counter = {-1, -1};

static int fail(const char *what, int error)
{
	fprintf(stderr, "chnet-generator: %s: %s\n", what, strerror(-error));
	return error;
}

static int pin(int cpu)
{
	cpu_set_t set;
	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

/* Every station broadcasts until it has itself heard something: then the path is there both ways,
 * and a switch knows who lives where. *ret_first_ns: when the first frame came. */
static int announce_all(unsigned int count, uint64_t *ret_first_ns)
{
	uint64_t start = ticks_clock_ns();
	uint64_t due = 0;
	unsigned int heard = 0;

	*ret_first_ns = 0;
	while (heard < count) {
		uint64_t now = ticks_clock_ns();
		if (now - start > PATH_NS)
			return -ETIMEDOUT;
		for (unsigned int i = 0; i < count && now >= due; i++)
			sender_announce(&stations[i].sender);
		if (now >= due)
			due = now + ANNOUNCE_NS;
		heard = 0;
		for (unsigned int i = 0; i < count; i++) {
			sink_poll(&stations[i].sink);
			heard += stations[i].sink.foreign > 0;
		}
		if (heard && !*ret_first_ns)
			*ret_first_ns = ticks_clock_ns();
		if (heard < count)
			usleep(LOOK_US);
	}
	return 0;
}

/* Waits until the device has taken every frame. 0 or -ETIMEDOUT. */
static int await_taken(unsigned int count)
{
	uint64_t start = ticks_clock_ns();

	for (unsigned int i = 0; i < count; i++) {
		while (sender_in_flight(&stations[i].sender)) {
			if (ticks_clock_ns() - start > PATH_NS)
				return -ETIMEDOUT;
			usleep(LOOK_US);
		}
	}
	return 0;
}

static int wait_ready(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char byte;
	if (fd < 0)
		return 0;
	if (poll(&wait, 1, -1) < 0)
		return -errno;
	return read(fd, &byte, 1) == 1 ? 0 : -ECHILD;
}

static int connect_all(const struct generator_options *options)
{
	for (unsigned int i = 0; i < options->stations; i++) {
		if (options->device != GENERATOR_BACKEND) {
			station_start_bare(&stations[i]);
			continue;
		}
		int error = station_connect(&stations[i], options->sockets[i]);
		if (error)
			return fail(options->sockets[i], error);
	}
	return 0;
}

static int run_rate(const struct generator_options *options, double ticks_per_ns)
{
	unsigned int senders = options->both ? options->stations : options->stations / 2;
	const struct rate_options how = {
		.active = options->active && options->active < senders ? options->active : senders,
		.warm_up_ns = (uint64_t)(options->warm_up * 1e9),
		.warm_up = (uint64_t)options->warm_up_frames,
		.ns = (uint64_t)(options->seconds * 1e9),
		.pace = options->pace,
		.both = options->both,
		.counter = options->count ? &counter : NULL,
		.workload = &options->workload,
		.ticks_per_ns = ticks_per_ns,
	};
	struct rate rate;
	int error = rate_run(stations, options->stations, &how, &rate);
	if (error)
		return fail("cannot count what leaves", error);
	/* Whoever counts them at the other side shall have seen all. */
	if (options->unheard)
		error = await_taken(options->stations);
	if (error)
		return fail("frames are left", error);
	double us = (double)rate.ns / 1e3;
	double arrived = options->count ? rate.out : (double)rate.received;
	double bits = arrived * options->workload.frame_length * 8;
	printf("\"sent_mpps\": %.4f, \"mpps\": %.4f, \"gbps\": %.3f, \"idle_percent\": %.1f, "
	       "\"received\": %.0f, \"packets\": %" PRIu64 ", \"foreign\": %" PRIu64
	       ", \"samples\": %" PRIu64 ", \"wrong\": %" PRIu64 ", \"frames\": %" PRIu64 "}\n",
		(double)rate.sent / us, arrived / us, bits / us / 1e3, rate.idle * 100, arrived,
		rate.packets, rate.foreign, rate.samples,
		rate.wrong + rate.misordered + rate.broken, rate.frames);
	return 0;
}

static int run_latency(const struct generator_options *options, double ticks_per_ns)
{
	struct latency latency;
	const struct latency_options how = {
		.ns = (uint64_t)(options->seconds * 1e9),
		.interval_ns = (uint64_t)(options->interval_us * 1e3),
		.ticks_per_ns = ticks_per_ns,
		.echo = options->has_target,
		.load = options->load,
	};
	int error = latency_run(&latency, stations, options->stations, &how);
	if (!error)
		printf("\"round_trips\": %u, \"lost\": %u, \"p50_us\": %.3f, \"p99_us\": %.3f, "
		       "\"p999_us\": %.3f}\n",
			latency.count, latency.lost,
			latency_percentile(&latency, 0.5) / ticks_per_ns / 1e3,
			latency_percentile(&latency, 0.99) / ticks_per_ns / 1e3,
			latency_percentile(&latency, 0.999) / ticks_per_ns / 1e3);
	latency_fini(&latency);
	return error;
}

static int run_down(const struct generator_options *options, double ticks_per_ns)
{
	const struct rate_options how = {
		.warm_up_ns = (uint64_t)(options->warm_up * 1e9),
		.ns = (uint64_t)(options->seconds * 1e9),
		.ticks_per_ns = ticks_per_ns,
	};
	struct frames_end own = options->target;
	struct world world;
	struct rate rate = {0};

	own.port = WORKLOAD_ANSWERED_PORT;
	int error = world_open(&world, options->world, &own, &options->workload, options->gso);
	if (!error)
		error = down_run(&stations[0], &world, &how, &rate);
	world_close(&world);
	if (error)
		return fail("from the world", error);
	double us = (double)rate.ns / 1e3;
	double bits = (double)rate.received * options->workload.frame_length * 8;
	printf("\"mpps\": %.4f, \"gbps\": %.3f, \"idle_percent\": %.1f, \"received\": %" PRIu64
	       ", \"lost\": %" PRIu64 ", \"foreign\": %" PRIu64 ", \"samples\": %" PRIu64
	       ", \"wrong\": %" PRIu64 "}\n",
		(double)rate.received / us, bits / us / 1e3, rate.idle * 100, rate.received,
		rate.lost, rate.foreign, rate.samples, rate.wrong + rate.broken);
	return 0;
}

static int run_mode(const struct generator_options *options, double ticks_per_ns)
{
	switch (options->mode) {
	case GENERATOR_RATE:
		return run_rate(options, ticks_per_ns);
	case GENERATOR_LATENCY:
		return run_latency(options, ticks_per_ns);
	case GENERATOR_DOWN:
		return run_down(options, ticks_per_ns);
	case GENERATOR_IDLE:
		printf("\"connected\": %u}\n", options->stations);
		return 0;
	}
	return -EINVAL;
}

/* Waits for the path and runs. */
static int measure(const struct generator_options *options, double ticks_per_ns)
{
	uint64_t first_ns = ticks_clock_ns();
	int error = 0;
	for (unsigned int i = 0; i < options->stations && options->unheard; i++)
		sender_post(&stations[i].sender, 1);
	if (options->unheard)
		error = await_taken(options->stations);
	else if (options->device != GENERATOR_BARE_DROP)
		error = announce_all(options->stations, &first_ns);
	if (error)
		return fail("no frame came through", error);
	printf("{\"first_frame_ns\": %" PRIu64 ", ", first_ns);
	error = run_mode(options, ticks_per_ns);
	fflush(stdout);
	/* The answer has come; whoever reads it looks at the back end before the guests are gone.
	 */
	while (options->hold && !error && getchar() != EOF)
		;
	return error;
}

static int run_bare(const struct generator_options *options, double ticks_per_ns)
{
	struct bare_device device = {
		.stations = stations,
		.count = options->stations,
		.copy = options->device == GENERATOR_BARE_COPY,
		.tap_fd = -1,
		.cpu = options->device_cpu,
	};
	int error = 0;
	if (options->tap)
		error = bare_tap_open(options->tap, &device.tap_fd);
	if (error)
		return fail(options->tap, error);
	error = bare_device_start(&device);
	if (error) {
		fail("cannot start the bare device", error);
	} else {
		error = measure(options, ticks_per_ns);
		int trouble = bare_device_stop(&device);
		if (trouble)
			error = fail("the bare device", trouble);
	}
	if (device.tap_fd >= 0)
		close(device.tap_fd);
	return error;
}

/* Connects and runs; the caller frees the stations. */
static int run(const struct generator_options *options, double ticks_per_ns)
{
	int error = wait_ready(options->ready_fd);
	if (error)
		return fail("waiting for the back end", error);
	if (options->count)
		error = counter_open(&counter, options->count);
	if (error)
		return fail(options->count, error);
	error = connect_all(options);
	if (error)
		return error;
	return options->device == GENERATOR_BACKEND ? measure(options, ticks_per_ns)
						    : run_bare(options, ticks_per_ns);
}

/* Station `index`, and where it sends to. With `load`, all but the first (or the first pair) have
 * work of their own. */
static int make_station(const struct generator_options *options, unsigned int index)
{
	struct workload workload = options->workload;
	if (options->load && index >= (options->has_target ? 1 : 2)) {
		workload.kind = WORKLOAD_UDP;
		workload.layout = WORKLOAD_LINEAR;
		workload.frame_length = LOAD_BYTES;
	}
	int error = station_init(
		&stations[index], &workload, index, options->has_target ? &options->target : NULL);
	/* Without the copy there is nothing to look at. */
	stations[index].sink.blind = options->device == GENERATOR_BARE_DROP;
	return error;
}

int main(int argc, char *argv[])
{
	struct generator_options options;
	if (generator_options_parse(argc, argv, &options))
		return 2;
	int error = pin(options.cpu);
	if (error)
		fail("cannot run on that processor", error);
	double ticks = ticks_per_ns();
	unsigned int made = 0;
	while (made < options.stations && !error) {
		error = make_station(&options, made++);
		if (error)
			fail("cannot make a guest", error);
	}
	if (!error)
		error = run(&options, ticks);
	for (unsigned int i = 0; i < made; i++)
		station_fini(&stations[i]);
	counter_close(&counter);
	return error ? 1 : 0;
}
