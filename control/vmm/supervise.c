/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * The VMM stays in our process group, so that it is in the terminal's foreground and the terminal's
 * own signals (SI_KERNEL) reach it without us; only what somebody sent to us alone is passed on.
 * All of them are blocked here and read from a signalfd.
 *
 * A VMM that cannot be started says so through a pipe that execvp() closes: its errno comes back
 * instead of an exit code that could be the VMM's.
 */
#include "control/vmm/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/vmm/arguments.h"

/* Those that ask to end, and those that a VMM may have a use for. */
static const int passed[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

static bool asks_to_end(int number)
{
	return number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT;
}

static void signals_of_ours(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		sigaddset(set, passed[i]);
	sigaddset(set, SIGCHLD);
}

int supervise_init(struct supervise *supervise)
{
	sigset_t set;

	*supervise = (struct supervise){.signal_fd = -1};
	signals_of_ours(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	/* Putting the terminal back must not stop us, and nobody may have asked to ignore the end
	 * of children: their status is needed. */
	signal(SIGTTOU, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	supervise->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (supervise->signal_fd < 0)
		return -errno;
	supervise->terminal = isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
			      tcgetattr(STDIN_FILENO, &supervise->settings) == 0;
	return 0;
}

void supervise_fini(struct supervise *supervise)
{
	if (!supervise || supervise->signal_fd < 0)
		return;
	close(supervise->signal_fd);
	supervise->signal_fd = -1;
}

/* Reads what came; passes it on to `pid` unless that is 0. */
static void read_signals(struct supervise *supervise, pid_t pid)
{
	struct signalfd_siginfo info;

	while (read(supervise->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGCHLD)
			continue;
		if (asks_to_end(number))
			supervise->stop_signal = number;
		/* That of a terminal reaches its whole foreground. */
		if (pid > 0 && info.ssi_code != SI_KERNEL)
			kill(pid, number);
	}
}

int supervise_wait(struct supervise *supervise, int fd, int limit_ms)
{
	for (;;) {
		struct pollfd events[] = {
			{.fd = supervise->signal_fd, .events = POLLIN},
			{.fd = fd, .events = POLLIN},
		};
		int count = poll(events, 2, limit_ms);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (events[0].revents)
			read_signals(supervise, 0);
		if (supervise->stop_signal)
			return -EINTR;
		if (events[1].revents)
			return 1;
		if (count == 0)
			return 0;
	}
}

/* In the child: becomes the program, or tells why not. */
static void become(const struct arguments *arguments, const struct supervise_work *work,
	int error_fd, int report_fd)
{
	sigset_t set;

	signals_of_ours(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGTTOU, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	for (size_t i = 0; i < work->keep_count; i++)
		fcntl(work->keep_fds[i], F_SETFD, 0);
	if ((error_fd < 0 || dup2(error_fd, STDERR_FILENO) >= 0) &&
		(work->output_fd < 0 || dup2(work->output_fd, STDOUT_FILENO) >= 0))
		execvp(arguments->words[0], arguments->words);
	int error = errno;
	ssize_t written = write(report_fd, &error, sizeof(error));
	(void)written;
	_exit(127);
}

/* Starts the program; *ret_error_fd is the other end of its standard error when it is watched. */
static int start(const struct arguments *arguments, const struct supervise_work *work,
	pid_t *ret_pid, int *ret_error_fd)
{
	int report[2], errors[2] = {-1, -1}, error = 0;
	pid_t pid = -1;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	if (work->watch_errors && pipe2(errors, O_CLOEXEC) < 0) {
		error = errno;
		goto fail;
	}
	pid = fork();
	if (pid == 0)
		become(arguments, work, errors[1], report[1]);
	if (pid < 0)
		error = errno;
	close(report[1]);
	report[1] = -1;
	if (errors[1] >= 0)
		close(errors[1]);
	errors[1] = -1;
	if (pid > 0 && read(report[0], &error, sizeof(error)) == sizeof(error))
		waitpid(pid, NULL, 0);
	if (error)
		goto fail;
	close(report[0]);
	*ret_pid = pid;
	*ret_error_fd = errors[0];
	return 0;
fail:
	for (int i = 0; i < 2; i++) {
		if (report[i] >= 0)
			close(report[i]);
		if (errors[i] >= 0)
			close(errors[i]);
	}
	return -error;
}

/*
 * Copies what the VMM says to our standard error, unless `quiet`, and keeps the end of it. False at
 * its end.
 */
static bool pass_errors(struct supervise *supervise, int fd, bool quiet)
{
	char text[SUPERVISE_TAIL_SIZE / 2];
	ssize_t length = read(fd, text, sizeof(text));
	size_t keep = supervise->tail_length;

	if (length <= 0)
		return length < 0 && (errno == EINTR || errno == EAGAIN);
	for (ssize_t done = quiet ? length : 0; done < length;) {
		ssize_t written = write(STDERR_FILENO, text + done, (size_t)(length - done));

		if (written < 0 && errno != EINTR)
			break;
		done += written > 0 ? written : 0;
	}
	if (keep + (size_t)length >= sizeof(supervise->tail)) {
		keep = sizeof(supervise->tail) / 2 - 1;
		if (keep > supervise->tail_length)
			keep = supervise->tail_length;
		memmove(supervise->tail, supervise->tail + supervise->tail_length - keep, keep);
	}
	memcpy(supervise->tail + keep, text, (size_t)length);
	supervise->tail_length = keep + (size_t)length;
	supervise->tail[supervise->tail_length] = '\0';
	return true;
}

/* Waits for the program's end. */
static int watch(
	struct supervise *supervise, const struct supervise_work *work, pid_t pid, int error_fd)
{
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		struct pollfd events[2 + SUPERVISE_EVENTS] = {
			{.fd = supervise->signal_fd, .events = POLLIN},
			{.fd = error_fd, .events = POLLIN},
		};

		for (int i = 0; i < SUPERVISE_EVENTS; i++)
			events[2 + i] = (struct pollfd){.fd = work->events[i].fd, .events = POLLIN};
		if (poll(events, 2 + SUPERVISE_EVENTS, -1) < 0)
			continue; /* EINTR by a debugger */
		for (int i = 0; i < SUPERVISE_EVENTS; i++)
			if (events[2 + i].revents)
				work->events[i].on_event(work->events[i].context);
		if (events[1].revents && !pass_errors(supervise, error_fd, work->quiet)) {
			close(error_fd);
			error_fd = -1;
		}
		if (events[0].revents)
			read_signals(supervise, pid);
	}
	/* The rest of what it said; somebody whom it left behind may hold the other end open. */
	if (error_fd >= 0) {
		fcntl(error_fd, F_SETFL, O_NONBLOCK);
		do
			errno = 0;
		while (pass_errors(supervise, error_fd, work->quiet) && errno != EAGAIN);
		close(error_fd);
	}
	return status;
}

int supervise_run(struct supervise *supervise, const struct arguments *arguments,
	const struct supervise_work *work)
{
	int error_fd = -1, status;
	pid_t pid = -1;

	supervise->tail_length = 0;
	supervise->tail[0] = '\0';
	int r = start(arguments, work, &pid, &error_fd);
	if (r < 0)
		return r;
	supervise->pid = pid;
	status = watch(supervise, work, pid, error_fd);
	supervise->pid = 0;
	if (supervise->terminal)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &supervise->settings);
	return status;
}

void supervise_signal(const struct supervise *supervise, int number)
{
	if (supervise->pid > 0)
		kill(supervise->pid, number);
}

int supervise_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
