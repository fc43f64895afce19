/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each test of the sandbox forks a child, which enters it and tries something; its fate is the
 * result. Run as root, children start with every right that there is to lose.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/sandbox.h"

/* Exit codes of a child whose checks all held, and of one that could not enter; others say which
 * check did not hold. */
#define GOOD 0
#define NOT_ENTERED 99

static const char *const sandbox_directories[] = {"/tmp"};

/* Sockets in /tmp, and the user that we are. */
static inline struct sandbox_config own_config(pid_t parent)
{
	return (struct sandbox_config){
		.parent = parent,
		.uid = getuid(),
		.gid = getgid(),
		.directories = sandbox_directories,
		.directory_count = 1,
	};
}

/* Runs `body` in a child inside the sandbox of `config`; returns its wait status. */
static inline int in_sandbox_of(const struct sandbox_config *config, int (*body)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		const char *step;
		_exit(sandbox_enter(config, &step) ? NOT_ENTERED : body());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static inline int in_sandbox(int (*body)(void))
{
	const struct sandbox_config config = own_config(getpid());

	return in_sandbox_of(&config, body);
}

static inline void expect_good(int (*body)(void))
{
	int status = in_sandbox(body);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), GOOD);
}

static inline void expect_killed(int (*body)(void))
{
	int status = in_sandbox(body);

	if (!sandbox_has_filters())
		return;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}
