/* SPDX-License-Identifier: BSD-3-Clause */
/* DHCP messages as clients write and read them, with code of their own. */
#pragma once

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "guest/services/dhcp_message.h"

#define CLIENT_MESSAGE_MAX 1024

/* A message under construction; options are appended to it. */
struct client_message {
	uint8_t bytes[CLIENT_MESSAGE_MAX];
	size_t length;
};

static inline void client_option(
	struct client_message *message, uint8_t number, const void *value, uint8_t length)
{
	assert_true(message->length + length + 2 <= CLIENT_MESSAGE_MAX);
	message->bytes[message->length++] = number;
	message->bytes[message->length++] = length;
	memcpy(message->bytes + message->length, value, length);
	message->length += length;
}

static inline void client_address(struct client_message *message, uint8_t number, uint32_t ip)
{
	uint32_t ip_be = htonl(ip);

	client_option(message, number, &ip_be, sizeof(ip_be));
}

/* A message of `type` from `mac` with transaction 0x12345678; `flags` and `ciaddr` in host order.
 */
static inline struct client_message client_start(
	uint8_t type, const uint8_t mac[6], uint16_t flags, uint32_t ciaddr)
{
	static const uint8_t cookie[] = {0x63, 0x82, 0x53, 0x63};
	struct client_message message = {.bytes = {1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78}};
	uint16_t flags_be = htons(flags);
	uint32_t ciaddr_be = htonl(ciaddr);

	memcpy(message.bytes + 10, &flags_be, 2);
	memcpy(message.bytes + 12, &ciaddr_be, 4);
	memcpy(message.bytes + 28, mac, 6);
	memcpy(message.bytes + 236, cookie, 4);
	message.length = 240;
	client_option(&message, 53, &type, 1);
	return message;
}

/* The end option. */
static inline void client_end(struct client_message *message)
{
	message->bytes[message->length++] = 255;
}

/* Finds an option of an answer; its length, or -1. Fails when the options lie. */
static inline int client_find(
	const uint8_t *message, size_t length, uint8_t number, const uint8_t **ret_value)
{
	for (size_t at = 240;; at += 2u + message[at + 1]) {
		assert_true(at < length);
		while (message[at] == 0)
			assert_true(++at < length);
		if (message[at] == 255)
			return -1;
		assert_true(at + 2 + message[at + 1] <= length);
		if (message[at] == number) {
			*ret_value = message + at + 2;
			return message[at + 1];
		}
	}
}

/* The one address in an option, host order; 0 when it is missing or has another length. */
static inline uint32_t client_find_address(const uint8_t *message, size_t length, uint8_t number)
{
	const uint8_t *value;
	uint32_t ip_be;

	if (client_find(message, length, number, &value) != 4)
		return 0;
	memcpy(&ip_be, value, 4);
	return ntohl(ip_be);
}

static inline int client_type(const uint8_t *message, size_t length)
{
	const uint8_t *value;

	return client_find(message, length, 53, &value) == 1 ? *value : -1;
}

/* yiaddr, host order. */
static inline uint32_t client_yiaddr(const uint8_t *message)
{
	uint32_t ip_be;

	memcpy(&ip_be, message + 16, 4);
	return ntohl(ip_be);
}
