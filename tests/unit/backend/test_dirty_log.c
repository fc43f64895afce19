/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/dirty_log.h"

#define FILE_SIZE 8192

static int make_file(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, FILE_SIZE), 0);
	return fd;
}

static uint8_t byte_at(int fd, off_t offset)
{
	uint8_t byte;
	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	return byte;
}

static void pages_have_their_bits(void **state)
{
	(void)state;
	static const struct {
		uint64_t guest, length;
		uint8_t bytes[3]; /* of the log, from its second on */
	} cases[] = {
		{8 * 4096, 1, {0x01}},
		{9 * 4096 - 1, 1, {0x01}},
		{9 * 4096 - 1, 2, {0x03}},
		{9 * 4096, 4096, {0x02}},
		{9 * 4096, 4097, {0x06}},
		{15 * 4096 + 7, 4096, {0x80, 0x01}},
		{14 * 4096 + 4095, 11 * 4096, {0xc0, 0xff, 0x03}},
		{12 * 4096, 0, {0x00}},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dirty_log log;
		int fd = make_file();
		assert_int_equal(dirty_log_init(&log, fd, 16, 0), 0);
		dirty_log_mark(&log, cases[i].guest, cases[i].length);
		assert_int_equal(byte_at(fd, 0), 0);
		for (int j = 0; j < 3; j++)
			assert_int_equal(byte_at(fd, 1 + j), cases[i].bytes[j]);
		for (int j = 4; j < 16; j++)
			assert_int_equal(byte_at(fd, j), 0);
		dirty_log_fini(&log);
		close(fd);
	}
}

/* Others' marks stay. */
static void marks_are_added(void **state)
{
	(void)state;
	struct dirty_log log;
	int fd = make_file();
	assert_int_equal(dirty_log_init(&log, fd, 4, 0), 0);
	log.bits[0] = 0x90;
	dirty_log_mark(&log, 4096, 1);
	dirty_log_mark(&log, 4096, 1);
	assert_int_equal(byte_at(fd, 0), 0x92);
	dirty_log_fini(&log);
	close(fd);
}

static void offset_may_lie_anywhere(void **state)
{
	(void)state;
	static const uint64_t offsets[] = {0, 1, 4095, 4096, 5000, FILE_SIZE - 1};
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct dirty_log log;
		int fd = make_file();
		assert_int_equal(dirty_log_init(&log, fd, 1, offsets[i]), 0);
		dirty_log_mark(&log, 4096, 100 * 4096);
		for (off_t at = 0; at < FILE_SIZE; at++)
			assert_int_equal(byte_at(fd, at), (uint64_t)at == offsets[i] ? 0xfe : 0);
		dirty_log_fini(&log);
		close(fd);
	}
}

static void what_lies_beyond_is_left_alone(void **state)
{
	(void)state;
	struct dirty_log log;
	int fd = make_file();
	assert_int_equal(dirty_log_init(&log, fd, 2, 0), 0);
	dirty_log_mark(&log, 15 * 4096, 10 * 4096);
	dirty_log_mark(&log, UINT64_MAX - 4096, 4096);
	assert_int_equal(byte_at(fd, 0), 0);
	assert_int_equal(byte_at(fd, 1), 0x80);
	assert_int_equal(byte_at(fd, 2), 0);
	dirty_log_fini(&log);
	close(fd);
}

static void file_must_hold_the_log(void **state)
{
	(void)state;
	static const struct {
		uint64_t size, offset;
	} cases[] = {{0, 0}, {FILE_SIZE + 1, 0}, {FILE_SIZE, 1}, {1, FILE_SIZE}, {2, UINT64_MAX},
		{UINT64_MAX, 1}};
	struct dirty_log log = {.size = 77};
	int fd = make_file();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(dirty_log_init(&log, fd, cases[i].size, cases[i].offset), -EINVAL);
	close(fd);
	assert_int_equal(dirty_log_init(&log, fd, 1, 0), -EBADF);
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(dirty_log_init(&log, pipes[0], 1, 0), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	/* Untouched on failure. */
	assert_int_equal(log.size, 77);
}

static void fini_twice(void **state)
{
	(void)state;
	struct dirty_log log;
	int fd = make_file();
	assert_int_equal(dirty_log_init(&log, fd, FILE_SIZE, 0), 0);
	close(fd);
	dirty_log_fini(&log);
	assert_null(log.bits);
	dirty_log_fini(&log);
}

#define HUGE_PAGE (2 << 20)

static int make_huge_file(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	if (fd >= 0)
		assert_int_equal(ftruncate(fd, 2 * HUGE_PAGE), 0);
	return fd;
}

/* What is mapped, or would be if there were memory for it, are whole huge pages. */
static void offset_may_lie_in_a_huge_page(void **state)
{
	(void)state;
	static const uint64_t offsets[] = {0, 4096, 5000, HUGE_PAGE - 8, 2 * HUGE_PAGE - 16};
	int fd = make_huge_file();
	if (fd < 0) {
		printf("no hugetlbfs here: %s\n", strerror(errno));
		skip();
	}
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct dirty_log log = {0};
		int error = dirty_log_init(&log, fd, 16, offsets[i]);
		assert_true(error == 0 || error == -ENOMEM);
		dirty_log_fini(&log);
	}
	close(fd);
}

/* Its pages are given back: munmap() of a part of one fails. */
static void huge_pages_are_unmapped(void **state)
{
	(void)state;
	struct dirty_log log;
	unsigned char resident[1];
	int fd = make_huge_file();
	int error = fd < 0 ? -ENOMEM : dirty_log_init(&log, fd, 4096, HUGE_PAGE + 4096);
	if (fd >= 0)
		close(fd);
	if (error == -ENOMEM) {
		printf("no huge pages here (vm.nr_hugepages)\n");
		skip();
	}
	assert_int_equal(error, 0);
	dirty_log_mark(&log, 4096, 1);
	uint8_t *mapping = log.mapping;
	assert_int_equal(log.mapped, HUGE_PAGE);
	assert_int_equal(mapping[4096], 2);
	dirty_log_fini(&log);
	assert_int_equal(mincore(mapping, 1, resident), -1);
	assert_int_equal(errno, ENOMEM);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(pages_have_their_bits),
	cmocka_unit_test(marks_are_added),
	cmocka_unit_test(offset_may_lie_anywhere),
	cmocka_unit_test(what_lies_beyond_is_left_alone),
	cmocka_unit_test(file_must_hold_the_log),
	cmocka_unit_test(fini_twice),
	cmocka_unit_test(offset_may_lie_in_a_huge_page),
	cmocka_unit_test(huge_pages_are_unmapped),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
