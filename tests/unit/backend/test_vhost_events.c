/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "backend/vhost_events.h"

static void the_writing_end_is_found(void **state)
{
	int before = vhost_events_before(), ends[2], other[2];
	assert_true(before >= 0);
	assert_return_code(pipe(ends), errno);
	assert_return_code(pipe(other), errno);
	assert_int_equal(ends[0], before);
	assert_int_equal(vhost_events_find(before), ends[1]);

	vhost_events_wake(ends[1]);
	char byte;
	assert_int_equal(read(ends[0], &byte, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(other[i]);
	}
}

static void a_pipe_made_earlier_is_not_taken(void **state)
{
	int earlier[2];
	assert_return_code(pipe(earlier), errno);
	int before = vhost_events_before();
	assert_int_equal(vhost_events_find(before), -ENOENT);
	/* The place of the pipe taken by something else. */
	int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(other, before);
	assert_int_equal(vhost_events_find(before), -ENOENT);
	close(other);
	/* A reading end whose writing end is elsewhere. */
	int copy = dup(earlier[0]);
	assert_int_equal(copy, before);
	close(earlier[1]);
	assert_int_equal(vhost_events_find(before), -ENOENT);
	close(copy);
	close(earlier[0]);
}

static void without_a_pipe_nothing_is_written(void **state)
{
	assert_int_equal(vhost_events_find(-EMFILE), -ENOENT);
	vhost_events_wake(-ENOENT);
	vhost_events_wake(-EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_writing_end_is_found),
		cmocka_unit_test(a_pipe_made_earlier_is_not_taken),
		cmocka_unit_test(without_a_pipe_nothing_is_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
