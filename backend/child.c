/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/log.h"
#include "backend/sandbox.h"
#include "control/host/tap.h"

/* Standard streams, the ready pipe, locks, TAP queues; the API's socket, its lock, and the line to
 * the monitor. */
#define KEPT_MAX (3 + 1 + SOCKET_CLAIM_MAX + TAP_QUEUES_MAX + 3)
#define CHILD_TEXT_ERROR 512

static int compare(const void *left, const void *right)
{
	return *(const int *)left - *(const int *)right;
}

int child_close_others(int kept[], size_t count)
{
	unsigned int next = 0;

	qsort(kept, count, sizeof(kept[0]), compare);
	for (size_t i = 0; i < count; i++) {
		unsigned int fd = (unsigned int)kept[i];
		if (fd > next && close_range(next, fd - 1, 0) < 0)
			return -errno;
		next = fd + 1;
	}
	return close_range(next, ~0U, 0) < 0 ? -errno : 0;
}

/* Adds descriptors to those that stay open; none for -1, and none for 0, an entry that was not
 * set. */
static size_t keep(int kept[], size_t count, const int *fds, size_t added)
{
	for (size_t i = 0; i < added; i++)
		if (fds[i] > 0)
			kept[count++] = fds[i];
	return count;
}

static int keep_only_ours(const struct child_config *config, int ready_fd)
{
	int kept[KEPT_MAX] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, ready_fd};
	size_t count = 4;

	for (unsigned int i = 0; i < config->tap_count; i++)
		kept[count++] = config->dataplane.tap_fds[i];
	count = keep(
		kept, count, socket_claim_fds(config->claim), socket_claim_count(config->claim));
	count = keep(kept, count, config->kept_fds, sizeof(config->kept_fds) / sizeof(int));

	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -errno;
	return child_close_others(kept, count);
}

void child_raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int live(const struct child_config *config, pid_t monitor, int ready_fd)
{
	struct dataplane_config dataplane = config->dataplane;
	const struct sandbox_config sandbox = {
		.parent = monitor,
		.uid = socket_claim_owner(config->claim),
		.gid = socket_claim_group(config->claim),
		.connects = config->connects,
		.directories = config->directories,
		.directory_count = config->directory_count,
	};
	char text[CHILD_TEXT_ERROR];
	const char *step = "close the monitor's descriptors";

	prctl(PR_SET_NAME, "chnet-dataplane", 0, 0, 0);
	/* A guest costs about twenty: memory regions, rings, connection. */
	child_raise_descriptor_limit();
	int error = keep_only_ours(config, ready_fd);
	if (!error)
		error = sandbox_enter(&sandbox, &step);
	if (error) {
		log_error("cannot %s: %s", step, strerror(-error));
		return EXIT_FAILURE;
	}
	if (!sandbox_has_filters())
		log_debug("built with a sanitizer: running without system call filters");
	if (socket_claim_check_rights(config->claim, text, sizeof(text)) < 0) {
		log_error("%s", text);
		return EXIT_FAILURE;
	}
	dataplane.ready_fd = ready_fd;
	return config->run(&dataplane);
}

int child_start(const struct child_config *config, pid_t *ret_pid, int *ret_ready_fd)
{
	int ends[2];
	pid_t monitor = getpid();

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	fflush(NULL); /* or both processes write what is buffered */
	pid_t pid = fork();
	if (pid < 0) {
		int error = -errno;
		close(ends[0]);
		close(ends[1]);
		return error;
	}
	if (pid == 0) {
		/* _exit: what is registered for the end of the process is the monitor's. */
		int code = live(config, monitor, ends[1]);
		fflush(NULL);
		_exit(code);
	}
	close(ends[1]);
	*ret_pid = pid;
	*ret_ready_fd = ends[0];
	return 0;
}

const char *child_describe(int status, char text[CHILD_TEXT_CAPACITY])
{
	if (WIFSIGNALED(status))
		snprintf(text, CHILD_TEXT_CAPACITY, "was killed by signal %d (%s%s)",
			WTERMSIG(status), strsignal(WTERMSIG(status)),
			WTERMSIG(status) == SIGSYS ? ": its sandbox forbids what it tried" : "");
	else
		snprintf(text, CHILD_TEXT_CAPACITY, "ended with exit code %d", WEXITSTATUS(status));
	return text;
}
