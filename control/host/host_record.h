/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of a network outlives the process that made it, written down, so that it can be taken away
 * again whatever happened to that process: NAME.host in the run directory.
 *
 * Who makes such a network, or runs a VM on it, holds a lock on the file. A file that nobody holds
 * is either `kept` (chnet setup made it to stay) or was left by somebody who was killed.
 */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How the file's name ends; the network's name stands before it. */
#define HOST_RECORD_SUFFIX ".host"

struct host_record {
	char tap[IFNAMSIZ];	   /* the TAP's name */
	int index;		   /* its number; an interface with another one is not ours */
	uint64_t netns;		   /* namespace_id() that all of this is in */
	bool kept;		   /* rules and forwarding are there to stay, too */
	uid_t owner;		   /* who may open the TAP */
	struct in_addr address_be; /* the host's address on it */
	uint8_t prefix_length;	   /* of the guests' LAN, bits */
	uint64_t forwards;	   /* host_forward_digest() of the ports that lead to the guest */
};

/*
 * Opens and locks the file of `network`, which is made when it is missing and `make` is set. The
 * descriptor is the caller's; the lock lasts as long as a copy of it. Returns 0; -ENOENT;
 * -EWOULDBLOCK when somebody else holds it; or a negative errno.
 */
int host_record_open(const char *run_directory, const char *network, bool make, int *ret_fd);

/* Reads it. Returns 0; -ENOENT when nothing is written yet; -EBADMSG when it is no record. */
int host_record_read(int fd, struct host_record *ret_record);

/* Writes it. Returns 0 or a negative errno. */
int host_record_write(int fd, const struct host_record *record);

/* Removes the file that `fd` has locked, and closes it. */
void host_record_remove(const char *run_directory, const char *network, int fd);

/*
 * Takes away what the record names, as far as it is there and still that very thing: TAP, rules,
 * hold on forwarding. Returns 0; -EXDEV when it is in another network namespace; or the first
 * error, after which the record should stay.
 */
int host_record_undo(
	const char *run_directory, const char *network, const struct host_record *record);
