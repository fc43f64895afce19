/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/memory_available.h"

static uint64_t read_text(const char *text)
{
	FILE *file = fmemopen((char *)text, strlen(text), "r");
	assert_non_null(file);
	uint64_t bytes = memory_available_read(file);
	fclose(file);
	return bytes;
}

static void texts(void **state)
{
	assert_int_equal(read_text("MemTotal:       24683000 kB\nMemFree:         100 kB\n"
				   "MemAvailable:     2048 kB\nBuffers: 7 kB\n"),
		2048 * 1024);
	assert_int_equal(read_text("MemAvailable: 0 kB\n"), 0);
	assert_int_equal(read_text("MemTotal: 24683000 kB\n"), UINT64_MAX);
	assert_int_equal(read_text("MemAvailable: 18446744073709551615 kB\n"), UINT64_MAX);
	assert_int_equal(read_text("MemAvailable: much\n"), UINT64_MAX);
}

static void this_machine(void **state)
{
	uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	assert_in_range(memory_available(), 1 << 20, total);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
