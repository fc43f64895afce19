/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/breath_stages.h"

#include <string.h>

#include "backend/parse.h"
#include "backend/parse_vnet.h"
#include "bench/ticks.h"

static uint64_t cycles[BREATH_STAGES];
static const struct port_ops *uplink_ops;

static const struct port_ops *real(const struct port *port)
{
	return port->index == PORT_UPLINK ? uplink_ops : &vhost_port_ops;
}

static void count(enum breath_stage stage, uint64_t since)
{
	cycles[stage] += ticks_now() - since;
}

/* On copies of the header's place: parsing writes what parsing found, and nothing else. */
static void parse_again(struct packet *const packets[], uint16_t frames)
{
	uint64_t start = ticks_now();
	for (uint16_t i = 0; i < frames; i++) {
		struct virtio_net_hdr_v1 vnet = packets[i]->vnet;
		parse_packet(packets[i]);
		parse_vnet(packets[i]);
		packets[i]->vnet = vnet;
	}
	count(BREATH_PARSE, start);
}

static uint16_t rx_burst(struct port *port, struct packet *packets[], uint16_t max)
{
	uint64_t start = ticks_now();
	uint16_t frames = real(port)->rx_burst(port, packets, max);
	count(BREATH_INHALE, start);
	parse_again(packets, frames);
	return frames;
}

static void rx_done(struct port *port)
{
	uint64_t start = ticks_now();
	real(port)->rx_done(port);
	count(BREATH_RELEASE, start);
}

static uint16_t tx_burst(struct port *port, struct packet *const packets[], uint16_t frames)
{
	uint64_t start = ticks_now();
	uint16_t taken = real(port)->tx_burst(port, packets, frames);
	count(BREATH_EXHALE, start);
	return taken;
}

static void tx_flush(struct port *port)
{
	uint64_t start = ticks_now();
	real(port)->tx_flush(port);
	count(BREATH_EXHALE, start);
}

static uint64_t tx_settle(struct port *port, uint64_t now_ns, bool all)
{
	uint64_t start = ticks_now();
	uint64_t due_ns = real(port)->tx_settle(port, now_ns, all);
	count(BREATH_SETTLE, start);
	return due_ns;
}

static bool arm(struct port *port)
{
	return real(port)->arm(port);
}

static void disarm(struct port *port)
{
	real(port)->disarm(port);
}

static bool arm_room(struct port *port)
{
	return real(port)->arm_room(port);
}

static const struct port_ops guest_watch = {
	.rx_burst = rx_burst,
	.rx_done = rx_done,
	.tx_burst = tx_burst,
	.tx_flush = tx_flush,
	.arm = arm,
	.disarm = disarm,
	.arm_room = arm_room,
};

static const struct port_ops uplink_watch = {
	.rx_burst = rx_burst,
	.rx_done = rx_done,
	.tx_burst = tx_burst,
	.tx_flush = tx_flush,
	.tx_settle = tx_settle,
	.arm = arm,
	.disarm = disarm,
	.arm_room = arm_room,
};

void breath_stages_watch(struct breath *breath)
{
	for (unsigned int i = 0; i < breath->what->guests; i++)
		breath->ports[i].port.ops = &guest_watch;
	uplink_ops = breath->uplink.port.ops;
	breath->uplink.port.ops = &uplink_watch;
	memset(cycles, 0, sizeof(cycles));
}

void breath_stages_take(uint64_t ret_cycles[BREATH_STAGES])
{
	memcpy(ret_cycles, cycles, sizeof(cycles));
	memset(cycles, 0, sizeof(cycles));
}
