/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network for one test: the program under test with some sockets, and a front end at each.
 *
 * Guest i has the MAC 52:54:00:12:34:56 + i and the address 172.16.0.(2 + i), as in the product's
 * address plan.
 *
 * The functions below assert (cmocka): when one of them returns, it has worked. The teardown finds
 * what a test has not looked for: a data plane that died and was started again, a program that does
 * not end by SIGTERM with exit code 0, a process, interface or socket that stays behind.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/frontend/backend_process.h"
#include "tests/frontend/deadline.h"
#include "tests/frontend/frames.h"
#include "tests/frontend/frontend.h"

#define FIXTURE_PORTS_MAX 4
#define FIXTURE_GATEWAY_IP 0xac100001u /* 172.16.0.1 */
#define FIXTURE_FIRST_IP 0xac100002u   /* 172.16.0.2 */

/* Frames' EtherType is an experiment's: a number, then filling. With `udp`, the same in a datagram.
 */
struct fixture {
	char directory[64]; /* scratch, for sockets and standard error */
	struct backend_process backend;
	unsigned int count; /* sockets */
	char sockets[FIXTURE_PORTS_MAX][96];
	struct frontend ports[FIXTURE_PORTS_MAX];
	bool plugged[FIXTURE_PORTS_MAX]; /* the front end is initialised */
	pid_t dataplane;		 /* the child that must be there still at the end; 0: any */
	uint32_t serial;		 /* number of the last frame made by fixture_number() */
	bool listens; /* the guests' VMMs do, and the program connects: mode=server. Set by the
		       * test before fixture_start(), or by CHNET_VMM_LISTENS in the environment */
	bool udp;     /* numbered frames are UDP between the guests' addresses; set by the test */
};

/* cmocka's setup and teardown; *state becomes the fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/*
 * Starts the program with `count` sockets and waits until it is ready. `suffixes` (may be NULL) has
 * what follows each socket's path (",mac=…", may be NULL); `arguments` (may be NULL) are more
 * options, NULL at the end. The uplink is `none`.
 */
void fixture_start(struct fixture *fixture, unsigned int count, const char *const *suffixes,
	const char *const *arguments);

/* Suffixes with which nothing is withheld from a driver that acks nothing and waits for interrupts:
 * it is not RedoxOS'. */
extern const char *const fixture_full[FIXTURE_PORTS_MAX];

/* Options that most tests begin with: what an ordinary Linux guest acks, queues of 256. */
struct frontend_options fixture_options(void);

/* Connects guest `index` and starts its driver. */
void fixture_plug(
	struct fixture *fixture, unsigned int index, const struct frontend_options *options);
/* Unplugs it and frees its memory; fixture_plug() may follow. */
void fixture_unplug(struct fixture *fixture, unsigned int index);

/* The data plane died on purpose: take the one that runs now for the right one. */
void fixture_accept_new_dataplane(struct fixture *fixture);
/* Kills the data plane; the first `ports` front ends connect again, to its successor. */
void fixture_restart_dataplane(struct fixture *fixture, unsigned int ports);
/* Unplugs all guests and ends the program; fixture_start() may follow, for the same network. */
void fixture_stop(struct fixture *fixture);
/* The data plane is the one that was started. */
void fixture_check_alive(struct fixture *fixture);

/* Open descriptors of the data plane. */
unsigned int fixture_count_fds(struct fixture *fixture);
/* Fails when it has more descriptors open than `most`, an earlier count. */
void fixture_expect_fds(struct fixture *fixture, unsigned int most);

/* A counter of the program, by its whole name; it must not be zero any more. */
uint64_t fixture_counter(struct fixture *fixture, const char *name);

struct frames_end fixture_end(unsigned int index, uint16_t port);

/*
 * Makes the next numbered frame of `length` bytes (at least 18; with `udp`, 46) from guest `from`
 * to `target`: the number, then bytes that depend on it. fixture_expect() on any port that gets it
 * checks all that.
 */
void fixture_number(struct fixture *fixture, struct driver_frame *frame, unsigned int from,
	const uint8_t target[6], uint32_t length);

/* Sends the frame from guest `from`. */
void fixture_send(struct fixture *fixture, unsigned int from, const struct driver_frame *frame);

/* The next frame that guest `to` receives, announcements aside, is exactly this one. */
void fixture_expect(struct fixture *fixture, unsigned int to, const struct driver_frame *frame);

/* Receives the next frame of guest `to`, whatever it is. */
void fixture_receive(struct fixture *fixture, unsigned int to, struct driver_frame *frame);

/* Sends one numbered unicast frame of `length` bytes and expects it at the other guest. */
void fixture_pass(struct fixture *fixture, unsigned int from, unsigned int to, uint32_t length);

/* The same `count` times in bursts, the frames' lengths running from 60 to 1514. */
void fixture_stream(struct fixture *fixture, unsigned int from, unsigned int to, uint32_t count);

/* Makes every plugged guest's address known: each broadcasts once, and all the others get it. With
 * `udp` there are two guests, and each sends to the other. */
void fixture_introduce(struct fixture *fixture);

/*
 * Exchanges frames between two guests, both ways, often enough that the data plane has looked at
 * everything that any guest did before: afterwards, what has not happened does not happen.
 */
void fixture_fence(struct fixture *fixture, unsigned int a, unsigned int b);

/*
 * main() of a test program: skips (exit code 77) where nothing can be tested, else runs. The
 * environment variable CHNET_TEST names one test to run (a pattern), CHNET_SHOW shows what the back
 * end wrote.
 */
#define FIXTURE_MAIN(tests)                                       \
	int main(void)                                            \
	{                                                         \
		const char *why = backend_process_unusable();     \
		if (why) {                                        \
			fprintf(stderr, "skipped: %s\n", why);    \
			return 77;                                \
		}                                                 \
		cmocka_set_test_filter(getenv("CHNET_TEST"));     \
		return cmocka_run_group_tests(tests, NULL, NULL); \
	}
#define FIXTURE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
