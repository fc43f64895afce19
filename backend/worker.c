/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/worker.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "backend/forward.h"
#include "backend/sigbus.h"
#include "backend/way_out.h"

#define EPOLL_EVENTS 16

uint64_t worker_clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void worker_send(struct worker *worker, uint16_t to, struct packet *p)
{
	struct outbox *box = &worker->ports[to].outbox;
	if (__builtin_expect(!box->port, false)) {
		forward_drop(worker, p, DROP_PORT_DOWN);
		return;
	}
	if (box->count == box->held)
		worker->filled[worker->filled_count++] = to;
	outbox_put(box, p);
}

void worker_flush(struct worker *worker)
{
	for (uint16_t i = 0; i < worker->filled_count; i++) {
		uint16_t to = worker->filled[i];
		struct outbox *box = &worker->ports[to].outbox;
		bool was_held = box->held;
		bool empty = outbox_flush(box, worker->now_ns);
		worker->held_count += !empty;
		worker->held_count -= was_held;
		if (to == PORT_UPLINK)
			worker->settle_ns = 0;
	}
	worker->filled_count = 0;
}

/* Writes what waits for the uplink and is due; with `all` also what is not. */
static void settle(struct worker *worker, bool all)
{
	struct port *uplink = worker->ports[PORT_UPLINK].port;
	if (worker->settle_ns == UINT64_MAX || (!all && worker->settle_ns > worker->now_ns))
		return;
	worker->settle_ns = uplink && uplink->ops->tx_settle
				    ? uplink->ops->tx_settle(uplink, worker->now_ns, all)
				    : UINT64_MAX;
	worker->next_tap_ns = 0; /* the answer is often there already */
}

static void activate(struct worker *worker, uint16_t index)
{
	struct worker_port *port = &worker->ports[index];
	port->last_rx_ns = worker->now_ns;
	if (port->active || !port->port)
		return;
	port->active = true;
	port->port->ops->disarm(port->port);
	worker->active[worker->active_count++] = index;
}

/* Tries to let an idle port sleep; `slot` is its place in active[]. True when it does. */
static bool retire(struct worker *worker, uint16_t slot)
{
	struct worker_port *port = &worker->ports[worker->active[slot]];
	if (worker->now_ns - port->last_rx_ns < worker->patience.ns)
		return false;
	/* The TAP is watched edge-triggered: it must have been found empty. */
	if (port->port->index == PORT_UPLINK && !worker->tap_empty)
		return false;
	if (!port->port->ops->arm(port->port)) {
		worker->stats->worker.arm_races++;
		port->last_rx_ns = worker->now_ns;
		return false;
	}
	port->active = false;
	worker->active[slot] = worker->active[--worker->active_count];
	return true;
}

/* Frames of the uplink that found no room are tried again. */
static void retry_held(struct worker *worker)
{
	for (uint16_t i = 0; i < worker->guest_count; i++)
		if (worker->ports[i].outbox.held)
			worker->filled[worker->filled_count++] = i;
	worker_flush(worker);
	if (worker->path_error.waits)
		forward_extra(worker);
}

static bool inhale_uplink(struct worker *worker, struct worker_port *uplink)
{
	struct packet *packets[PORT_BURST];
	if (worker->now_ns < worker->next_tap_ns)
		return false;
	uint16_t count = uplink->port->ops->rx_burst(uplink->port, packets, PORT_BURST);
	/* It reads as many as it may, or until there are none, unless it has no slot left. */
	worker->tap_empty = count < TAP_BURST && worker->slots->free_count;
	if (worker->tap_empty)
		worker->next_tap_ns = worker->now_ns + WORKER_TAP_POLL_NS;
	if (!count)
		return false;
	uplink->last_rx_ns = worker->now_ns;
	forward_from_uplink(worker, packets, count);
	uplink->port->ops->rx_done(uplink->port);
	return true;
}

static bool inhale_guest(struct worker *worker, struct worker_port *guest)
{
	struct port *port = guest->port;
	uint16_t count = port->ops->rx_burst(port, worker->burst, PORT_BURST);
	if (count) {
		guest->last_rx_ns = worker->now_ns;
		forward_from_guest(worker, port, worker->burst, count);
	}
	port->ops->rx_done(port);
	if (count)
		settle(worker, false);
	return count;
}

/* One turn over the active ports. */
static void inhale(struct worker *worker)
{
	bool moved = false;
	for (uint16_t slot = 0; slot < worker->active_count;) {
		uint16_t index = worker->active[slot];
		struct worker_port *port = &worker->ports[index];
		bool came = index == PORT_UPLINK ? inhale_uplink(worker, port)
						 : inhale_guest(worker, port);
		if (came)
			patience_burst(&worker->patience, index);
		moved |= came;
		if (came || !retire(worker, slot))
			slot++;
	}
	worker->stats->worker.breaths += moved;
	if (moved)
		worker->moved_ns = worker->now_ns;
}

/* Guests whose memory went away under us: their rings stand still. */
static void stop_faulty(struct worker *worker)
{
	__atomic_store_n(&sigbus_pending, false, __ATOMIC_RELEASE);
	for (uint16_t i = 0; i < worker->guest_count; i++) {
		if (!worker->ports[i].port || !sigbus_hit(i))
			continue;
		worker->stats->worker.sigbus++;
		vhost_port_break((struct vhost_port *)worker->ports[i].port);
	}
}

/* Passes word of the monitor on to the NAT. */
static void look_at_way_out(struct worker *worker)
{
	if (!worker->nat || !worker->way_out)
		return;
	uint64_t word = way_out_read(worker->way_out);
	if (word == worker->way_out_seen)
		return;
	struct way_out way = way_out_unpack(word);
	nat_set_way_out(worker->nat, way.address_be, way.owns_ports, way.mtu);
	worker->way_out_seen = word;
}

