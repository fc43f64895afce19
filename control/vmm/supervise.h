/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a VMM in the foreground: with the terminal, with every signal passed on, and with what we
 * have to do meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

struct arguments;

/* How much of the VMM's complaints is kept, bytes. */
#define SUPERVISE_TAIL_SIZE 4096

struct supervise {
	int signal_fd;			/* signalfd of what we pass on, and of SIGCHLD; -1: none */
	bool terminal;			/* standard input is one, and these are its settings: */
	struct termios settings;	/* put back when the VMM has ended */
	pid_t pid;			/* the VMM while it runs; 0: none */
	int stop_signal;		/* the last signal that asked us to end; 0: none */
	char tail[SUPERVISE_TAIL_SIZE]; /* the end of the VMM's standard error, terminated; empty
					 * unless it was watched */
	size_t tail_length;		/* bytes */
};

/* Something that may happen beside the VMM. */
struct supervise_event {
	int fd; /* when it becomes readable, on_event is called; -1: none */
	void (*on_event)(void *context);
	void *context;
};

#define SUPERVISE_EVENTS 2

/* What is to be done beside the VMM. */
struct supervise_work {
	const int *keep_fds; /* descriptors that the VMM holds open, too; none is closed on exec */
	size_t keep_count;
	bool watch_errors; /* keep the end of standard error, which passes through us then */
	bool quiet;	   /* and do not pass it on */
	int output_fd;	   /* its standard output; -1: ours */
	struct supervise_event events[SUPERVISE_EVENTS];
};

/*
 * Blocks the signals that end programs and remembers the terminal's settings: from here on nothing
 * ends this process before it has cleaned up. Returns 0 or a negative errno.
 */
int supervise_init(struct supervise *supervise);

/* Gives back what supervise_init() took. NULL is allowed. */
void supervise_fini(struct supervise *supervise);

/*
 * Waits until `fd` is readable or hung up, or until somebody wants us to end. Returns 1 for the
 * descriptor, 0 when `limit_ms` are over, -EINTR for a signal, or another negative errno.
 */
int supervise_wait(struct supervise *supervise, int fd, int limit_ms);

/*
 * Starts the program and waits for its end. A signal of the terminal (Ctrl-C) reaches it by itself,
 * others are passed on. When this process is killed the VMM gets SIGTERM. Returns the wait status
 * (waitpid(2)), or a negative errno when it could not be started.
 */
int supervise_run(struct supervise *supervise, const struct arguments *arguments,
	const struct supervise_work *work);

/* Sends the VMM a signal, when one runs. */
void supervise_signal(const struct supervise *supervise, int number);

/* The exit code that stands for a wait status: its own, or 128 and the signal. */
int supervise_exit_code(int status);
