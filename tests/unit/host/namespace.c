/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/host/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SKIPPED 77

static void loopback_up(void)
{
	namespace_run("ip link set lo up");
}

void namespace_enter(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) {
		printf("skipped: no namespaces of its own (%s), needs root\n", strerror(errno));
		exit(SKIPPED);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("sysfs", "/sys", "sysfs", 0, NULL) < 0 ||
		mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0) {
		printf("skipped: cannot mount (%s)\n", strerror(errno));
		exit(SKIPPED);
	}
	loopback_up();
}

void namespace_new_network(void)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	loopback_up();
}

int namespace_here(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

void namespace_join(int fd)
{
	assert_int_equal(setns(fd, CLONE_NEWNET), 0);
}

int namespace_make(void)
{
	int before = namespace_here();
	int made;

	namespace_new_network();
	made = namespace_here();
	namespace_join(before);
	close(before);
	return made;
}

void namespace_run(const char *format, ...)
{
	va_list arguments;
	char *command;

	va_start(arguments, format);
	assert_true(vasprintf(&command, format, arguments) >= 0);
	va_end(arguments);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
	free(command);
}

const char *namespace_output(const char *format, ...)
{
	static char output[65536];
	va_list arguments;
	char *command;
	size_t length;
	FILE *pipe;

	va_start(arguments, format);
	assert_true(vasprintf(&command, format, arguments) >= 0);
	va_end(arguments);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	length = fread(output, 1, sizeof(output) - 1, pipe);
	output[length] = '\0';
	if (pclose(pipe) != 0)
		fail_msg("failed: %s", command);
	free(command);
	return output;
}

bool namespace_has_link(const char *name)
{
	return if_nametoindex(name) != 0;
}

pid_t namespace_fork(int (*function)(void *), void *argument)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int status;

		/* a test that fails leaves nobody behind */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		status = function(argument);
		fflush(NULL);
		_exit(status);
	}
	return pid;
}

int namespace_in_child(int (*function)(void *), void *argument)
{
	int status;

	assert_true(waitpid(namespace_fork(function, argument), &status, 0) > 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}
