/* SPDX-License-Identifier: BSD-3-Clause */
/* Whom quiesce_wait() waits for, and whom not. */
#include "tests/unit/frame.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "backend/quiesce.h"
#include "tests/unit/backend/eal.h"

#define SPINS 100

static struct quiesce quiesce;

static int setup(void **state)
{
	return quiesce_init(&quiesce, 2);
}

static int teardown(void **state)
{
	quiesce_fini(&quiesce);
	return 0;
}

static void nobody_to_wait_for(void **state)
{
	quiesce_wait(&quiesce);
	quiesce_register(&quiesce, 0);
	quiesce_unregister(&quiesce, 0);
	quiesce_wait(&quiesce);
}

static void sleepers_are_not_waited_for(void **state)
{
	quiesce_register(&quiesce, 0);
	quiesce_register(&quiesce, 1);
	quiesce_offline(&quiesce, 0);
	quiesce_offline(&quiesce, 1);
	quiesce_wait(&quiesce);
	quiesce_online(&quiesce, 0);
	quiesce_offline(&quiesce, 0);
	quiesce_wait(&quiesce);
	quiesce_unregister(&quiesce, 0);
	quiesce_unregister(&quiesce, 1);
}

/* A worker that uses something until it has seen that somebody waits, and for a while longer. */
static atomic_bool online, waiting, finished;
static enum {
	BY_POINT,
	BY_SLEEP,
	BY_END
} how;

static void *work(void *argument)
{
	quiesce_register(&quiesce, 1);
	online = true;
	while (!waiting)
		sched_yield();
	for (int i = 0; i < SPINS; i++)
		sched_yield();
	finished = true;
	switch (how) {
	case BY_POINT:
		quiesce_point(&quiesce, 1);
		break;
	case BY_SLEEP:
		quiesce_offline(&quiesce, 1);
		break;
	case BY_END:
		break;
	}
	quiesce_unregister(&quiesce, 1);
	return NULL;
}

static void the_others_are(void **state)
{
	for (how = BY_POINT; how <= BY_END; how++) {
		pthread_t thread;
		online = waiting = finished = false;
		assert_int_equal(pthread_create(&thread, NULL, work, NULL), 0);
		while (!online)
			sched_yield();
		waiting = true;
		quiesce_wait(&quiesce);
		assert_true(finished);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
}

static void wakes_are_counted_and_do_not_block(void **state)
{
	struct epoll_event event = {.events = EPOLLIN};
	uint64_t count = UINT64_MAX - 1;
	assert_int_equal(epoll_ctl(quiesce.epoll_fd, EPOLL_CTL_ADD, quiesce.wake_fd, &event), 0);
	assert_int_equal(epoll_wait(quiesce.epoll_fd, &event, 1, 0), 0);
	quiesce_wake(&quiesce);
	quiesce_wake(&quiesce);
	assert_int_equal(epoll_wait(quiesce.epoll_fd, &event, 1, 0), 1);
	assert_int_equal(read(quiesce.wake_fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 2);
	assert_int_equal(epoll_wait(quiesce.epoll_fd, &event, 1, 0), 0);
	/* One more than a counter can hold. */
	count = UINT64_MAX - 1;
	assert_int_equal(write(quiesce.wake_fd, &count, sizeof(count)), sizeof(count));
	quiesce_wake(&quiesce);
	assert_int_equal(epoll_wait(quiesce.epoll_fd, &event, 1, 0), 1);
}

static void refusals(void **state)
{
	struct quiesce none;
	assert_int_equal(quiesce_init(&none, 0), -EINVAL);
	assert_int_equal(none.wake_fd, -1);
	assert_int_equal(none.epoll_fd, -1);
	quiesce_fini(&none);
	quiesce_fini(&none);
	quiesce_fini(NULL);
}

int main(void)
{
#define QUIESCE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		QUIESCE_TEST(nobody_to_wait_for),
		QUIESCE_TEST(sleepers_are_not_waited_for),
		QUIESCE_TEST(the_others_are),
		QUIESCE_TEST(wakes_are_counted_and_do_not_block),
		cmocka_unit_test(refusals),
	};
	return cmocka_run_group_tests(tests, eal_start, eal_stop);
}
