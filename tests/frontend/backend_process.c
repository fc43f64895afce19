/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/backend_process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/frontend/deadline.h"

#define ARGUMENTS_MAX 64
#define PATH_VARIABLE "CHNET_VHOST"
/* Test programs run side by side, and a network has its name for itself: with our process' id. */
#define NETWORK "frontend-%d"

const char *backend_process_unusable(void)
{
	const char *path = getenv(PATH_VARIABLE);
	if (!path || access(path, X_OK) < 0)
		return PATH_VARIABLE " does not name the chnet-vhost program";
	if (geteuid() != 0)
		return "network namespaces need root";
	pid_t pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) < 0 ? 1 : 0);
	int status = 1;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		return "cannot make a network namespace";
	return NULL;
}

/* In the child. Does not return. */
static void run(const char *const arguments[], int ready_fd, int error_fd)
{
	const char *argv[ARGUMENTS_MAX + 6];
	char number[16], name[32];
	int count = 0;

	argv[count++] = getenv(PATH_VARIABLE);
	snprintf(name, sizeof(name), NETWORK, getppid());
	argv[count++] = "--name";
	argv[count++] = name;
	for (int i = 0; arguments[i] && count < ARGUMENTS_MAX; i++)
		argv[count++] = arguments[i];
	snprintf(number, sizeof(number), "%d", ready_fd);
	argv[count++] = "--ready-fd";
	argv[count++] = number;
	argv[count] = NULL;

	/* A test that is killed must not leave the program behind. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (unshare(CLONE_NEWNET) < 0 || dup2(error_fd, STDOUT_FILENO) < 0 ||
		dup2(error_fd, STDERR_FILENO) < 0 || fcntl(ready_fd, F_SETFD, 0) < 0)
		_exit(126);
	/* What the user of the tests has set must not change what is tested. */
	static const char *const names[] = {
		"TAP_NAME", "HOST_IP", "GUEST_IP", "GUEST_MAC", "NOTIFY_SOCKET"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static int open_error_file(struct backend_process *process, const char *directory)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/stderr", directory);
	process->error_fd = open(path, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	if (process->error_fd < 0)
		return -errno;
	process->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (process->watch_fd < 0 || inotify_add_watch(process->watch_fd, path, IN_MODIFY) < 0)
		return -errno;
	return 0;
}

int backend_process_start(
	struct backend_process *process, const char *directory, const char *const arguments[])
{
	int ready[2];

	*process = (struct backend_process){
		.ready_fd = -1, .error_fd = -1, .watch_fd = -1, .netns_fd = -1};
	int error = open_error_file(process, directory);
	if (error)
		return error;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	process->ready_fd = ready[0];
	pid_t pid = fork();
	if (pid == 0)
		run(arguments, ready[1], process->error_fd);
	error = pid < 0 ? -errno : 0;
	close(ready[1]);
	if (!error)
		process->pid = pid;
	return error;
}

int backend_process_wait_ready(struct backend_process *process)
{
	struct pollfd wait = {.fd = process->ready_fd, .events = POLLIN};
	char byte;

	if (poll(&wait, 1, DEADLINE_STEP_MS) == 0)
		return -ETIMEDOUT;
	if (read(process->ready_fd, &byte, 1) != 1)
		return -ECHILD;
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/net", process->pid);
	process->netns_fd = open(path, O_RDONLY | O_CLOEXEC);
	return process->netns_fd < 0 ? -errno : 0;
}

/* Waits until a process (a child of ours) has ended; false when it has not in time. */
static bool wait_process(pid_t pid)
{
	int fd = pidfd_open(pid, 0);
	if (fd < 0)
		return true; /* reaped already */
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	bool ended = poll(&wait, 1, DEADLINE_STEP_MS) > 0;
	close(fd);
	return ended;
}

int backend_process_wait_end(struct backend_process *process, int *ret_status)
{
	bool ended = wait_process(process->pid);
	if (!ended)
		kill(process->pid, SIGKILL);
	pid_t got = waitpid(process->pid, ret_status, 0);
	process->pid = 0;
	if (got < 0)
		return -errno;
	return ended ? 0 : -ETIMEDOUT;
}

int backend_process_stop(struct backend_process *process, int *ret_status)
{
	if (kill(process->pid, SIGTERM) < 0)
		return -errno;
	return backend_process_wait_end(process, ret_status);
}

void backend_process_fini(struct backend_process *process)
{
	if (process->pid > 0) {
		int status;
		backend_process_stop(process, &status);
	}
	int *fds[] = {
		&process->ready_fd, &process->error_fd, &process->watch_fd, &process->netns_fd};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

void backend_process_forget_leases(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/chnet/" NETWORK ".leases", getpid());
	unlink(path);
}

/* The parent of a process that has not ended; 0 when it has, or does not exist. */
static pid_t parent_of(const char *name)
{
	char path[300];
	char line[512];
	snprintf(path, sizeof(path), "/proc/%s/stat", name);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	size_t length = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	line[length] = '\0';
	/* "pid (name) state ppid": the name may contain anything. */
	const char *end = strrchr(line, ')');
	char state = 0;
	int parent = 0;
	if (!end || sscanf(end + 1, " %c %d", &state, &parent) != 2 || state == 'Z')
		return 0;
	return parent;
}

static unsigned int children_of(pid_t parent, pid_t *pids)
{
	unsigned int count = 0;
	DIR *directory = opendir("/proc");
	if (!directory)
		return 0;
	struct dirent *entry;
	while ((entry = readdir(directory)) && count < BACKEND_PROCESS_CHILDREN_MAX) {
		if (isdigit((unsigned char)entry->d_name[0]) && parent_of(entry->d_name) == parent)
			pids[count++] = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	closedir(directory);
	return count;
}

static bool is_dataplane(pid_t pid)
{
	char path[32], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	bool is = fgets(name, sizeof(name), file) && strcmp(name, "chnet-dataplane\n") == 0;
	fclose(file);
	return is;
}

unsigned int backend_process_children(const struct backend_process *process, pid_t *pids)
{
	pid_t children[BACKEND_PROCESS_CHILDREN_MAX];
	unsigned int count = process->pid > 0 ? children_of(process->pid, children) : 0;
	unsigned int found = 0;

	for (unsigned int i = 0; i < count; i++)
		if (is_dataplane(children[i]))
			pids[found++] = children[i];
	return found;
}

unsigned int backend_process_leftover_processes(void)
{
	pid_t pids[BACKEND_PROCESS_CHILDREN_MAX];
	unsigned int stubborn = 0;
	unsigned int count;

	while ((count = children_of(getpid(), pids)) > 0) {
		for (unsigned int i = 0; i < count; i++) {
			if (!wait_process(pids[i])) {
				kill(pids[i], SIGKILL);
				stubborn++;
			}
			waitpid(pids[i], NULL, 0);
		}
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return stubborn;
}

int backend_process_leftover_links(const struct backend_process *process)
{
	if (process->netns_fd < 0)
		return -EBADF;
	pid_t pid = fork();
	if (pid == 0) {
		struct if_nameindex *links;
		int count = 0;
		if (setns(process->netns_fd, CLONE_NEWNET) < 0 || !(links = if_nameindex()))
			_exit(255);
		while (links[count].if_index)
			count++;
		_exit(count - 1);
	}
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ||
		WEXITSTATUS(status) == 255)
		return -EIO;
	return WEXITSTATUS(status);
}

size_t backend_process_mark(const struct backend_process *process)
{
	off_t end = lseek(process->error_fd, 0, SEEK_END);
	return end < 0 ? 0 : (size_t)end;
}

/* Looks for the line in what is there now; -EAGAIN when it is not. */
static int find_line(const struct backend_process *process, size_t mark, const char *start,
	char *line, size_t size)
{
	size_t length = backend_process_mark(process) - mark;
	char *text = malloc(length + 1);
	if (!text)
		return -ENOMEM;
	ssize_t got = pread(process->error_fd, text, length, (off_t)mark);
	int result = got < 0 ? -errno : -EAGAIN;
	text[got < 0 ? 0 : got] = '\0';
	char *at = text;
	char *newline;
	while (result == -EAGAIN && (newline = strchr(at, '\n'))) {
		*newline = '\0';
		if (strncmp(at, start, strlen(start)) == 0) {
			result = (size_t)(newline - at) < size ? 0 : -ENOSPC;
			if (result == 0)
				memcpy(line, at, (size_t)(newline - at) + 1);
		}
		at = newline + 1;
	}
	free(text);
	return result;
}

int backend_process_wait_line(
	struct backend_process *process, size_t mark, const char *start, char *line, size_t size)
{
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
	char events[4096];

	for (;;) {
		/* Before the look, so that no change between the two is missed. */
		while (read(process->watch_fd, events, sizeof(events)) > 0)
			;
		int result = find_line(process, mark, start, line, size);
		if (result != -EAGAIN)
			return result;
		struct pollfd wait = {.fd = process->watch_fd, .events = POLLIN};
		if (poll(&wait, 1, deadline_left_ms(deadline)) == 0)
			return -ETIMEDOUT;
	}
}

void backend_process_show(const struct backend_process *process)
{
	char text[4096];
	off_t at = 0;
	ssize_t got;

	if (process->error_fd < 0)
		return;
	fprintf(stderr, "---- standard error of the back end:\n");
	while ((got = pread(process->error_fd, text, sizeof(text), at)) > 0) {
		fwrite(text, 1, (size_t)got, stderr);
		at += got;
	}
	fprintf(stderr, "----\n");
}

int backend_process_counter(struct backend_process *process, const char *name, uint64_t *ret_value)
{
	char start[128];
	char line[256];
	uint64_t value;

	snprintf(start, sizeof(start), "%s ", name);
	size_t mark = backend_process_mark(process);
	if (kill(process->pid, SIGUSR1) < 0)
		return -errno;
	int error = backend_process_wait_line(process, mark, start, line, sizeof(line));
	if (error)
		return error;
	if (sscanf(line + strlen(start), "%" SCNu64, &value) != 1)
		return -EPROTO;
	*ret_value = value;
	return 0;
}
