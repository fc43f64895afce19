/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A NAT with its flow memory and a clock that tests set, and packets to send through it. Checksums
 * are made and verified here byte by byte, without nat/checksum.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "backend/packet.h"
#include "nat/check.h"
#include "nat/nat.h"

#define SECOND UINT64_C(1000000000)

/* TCP flags. */
#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10

#define LAN "172.16.0.0"
#define GATEWAY "172.16.0.1"
#define GUEST "172.16.0.2"
#define GUEST2 "172.16.0.3"
#define OUTSIDE "172.16.0.254"
#define HOST "192.0.2.7"
#define REMOTE "198.51.100.2"
#define REMOTE2 "198.51.100.3"

struct fixture {
	struct nat_config config;
	void *memory; /* flow memory */
	size_t size;
	struct nat *nat;
	uint64_t now_ns;
	int adopted; /* what the last nat_new() said */
};

/* One end of a packet. */
struct end {
	const char *address;
	uint16_t port; /* or ICMP identifier; host byte order */
};
#define END(address, port) ((struct end){address, port})

uint32_t ip(const char *address);

/* 172.16.0.0/24 behind 172.16.0.254, all ports, 4,096 sessions. */
struct nat_config fixture_config(void);
/* With a memory of zeros, at an arbitrary time. */
void fixture_init(struct fixture *f, const struct nat_config *config);
void fixture_fini(struct fixture *f);
/* For cmocka: *state is a fixture with that configuration. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);
/* A new NAT on the same memory, as after a restart of the process. */
void fixture_restart(struct fixture *f);
void fixture_advance(struct fixture *f, uint64_t seconds);

/* Whole frames with right checksums and `payload` bytes of data, parsed. */
void make_udp(struct packet *p, struct end from, struct end to, uint16_t payload);
void make_tcp(struct packet *p, struct end from, struct end to, uint8_t flags, uint16_t payload);
/* from.port is the identifier. */
void make_icmp(struct packet *p, uint8_t type, struct end from, const char *to, uint16_t payload);
void make_other(
	struct packet *p, uint8_t protocol, const char *from, const char *to, uint16_t payload);
/* An ICMP error that quotes the first `quote` bytes of a datagram, with right checksums. */
void make_icmp_error(struct packet *p, uint8_t type, uint8_t code, const char *from, const char *to,
	const struct packet *about, uint16_t quote);
/* Makes the L4 checksum right. */
void fill_checksum(struct packet *p);
/* Replaces the L4 checksum by the folded sum of the pseudo-header, as a guest with offloads. */
void make_partial(struct packet *p);
/* Writes the checksum that a partial one stands for. */
void complete_partial(struct packet *p);

/* One packet through the NAT; verifies its checksums when it was translated, and the NAT's tables
 * in any case. */
enum nat_verdict send_out(struct fixture *f, struct packet *p);
enum nat_verdict send_in(struct fixture *f, struct packet *p);

struct end source_of(const struct packet *p);
struct end destination_of(const struct packet *p);
void assert_end(struct end end, const char *address, uint16_t port);
void assert_checksums(const struct packet *p);
/* Refused for this reason, and counted once more. */
void assert_dropped(
	struct fixture *f, enum nat_verdict verdict, const struct packet *p, enum nat_drop reason);

/* Short forms that make and send a packet and return the verdict; the packet is in `p`. */
enum nat_verdict udp_out(struct fixture *f, struct packet *p, struct end from, struct end to);
enum nat_verdict udp_in(struct fixture *f, struct packet *p, struct end from, struct end to);
enum nat_verdict tcp_out(
	struct fixture *f, struct packet *p, struct end from, struct end to, uint8_t flags);
enum nat_verdict tcp_in(
	struct fixture *f, struct packet *p, struct end from, struct end to, uint8_t flags);
