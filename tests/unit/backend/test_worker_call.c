/* SPDX-License-Identifier: BSD-3-Clause */
/* The letter box, with a thread that plays the worker and callers in threads of their own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/worker.h"

#define CALLERS 4
#define CALLS 2000

static struct worker worker;
static pthread_t thread;
static bool ending;

/* Sleeps until it is woken, as a worker that has nothing else to do. */
static void *play(void *unused)
{
	struct pollfd box = {.fd = worker.call.wake_fd, .events = POLLIN};

	while (!__atomic_load_n(&ending, __ATOMIC_ACQUIRE)) {
		if (poll(&box, 1, -1) != 1)
			return "poll";
		worker_call_woken(&worker.call);
		worker_call_serve(&worker);
	}
	return NULL;
}

static int set_up(void **state)
{
	ending = false;
	return worker_call_init(&worker.call) || pthread_create(&thread, NULL, play, NULL);
}

static void end(struct worker *same, void *argument)
{
	__atomic_store_n(&ending, true, __ATOMIC_RELEASE);
}

static int tear_down(void **state)
{
	void *failure;

	worker_call(&worker, end, NULL);
	pthread_join(thread, &failure);
	worker_call_fini(&worker.call);
	return failure != NULL;
}

/* What one call saw. */
struct seen {
	struct worker *worker;
	pthread_t thread;
	unsigned int times;
};

static void look(struct worker *same, void *argument)
{
	struct seen *seen = argument;

	seen->worker = same;
	seen->thread = pthread_self();
	seen->times++;
}

static void the_worker_does_it_before_the_caller_goes_on(void **state)
{
	struct seen seen = {0};

	for (unsigned int i = 1; i <= 100; i++) {
		worker_call(&worker, look, &seen);
		assert_int_equal(seen.times, i);
		assert_ptr_equal(seen.worker, &worker);
		assert_true(pthread_equal(seen.thread, thread));
	}
	assert_null(worker.call.run);
}

/* Without a lock on the worker's side; two at once would lose some. */
static unsigned int sum, inside;

static void add(struct worker *same, void *argument)
{
	assert_int_equal(inside++, 0);
	sum += *(unsigned int *)argument;
	inside--;
}

static void *call_often(void *argument)
{
	for (unsigned int i = 0; i < CALLS; i++)
		worker_call(&worker, add, argument);
	return NULL;
}

static void callers_take_turns(void **state)
{
	unsigned int numbers[CALLERS];
	pthread_t callers[CALLERS];

	sum = 0;
	for (unsigned int i = 0; i < CALLERS; i++) {
		numbers[i] = i + 1;
		assert_int_equal(pthread_create(&callers[i], NULL, call_often, &numbers[i]), 0);
	}
	for (unsigned int i = 0; i < CALLERS; i++)
		assert_int_equal(pthread_join(callers[i], NULL), 0);
	assert_int_equal(sum, CALLS * CALLERS * (CALLERS + 1) / 2);
}

/* A worker that is busy serves the box in each breath, and is woken later for nothing. */
static void an_empty_box_is_harmless(void **state)
{
	struct worker other = {0};
	uint64_t count;

	assert_int_equal(worker_call_init(&other.call), 0);
	worker_call_serve(&other);
	worker_call_woken(&other.call);
	assert_int_equal(fcntl(other.call.done_fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(read(other.call.done_fd, &count, sizeof(count)), -1);
	assert_int_equal(errno, EAGAIN);
	worker_call_fini(&other.call);
	assert_int_equal(other.call.wake_fd, -1);
	assert_int_equal(other.call.done_fd, -1);
}

/* After that it is not readable any more, or epoll would tell of it for ever. */
static void a_wake_up_is_taken(void **state)
{
	struct worker other = {0};
	struct pollfd box;
	const uint64_t one = 1;

	assert_int_equal(worker_call_init(&other.call), 0);
	box = (struct pollfd){.fd = other.call.wake_fd, .events = POLLIN};
	for (int i = 0; i < 3; i++)
		assert_int_equal(write(box.fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(poll(&box, 1, 0), 1);
	worker_call_woken(&other.call);
	assert_int_equal(poll(&box, 1, 0), 0);
	assert_int_equal(fcntl(box.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(other.call.done_fd, F_GETFD), FD_CLOEXEC);
	worker_call_fini(&other.call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_worker_does_it_before_the_caller_goes_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(callers_take_turns, set_up, tear_down),
		cmocka_unit_test(an_empty_box_is_harmless),
		cmocka_unit_test(a_wake_up_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
