/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A host with its TAP between a world and a guest, each a network namespace with a kernel of its
 * own: the sockets of a test talk through the host's real rules. The guest's side stands for our
 * data plane: it has the outside address and two guests' addresses, and a child process carries
 * frames with their virtio headers between its TAP and the host's, as they are.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "control/host/host.h"

#define TRAFFIC_GATEWAY "172.16.0.1"
#define TRAFFIC_GUEST "172.16.0.2"
#define TRAFFIC_NEIGHBOUR "172.16.0.3"
#define TRAFFIC_OUTSIDE "172.16.0.254"
/* On eth0, the way out; the second one of the host is an alias there. */
#define TRAFFIC_HOST "198.51.100.1"
#define TRAFFIC_HOST_ALIAS "198.51.100.9"
#define TRAFFIC_WORLD "198.51.100.2"
/* On eth1, which is not the way out. */
#define TRAFFIC_HOST_ETH1 "203.0.113.1"
#define TRAFFIC_WORLD_ETH1 "203.0.113.2"

enum traffic_place {
	TRAFFIC_AT_HOST,
	TRAFFIC_AT_WORLD,
	TRAFFIC_AT_GUEST,
	TRAFFIC_PLACES,
};

/* Bytes of one payload of traffic_udp() and traffic_tcp(). */
#define TRAFFIC_PAYLOAD 8

/* One who talks: where, and from which address. */
struct traffic_end {
	enum traffic_place place;
	const char *address; /* to bind to; NULL = the kernel's choice */
	uint16_t port;	     /* to bind to, host byte order; 0 = the kernel's choice */
};

/* For cmocka: makes the namespaces; takes everything away. */
int traffic_set_up(void **state);
int traffic_tear_down(void **state);

/* What host_up() is given unless a test changes it. */
struct host_config traffic_config(void);

/* Builds the host's side in the present namespace; the caller takes it down with host_down(). */
struct host *traffic_build(const struct host_config *config);

/* Builds the host's side and connects the guest's to it. It is taken down by traffic_tear_down().
 */
struct host *traffic_up(const struct host_config *config);

/* Goes to a place; the test starts at the host. */
void traffic_go(enum traffic_place place);

/* A socket of SOCK_STREAM or SOCK_DGRAM at the end, bound as it says, with time-outs of 10 s. */
int traffic_socket(const struct traffic_end *end, int type);

struct sockaddr_in traffic_address(const char *address, uint16_t port);

/*
 * Connects (TCP) or sends (UDP) from `client` to address:port; `server` must see it come from
 * `source`, and the client must get the answer from where it sent to.
 */
void traffic_tcp(const struct traffic_end *client, const char *address, uint16_t port,
	const struct traffic_end *server, const char *source);
void traffic_udp(const struct traffic_end *client, const char *address, uint16_t port,
	const struct traffic_end *server, const char *source);

/* The connection (TCP) is refused by whoever has the address: nobody listens there. */
void traffic_refused(const struct traffic_end *client, const char *address, uint16_t port);

/* A raw socket of `protocol` at an address. */
int traffic_raw(enum traffic_place place, const char *address, int protocol);

/* Sends what lies behind the IPv4 header; the next packet on the socket must be this one. */
void traffic_send_raw(int fd, const char *to, const void *data, size_t length);
void traffic_got_raw(
	int fd, const char *source, const char *destination, const void *data, size_t length);

/* The Internet checksum over an even number of bytes, network byte order. */
uint16_t traffic_checksum(const void *data, size_t length);

/* The host's connection tracking knows this many connections. */
void traffic_tracked(int connections);

/* The rule that has `match` must have counted this many packets. */
void traffic_counted(const char *match, int packets);
