/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the API shows and changes: a network, seen through functions. The data plane fills them in
 * (backend/api_network.c), tests have doubles; so nothing in this folder knows of ports, flows or
 * processes.
 *
 * All functions are called by one thread. Those that can fail return a negative errno with one
 * sentence in `error` (API_ERROR_CAPACITY bytes), which the client gets: -EINVAL for a request that
 * can never work, -ENOENT, -EEXIST, -EADDRINUSE, -EBUSY and -ENOSPC for one that does not work now,
 * -EPERM and -EOPNOTSUPP for one that is not for this network. Texts belong to the network and last
 * until the next call.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API_ERROR_CAPACITY 512
/* The longest text of a setting: a port, a forward. */
#define API_SPEC_CAPACITY 384

struct api_status {
	const char *name;      /* of the network */
	const char *version;   /* of the program */
	const char *uplink;    /* "tap" or "none" */
	const char *nat;       /* "user", "kernel" or "none" */
	const char *tap;       /* interface, or NULL */
	char egress[16];       /* interface of the way out; empty: none is known */
	uint32_t gateway_be;   /* of the guests */
	uint8_t prefix;	       /* of the LAN */
	uint32_t outside_be;   /* of the NAT; 0: none */
	unsigned int workers;  /* threads that move packets */
	int pid;	       /* of the data plane */
	int monitor_pid;       /* of its monitor */
	uint64_t restarts;     /* of the data plane since the network's start */
	uint64_t uptime_s;     /* of the network */
	uint64_t sessions;     /* live in the NAT */
	uint64_t sessions_max; /* its capacity; 0 without a NAT of our own */
	uint32_t dns_be;       /* the DNS server that guests are told; 0: none */
	uint64_t dns_queries;  /* of guests, to the DNS server here */
	uint64_t dns_drops;    /* what it dropped, for all reasons together */
};

#define API_LEASES_MAX 8 /* of one port */
#define API_NAME_CAPACITY 64

/* An address that DHCP has leased. */
struct api_lease {
	uint8_t mac[6];			  /* the guest's */
	uint32_t ip_be;			  /* network byte order */
	char hostname[API_NAME_CAPACITY]; /* what the guest calls itself; "": nothing */
	uint32_t expires_s;		  /* time left */
};

struct api_port {
	unsigned int port;  /* its number */
	const char *socket; /* path */
	bool has_mac;	    /* only this MAC may be used: */
	uint8_t mac[6];
	uint32_t ip_be;	      /* only this IPv4 address may be used; 0: any */
	const char *hostname; /* the guest's name; "": what it calls itself */
	const char *profile;  /* "auto", "redox", "full" */
	bool ctrl_vq;	      /* the device offers a control queue */
	const char *mode;     /* the VMM's: "client": it connects; "server": it listens */
	bool connected;	      /* a VMM is */
	bool receiving;	      /* the guest's driver has started its receive queue */
	bool sending;	      /* ... its transmit queue */
	uint64_t rx_packets;  /* from the guest */
	uint64_t rx_bytes;
	uint64_t tx_packets; /* to the guest */
	uint64_t tx_bytes;
	uint64_t drops;				 /* frames dropped on its behalf, all reasons */
	struct api_lease leases[API_LEASES_MAX]; /* those that have not ended */
	unsigned int lease_count;
};

struct api_flow {
	uint32_t number;     /* its place in the table: where a cursor points to it */
	uint8_t protocol;    /* IPv4 protocol number */
	bool inbound;	     /* opened from outside */
	const char *state;   /* of TCP, else what kind it is */
	uint32_t guest_be;   /* addresses in network byte order */
	uint32_t outside_be; /* what the remote sees in place of the guest */
	uint32_t remote_be;
	uint16_t guest_port; /* ports or ICMP identifiers, host byte order */
	uint16_t outside_port;
	uint16_t remote_port;
	uint64_t bytes_out; /* IPv4 lengths, from the guest */
	uint64_t bytes_in;
	uint64_t age_s;
	int64_t expires_s; /* time left */
};

struct api_counter {
	const char *group; /* "worker", "nat", "port", "uplink" or "dns" */
	int port;	   /* its number with "port", else -1 */
	const char *name;  /* of the counter; "drops" with a reason */
	const char *drop;  /* the reason, or NULL */
	bool gauge;	   /* it goes down, too */
	uint64_t value;
};

struct api_ops {
	int (*status)(void *context, struct api_status *ret_status, char *error);

	/* The first port whose number is at least `from`. -ENOENT: there is none. */
	int (*port)(void *context, unsigned int from, struct api_port *ret_port);

	/*
	 * Adds a port; `spec` is written as for chnet-vhost's --socket, or begins with a comma when
	 * the network is to choose the path. Its guest can connect when this returns 0.
	 */
	int (*port_add)(void *context, const char *spec, unsigned int *ret_port, char *error);
	int (*port_remove)(void *context, unsigned int port, char *error);

	/*
	 * Copies up to `max` flows, of those from number *cursor on and in that order; moves
	 * *cursor behind the last one looked at, and to UINT32_MAX when there are no more. Looks at
	 * a bounded number of places, so it may come back with few or none. -EOPNOTSUPP without a
	 * NAT of our own.
	 */
	int (*flows)(void *context, uint32_t *cursor, struct api_flow flows[], unsigned int max,
		unsigned int *ret_count, char *error);

	/* The port forward with that number, counted from 0, as text for forward_add(). -ENOENT:
	 * there are no more. */
	int (*forward)(void *context, unsigned int number, char spec[API_SPEC_CAPACITY]);
	int (*forward_add)(void *context, const char *spec, char *error);
	int (*forward_remove)(void *context, const char *spec, char *error);

	/* Fills `counters`; returns how many there are, which may be more than `max`. */
	size_t (*counters)(void *context, struct api_counter counters[], size_t max);

	const char *(*log_level)(void *context);
	int (*log_level_set)(void *context, const char *level, char *error);
};

struct api_network {
	const struct api_ops *ops;
	void *context; /* first argument of all of them */
};