static void tick(struct worker *worker)
{
	look_at_way_out(worker);
	worker->next_tick_ns = worker->now_ns + WORKER_TICK_NS;
	forward_tick(worker);
}

static void handle_event(struct worker *worker, const struct epoll_event *event)
{
	uint64_t count;
	if (event->data.u64 == WORKER_TAG_CALL) {
		worker_call_woken(&worker->call);
		return;
	}
	if (event->data.u64 == WORKER_TAG_WAKE) {
		/* Not blocking; only this thread reads it. */
		if (read(worker->quiesce->wake_fd, &count, sizeof(count)) < 0)
			return;
		for (uint16_t i = 0; i < PORT_MAX; i++)
			activate(worker, i);
		return;
	}
	uint16_t index = (uint16_t)(event->data.u64 >> 8);
	if (index == PORT_UPLINK) {
		worker->tap_empty = false;
		worker->next_tap_ns = 0;
	} else if (worker->ports[index].port) {
		worker->ports[index].port->stats->kicks++;
		/* More receive buffers: held frames are tried in the next turn anyway. */
		if ((event->data.u64 & 0xff) == VHOST_QUEUE_RECEIVE)
			return;
	}
	activate(worker, index);
}

static void poll_events(struct worker *worker, int timeout_ms)
{
	struct epoll_event events[EPOLL_EVENTS];
	if (timeout_ms)
		quiesce_offline(worker->quiesce, worker->id);
	int count = epoll_wait(worker->quiesce->epoll_fd, events, EPOLL_EVENTS, timeout_ms);
	if (timeout_ms)
		quiesce_online(worker->quiesce, worker->id);
	worker->now_ns = worker_clock_ns();
	for (int i = 0; i < count; i++)
		handle_event(worker, &events[i]);
	worker->asked_ns = worker->now_ns;
}

/* Is it time to look for other ports than the active ones? */
static bool should_ask(const struct worker *worker)
{
	uint64_t since_ns = worker->now_ns - worker->asked_ns;
	return since_ns >= WORKER_EPOLL_NS ||
	       (since_ns >= WORKER_EPOLL_QUIET_NS &&
		       worker->now_ns - worker->moved_ns >= WORKER_EPOLL_QUIET_NS);
}

/* How long nothing will happen by itself, in milliseconds; -1: for ever. */
static int rest_ms(struct worker *worker)
{
	uint64_t until = forward_has_state(worker) ? worker->next_tick_ns : UINT64_MAX;
	for (uint16_t i = 0; worker->held_count && i < worker->guest_count; i++) {
		const struct outbox *box = &worker->ports[i].outbox;
		if (box->held && box->give_up_ns < until)
			until = box->give_up_ns;
	}
	if (until == UINT64_MAX)
		return -1;
	if (until <= worker->now_ns)
		return 0;
	return (int)((until - worker->now_ns) / 1000000 + 1);
}

/* May the worker sleep although frames are held? Only when their guests will say that there is
 * more room. */
static bool held_armed(struct worker *worker)
{
	for (uint16_t i = 0; worker->held_count && i < worker->guest_count; i++) {
		struct worker_port *guest = &worker->ports[i];
		if (guest->outbox.held && !guest->port->ops->arm_room(guest->port))
			return false;
	}
	return true;
}

static void sleep_until_event(struct worker *worker)
{
	settle(worker, true);
	if (!held_armed(worker))
		return;
	int timeout = rest_ms(worker);
	if (timeout)
		worker->stats->worker.sleeps++;
	poll_events(worker, timeout);
	look_at_way_out(worker);
}

void worker_begin(struct worker *worker, uint64_t now_ns)
{
	worker->now_ns = now_ns;
	worker->next_tick_ns = now_ns + WORKER_TICK_NS;
	worker->settle_ns = UINT64_MAX;
	patience_begin(&worker->patience, now_ns);
	for (uint16_t i = 0; i < PORT_MAX; i++)
		activate(worker, i);
	look_at_way_out(worker);
}

void worker_breathe(struct worker *worker, uint64_t now_ns)
{
	patience_breath(&worker->patience, now_ns, worker->moved_ns == worker->patience.breath_ns);
	worker->now_ns = now_ns;
	if (worker->held_count)
		retry_held(worker);
	inhale(worker);
	if (__builtin_expect(__atomic_load_n(&sigbus_pending, __ATOMIC_RELAXED), false))
		stop_faulty(worker);
	if (now_ns >= worker->next_tick_ns)
		tick(worker);
	settle(worker, false);
}

void *worker_main(void *argument)
{
	struct worker *worker = argument;
	quiesce_register(worker->quiesce, worker->id);
	worker_begin(worker, worker_clock_ns());

	while (!atomic_load_explicit(&worker->stop, memory_order_relaxed)) {
		worker_breathe(worker, worker_clock_ns());
		if (!worker->active_count)
			sleep_until_event(worker);
		else if (should_ask(worker))
			poll_events(worker, 0);
		if (__builtin_expect(
			    __atomic_load_n(&worker->call.run, __ATOMIC_RELAXED) != NULL, false))
			worker_call_serve(worker);
		quiesce_point(worker->quiesce, worker->id);
	}
	settle(worker, true);
	quiesce_unregister(worker->quiesce, worker->id);
	return NULL;
}

void worker_stop(struct worker *worker)
{
	atomic_store(&worker->stop, true);
	quiesce_wake(worker->quiesce);
}
