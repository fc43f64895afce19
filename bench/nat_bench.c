/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the NAT costs, without any port, ring or device: cycles a packet for hits in both directions
 * with 1 k, 64 k and 1 M sessions, sessions created a second, expiry, adoption, bytes a session.
 *
 * All sizes take turns, RUNS times, and what is printed is the median of each figure, so that a
 * neighbour on a shared machine who wakes up for a second disturbs all sizes or none. The cost of a
 * packet is that of the median burst, for the time stamp counter also runs while another process
 * has the processor.
 *
 * Packets are made outside of the measured time, 32 at a time, for sessions in random order, and
 * another one than that in which they were opened: records lie in that order, and memory that is
 * read in the order in which it lies is fetched ahead by the processor. So caches see what a busy
 * network shows them. Cycles are those of the time stamp counter.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#include "backend/parse.h"
#include "nat/nat.h"

#define BURST 32
#define HIT_PACKETS (1u << 20)
#define RUNS 5
#define SIZES_MAX 8
#define COLUMNS 8
#define GUESTS 250
#define PORTS 64 /* mappings of a guest */
#define SECOND UINT64_C(1000000000)

struct tuple {
	uint32_t guest; /* host part of the inside address */
	uint16_t inside_port;
	uint16_t outside_port_be; /* learned when the session was created */
	uint32_t remote;	  /* host byte order */
};

struct bench {
	uint32_t sessions;
	struct tuple *tuples;
	uint32_t *order; /* random permutation of the tuples */
	struct nat_config config;
	void *memory;
	size_t size;
	struct nat *nat;
	uint64_t now_ns;
	double hz; /* of the time stamp counter */
};

/* What is printed: cycles out, in; million packets a second; million sessions a second; cycles a
 * step of the sweep, a session expired; longest tick (us); adoption (ms). */
struct result {
	double values[COLUMNS];
};

static struct packet storage[BURST];
static struct packet *packets[BURST];
static enum nat_verdict verdicts[BURST];

static uint64_t random_state = 88172645463325252;

