/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest of some personality at a socket of the fixture: its driver, started and stopped as that
 * driver does it. Functions return 0 or negative errno, and assert nothing, so that a thread can
 * call them.
 *
 *   made (machine_plug: active)  machine_send, machine_poll, machine_stop
 *   stopped                      machine_start, machine_become
 */
#pragma once

#include <stdint.h>

#include "tests/frontend/fixture.h"
#include "tests/frontend/personality.h"
#include "tests/frontend/redox.h"

/* SET_VRING_BASE as Cloud Hypervisor says it: the guest's avail.idx. */
#define MACHINE_BASE_AVAIL UINT32_MAX

struct machine {
	const struct personality *personality;
	struct frontend *frontend; /* the fixture's */
	struct redox redox;	   /* of the two redox kinds */
};

/* Makes the guest `index` with queues of `size`, connects it and starts its driver. */
int machine_plug(struct machine *machine, struct fixture *fixture, unsigned int index,
	const struct personality *personality, uint16_t size);
/* Frees what fixture_unplug() and the teardown do not know of. A zeroed machine is allowed. */
void machine_fini(struct machine *machine);

/* The driver resets the device (frontend_reset()). */
int machine_stop(struct machine *machine);
/* It starts again, with empty rings; `base` is what SET_VRING_BASE says. */
int machine_start(struct machine *machine, uint32_t base);
/* Another driver takes the device over, in the same memory and on the same connection: it has to be
 * stopped. There is room in a machine's memory for a few. */
int machine_become(struct machine *machine, const struct personality *personality, uint16_t size);

/* Takes a frame. -EAGAIN, or -EPROTO when the device broke a rule or the driver drops the frame. */
int machine_poll(struct machine *machine, struct driver_frame *frame);

/* Sends a frame; as the driver does, returns before or after the device has read it. */
int machine_send(struct machine *machine, const struct driver_frame *frame, uint64_t deadline_ns);

/* Asks for an interrupt of either queue, where the driver does such a thing; false when there is a
 * frame already. Then waits are for the call descriptors, and machine_disarm() is due. */
bool machine_arm(struct machine *machine);
void machine_disarm(struct machine *machine);

/* Waits until machine_poll() finds something. */
int machine_wait(struct machine *machine, uint64_t deadline_ns);

/* Waits for the next frame, and takes it; errors are those of machine_wait() and machine_poll(). */
int machine_receive(struct machine *machine, struct driver_frame *frame, uint64_t deadline_ns);
