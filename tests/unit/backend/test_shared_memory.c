/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/shared_memory.h"

#define SIZE 12288

static void test_a_child_writes(void **state)
{
	static const uint8_t zeros[SIZE];
	struct shared_memory memory = {.address = NULL};
	int status;

	assert_int_equal(shared_memory_init(&memory, "chnet-test", SIZE), 0);
	assert_int_equal(memory.size, SIZE);
	assert_int_equal((uintptr_t)memory.address % 4096, 0);
	assert_memory_equal(memory.address, zeros, SIZE);
	pid_t child = fork();
	if (child == 0) {
		((uint8_t *)memory.address)[SIZE - 1] = 7;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(((uint8_t *)memory.address)[SIZE - 1], 7);
	shared_memory_fini(&memory);
	assert_null(memory.address);
	shared_memory_fini(&memory);
	shared_memory_fini(NULL);
}

/* The file behind the mapping, opened again through /proc, cannot be cut. */
static void test_the_size_is_sealed(void **state)
{
	struct shared_memory memory = {.address = NULL};
	char path[64], line[512];
	unsigned long start = 0, end = 0;

	assert_int_equal(shared_memory_init(&memory, "chnet-sealed", SIZE), 0);
	FILE *maps = fopen("/proc/self/maps", "r");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (strstr(line, "chnet-sealed"))
			assert_int_equal(sscanf(line, "%lx-%lx", &start, &end), 2);
	}
	fclose(maps);
	assert_int_equal(end - start, SIZE);
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", start, end);
	int fd = open(path, O_RDWR);
	if (fd >= 0) { /* needs rights in the first user namespace */
		assert_int_equal(ftruncate(fd, 0), -1);
		assert_int_equal(errno, EPERM);
		close(fd);
	}
	shared_memory_fini(&memory);
}

static void test_too_much(void **state)
{
	struct shared_memory memory = {.address = NULL};

	assert_true(shared_memory_init(&memory, "chnet-huge", SIZE_MAX / 2) < 0);
	assert_null(memory.address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_child_writes),
		cmocka_unit_test(test_the_size_is_sealed),
		cmocka_unit_test(test_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
