/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/clock.h"

#include <errno.h>
#include <stdbool.h>

#include "guest/probe/io.h"
#include "guest/probe/number.h"

#define PORT_TIMER 0x608
#define TIMER_MASK 0xffffff /* it has at least 24 bits */
#define TIMER_HZ 3579545U
#define TICKS 71591 /* 20 ms */
/* Readings after which a timer that stands still is none. */
#define STILL_MAX 10000
/* Readings of which the one that took least is taken: the others were interrupted. */
#define READINGS 8

/* The timer, and the counter at that moment. */
struct reading {
	uint32_t timer;
	uint64_t tsc;
};

static uint64_t start_tsc;
static uint32_t us_per_tick; /* of the counter, in units of 2^-32 */

static uint32_t read_timer(void)
{
	return io_read32(PORT_TIMER) & TIMER_MASK;
}

static struct reading read_both(void)
{
	struct reading best = {0};
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < READINGS; i++) {
		uint64_t before = io_read_tsc();
		uint32_t timer = read_timer();
		uint64_t took = io_read_tsc() - before;

		if (took >= least)
			continue;
		least = took;
		best = (struct reading){.timer = timer, .tsc = before + took / 2};
	}
	return best;
}

/* Whether the timer goes on. */
static bool is_running(void)
{
	uint32_t before = read_timer();

	for (int i = 0; i < STILL_MAX; i++)
		if (read_timer() != before)
			return true;
	return false;
}

int clock_init(uint32_t *ret_mhz)
{
	struct reading from, to;
	uint64_t elapsed;
	uint32_t us;

	if (!is_running())
		return -ENXIO;
	from = read_both();
	while (((read_timer() - from.timer) & TIMER_MASK) < TICKS)
		io_pause();
	to = read_both();
	elapsed = to.tsc - from.tsc;
	us = number_divide((uint64_t)((to.timer - from.timer) & TIMER_MASK) * 1000000, TIMER_HZ);
	if (elapsed >> 32 || elapsed < us)
		return -ENXIO;
	start_tsc = from.tsc;
	us_per_tick = number_divide((uint64_t)us << 32, (uint32_t)elapsed);
	*ret_mhz = (uint32_t)elapsed / us;
	return 0;
}

uint64_t clock_us(void)
{
	return number_scale(io_read_tsc() - start_tsc, us_per_tick);
}

uint32_t clock_seed(void)
{
	uint64_t tsc = io_read_tsc();

	/* The lower bits are those that nobody can tell beforehand. */
	return ((uint32_t)tsc ^ (uint32_t)(tsc >> 32)) * 2654435761U;
}
