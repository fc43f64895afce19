/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * High descriptor numbers for listening sockets.
 *
 * When a data plane is killed, the kernel lets its descriptors go one after the other, the highest
 * number first (close_files() queues them, and task_work_run() runs the queue from its end). A
 * front end whose connection went first would connect again at once, to a socket that still listens
 * but that nobody serves any more, and see a reset; Cloud Hypervisor then gives its network device
 * up, since it goes on trying only where nobody listens. So a listening socket must have a higher
 * number than each connection that it brings: while librte_vhost makes one, all low numbers are
 * taken.
 *
 * Another thread that opens a descriptor meanwhile gets a high number too, which costs its front
 * end that protection and nothing else.
 */
#pragma once

/* Numbers of listening sockets are not below it, where the limit of descriptors allows that. */
#define HIGH_FDS_FLOOR 4096

struct high_fds {
	unsigned char ours[HIGH_FDS_FLOOR / 8]; /* a bit for each number that is taken */
};

/* Takes every number below the floor that is free. */
void high_fds_begin(struct high_fds *high);

/* Frees them again. */
void high_fds_end(struct high_fds *high);
