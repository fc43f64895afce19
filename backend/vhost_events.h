/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Wakes librte_vhost's thread, so that a socket is served from the moment that it listens.
 *
 * In DPDK 22.11 that thread sleeps in poll() on the descriptors it knew when it went to sleep, for
 * up to a second. New connections wake it through a pipe of the library's own; new listening
 * sockets do not: a front end that connects at once is accepted up to a second later, after each
 * start of a data plane. Newer releases use epoll and do not have that pause.
 *
 * The pipe is private, so it is found by what it is: made by the first rte_vhost_driver_start(),
 * its reading end has the lowest free descriptor at that time. Where there is none (a release
 * without it), nothing is written anywhere.
 */
#pragma once

/* Before the first rte_vhost_driver_start() of the process, while no other thread opens
 * descriptors. Returns what vhost_events_find() needs: a descriptor's number, or a negative
 * errno. */
int vhost_events_before(void);

/* Behind it, with that number. Returns the pipe's writing end, or -ENOENT. The library owns it. */
int vhost_events_find(int before);

/* Makes the thread look at its sockets anew, `pipe` being what vhost_events_find() returned; does
 * nothing when that was an error. */
void vhost_events_wake(int pipe);
