/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Low descriptor numbers that are kept free for connections, so that listening sockets have higher
 * ones.
 *
 * Why: when a process is killed, Linux releases its files one after the other, those with the
 * highest numbers first (exit_files() queues them in ascending order, task_work_run() works from
 * the end). A front end is woken by the end of its connection, and Cloud Hypervisor connects again
 * in that moment. If the listening socket still exists then, the connection is taken into its queue
 * and reset an instant later, and Cloud Hypervisor gives the device up for the life of the virtual
 * machine. If it does not, the connection is refused, and Cloud Hypervisor tries again every 100
 * ms.
 *
 * So: hold the lowest free numbers, make the listening sockets, let the numbers go. What front ends
 * bring takes them.
 */
#pragma once

/* What 64 guests bring, and more: 32 each for connection, memory, log, and the descriptors of
 * rings. As many for a port that is added later, or a guest's second connection might be higher. */
#define LOW_DESCRIPTORS_MAX 2048

struct low_descriptors {
	int fds[LOW_DESCRIPTORS_MAX];
	unsigned int count; /* used entries of fds */
};

/*
 * Makes the process' table of descriptors as large as that will need. To be called, if at all,
 * while the process has a single thread: the kernel doubles a table that threads share at the price
 * of an RCU grace period each time, some 10 ms, four times until there are 2,048. `fd` is any open
 * one, and is copied for a moment. When the process may not have so many, nothing happens.
 */
void low_descriptors_reserve(int fd);

/*
 * Holds `count` of the lowest free numbers, but no more than LOW_DESCRIPTORS_MAX, as copies of
 * `fd`; half of what the process may have when that is less. None when `fd` is bad. Too few cost
 * the order above and nothing else.
 */
void low_descriptors_hold(struct low_descriptors *low, int fd, unsigned int count);

/* Frees the numbers. */
void low_descriptors_let_go(struct low_descriptors *low);
