/* SPDX-License-Identifier: BSD-3-Clause */
/* When to try again, and what the log gets to hear. Connections: test_guests.c. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/dialler.h"
#include "backend/vhost_dial.h"

#define MS 1000000u

static char path[64];
static struct dialler dialler;
static struct options options;
static struct vhost_port ports[OPTIONS_SOCKETS_MAX];
static int saved_stderr;

static int set_up(void **state)
{
	char error[256];
	char spec[80];
	char *words[] = {"chnet-vhost", "--socket", "/nowhere/0", "--socket", spec};
	enum options_action action;

	strcpy(path, "/tmp/chnet-test-XXXXXX");
	int fd = mkstemp(path);
	snprintf(spec, sizeof(spec), "%s,mode=server", path);
	assert_int_equal(options_parse(5, words, &options, &action, error, sizeof(error)), 0);
	memset(ports, 0, sizeof(ports));
	strcpy(ports[1].path, path);
	unlink(path);
	close(fd);
	log_set_level(LOG_LEVEL_INFO);
	/* The log goes to a file without a name. */
	saved_stderr = dup(STDERR_FILENO);
	fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	assert_true(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	close(fd);
	return dialler_init(&dialler);
}

static int tear_down(void **state)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	dialler_fini(&dialler);
	dialler_fini(&dialler);
	unlink(path);
	return 0;
}

static unsigned int lines(const char *text)
{
	static char all[1 << 16];
	unsigned int count = 0;
	ssize_t length = pread(STDERR_FILENO, all, sizeof(all) - 1, 0);

	assert_true(length >= 0);
	all[length] = 0;
	for (const char *at = all; (at = strstr(at, text)); at += strlen(text))
		count++;
	return count;
}

static int run(uint64_t now_ns)
{
	return dialler_run(&dialler, &options, ports, now_ns);
}

static void make_file(void)
{
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

static void waits_and_says_so_once(void **state)
{
	uint64_t now_ns = 5 * UINT64_C(1000000000);

	for (int i = 0; i < 50; i++, now_ns += VHOST_DIAL_INTERVAL_NS)
		assert_int_equal(run(now_ns), 100);
	assert_int_equal(lines("port 1: waits for a VMM to listen at"), 1);
	assert_int_equal(lines("\n"), 1);
	/* Too early: nothing is looked at, and the rest of the pause is left. */
	now_ns -= VHOST_DIAL_INTERVAL_NS;
	make_file();
	assert_int_equal(run(now_ns + 30 * MS), 70);
	assert_int_equal(run(now_ns + 99 * MS + 1), 1);
	assert_int_equal(lines("\n"), 1);
	assert_int_equal(run(now_ns + 100 * MS), 100);
	assert_int_equal(lines("warning: port 1: "), 1);
	assert_int_equal(lines("is no socket: remove it"), 1);
	/* Nor is a link, wherever it leads: the monitor sees it so at the start. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/nowhere", path), 0);
	assert_int_equal(run(now_ns + 200 * MS), 100);
	assert_int_equal(lines("\n"), 2);
	now_ns += 100 * MS;
	/* The end of a connection is taken note of, and changes no pause. */
	eventfd_write(dialler.ended_fd, 1);
	assert_int_equal(run(now_ns + 150 * MS), 50);
	eventfd_t left;
	assert_int_equal(eventfd_read(dialler.ended_fd, &left), -1);
}

/* Whoever may write to the directory can do this all day. */
static void lines_are_limited(void **state)
{
	uint64_t now_ns = 1;

	for (int i = 0; i < 50; i++, now_ns += VHOST_DIAL_INTERVAL_NS) {
		if (i % 2)
			unlink(path);
		else
			make_file();
		run(now_ns);
	}
	assert_int_equal(lines("\n"), DIALLER_LINES);
	make_file();
	run(now_ns + DIALLER_LINE_NS);
	unlink(path);
	run(now_ns + 2 * DIALLER_LINE_NS);
	assert_int_equal(lines("\n"), DIALLER_LINES + 2);
	/* Another port of that number begins anew. */
	unsigned int before = lines("waits for");
	dialler_begin(&dialler, 1);
	run(now_ns + 2 * DIALLER_LINE_NS);
	assert_int_equal(lines("waits for"), before + 1);
}

static void nothing_to_do_without_such_a_port(void **state)
{
	options.sockets[1].vmm_listens = false;
	assert_int_equal(run(1), -1);
	options.sockets[1].vmm_listens = true;
	options.sockets[1].path[0] = 0;
	assert_int_equal(run(1), -1);
	assert_int_equal(lines("\n"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(waits_and_says_so_once),
		TEST(lines_are_limited),
		TEST(nothing_to_do_without_such_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
