/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/host_record.h"
#include "control/host/namespace_id.h"
#include "tests/unit/host/namespace.h"

#define DIRECTORY "/run/chnet"

static int set_up(void **state)
{
	namespace_new_network();
	namespace_run("rm -rf " DIRECTORY " && mkdir " DIRECTORY);
	return 0;
}

static struct host_record record_default(void)
{
	struct host_record record = {.tap = "tap0",
		.index = 7,
		.kept = true,
		.owner = 1000,
		.address_be = {inet_addr("172.16.0.1")},
		.prefix_length = 24,
		.forwards = UINT64_C(0xfedcba9876543210)};

	assert_int_equal(namespace_id(&record.netns), 0);
	return record;
}

/* Field by field: what lies between them means nothing. */
static void assert_records_equal(const struct host_record *got, const struct host_record *expected)
{
	assert_string_equal(got->tap, expected->tap);
	assert_int_equal(got->index, expected->index);
	assert_int_equal(got->netns, expected->netns);
	assert_int_equal(got->kept, expected->kept);
	assert_int_equal(got->owner, expected->owner);
	assert_int_equal(got->address_be.s_addr, expected->address_be.s_addr);
	assert_int_equal(got->prefix_length, expected->prefix_length);
	assert_int_equal(got->forwards, expected->forwards);
}

static void writes_and_reads(void **state)
{
	struct host_record record = record_default(), got;
	int fd;

	assert_int_equal(host_record_open(DIRECTORY, "default", true, &fd), 0);
	assert_int_equal(host_record_read(fd, &got), -ENOENT);
	assert_int_equal(host_record_write(fd, &record), 0);
	close(fd);
	assert_int_equal(host_record_open(DIRECTORY, "default", false, &fd), 0);
	assert_int_equal(host_record_read(fd, &got), 0);
	assert_records_equal(&got, &record);
	close(fd);
	assert_int_equal(host_record_open(DIRECTORY, "default", true, &fd), 0);
	/* a shorter one leaves nothing of the longer one */
	record.index = 1;
	record.kept = false;
	assert_int_equal(host_record_write(fd, &record), 0);
	assert_int_equal(host_record_read(fd, &got), 0);
	assert_records_equal(&got, &record);
	host_record_remove(DIRECTORY, "default", fd);
	assert_int_equal(access(DIRECTORY "/default.host", F_OK), -1);
	assert_int_equal(host_record_open(DIRECTORY, "default", false, &fd), -ENOENT);
}

static void only_one_holds_it(void **state)
{
	int first, second;

	assert_int_equal(host_record_open(DIRECTORY, "default", true, &first), 0);
	assert_int_equal(host_record_open(DIRECTORY, "default", true, &second), -EWOULDBLOCK);
	assert_int_equal(host_record_open(DIRECTORY, "other", true, &second), 0);
	close(second);
	close(first);
	assert_int_equal(host_record_open(DIRECTORY, "default", true, &second), 0);
	close(second);
}

static void refuses_nonsense(void **state)
{
	static const char *const texts[] = {
		"x",
		"tap tap0 7",
		"tap tap0 7 netns 1 kept 0 owner 0 address 172.16.0.1/24",
		"tap a/b 7 netns 1 kept 0 owner 0 address 172.16.0.1/24 forwards 0",
		"tap tap0 7 netns 1 kept 0 owner 0 address 1.2.3/24 forwards 0",
	};
	struct host_record record;
	int fd;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(host_record_open(DIRECTORY, "default", true, &fd), 0);
		assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
		assert_int_equal(host_record_read(fd, &record), -EBADMSG);
		host_record_remove(DIRECTORY, "default", fd);
	}
}

static void undoes_only_what_it_names(void **state)
{
	struct host_record record = record_default();

	namespace_run("ip tuntap add dev tap0 mode tap");
	record.index = (int)if_nametoindex("tap0");
	/* the same number under another name, and the same name under another number */
	memcpy(record.tap, "tap1", sizeof("tap1"));
	assert_int_equal(host_record_undo(DIRECTORY, "default", &record), 0);
	assert_true(namespace_has_link("tap0"));
	memcpy(record.tap, "tap0", sizeof("tap0"));
	record.index++;
	assert_int_equal(host_record_undo(DIRECTORY, "default", &record), 0);
	assert_true(namespace_has_link("tap0"));
	/* another network namespace */
	record.index--;
	record.netns++;
	assert_int_equal(host_record_undo(DIRECTORY, "default", &record), -EXDEV);
	assert_true(namespace_has_link("tap0"));
	record.netns--;
	assert_int_equal(host_record_undo(DIRECTORY, "default", &record), 0);
	assert_false(namespace_has_link("tap0"));
	/* nothing left to do */
	assert_int_equal(host_record_undo(DIRECTORY, "default", &record), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(writes_and_reads, set_up),
		cmocka_unit_test_setup(only_one_holds_it, set_up),
		cmocka_unit_test_setup(refuses_nonsense, set_up),
		cmocka_unit_test_setup(undoes_only_what_it_names, set_up),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
