/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one breath of the worker costs, in one thread and without a front end (breath.h):
 *
 *   chnet-breath [--stage-cycles] [CASE…]     cycles a frame, median of the breaths
 *   chnet-breath --count ROUNDS CASE          as many breaths, for callgrind to count (measured())
 *   chnet-breath --list                       the cases
 *
 * Cycles are those of the time stamp counter, so that a neighbour's turn on a shared processor
 * counts; hence the median. Driver and device share a core here: every line is warm, which makes
 * this the cost of instructions, not that of two cores' caches. bench/throughput.sh measures those.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/breath_stages.h"
#include "bench/ticks.h"

#define WARM_UP 64
#define ROUNDS 20000

static const char *const stage_names[BREATH_STAGES] = {
	[BREATH_INHALE] = "inhale",
	[BREATH_PARSE] = "parse",
	[BREATH_EXHALE] = "exhale",
	[BREATH_RELEASE] = "release",
	[BREATH_SETTLE] = "settle",
	[BREATH_TOTAL] = "breath",
};

static int fail(const struct breath_case *what, const char *why, int error)
{
	fprintf(stderr, "chnet-breath: %s: %s: %s\n", what->name, why, strerror(-error));
	return error;
}

/* The one call that callgrind looks into. */
static __attribute__((noinline)) void measured(struct breath *breath)
{
	breath_take(breath);
	__asm__ volatile("" ::: "memory");
}

/* One round; adds to *frames. */
static int turn(struct breath *breath, void (*take)(struct breath *), uint64_t *frames)
{
	unsigned int loaded = breath_load(breath);
	if (!loaded)
		return -ENOSPC;
	take(breath);
	breath_empty(breath);
	*frames += loaded;
	return 0;
}

static int warm_up(struct breath *breath)
{
	uint64_t frames = 0;
	int error = 0;
	for (unsigned int i = 0; i < WARM_UP && !error; i++)
		error = turn(breath, breath_take, &frames);
	return error;
}

/* Everything that waits for more of its flow is written, and nothing was lost. */
static int finish(struct breath *breath, uint64_t frames)
{
	breath_finish(breath);
	return breath_check(breath, frames);
}

/* ---- --count */

static int count(const struct breath_case *what, unsigned int rounds)
{
	struct breath *breath;
	uint64_t frames = 0;
	int error = breath_new(what, &breath);
	if (!error)
		error = warm_up(breath);
	if (error) {
		breath_free(breath);
		return fail(what, "cannot be made", error);
	}
	breath_begin(breath);
	for (unsigned int i = 0; i < rounds && !error; i++)
		error = turn(breath, measured, &frames);
	if (!error)
		error = finish(breath, frames);
	breath_free(breath);
	if (error)
		return fail(what, "frames were lost", error);
	printf("%" PRIu64 "\n", frames);
	return 0;
}

/* ---- cycles */

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static double median(uint64_t values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof(values[0]), ascending);
	uint64_t middle = values[ROUNDS / 2];
	return (double)middle;
}

static void show(
	const struct breath_case *what, uint64_t (*rounds)[ROUNDS], double frames, bool stages)
{
	printf("%-16s %9.1f", what->name, median(rounds[BREATH_TOTAL]) / frames);
	for (int stage = 0; stages && stage < BREATH_TOTAL; stage++)
		printf(" %9.1f", median(rounds[stage]) / frames);
	printf("   %s\n", what->about);
}

