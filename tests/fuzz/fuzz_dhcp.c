/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DHCP clients that lie: messages in any order, from two ports, with time passing and data planes
 * that are replaced in between, also with a damaged table.
 *
 * The input is a list of steps. The first byte of each says what, the second how many bytes (times
 * four) follow for it. A message's bytes lie behind a header that is right, so that the fuzzer need
 * not find the cookie; the client's MAC is one of a few. After each step everything that is leased
 * must be an address that may be, and nobody else's.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "guest/services/dhcp.h"
#include "tests/fuzz/check.h"

#define LAN 0xac100000
#define OPTIONS_AT 240
#define MESSAGE_MAX 1500

enum step {
	STEP_MESSAGE,	  /* with a right header */
	STEP_ANY_MESSAGE, /* the bytes as they are */
	STEP_TIME,	  /* as many seconds as the first two bytes say */
	STEP_ADOPT,	  /* another data plane */
	STEP_DAMAGE,	  /* the same, and the bytes are written into the table before */
	STEP_REOPEN,	  /* the network is stopped and started */
	STEP_LEAVE,	  /* one of the two ports goes */
	STEP_SETTLE,	  /* one is bound to a MAC */
	STEP_COUNT,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dhcp_table table;
static struct dhcp_server server;

static void check_table(void)
{
	struct dhcp_lease lease, other;

	/* Two ports have no more, and damage reaches no farther. */
	for (unsigned int i = 0; i < 64; i++) {
		if (!dhcp_lease_read(&table, i, &lease))
			continue;
		uint32_t host = ntohl(lease.ip_be) - LAN;
		CHECK(host > 0 && host < 15);
		CHECK(lease.ip_be != server.lan.gateway_be && lease.ip_be != server.lan.outside_be);
		CHECK(lease.port == 1 || lease.port == DHCP_PORT_NONE ||
			lease.ip_be != server.lan.ports[1].ip_be);
		CHECK(strlen(lease.name) < DHCP_NAME_CAPACITY);
		for (unsigned int j = 0; j < i; j++) {
			if (dhcp_lease_read(&table, j, &other))
				CHECK(other.ip_be != lease.ip_be);
		}
	}
}

static void serve(const uint8_t *bytes, size_t length, uint8_t who, uint32_t now_s)
{
	const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, (uint8_t)(0x56 + who % 32)};
	struct dhcp_output output;
	/* Exactly sized, so that ASAN sees every step beyond it. */
	uint8_t *message = malloc(length + !length);

	memcpy(message, bytes, length);
	enum dhcp_verdict verdict =
		dhcp_serve(&server, who >> 7, mac, message, length, now_s, &output);
	free(message);
	if (verdict != DHCP_VERDICT_REPLY)
		return;
	CHECK(output.length >= 300 && output.length <= sizeof(output.message));
	CHECK(output.message[0] == 2 && memcmp(output.message + 28, mac, 6) == 0);
	CHECK(output.destination_be != 0);
}

static void serve_with_header(const uint8_t *bytes, size_t length, uint32_t now_s)
{
	static const uint8_t cookie[] = {0x63, 0x82, 0x53, 0x63};
	uint8_t message[MESSAGE_MAX] = {1, 1, 6};

	if (length < 8)
		return;
	memcpy(message + 10, bytes + 1, 6); /* flags and ciaddr */
	memcpy(message + 28, (const uint8_t[]){0x52, 0x54, 0, 0x12, 0x34}, 5);
	message[33] = (uint8_t)(0x56 + bytes[0] % 32);
	memcpy(message + OPTIONS_AT - 4, cookie, 4);
	memcpy(message + 44, bytes + 7, length - 7 < 192 ? length - 7 : 192);
	memcpy(message + OPTIONS_AT, bytes + 7, length - 7);
	serve(message, OPTIONS_AT + length - 7, bytes[0], now_s);
}

/* No lease is at that port any more, and none that was remembered is forgotten. */
static void leave(uint16_t port, uint32_t now_s)
{
	unsigned int before = 0, after = 0;

	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++)
		before += table.leases[i].state != DHCP_STATE_FREE;
	dhcp_lease_leave(&table, port, now_s);
	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++) {
		if (table.leases[i].state == DHCP_STATE_FREE)
			continue;
		after++;
		CHECK(table.leases[i].port != port);
	}
	CHECK(before == after);
	CHECK(dhcp_table_is_empty(&table) == (after == 0));
}

/* The last network may have been killed at any moment, so damage comes before this, too. */
static void reopen(uint32_t now_s)
{
	dhcp_table_reopen(&table, now_s);
	dhcp_table_adopt(&table, &server.lan);
	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++)
		CHECK(table.leases[i].state == DHCP_STATE_FREE ||
			table.leases[i].port == DHCP_PORT_NONE);
}

static void start(void)
{
	memset(&table, 0, sizeof(table));
	server = (struct dhcp_server){
		.table = &table,
		.lan =
			{
				.lan_be = htonl(LAN),
				.prefix = 28,
				.gateway_be = htonl(LAN + 1),
				.outside_be = htonl(LAN + 14),
				.ports = {{.ip_be = 0}, {.ip_be = htonl(LAN + 5), .name = "bound"}},
			},
		.dns_be = htonl(LAN + 1),
		.mtu = 1500,
	};
	dhcp_table_adopt(&table, &server.lan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t now_s = 1000;

	start();
	while (size >= 2) {
		enum step step = data[0] % STEP_COUNT;
		size_t length = data[1] * 4u;
		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		switch (step) {
		case STEP_MESSAGE:
			serve_with_header(data, length, now_s);
			break;
		case STEP_ANY_MESSAGE:
			serve(data, length, length ? data[length - 1] : 0, now_s);
			break;
		case STEP_TIME:
			now_s += length ? data[0] * 256u : 0;
			break;
		case STEP_DAMAGE:
			if (length >= 2)
				memcpy((uint8_t *)&table.leases[data[0] % 32] + data[1] % 88,
					data + 2, length - 2);
			/* fall through */
		case STEP_ADOPT:
			dhcp_table_adopt(&table, &server.lan);
			break;
		case STEP_REOPEN:
			if (length >= 2)
				memcpy((uint8_t *)&table.leases[data[0] % 32] + data[1] % 88,
					data + 2, length - 2);
			reopen(now_s);
			break;
		case STEP_LEAVE:
			leave(length ? data[0] % 2 : 0, now_s);
			break;
		case STEP_SETTLE: {
			const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34,
				(uint8_t)(0x56 + (length ? data[0] % 32 : 0))};
			dhcp_lease_settle(&table, &server.lan, 0, mac);
			break;
		}
		case STEP_COUNT:
			break;
		}
		check_table();
		data += length;
		size -= length;
	}
	return 0;
}
