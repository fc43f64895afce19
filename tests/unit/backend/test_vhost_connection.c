/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/frame.h"

#include "backend/vhost_connection.h"

static struct vhost_port ports[2];

static int set_up(void **state)
{
	for (uint16_t i = 0; i < 2; i++) {
		ports[i] = (struct vhost_port){.port.index = i, .vid = -1, .ended_fd = -1};
		snprintf(ports[i].path, sizeof(ports[i].path), "/run/guest%u", i);
		vhost_connection_open(&ports[i]);
	}
	return 0;
}

static int tear_down(void **state)
{
	for (int i = 0; i < 2; i++)
		vhost_connection_forget(&ports[i]);
	return 0;
}

/* Who connected: as the last one that was let in learnt. */
static bool dialled;

static int wait_for(int vid, const char *path)
{
	return vhost_connection_wait(vid, path, &dialled);
}

static void the_first_message_claims_the_port(void **state)
{
	assert_int_equal(wait_for(7, "/run/guest1"), 0);
	assert_null(vhost_connection_port(7));
	assert_false(vhost_connection_is_made(&ports[1]));
	assert_ptr_equal(vhost_connection_claim(7), &ports[1]);
	assert_ptr_equal(vhost_connection_claim(7), &ports[1]);
	assert_ptr_equal(vhost_connection_port(7), &ports[1]);
	assert_true(vhost_connection_is_made(&ports[1]));
	assert_false(vhost_connection_is_made(&ports[0]));
	assert_true(vhost_connection_exists(&ports[1]));
	assert_int_equal(vhost_connection_end(7), -1);
	assert_null(vhost_connection_claim(7));
	assert_false(vhost_connection_is_made(&ports[1]));
	assert_false(vhost_connection_exists(&ports[1]));
}

/* Whoever connects again is told of the end, also of one that never said anything. */
static void a_connection_of_ours_says_whom_to_tell(void **state)
{
	ports[0].dials = true;
	ports[0].ended_fd = 17;
	assert_int_equal(wait_for(3, "/run/guest1"), 0);
	assert_false(dialled);
	assert_int_equal(wait_for(4, "/run/guest0"), 0);
	assert_true(dialled);
	assert_true(vhost_connection_exists(&ports[0]));
	assert_false(vhost_connection_is_made(&ports[0]));
	assert_int_equal(vhost_connection_end(3), -1);
	assert_int_equal(vhost_connection_end(4), 17);
	assert_int_equal(vhost_connection_end(4), -1);
	assert_false(vhost_connection_exists(&ports[0]));
	assert_int_equal(wait_for(5, "/run/guest0"), 0);
	assert_ptr_equal(vhost_connection_claim(5), &ports[0]);
	assert_int_equal(vhost_connection_end(5), 17);
}

static void a_second_one_waits_until_the_first_is_gone(void **state)
{
	assert_int_equal(wait_for(1, "/run/guest0"), 0);
	assert_int_equal(wait_for(2, "/run/guest0"), 0);
	assert_ptr_equal(vhost_connection_claim(1), &ports[0]);
	assert_null(vhost_connection_claim(2));
	vhost_connection_end(1);
	assert_ptr_equal(vhost_connection_claim(2), &ports[0]);
	assert_int_equal(ports[0].vid, 2);
	vhost_connection_end(2);
}

static void four_wait_for_one_port(void **state)
{
	for (int vid = 0; vid < 4; vid++)
		assert_int_equal(wait_for(vid, "/run/guest0"), 0);
	assert_int_equal(wait_for(4, "/run/guest0"), -1);
	assert_int_equal(wait_for(4, "/run/guest1"), 0);
	/* One that has hung up, and one that was let in, make room. */
	vhost_connection_end(0);
	assert_int_equal(wait_for(5, "/run/guest0"), 0);
	assert_ptr_equal(vhost_connection_claim(1), &ports[0]);
	assert_int_equal(wait_for(6, "/run/guest0"), 0);
	assert_int_equal(wait_for(8, "/run/guest0"), -1);
}

static void nobody_waits_for_a_port_that_goes(void **state)
{
	assert_int_equal(wait_for(1, "/run/guest2"), -1);
	assert_int_equal(wait_for(1, "/run/guest0"), 0);
	assert_ptr_equal(vhost_connection_claim(1), &ports[0]);
	assert_int_equal(wait_for(2, "/run/guest0"), 0);
	vhost_connection_close(&ports[0]);
	assert_int_equal(wait_for(3, "/run/guest0"), -1);
	assert_ptr_equal(vhost_connection_port(1), &ports[0]);
	vhost_connection_forget(&ports[0]);
	assert_null(vhost_connection_claim(1));
	assert_null(vhost_connection_claim(2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_first_message_claims_the_port, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_connection_of_ours_says_whom_to_tell, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_second_one_waits_until_the_first_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(four_wait_for_one_port, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nobody_waits_for_a_port_that_goes, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
