/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parsers of options.c and options_socket.c share: where a value stands, how it is
 * refused, and how addresses and numbers are read and written.
 */
#pragma once

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/options.h"

/* "52:54:00:12:34:56" with its terminating zero. */
#define OPTIONS_MAC_TEXT 18

/* One run of options_parse(). */
struct options_parser {
	struct options *options; /* under construction */
	char where[256];	 /* the value at hand, such as "--tap tap0"; starts an error line */
	char *error;		 /* the caller's buffer */
	size_t error_size;	 /* bytes */
};

/* A word that an option takes, and what it stands for. Tables end with a NULL name. */
struct options_word {
	const char *name;
	int value;
};

/* on and off. */
extern const struct options_word options_switch[];

/* Notes what is being parsed, for error lines. */
void options_at(struct options_parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Writes "where: reason" into the caller's buffer and returns -EINVAL. */
int options_refuse(struct options_parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Strict readers: the whole text must be the value. 0, or -EINVAL with the result untouched.
 */
int options_read_mac(const char *text, uint8_t ret_mac[6]); /* six hexadecimal bytes with colons */
int options_read_ipv4(const char *text, uint32_t *ret_address_be);
int options_read_word(const struct options_word *words, const char *text, int *ret_value);

/* Reads the path of a socket to make. 0, or -EINVAL refused. */
int options_read_path(
	struct options_parser *parser, const char *text, char ret_path[OPTIONS_PATH_CAPACITY]);

/* Write an address as text into a buffer of INET_ADDRSTRLEN or OPTIONS_MAC_TEXT; return it. */
const char *options_show_ipv4(uint32_t address_be, char *buffer);
const char *options_show_mac(const uint8_t mac[6], char *buffer);

/* Is the address one of the LAN's, its network and broadcast addresses included? */
bool options_is_lan(const struct options *options, uint32_t address_be);

/* What an address of the LAN is, when no guest may have it ("the gateway's address"); else NULL. */
const char *options_address_use(const struct options *options, uint32_t address_be);

/* Parses the value of one --socket and appends it (options_socket.c). 0, or -EINVAL refused. */
int options_socket_parse(struct options_parser *parser, const char *value);

/*
 * Checks all sockets against the LAN and each other, once everything else is known; GUEST_MAC and
 * GUEST_IP of the environment complete the first socket (options_socket.c).
 */
int options_socket_check(struct options_parser *parser);

/* The same without the environment. */
int options_socket_check_all(struct options_parser *parser);

/* Parse what the network is (options_network.c). 0, or -EINVAL refused. */
int options_uplink_parse(struct options_parser *parser, const char *value);
int options_nat_parse(struct options_parser *parser, const char *value);
int options_tap_parse(struct options_parser *parser, const char *value);
int options_host_ip_parse(struct options_parser *parser, const char *value);
int options_dhcp_parse(struct options_parser *parser, const char *value);
int options_dns_parse(struct options_parser *parser, const char *value);
int options_name_parse(struct options_parser *parser, const char *value);
int options_api_parse(struct options_parser *parser, const char *value);

/* Parse what the user-space NAT is told (options_nat.c). 0, or -EINVAL refused. */
int options_filter_parse(struct options_parser *parser, const char *value);
int options_timeout_parse(struct options_parser *parser, const char *value);
int options_sessions_parse(struct options_parser *parser, const char *value);
int options_sessions_per_guest_parse(struct options_parser *parser, const char *value);
int options_new_sessions_parse(struct options_parser *parser, const char *value);
int options_outside_ports_parse(struct options_parser *parser, const char *value);

/* Parses the value of one --forward and appends it (options_forward.c). 0, or -EINVAL refused. */
int options_forward_parse(struct options_parser *parser, const char *value);

/* Checks all forwards against the LAN, once that is known (options_forward.c). */
int options_forward_check(struct options_parser *parser);

/*
 * Reads "LOW-HIGH" or "PORT" (then both are equal), each 1 to 65535. Returns 0, or -EINVAL refused,
 * results untouched.
 */
int options_read_ports(
	struct options_parser *parser, const char *text, uint16_t *ret_low, uint16_t *ret_high);
