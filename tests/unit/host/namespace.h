/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A place of its own for each test program: new network and mount namespaces, which vanish with it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Enters new network and mount namespaces, with loopback up, /sys of the new network and an empty
 * /run. Ends the program with 77 (skipped), saying why, when it may not.
 */
void namespace_enter(void);

/* Leaves the current network for another new one; loopback is up. The files stay. */
void namespace_new_network(void);

/*
 * Makes a second network namespace and returns a descriptor of it, for namespace_join(); the caller
 * stays where it was.
 */
int namespace_make(void);

/* Enters the network namespace of `fd`. */
void namespace_join(int fd);

/* A descriptor of the present network namespace. */
int namespace_here(void);

/* Runs a shell command (printf style); the test fails when it does. */
__attribute__((format(printf, 1, 2))) void namespace_run(const char *format, ...);

/* Runs a command and returns what it printed, which stays valid until the next call. */
__attribute__((format(printf, 1, 2))) const char *namespace_output(const char *format, ...);

/* Is there an interface of this name? */
bool namespace_has_link(const char *name);

/* Runs `function` in a child process and returns its exit status; a signal is a failure. */
int namespace_in_child(int (*function)(void *), void *argument);

/*
 * Starts such a child, which ends by itself, by a signal, or with the test program; the caller
 * waits for it.
 */
pid_t namespace_fork(int (*function)(void *), void *argument);
