/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's side of a network, whole: TAP, address, forwarding, rules. Everything it builds hangs
 * on descriptors of this process, so that it is gone when the process is, however that dies; the
 * one exception, the value of net.ipv4.ip_forward, is mended by the next start (forwarding.h).
 *
 * A TAP that a VMM opens by name (for_vmm) cannot hang on a descriptor. It is written down first
 * (host_record.h), and so is all of a network that shall stay (keep).
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/host/host_forward.h"
#include "control/host/link.h"
#include "control/host/nft.h"
#include "control/host/tap.h"

struct host;

struct host_config {
	const char *tap;	   /* name of the TAP */
	unsigned int queues;	   /* of the TAP: one for each worker */
	struct in_addr address_be; /* of the host on the TAP: the guests' gateway */
	uint8_t prefix_length;	   /* of the guests' LAN, 1 to 30 bits */
	struct in_addr outside_be; /* outside address of our NAT, within the LAN */
	enum nft_nat nat;	   /* whose packets leave the host */
	const uint8_t *mac;	   /* of the TAP, LINK_MAC_LENGTH bytes; NULL = the same at each
				    * start, out of the TAP's name and this machine's id */
	uint32_t mtu;		   /* of the TAP, bytes; 0 = the kernel's default (1500) */
	const char *egress;	   /* the way out; NULL = that of the default route, followed by
				    * host_refresh(); "" = any interface */
	const char *run_directory; /* for state of all networks, as /run/chnet; its last
				    * component is made when it is missing */
	const struct host_forward *forwards; /* ports that lead to guests; copied */
	size_t forward_count;		     /* at most HOST_FORWARDS_MAX */
	/* Ports of the host, both ends included, that belong to our NAT (NFT_NAT_USER): the kernel
	 * then only swaps the outside address for the host's own and keeps no state. Host byte
	 * order; 0, 0 = the kernel masquerades. */
	uint16_t outside_low;
	uint16_t outside_high;
	bool for_vmm;	     /* the TAP is for a VMM, which opens its one queue by name; host_tap()
			      * then has no descriptor */
	bool keep;	     /* with for_vmm: all of it outlives this process, after host_leave() */
	uid_t owner;	     /* with for_vmm: who may open the TAP */
	const char *network; /* with for_vmm: the network's name, a file name */
};

/*
 * Builds everything in order. On failure nothing stays behind, and `error` holds one line without
 * newline for a person: what was wrong, where, what to do. `ret_host` becomes the caller's.
 * Returns 0 or a negative errno.
 */
int host_up(
	const struct host_config *config, struct host **ret_host, char *error, size_t error_size);

/* Takes everything down, in reverse order. NULL is allowed. */
void host_down(struct host *host);

/* Leaves a network that was built to `keep` as it is, and frees `host`. NULL is allowed. */
void host_leave(struct host *host);

/*
 * In a child of fork(): closes all but the TAP's descriptors, without undoing anything. The getters
 * below go on working there; host_watch_fd(), host_refresh() and host_down() may not be called.
 */
void host_close_in_child(struct host *host);

/*
 * A descriptor that becomes readable when links, addresses or routes of the host have changed: call
 * host_refresh() then. It belongs to `host`.
 */
int host_watch_fd(const struct host *host);

/*
 * Looks for the way out again and points the rules at it. Returns 1 when it has changed, 0 when
 * not, or a negative errno, after which the old rules still hold.
 */
int host_refresh(struct host *host);

/*
 * Adds or removes a port forward while the network is up, in one transaction of nftables: packets
 * of other forwards notice nothing, and connections through a forward that is removed go on.
 * Returns 0; -EINVAL for a forward that is not complete, does not lead to a guest's address, or
 * listens on one address at an outside port; -EADDRINUSE with outside ports, when another network
 * has a port of it;
 * -EEXIST when a port of it is forwarded already; -ENOSPC beyond HOST_FORWARDS_MAX, or with
 * NFT_NAT_KERNEL beyond HOST_FORWARD_SHIFTED_MAX; -ENOENT when
 * there is none that is equal to the one to remove; or a negative errno. Nothing is changed then.
 */
int host_forward_add(struct host *host, const struct host_forward *forward);
int host_forward_remove(struct host *host, const struct host_forward *forward);

/* The TAP: its name, descriptors and offloads. */
const struct tap *host_tap(const struct host *host);

/* The TAP's MAC address, LINK_MAC_LENGTH bytes: the gateway's, as guests see it. */
const uint8_t *host_mac(const struct host *host);

/* The TAP's interface number. */
int host_index(const struct host *host);

/* Name of the way out; "" when there is none, or any will do. */
const char *host_egress(const struct host *host);

/* The host's own address there; 0.0.0.0 when not known. */
struct in_addr host_egress_address_be(const struct host *host);

/*
 * The longest IPv4 packet that fits both the TAP and the way out, bytes: what the MSS of TCP
 * connections can be held to; 0 when there is no way out. May change with host_refresh(), whatever
 * that returns.
 */
uint32_t host_path_mtu(const struct host *host);

/*
 * Whether the kernel now leaves mapping and filtering of outside_low to outside_high to our NAT;
 * false when it masquerades, as asked or because it could not do the other (a warning says why), or
 * as long as the host's address is not known. May change with host_refresh().
 */
bool host_is_stateless(const struct host *host);

/*
 * What stands in the way of guests, or of safety, without being an error, one line each: `index`
 * counts from 0; NULL behind the last one. Valid as long as `host`.
 */
const char *host_warning(const struct host *host, size_t index);
