/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/machine.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>

/* Memory besides what the first driver needs. */
#define SPARE (64u << 20)

static bool is_redox(const struct machine *machine)
{
	switch (machine->personality->kind) {
	case PERSONALITY_DRIVER:
		break;
	case PERSONALITY_REDOX_A:
	case PERSONALITY_REDOX_B:
		return true;
	}
	return false;
}

/* What the front end's own options cannot say. */
static int adapt(struct machine *machine)
{
	const struct personality *personality = machine->personality;
	struct driver *driver = &machine->frontend->driver;

	if (is_redox(machine))
		return redox_init(&machine->redox, machine->frontend,
			personality->kind == PERSONALITY_REDOX_B);
	for (uint16_t i = 1; personality->shared_header && i < driver->tx_slots; i++)
		driver->tx_headers[i] = driver->tx_headers[0];
	for (int i = 0; personality->no_interrupt && i < DRIVER_QUEUES; i++) {
		driver->queues[i].call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (driver->queues[i].call_fd < 0)
			return -errno;
	}
	return 0;
}

int machine_start(struct machine *machine, uint32_t base)
{
	struct frontend *frontend = machine->frontend;
	bool ok_first = machine->personality->ok_first;
	int error = 0;

	frontend->options.base =
		base == MACHINE_BASE_AVAIL ? FRONTEND_BASE_AVAIL : FRONTEND_BASE_SAVED;
	for (int i = 0; i < DRIVER_QUEUES; i++)
		frontend->saved_base[i] = base;
	if (is_redox(machine))
		redox_reset(&machine->redox);
	else
		driver_clear(&frontend->driver);
	/* EDK2 says whether it wants interrupts after DRIVER_OK, too. */
	for (int i = 0; ok_first && !is_redox(machine) && i < DRIVER_QUEUES; i++)
		frontend->driver.queues[i].avail->flags = 0;
	if (!ok_first)
		error = driver_post_all(&frontend->driver);
	if (!error)
		error = frontend_resume(frontend);
	if (error || !ok_first)
		return error;
	if (!is_redox(machine)) {
		for (int i = 0; i < DRIVER_QUEUES; i++)
			virtqueue_disarm(&frontend->driver.queues[i]);
		return driver_post_all(&frontend->driver);
	}
	redox_start(&machine->redox);
	return 0;
}

int machine_plug(struct machine *machine, struct fixture *fixture, unsigned int index,
	const struct personality *personality, uint16_t size)
{
	struct frontend_options options = personality_options(personality, size);
	struct frontend *frontend = &fixture->ports[index];

	*machine = (struct machine){.personality = personality, .frontend = frontend};
	fixture->plugged[index] = true;
	options.listens = fixture->listens;
	options.ram.regions = 1;
	if (options.ram.region_size == 0)
		options.ram.region_size = frontend_ram_needed(&options);
	options.ram.region_size += SPARE;
	int error = frontend_init(frontend, &options);
	if (!error)
		error = adapt(machine);
	if (!error)
		error = frontend_connect(frontend, fixture->sockets[index]);
	return error ? error : machine_start(machine, MACHINE_BASE_AVAIL);
}

void machine_fini(struct machine *machine)
{
	if (machine->frontend)
		redox_fini(&machine->redox);
	*machine = (struct machine){0};
}

int machine_stop(struct machine *machine)
{
	return frontend_reset(machine->frontend);
}

int machine_become(struct machine *machine, const struct personality *personality, uint16_t size)
{
	struct frontend *frontend = machine->frontend;
	struct frontend_options options = personality_options(personality, size);

	options.ram = frontend->options.ram;
	redox_fini(&machine->redox);
	machine->personality = personality;
	int error = frontend_change_driver(frontend, &options);
	return error ? error : adapt(machine);
}

int machine_poll(struct machine *machine, struct driver_frame *frame)
{
	int error = is_redox(machine) ? redox_poll(&machine->redox, frame)
				      : driver_poll(&machine->frontend->driver, frame);

	if (!error && machine->personality->one_buffer && frame->buffers > 1)
		return -EPROTO;
	return error;
}

int machine_send(struct machine *machine, const struct driver_frame *frame, uint64_t deadline_ns)
{
	return is_redox(machine) ? redox_send(&machine->redox, frame, deadline_ns)
				 : driver_send(&machine->frontend->driver, frame, deadline_ns);
}

bool machine_arm(struct machine *machine)
{
	struct virtqueue *queues = machine->frontend->driver.queues;

	if (is_redox(machine)) {
		const struct virtqueue *queue = &queues[DRIVER_RX];
		return __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE) ==
		       machine->redox.recv_head;
	}
	virtqueue_arm(&queues[DRIVER_RX]);
	if (!virtqueue_has_used(&queues[DRIVER_RX]))
		return true;
	virtqueue_disarm(&queues[DRIVER_RX]);
	return false;
}

void machine_disarm(struct machine *machine)
{
	if (!is_redox(machine))
		virtqueue_disarm(&machine->frontend->driver.queues[DRIVER_RX]);
}

int machine_wait(struct machine *machine, uint64_t deadline_ns)
{
	if (!is_redox(machine))
		return virtqueue_wait(&machine->frontend->driver.queues[DRIVER_RX], deadline_ns);
	while (machine_arm(machine)) {
		int error = redox_sleep(&machine->redox, deadline_ns);
		if (error)
			return machine_arm(machine) ? error : -ENOMSG;
	}
	return 0;
}

int machine_receive(struct machine *machine, struct driver_frame *frame, uint64_t deadline_ns)
{
	int error;

	while ((error = machine_poll(machine, frame)) == -EAGAIN) {
		error = machine_wait(machine, deadline_ns);
		if (error)
			return error;
	}
	return error;
}