static int cycles(const struct breath_case *what, bool stages)
{
	static uint64_t rounds[BREATH_STAGES][ROUNDS];
	struct breath *breath;
	uint64_t frames = 0;
	int error = breath_new(what, &breath);
	if (!error && stages)
		breath_stages_watch(breath);
	if (!error)
		error = warm_up(breath);
	if (error) {
		breath_free(breath);
		return fail(what, "cannot be made", error);
	}
	breath_begin(breath);
	for (unsigned int i = 0; i < ROUNDS && !error; i++) {
		uint64_t spent[BREATH_STAGES];
		unsigned int loaded = breath_load(breath);
		breath_stages_take(spent);
		uint64_t start = ticks_now();
		breath_take(breath);
		uint64_t total = ticks_now() - start;
		breath_stages_take(spent);
		spent[BREATH_TOTAL] = total - spent[BREATH_PARSE];
		for (int stage = 0; stage < BREATH_STAGES; stage++)
			rounds[stage][i] = spent[stage];
		breath_empty(breath);
		frames += loaded;
		if (!loaded)
			error = -ENOSPC;
	}
	if (!error)
		error = finish(breath, frames);
	breath_free(breath);
	if (error)
		return fail(what, "frames were lost", error);
	show(what, rounds, (double)frames / ROUNDS, stages);
	return 0;
}

/* ---- the command line */

static const struct breath_case *find(const char *name)
{
	for (const struct breath_case *what = breath_cases; what->name; what++)
		if (strcmp(what->name, name) == 0)
			return what;
	fprintf(stderr, "chnet-breath: there is no case '%s' (see --list)\n", name);
	return NULL;
}

static int list(void)
{
	for (const struct breath_case *what = breath_cases; what->name; what++)
		printf("%-16s %s\n", what->name, what->about);
	return 0;
}

static void heading(bool stages)
{
	printf("%-16s %9s", "cycles a frame", stage_names[BREATH_TOTAL]);
	for (int stage = 0; stages && stage < BREATH_TOTAL; stage++)
		printf(" %9s", stage_names[stage]);
	printf("\n");
}

static int run_cycles(char *names[], int count_of_names, bool stages)
{
	int error = 0;
	heading(stages);
	for (const struct breath_case *what = breath_cases; what->name && !count_of_names; what++)
		if (cycles(what, stages))
			error = -EIO;
	for (int i = 0; i < count_of_names; i++) {
		const struct breath_case *what = find(names[i]);
		if (!what || cycles(what, stages))
			error = -EINVAL;
	}
	return error;
}

static int usage(FILE *to)
{
	fprintf(to,
		"usage: chnet-breath [--stage-cycles] [CASE...]   cycles a frame, of the median "
		"breath\n"
		"       chnet-breath --list                       the cases\n"
		"       chnet-breath --count ROUNDS CASE          breaths for callgrind to count\n"
		"\n"
		"  breath   all; what the stages leave of it is parsing, switch and NAT\n"
		"  inhale   taking frames out of the sender's ring, or the TAP\n"
		"  parse    looking at their headers, once more for this: not in the breath\n"
		"  exhale   putting them into the receiver's ring, or the queue of the TAP\n"
		"  release  giving the sender's buffers back\n"
		"  settle   writing to the TAP, for which a pair of sockets stands here; what "
		"many\n"
		"           flows gathered goes in a few breaths, none of them the median\n");
	return to == stdout ? 0 : 2;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{"count", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"list", no_argument, NULL, 'l'},
		{"stage-cycles", no_argument, NULL, 's'},
		{0},
	};
	unsigned int rounds = 0;
	bool stages = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			rounds = (unsigned int)strtoul(optarg, NULL, 10);
			if (!rounds) {
				fprintf(stderr, "chnet-breath: --count cannot be '%s'\n", optarg);
				return 2;
			}
			break;
		case 'h':
			return usage(stdout);
		case 'l':
			return list();
		case 's':
			stages = true;
			break;
		default:
			return usage(stderr);
		}
	}
	if (!rounds)
		return run_cycles(argv + optind, argc - optind, stages) ? 1 : 0;
	const struct breath_case *what = optind + 1 == argc ? find(argv[optind]) : NULL;
	if (!what) {
		fprintf(stderr, "chnet-breath: --count takes one case\n");
		return 2;
	}
	return count(what, rounds) ? 1 : 0;
}
