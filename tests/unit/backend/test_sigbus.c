/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that goes away, each time in a child process: what it lives through, what it dies of. */
#include "tests/unit/frame.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/port.h"
#include "backend/sigbus.h"

#define PAGE 4096
#define PAGES 16
#define SIZE ((size_t)PAGES * PAGE)
#define PORT 3

/* What a child found wrong; its exit code. */
#define CHECK(condition)                 \
	do {                             \
		if (!(condition))        \
			_exit(__LINE__); \
	} while (0)

/* Runs `child` in a process of its own; returns its wait status. */
static int run(void (*child)(void))
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		alarm(20);
		child();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_lives(void (*child)(void))
{
	int status = run(child);
	if (WIFSIGNALED(status))
		fail_msg("died of signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status))
		fail_msg("line %d (modulo 256)", WEXITSTATUS(status));
}

static void assert_dies(void (*child)(void))
{
	int status = run(child);
	if (WIFEXITED(status))
		fail_msg("line %d (modulo 256)", WEXITSTATUS(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

/* A guest's memory, and its file. */
static volatile uint8_t *guest;
static int guest_fd;

static volatile uint8_t *map_file(int *ret_fd, size_t size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	CHECK(fd >= 0 && !ftruncate(fd, (off_t)size));
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(memory != MAP_FAILED);
	memset(memory, 0xaa, size);
	*ret_fd = fd;
	return memory;
}

static void start(void)
{
	CHECK(sigbus_install() == 0);
	guest = map_file(&guest_fd, SIZE);
}

static void shrink(void)
{
	CHECK(!ftruncate(guest_fd, PAGE));
}

/* ---- a guest's mapping */

static void read_beyond(void)
{
	start();
	sigbus_watch(PORT, 0, (void *)guest, SIZE);
	shrink();
	CHECK(!sigbus_pending && !sigbus_hit(PORT));
	CHECK(guest[0] == 0xaa);
	errno = EXDEV;
	CHECK(guest[9 * PAGE + 7] == 0);
	CHECK(errno == EXDEV);
	/* The whole mapping was replaced, and can be written to. */
	CHECK(guest[0] == 0);
	for (size_t i = 0; i < SIZE; i++)
		guest[i] = 1;
	CHECK(sigbus_pending);
	CHECK(!sigbus_hit(PORT - 1) && !sigbus_hit(PORT + 1));
	CHECK(sigbus_hit(PORT));
	CHECK(!sigbus_hit(PORT)); /* told once */
}

static void write_beyond(void)
{
	start();
	sigbus_watch(PORT, 7, (void *)guest, SIZE);
	shrink();
	guest[SIZE - 1] = 5;
	CHECK(guest[SIZE - 1] == 5);
	CHECK(sigbus_hit(PORT));
}

static void system_call_beyond(void)
{
	/* The kernel touches it, nobody else: an error, no signal. */
	int fds[2];
	start();
	sigbus_watch(PORT, 0, (void *)guest, SIZE);
	shrink();
	CHECK(!pipe(fds));
	CHECK(write(fds[1], (const void *)(guest + 2 * PAGE), 10) == -1 && errno == EFAULT);
	CHECK(!sigbus_pending);
}

static void neighbours_memory_stays(void)
{
	int fd;
	start();
	volatile uint8_t *other = map_file(&fd, SIZE);
	sigbus_watch(PORT, 0, (void *)guest, SIZE);
	sigbus_watch(PORT + 1, 0, (void *)other, SIZE);
	shrink();
	CHECK(guest[SIZE - 1] == 0);
	for (size_t i = 0; i < SIZE; i++)
		CHECK(other[i] == 0xaa);
	CHECK(sigbus_hit(PORT) && !sigbus_hit(PORT + 1));
	/* And still in the file that its guest sees. */
	other[0] = 1;
	uint8_t byte = 0;
	CHECK(pread(fd, &byte, 1, 0) == 1 && byte == 1);
}

static void every_port_and_slot(void)
{
	start();
	for (uint16_t port = 0; port < PORT_MAX; port++) {
		for (unsigned int slot = 0; slot < 8; slot++) {
			int fd;
			volatile uint8_t *memory = map_file(&fd, 2 * PAGE);
			sigbus_watch(port, slot, (void *)memory, 2 * PAGE);
			CHECK(!ftruncate(fd, 0));
			CHECK(memory[PAGE] == 0 && sigbus_hit(port));
			sigbus_watch(port, slot, NULL, 0);
			CHECK(!munmap((void *)memory, 2 * PAGE) && !close(fd));
		}
	}
}

static void *touch(void *argument)
{
	CHECK(guest[SIZE - 1] == 0);
	return NULL;
}

static void other_thread(void)
{
	pthread_t thread;
	start();
	sigbus_watch(PORT, 0, (void *)guest, SIZE);
	shrink();
	CHECK(!pthread_create(&thread, NULL, touch, NULL));
	CHECK(!pthread_join(thread, NULL));
	CHECK(sigbus_hit(PORT));
}

static void survives(void **state)
{
	assert_lives(read_beyond);
	assert_lives(write_beyond);
	assert_lives(system_call_beyond);
	assert_lives(neighbours_memory_stays);
	assert_lives(every_port_and_slot);
	assert_lives(other_thread);
}

/* ---- elsewhere */

static void unknown_memory(void)
{
	start();
	shrink();
	guest[PAGE] = 1;
}

static void forgotten_memory(void)
{
	start();
	sigbus_watch(PORT, 0, (void *)guest, SIZE);
	sigbus_watch(PORT, 0, NULL, 0);
	shrink();
	guest[PAGE] = 1;
}

static void behind_the_mapping(void)
{
	start();
	sigbus_watch(PORT, 0, (void *)guest, 4 * PAGE);
	shrink();
	guest[4 * PAGE] = 1;
}

static void before_the_mapping(void)
{
	start();
	sigbus_watch(PORT, 0, (void *)(guest + 4 * PAGE), 4 * PAGE);
	shrink();
	guest[4 * PAGE - 1] = 1;
}

static void from_another_process(void)
{
	/* No fault: what stands for its address is the sender's process id. */
	start();
	sigbus_watch(PORT, 0, (void *)guest, SIZE);
	sigbus_message(PORT, true);
	kill(getpid(), SIGBUS);
}

static void dies(void **state)
{
	assert_dies(unknown_memory);
	assert_dies(forgotten_memory);
	assert_dies(behind_the_mapping);
	assert_dies(before_the_mapping);
	assert_dies(from_another_process);
}

/* ---- while a message is served */

static void unknown_while_serving(void)
{
	start();
	shrink();
	sigbus_message(PORT, true);
	guest[5 * PAGE + 9] = 1;
	sigbus_message(PORT, false);
	CHECK(guest[5 * PAGE + 9] == 1);
	CHECK(guest[0] == 0xaa); /* one page, since nobody knows more */
	CHECK(sigbus_hit(PORT));
}

static void after_serving(void)
{
	start();
	shrink();
	sigbus_message(PORT, true);
	sigbus_message(PORT, false);
	guest[PAGE] = 1;
}

static void other_thread_while_serving(void)
{
	pthread_t thread;
	start();
	shrink();
	sigbus_message(PORT, true);
	CHECK(!pthread_create(&thread, NULL, touch, NULL));
	pthread_join(thread, NULL);
	_exit(1);
}

static void only_the_thread_that_serves(void **state)
{
	assert_lives(unknown_while_serving);
	assert_dies(after_serving);
	assert_dies(other_thread_while_serving);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives),
		cmocka_unit_test(dies),
		cmocka_unit_test(only_the_thread_that_serves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
