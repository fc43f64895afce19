/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line and the environment of chnet-vhost, checked.
 *
 * Options win over environment variables, those over defaults. Every bad value is refused with one
 * line that says what is wrong, where it stands, and what to write instead; what needs the host to
 * be judged (a missing directory, a LAN in use) is the monitor's and control/host's to check.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "backend/log.h"
#include "control/host/host_forward.h"
#include "guest/services/dhcp_message.h"
#include "nat/nat.h"

/* The most --socket options; PORT_MAX without the uplink. */
#define OPTIONS_SOCKETS_MAX 64
/* sockaddr_un.sun_path with its terminating zero. */
#define OPTIONS_PATH_CAPACITY 108
/* IFNAMSIZ */
#define OPTIONS_TAP_CAPACITY 16
#define OPTIONS_NAME_CAPACITY 33
#define OPTIONS_SESSIONS_DEFAULT 262144
/* New sessions that a guest may open a second. */
#define OPTIONS_NEW_SESSIONS_DEFAULT 10000
#define OPTIONS_FORWARDS_MAX HOST_FORWARDS_MAX
/* An error line, program name not included. */
#define OPTIONS_ERROR_CAPACITY 512

enum options_uplink {
	OPTIONS_UPLINK_TAP,  /* default */
	OPTIONS_UPLINK_NONE, /* guests among themselves */
};

enum options_nat {
	OPTIONS_NAT_USER,   /* default: nat/ translates to outside_be, which the host masquerades */
	OPTIONS_NAT_KERNEL, /* frames reach the host with the guests' addresses */
};

/* What a guest's driver is offered; what it gets is what it acknowledges of that. */
enum options_profile {
	OPTIONS_PROFILE_AUTO,  /* default: everything, but to a driver that looks like RedoxOS' */
	OPTIONS_PROFILE_REDOX, /* no offloads offered; what RedoxOS has no use for is withheld */
	OPTIONS_PROFILE_FULL,  /* everything, to every driver */
};

/* One --socket. */
struct options_socket {
	char path[OPTIONS_PATH_CAPACITY]; /* as given, zero terminated; not empty */
	bool has_mac;
	uint8_t mac[6]; /* the only source MAC that the guest may use; zeros unless has_mac */
	uint32_t ip_be; /* the only source IPv4 address that it may use; 0: any */
	char hostname[DHCP_NAME_CAPACITY]; /* of the guest, one label in lower case; "": what it
					    * calls itself */
	bool ctrl_vq;	  /* offer VIRTIO_NET_F_CTRL_VQ (the VMM serves that queue); default off */
	bool vmm_listens; /* mode=server, the VMM's: we connect to it; default: it connects to us */
	enum options_profile profile;
};

struct options {
	/* Index: port number. Of a port that was taken away while running the path is empty. */
	struct options_socket sockets[OPTIONS_SOCKETS_MAX];
	unsigned int socket_count; /* numbers are below it; at the start 1 to OPTIONS_SOCKETS_MAX */
	enum options_uplink uplink;
	enum options_nat nat;
	char tap[OPTIONS_TAP_CAPACITY]; /* interface name */
	uint32_t host_ip_be;		/* the gateway: the host's address on the TAP */
	uint8_t prefix;			/* of the LAN: 16 to 30 */
	uint32_t lan_be;		/* the LAN's network address */
	uint32_t outside_be; /* NAT's own address: the LAN's highest host address that is not the
			      * gateway's; 0 with OPTIONS_NAT_KERNEL, which has none */
	bool dhcp;	     /* serve DHCP to the guests */
	bool dns;	     /* serve DNS to the guests, with an uplink */
	uint32_t sessions;   /* capacity of the NAT's session table */
	uint32_t sessions_per_guest;	 /* at a time; 0: a fair share of them */
	uint32_t new_sessions_per_guest; /* a second; 0: no limit */
	enum nat_filter filter;
	struct nat_timeouts timeouts; /* seconds; 0: nat/'s default */
	/* A block of the host's own ports that only the NAT uses, so that the host need not keep
	 * connections too; host byte order, both ends included; 0, 0: none, the host masquerades.
	 */
	uint16_t outside_low;
	uint16_t outside_high;
	bool log_sessions; /* a line for each session that comes or goes */
	struct host_forward forwards[OPTIONS_FORWARDS_MAX]; /* no two share a port */
	unsigned int forward_count;
	char name[OPTIONS_NAME_CAPACITY]; /* of the network: letters, digits, '.', '_', '-' */
	char api[OPTIONS_PATH_CAPACITY]; /* socket of the API; empty: NAME.sock in the run directory
					  */
	int ready_fd;			 /* inherited descriptor for "ready\n", or -1 */
	int lifeline_fd; /* inherited descriptor; the program ends when it hangs up; or -1 */
	enum log_level log_level;
};

enum options_action {
	OPTIONS_RUN,
	OPTIONS_HELP,	 /* print options_help() on standard output and exit with 0 */
	OPTIONS_VERSION, /* likewise the version */
};

/*
 * Reads argv[1..argc-1] and the environment (TAP_NAME, HOST_IP, GUEST_IP, GUEST_MAC; empty counts
 * as unset). Returns 0 with *ret_options and *ret_action (*ret_options is whole only for
 * OPTIONS_RUN). Returns -EINVAL with one line in `error` (size bytes, cut to fit, no newline, no
 * program name); the others are then untouched.
 */
int options_parse(int argc, char *const argv[], struct options *ret_options,
	enum options_action *ret_action, char *error, size_t size);

/* Writes the text of --help. */
void options_help(FILE *file);

/* Is there a socket at which the VMM listens? */
bool options_has_vmm_socket(const struct options *options);

/* The NAT that these options ask for; nat_memory_size() of it is the flow memory's size. */
struct nat_config options_nat_config(const struct options *options);
