/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every hostile test demands, in one place: whatever guest 0 does, the neighbours' transfer
 * goes on with nothing lost, memory and descriptors do not grow, and a counter says what it was.
 *
 * A program of such tests starts chnet-vhost once (group setup) with four bound ports: the hostile
 * guest, two neighbours whose transfer runs all the time (neighbours.h), and a witness: an honest
 * guest of the test's own thread, to which frames can be sent and which sends some. Each case is
 * then
 *
 *   hostile_begin()                       counters, memory, descriptors, rounds so far
 *   do act(); while (hostile_goes_on())   often enough, and as long as the neighbours need for some
 *                                         rounds meanwhile
 *   hostile_end()                         looks at all of it again
 *
 * which is hostile_run(). Nothing here is a matter of time: a share is work of the neighbours that
 * was completed, and a deadline is a failure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/frontend/fixture.h"
#include "tests/frontend/neighbours.h"

#define HOSTILE_GUEST 0
#define HOSTILE_WITNESS 3

/* Rounds of the neighbours that must fall into a case, and as many again behind it. */
#define HOSTILE_ROUNDS 20
/* How often an act is repeated at least, when nothing else is said. */
#define HOSTILE_TIMES 20

/* Group setup and teardown (cmocka). */
int hostile_group_setup(void **state);
int hostile_group_teardown(void **state);
/* Setup and teardown of each case: everybody is well, guest 0 is unplugged. Setup leaves *state as
 * it is: a case's own description. */
int hostile_setup(void **state);
int hostile_teardown(void **state);

/* The network of the group. */
struct fixture *hostile_fixture(void);
/* Guest 0's front end. */
struct frontend *hostile_port(void);

/* What was so at the beginning of a case. */
struct hostile_watch {
	const char *name;
	char *metrics;	      /* owned: all counters */
	uint64_t memory;      /* anonymous memory of the data plane, bytes */
	uint64_t rounds;      /* of the neighbours */
	uint64_t worker_ns;   /* processor time of the worker */
	unsigned int turns;   /* acts so far */
	uint64_t deadline_ns; /* by when the neighbours must have had their rounds */
};

void hostile_begin(struct hostile_watch *watch, const char *name);
/* Counts an act. False when it was done `times` times and the neighbours had their rounds. */
bool hostile_goes_on(struct hostile_watch *watch, unsigned int times);
/* How much a counter ("port.0.drop.ring_loop", "worker.sigbus") has grown since. */
uint64_t hostile_grown(const struct hostile_watch *watch, const char *counter);
/* Waits until it has grown by `count`; more is a failure. */
void hostile_counted(const struct hostile_watch *watch, const char *counter, uint64_t count);
/* All the demands above; then an honest guest 0 must be served. */
void hostile_end(struct hostile_watch *watch);

/* An act of guest 0; `turn` counts from 0. */
typedef void hostile_act(struct fixture *fixture, const void *context, unsigned int turn);

struct hostile_case {
	const char *name;
	hostile_act *act;
	const void *context; /* for the act */
	const char *counter; /* that says what it was; NULL: nothing that is counted */
	uint64_t count;	     /* by how much each act lets it grow; 0: by something, in all */
	unsigned int times;  /* 0: HOSTILE_TIMES */
	bool plugged;	     /* guest 0 is an honest one before the first act */
};

/* The case in *state. */
void hostile_run(void **state);

#define HOSTILE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, hostile_setup, hostile_teardown)
/* A case of hostile_run(): the members of its description follow the name. */
#define HOSTILE_CASE(title, ...)                                          \
	{                                                                 \
		title, hostile_run, hostile_setup, hostile_teardown,      \
			(void *)(uintptr_t) & (const struct hostile_case) \
		{                                                         \
			.name = (title), __VA_ARGS__                      \
		}                                                         \
	}
/* main() of such a program; see FIXTURE_MAIN(). */
#define HOSTILE_MAIN(tests)                                                                        \
	int main(void)                                                                             \
	{                                                                                          \
		const char *why = backend_process_unusable();                                      \
		if (why) {                                                                         \
			fprintf(stderr, "skipped: %s\n", why);                                     \
			return 77;                                                                 \
		}                                                                                  \
		cmocka_set_test_filter(getenv("CHNET_TEST"));                                      \
		return cmocka_run_group_tests(tests, hostile_group_setup, hostile_group_teardown); \
	}

/* Guest memory that is set aside at each hostile_plug(), for what tests write. */
#define HOSTILE_AREA_SIZE (256u << 10)
#define HOSTILE_TABLE_ENTRIES 1024
struct hostile_room {
	uint64_t area;	/* guest physical address of HOSTILE_AREA_SIZE bytes, in one region */
	uint64_t table; /* the same of HOSTILE_TABLE_ENTRIES descriptors */
};
#define HOSTILE_QUEUE_SIZE 512

/* Plugs an honest guest 0 in, with queues of HOSTILE_QUEUE_SIZE; its memory in `regions` pieces
 * with nothing between them. */
struct hostile_room hostile_plug_regions(unsigned int regions);
/* The same with one region. */
struct hostile_room hostile_plug(void);
/* What the last of them has set aside. */
struct hostile_room hostile_room(void);
/* A front end of guest 0 that has only connected. */
struct frontend *hostile_connect(void);
/* Sends a numbered frame from guest 0 to the witness, and expects it there; or back. */
void hostile_pass(uint32_t length);
void hostile_pass_back(uint32_t length);
/* Sends one from the witness towards guest 0 and waits until the data plane has dealt with it. */
void hostile_poke(void);
/* Waits until the neighbours had a few rounds: the worker has looked at everything before. */
void hostile_fence(void);
