/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/run/backend_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/vmm/arguments.h"

/* What chnet-vhost writes in front of each line. */
#define NAME "chnet-vhost: "
/* How much of the end of a log is looked at, bytes. */
#define TAIL_SIZE 4096

/* In the child: becomes chnet-vhost. Returns an errno when that fails. */
static int become(struct arguments *line, int log_fd, int lifeline_fd, int ready_fd)
{
	sigset_t none;
	int null;

	arguments_add(line, "--lifeline-fd");
	arguments_add(line, "%d", lifeline_fd);
	arguments_add(line, "--ready-fd");
	arguments_add(line, "%d", ready_fd);
	if (line->failed)
		return ENOMEM;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTTOU, SIG_DFL);
	setsid();
	fcntl(lifeline_fd, F_SETFD, 0);
	fcntl(ready_fd, F_SETFD, 0);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log_fd, STDOUT_FILENO) < 0 ||
		dup2(log_fd, STDERR_FILENO) < 0)
		return errno;
	execv(line->words[0], line->words);
	return errno;
}

/* A copy, to which more can be added. */
static void copy(const struct arguments *from, struct arguments *to)
{
	for (size_t i = 0; i < from->count; i++)
		arguments_add(to, "%s", from->words[i]);
}

int backend_process_start(const struct arguments *arguments, const char *log, int lifeline_fd,
	pid_t *ret_pid, int *ret_ready_fd)
{
	struct arguments line = {0};
	int ready[2], report[2], error = 0;
	pid_t pid;
	int log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
		(mode_t)0644);

	if (log_fd < 0)
		return -errno;
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0) {
		error = errno; /* descriptors are short: this process is about to end */
		close(log_fd);
		return -error;
	}
	copy(arguments, &line);
	pid = fork();
	if (pid == 0) {
		error = become(&line, log_fd, lifeline_fd, ready[1]);
		ssize_t written = write(report[1], &error, sizeof(error));
		(void)written;
		_exit(127);
	}
	error = pid < 0 ? errno : 0;
	arguments_fini(&line);
	close(log_fd);
	close(ready[1]);
	close(report[1]);
	if (pid > 0 && read(report[0], &error, sizeof(error)) == sizeof(error))
		waitpid(pid, NULL, 0);
	close(report[0]);
	if (error) {
		close(ready[0]);
		return -error;
	}
	*ret_pid = pid;
	*ret_ready_fd = ready[0];
	return 0;
}

void backend_process_complaint(const char *log, char *text, size_t size)
{
	char tail[TAIL_SIZE];
	int fd = open(log, O_RDONLY | O_CLOEXEC);
	ssize_t length = -1;
	char *line;

	if (fd >= 0) {
		off_t end = lseek(fd, 0, SEEK_END);

		length = pread(fd, tail, sizeof(tail) - 1,
			end > (off_t)sizeof(tail) - 1 ? end - (off_t)sizeof(tail) + 1 : 0);
		close(fd);
	}
	while (length > 0 && tail[length - 1] == '\n')
		length--;
	if (length <= 0) {
		snprintf(text, size, "chnet-vhost ended and did not say why");
		return;
	}
	tail[length] = '\0';
	line = strrchr(tail, '\n');
	line = line ? line + 1 : tail;
	if (strncmp(line, NAME, sizeof(NAME) - 1) == 0)
		line += sizeof(NAME) - 1;
	snprintf(text, size, "%s", line);
}
