/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TAP interface with virtio-net headers and one queue for each worker.
 *
 * The interface lives as long as one of its descriptors: nothing of it survives a crash.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The most queues of one TAP; the kernel's own limit is 256. */
#define TAP_QUEUES_MAX 64
/* Bytes of the virtio-net header in front of each frame (struct virtio_net_hdr_v1). */
#define TAP_HEADER_LENGTH 12

/* What the reader of the TAP promises to cope with; the values are those of TUNSETOFFLOAD. */
enum tap_offload {
	TAP_OFFLOAD_CSUM = 0x01, /* frames whose checksum is partial */
	TAP_OFFLOAD_TSO4 = 0x02, /* TCP over IPv4 in frames of up to 64 KiB */
	TAP_OFFLOAD_TSO6 = 0x04, /* TCP over IPv6 likewise */
	TAP_OFFLOAD_ECN = 0x08,	 /* such TCP frames with congestion bits */
	TAP_OFFLOAD_USO4 = 0x20, /* UDP over IPv4 likewise (kernel 6.2; only with USO6) */
	TAP_OFFLOAD_USO6 = 0x40, /* UDP over IPv6 likewise (kernel 6.2; only with USO4) */
};

struct tap {
	char name[IFNAMSIZ];	 /* of the interface, terminated */
	int fds[TAP_QUEUES_MAX]; /* one for each queue; non-blocking, close-on-exec; -1 = none */
	unsigned int queues;	 /* how many of fds are in use */
	unsigned int offloads;	 /* enum tap_offload: the set that the kernel accepted */
	bool takes_tso;		 /* the kernel takes large TCP frames that we write */
	bool takes_uso;		 /* the kernel takes large UDP frames that we write */
};

/*
 * Tells whether `name` can name an interface: 1 to 15 bytes out of letters, digits, '.', '_' and
 * '-', and not "." or "..". The kernel allows more, but a '%' would be a template and other bytes
 * break the tools that print them. Returns 0, -EINVAL, or -ENAMETOOLONG.
 */
int tap_name_check(const char *name);

/*
 * Makes a new TAP `name` with `queues` queues (1 to TAP_QUEUES_MAX), and asks the kernel for as
 * many offloads as it has. The interface is down and has no address. `ret_tap` becomes the
 * caller's, to be closed with tap_close().
 *
 * Returns 0; -EINVAL or -ENAMETOOLONG for the name; -EEXIST when an interface of that name exists
 * already, even if it is a multi-queue TAP that could be joined; -ENOENT or -ENODEV without
 * /dev/net/tun or its driver; -EACCES when /dev/net/tun may not be opened; -EPERM without
 * CAP_NET_ADMIN; or what the kernel said.
 */
int tap_open(const char *name, unsigned int queues, struct tap *ret_tap);

/*
 * Makes a new TAP for a program that opens it by name later on, as a VMM does: one queue, which
 * `owner` may open without rights. It goes when `ret_tap` is closed, unless tap_keep() comes first.
 * Errors as for tap_open().
 */
int tap_open_for(const char *name, uid_t owner, struct tap *ret_tap);

/* Lets a TAP of tap_open_for() outlive its descriptors, and closes them. 0 or a negative errno. */
int tap_keep(struct tap *tap);

/* Closes every queue, which removes the interface unless a child still holds a copy. */
void tap_close(struct tap *tap);
