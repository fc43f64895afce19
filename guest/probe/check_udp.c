/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams to an echo server. */
#include <string.h>

#include "guest/probe/check.h"
#include "guest/probe/clock.h"
#include "guest/probe/number.h"
#include "guest/probe/pattern.h"
#include "guest/probe/tap_output.h"
#include "guest/probe/udp.h"

#define PORT 49160
#define TRY_US 500000
#define TRIES 4
/* Each size so many times. */
#define ROUNDS 10

static const uint16_t sizes[] = {1, 64, 511, 1024, UDP_DATA_MAX};
#define SIZE_COUNT (sizeof(sizes) / sizeof(sizes[0]))

/* The datagram that is on its way. */
struct parcel {
	const struct parameters *parameters;
	uint32_t offset; /* of its data in the pattern */
	uint16_t size;	 /* bytes */
	bool returned;
	uint32_t wrong; /* that came back changed */
};

static void take(void *context, const struct ip_datagram *datagram)
{
	struct parcel *parcel = context;
	struct udp_message message;

	if (udp_read(datagram, &message) < 0 || message.destination != PORT ||
		message.source != parcel->parameters->server_port ||
		datagram->source_be != parcel->parameters->server_be)
		return;
	/* One that comes too late is no fault. */
	if (message.length != parcel->size)
		return;
	if (!pattern_matches(parcel->offset, message.data, message.length))
		parcel->wrong++;
	else
		parcel->returned = true;
}

/* Sends one and waits for its return; microseconds, or UINT32_MAX. */
static uint32_t send(struct net *net, struct parcel *parcel)
{
	uint8_t *room = net_room(net);
	uint64_t start = clock_us();

	parcel->returned = false;
	if (room) {
		pattern_fill(parcel->offset, room + FRAME_UDP_HEADER, parcel->size);
		net_send(net, parcel->parameters->server_be, FRAME_UDP,
			udp_write(PORT, parcel->parameters->server_port, parcel->size, room));
	}
	if (!net_wait(net, &parcel->returned, TRY_US))
		return UINT32_MAX;
	return (uint32_t)(clock_us() - start);
}

/* The same, again when it is lost. */
static uint32_t send_again(struct net *net, struct parcel *parcel, uint32_t *lost)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t us = send(net, parcel);

		if (us != UINT32_MAX)
			return us;
		(*lost)++;
	}
	return UINT32_MAX;
}

bool check_udp(struct probe *probe)
{
	static const char name[] = "UDP comes back unchanged";
	struct parcel parcel = {.parameters = &probe->parameters};
	uint32_t sum = 0, returned = 0, lost = 0, us = 0;
	struct text detail;

	if (!check_can(probe, name, true))
		return true;
	probe->net.listener = take;
	probe->net.context = &parcel;
	for (uint32_t i = 0; i < SIZE_COUNT * ROUNDS && us != UINT32_MAX; i++) {
		parcel.offset = i;
		parcel.size = sizes[i % SIZE_COUNT];
		us = send_again(&probe->net, &parcel, &lost);
		if (us == UINT32_MAX)
			break;
		returned++;
		sum += us;
	}
	probe->net.listener = NULL;
	text_clear(&detail);
	text_number(&detail, returned);
	text_add(&detail, " datagrams, ");
	text_number(&detail, lost);
	text_add(&detail, " lost, ");
	text_number(&detail, parcel.wrong);
	text_add(&detail, " changed");
	tap_output_result(us != UINT32_MAX && parcel.wrong == 0, name, &detail);
	if (returned > 0)
		tap_output_tenths("udp_us", number_divide((uint64_t)sum * 10, returned));
	return true;
}