static uint64_t xorshift(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static double tsc_hz(void)
{
	uint64_t ns = clock_ns(), cycles = __rdtsc();

	while (clock_ns() - ns < SECOND / 10)
		;
	return (double)(__rdtsc() - cycles) * 1e9 / (double)(clock_ns() - ns);
}

/* A UDP datagram of 64 bytes on the wire; the checksum need not be right to be updated. */
static void fill(struct packet *p, uint32_t source_be, uint32_t destination_be, uint16_t sport_be,
	uint16_t dport_be)
{
	static const uint8_t template[60] = {[12] = 0x08,
		[14] = 0x45,
		[17] = 46,
		[22] = 64,
		[23] = IPPROTO_UDP,
		[39] = 26,
		[40] = 0x12,
		[41] = 0x34};

	memcpy(p->head, template, sizeof(template));
	memcpy(p->head + 26, &source_be, 4);
	memcpy(p->head + 30, &destination_be, 4);
	memcpy(p->head + 34, &sport_be, 2);
	memcpy(p->head + 36, &dport_be, 2);
	p->length = 60;
	p->head_length = 60;
	parse_packet(p);
}

static void fill_out(const struct bench *b, struct packet *p, const struct tuple *t)
{
	fill(p, htonl(0xac100000 + t->guest), htonl(t->remote), htons(t->inside_port), htons(5000));
}

static void fill_in(const struct bench *b, struct packet *p, const struct tuple *t)
{
	fill(p, htonl(t->remote), b->config.outside_be, htons(5000), t->outside_port_be);
}

static void shuffle(struct bench *b)
{
	for (uint32_t i = b->sessions - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(xorshift() % (i + 1)), swap = b->order[i];

		b->order[i] = b->order[j];
		b->order[j] = swap;
	}
}

/* Begins to measure when the packets are made: their loads may not end in the measured time. */
static uint64_t begin(void)
{
	_mm_lfence();
	return __rdtsc();
}

static void init(struct bench *b, uint32_t sessions)
{
	b->sessions = sessions;
	b->tuples = calloc(sessions, sizeof(*b->tuples));
	b->order = calloc(sessions, sizeof(*b->order));
	b->config = (struct nat_config){
		.inside_be = htonl(0xac100000),
		.inside_prefix = 16,
		.outside_be = htonl(0xac10fffe),
		.port_low = 1,
		.port_high = 65535,
		.sessions = sessions + sessions / 8, /* so that all guests' shares suffice */
	};
	b->size = nat_memory_size(&b->config);
	b->memory = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	b->now_ns = 1000 * SECOND;
	if (b->tuples == NULL || b->order == NULL || b->memory == MAP_FAILED ||
		nat_new(&b->config, b->memory, b->size, b->now_ns, NULL, &b->nat) < 0) {
		fprintf(stderr, "nat_bench: no memory for %u sessions\n", sessions);
		exit(1);
	}
	for (uint32_t i = 0; i < sessions; i++) {
		b->tuples[i] = (struct tuple){
			.guest = 2 + i % GUESTS,
			.inside_port = (uint16_t)(2000 + i / GUESTS % PORTS),
			.remote = 0xc6120000 + i / (GUESTS * PORTS),
		};
		b->order[i] = i;
	}
	shuffle(b);
}

static void fini(struct bench *b)
{
	nat_free(b->nat);
	munmap(b->memory, b->size);
	free(b->tuples);
	free(b->order);
}

static int compare_cycles(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The cycles of the median burst, of a packet. */
static double median_burst(uint64_t *bursts, uint32_t count)
{
	uint32_t middle = count / 2;

	qsort(bursts, count, sizeof(*bursts), compare_cycles);
	return (double)bursts[middle] / BURST;
}

/* Opens all sessions in random order; returns cycles a session. */
static double create_all(struct bench *b)
{
	uint64_t *bursts = calloc(b->sessions / BURST + 1, sizeof(*bursts));
	double cycles;

	if (bursts == NULL)
		exit(1);
	for (uint32_t i = 0; i < b->sessions; i += BURST) {
		uint16_t n = (uint16_t)(b->sessions - i < BURST ? b->sessions - i : BURST);
		uint64_t start;

		for (uint16_t k = 0; k < n; k++)
			fill_out(b, packets[k], &b->tuples[b->order[i + k]]);
		start = begin();
		nat_out_burst(b->nat, packets, verdicts, n, b->now_ns);
		bursts[i / BURST] = __rdtsc() - start;
		for (uint16_t k = 0; k < n; k++) {
			if (verdicts[k] != NAT_VERDICT_WORLD) {
				fprintf(stderr, "nat_bench: session refused: %s\n",
					nat_drop_name((enum nat_drop)packets[k]->reason));
				exit(1);
			}
			memcpy(&b->tuples[b->order[i + k]].outside_port_be, packets[k]->head + 34,
				2);
		}
	}
	cycles = median_burst(bursts, b->sessions / BURST);
	free(bursts);
	return cycles;
}

/* Cycles a packet for hits. */
static double hits(struct bench *b, bool out)
{
	static uint64_t bursts[HIT_PACKETS / BURST];
	uint64_t misses = nat_counters(b->nat)->misses;
	uint32_t next = 0;

	for (uint32_t done = 0; done < HIT_PACKETS; done += BURST) {
		uint64_t start;

		for (uint16_t k = 0; k < BURST; k++) {
			const struct tuple *t = &b->tuples[b->order[next]];

			if (++next == b->sessions)
				next = 0;
			if (out)
				fill_out(b, packets[k], t);
			else
				fill_in(b, packets[k], t);
		}
		start = begin();
		if (out)
			nat_out_burst(b->nat, packets, verdicts, BURST, b->now_ns);
		else
			nat_in_burst(b->nat, packets, verdicts, BURST, b->now_ns);
		bursts[done / BURST] = __rdtsc() - start;
	}
	if (nat_counters(b->nat)->misses != misses) {
		fprintf(stderr, "nat_bench: misses where hits were meant\n");
		exit(1);
	}
	return median_burst(bursts, HIT_PACKETS / BURST);
}

/* One run of everything with so many sessions. */
static void run(uint32_t sessions, double hz, struct result *ret)
{
	struct bench b = {.hz = hz};
	uint64_t start, adopt, sweep, expire, longest = 0;
	double create, out, in;

	init(&b, sessions);
	create = create_all(&b);
	shuffle(&b);
	out = hits(&b, true);
	in = hits(&b, false);

	start = __rdtsc();
	nat_free(b.nat);
	if (nat_new(&b.config, b.memory, b.size, b.now_ns, NULL, &b.nat) < 0)
		exit(1);
	adopt = __rdtsc() - start;

	/* A round of the sweep that finds nothing. */
	b.now_ns += 20 * SECOND;
	start = __rdtsc();
	while (nat_tick(b.nat, b.now_ns))
		;
	sweep = __rdtsc() - start;

	b.now_ns += 400 * SECOND;
	start = __rdtsc();
	for (bool behind = true; behind;) {
		uint64_t tick = __rdtsc();

		behind = nat_tick(b.nat, b.now_ns);
		tick = __rdtsc() - tick;
		longest = tick > longest ? tick : longest;
	}
	expire = __rdtsc() - start;
	*ret = (struct result){
		.values = {out, in, hz / out / 1e6, hz / create / 1e6, (double)sweep / sessions,
			(double)expire / sessions, (double)longest / hz * 1e6,
			(double)adopt / hz * 1e3},
	};
	if (nat_counters(b.nat)->sessions_live != 0)
		fprintf(stderr, "nat_bench: %" PRIu64 " sessions did not expire\n",
			nat_counters(b.nat)->sessions_live);
	fini(&b);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const struct result results[RUNS], int column)
{
	double values[RUNS];

	for (int i = 0; i < RUNS; i++)
		values[i] = results[i].values[column];
	qsort(values, RUNS, sizeof(values[0]), compare);
	return values[RUNS / 2];
}

static void print(uint32_t sessions, const struct result *result)
{
	static const int precision[COLUMNS] = {1, 1, 2, 2, 1, 1, 0, 1};

	printf("%9u", sessions);
	for (int i = 0; i < COLUMNS; i++)
		printf(" %9.*f", precision[i], result->values[i]);
	printf("\n");
}

static void print_median(uint32_t sessions, const struct result results[RUNS])
{
	struct result result;

	for (int i = 0; i < COLUMNS; i++)
		result.values[i] = median(results, i);
	print(sessions, &result);
}

static double bytes_a_session(void)
{
	const struct nat_config config = {.inside_be = htonl(0xac100000),
		.inside_prefix = 16,
		.outside_be = 1,
		.port_low = 1,
		.port_high = 65535,
		.sessions = 1 << 20};

	return (double)nat_memory_size(&config) / (1 << 20);
}

int main(int argc, char **argv)
{
	static struct result results[SIZES_MAX][RUNS];
	uint32_t sizes[SIZES_MAX] = {1000, 64000, 1000000};
	int count = 3;
	bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
	double hz = tsc_hz();

	for (int i = 0; i < BURST; i++)
		packets[i] = &storage[i];
	argv += all;
	argc -= all;
	for (int i = 1; i < argc; i++) {
		count = i <= SIZES_MAX ? i : 0;
		if (!count || !(sizes[i - 1] = (uint32_t)strtoul(argv[i], NULL, 10))) {
			fprintf(stderr, "usage: nat_bench [--all: each run] [SESSIONS ...]\n");
			return 2;
		}
	}
	for (int i = 0; i < RUNS; i++)
		for (int k = 0; k < count; k++)
			run(sizes[k], hz, &results[k][i]);

	printf("time stamp counter %.0f MHz, bursts of %d, median of %d runs; flow memory %.1f "
	       "bytes a session at 1 M\n",
		hz / 1e6, BURST, RUNS, bytes_a_session());
	printf("%9s %9s %9s %9s %9s %9s %9s %9s %9s\n", "sessions", "out", "in", "out", "created",
		"sweep", "expire", "longest", "adopt");
	printf("%9s %9s %9s %9s %9s %9s %9s %9s %9s\n", "", "cycles", "cycles", "Mpps", "M/s",
		"cyc/step", "cyc/sess", "tick us", "ms");
	for (int k = 0; k < count; k++) {
		if (!all)
			print_median(sizes[k], results[k]);
		for (int i = 0; i < RUNS && all; i++)
			print(sizes[k], &results[k][i]);
	}
	return 0;
}
