/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's loop in a thread of its own, among ports that are doubles: who is polled, when it
 * sleeps, what wakes it, and that nothing is forgotten meanwhile. A guest's kick and the TAP's
 * queue are eventfds, watched as the program watches the real ones.
 */
#include "tests/unit/frame.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/backend/eal.h"
#include "backend/way_out.h"
#include "tests/unit/backend/world.h"

#define DEADLINE_NS UINT64_C(20000000000)
#define GET(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define SET(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

struct fixture {
	struct quiesce quiesce;
	struct world *world;
	struct worker *worker;
	pthread_t thread;
	int kicks[WORLD_GUESTS];
	int receive_kicks[WORLD_GUESTS];
	int tap;
	uint64_t way_out; /* the monitor's word */
};

#define WAIT_FOR(condition)                                          \
	do {                                                         \
		uint64_t until = worker_clock_ns() + DEADLINE_NS;    \
		while (!(condition)) {                               \
			if (worker_clock_ns() > until)               \
				fail_msg("in vain: %s", #condition); \
			sched_yield();                               \
		}                                                    \
	} while (0)

static int watch(struct fixture *f, uint32_t events, uint64_t tag)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct epoll_event event = {.events = events, .data.u64 = tag};
	assert_int_equal(epoll_ctl(f->quiesce.epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
	return fd;
}

static void start_of_kind(struct fixture *f, enum world_kind kind)
{
	struct epoll_event wake = {.events = EPOLLIN, .data.u64 = WORKER_TAG_WAKE};
	assert_int_equal(quiesce_init(&f->quiesce, 1), 0);
	assert_int_equal(
		epoll_ctl(f->quiesce.epoll_fd, EPOLL_CTL_ADD, f->quiesce.wake_fd, &wake), 0);
	f->world = world_new(kind, &f->quiesce);
	f->worker = f->world->worker;
	for (uint16_t i = 0; i < WORLD_GUESTS; i++) {
		f->kicks[i] =
			watch(f, EPOLLIN | EPOLLET, vhost_port_epoll_tag(i, VHOST_QUEUE_TRANSMIT));
		f->receive_kicks[i] =
			watch(f, EPOLLIN | EPOLLET, vhost_port_epoll_tag(i, VHOST_QUEUE_RECEIVE));
	}
	f->tap = watch(f, EPOLLIN | EPOLLET, vhost_port_epoll_tag(PORT_UPLINK, 0));
	/* Introduced now by the worker's own clock, or its first tick would forget them. */
	f->worker->now_ns = worker_clock_ns();
	world_introduce(f->world);
	f->worker->way_out = &f->way_out;
	assert_int_equal(pthread_create(&f->thread, NULL, worker_main, f->worker), 0);
}

static int setup(void **state)
{
	struct fixture *f = *state = calloc(1, sizeof(*f));
	start_of_kind(f, WORLD_NAT);
	return 0;
}

static int setup_none(void **state)
{
	struct fixture *f = *state = calloc(1, sizeof(*f));
	start_of_kind(f, WORLD_NONE);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	worker_stop(f->worker);
	assert_int_equal(pthread_join(f->thread, NULL), 0);
	/* Nobody is waited for any more. */
	quiesce_wait(&f->quiesce);
	for (uint16_t i = 0; i < WORLD_GUESTS; i++) {
		close(f->kicks[i]);
		close(f->receive_kicks[i]);
	}
	close(f->tap);
	world_free(f->world);
	quiesce_fini(&f->quiesce);
	free(f);
	return 0;
}

static void signal_fd(int fd)
{
	const uint64_t one = 1;
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static uint64_t sleeps(struct fixture *f)
{
	return GET(f->world->stats.worker.sleeps);
}

/* Until the worker has gone to sleep since it had slept `before` times. */
static void until_asleep(struct fixture *f, uint64_t before)
{
	WAIT_FOR(sleeps(f) > before);
}

/* Frames come to a port, and whoever waits there is told. All are taken before it returns. */
static void arrive(
	struct fixture *f, uint16_t index, const struct world_frame *frames, uint16_t count, int fd)
{
	struct world_port *port = world_port(f->world, index);
	memcpy(port->waiting, frames, count * sizeof(frames[0]));
	SET(port->waiting_count, count);
	signal_fd(fd);
}

static void until_taken(struct fixture *f, uint16_t index)
{
	WAIT_FOR(!GET(world_port(f->world, index)->waiting_count));
}

static struct world_frame unicast(unsigned int from, unsigned int to, uint16_t number)
{
	return world_udp(WORLD_GUEST_MAC(to), WORLD_GUEST_MAC(from), WORLD_GUEST_IP(from),
		WORLD_GUEST_IP(to), number, 9);
}

static struct world_frame from_host(unsigned int to, uint16_t number)
{
	return world_udp(WORLD_GUEST_MAC(to), WORLD_GATEWAY_MAC, WORLD_GATEWAY_IP,
		WORLD_GUEST_IP(to), number, 9);
}

/* Port `to` has got frames 0 to count - 1, in order, and nothing else. */
static void assert_numbered(struct fixture *f, unsigned int to, uint16_t count)
{
	const struct world_port *port = &f->world->guests[to];
	WAIT_FOR(GET(port->sent_count) >= count);
	for (uint16_t i = 0; i < count; i++)
		assert_int_equal(world_load16(&port->sent[i], 34), i);
	assert_int_equal(GET(port->sent_count), count);
}

/* ---- sleep */

static void idle_ports_are_armed_and_the_worker_sleeps(void **state)
{
	struct fixture *f = *state;
	until_asleep(f, 0);
	for (unsigned int i = 0; i < WORLD_GUESTS; i++)
		assert_int_equal(GET(f->world->guests[i].arms), 1);
	/* Without a session nothing wakes it but an event: somebody waits for nobody. */
	quiesce_wait(&f->quiesce);
	assert_int_equal(sleeps(f), 1);
}

static void work_seen_when_arming_is_done(void **state)
{
	struct fixture *f = *state;
	until_asleep(f, 0);
	uint64_t before = sleeps(f);
	SET(f->world->guests[1].readable, true);
	signal_fd(f->kicks[1]);
	/* It stays awake as long as that port says so. */
	WAIT_FOR(GET(f->world->stats.worker.arm_races) >= 3);
	assert_int_equal(sleeps(f), before);
	SET(f->world->guests[1].readable, false);
	until_asleep(f, before);
}

static void kick_brings_frames(void **state)
{
	struct fixture *f = *state;
	struct world_frame frames[100];
	for (uint16_t i = 0; i < 100; i++)
		frames[i] = unicast(0, 1, i);
	until_asleep(f, 0);
	uint64_t others = GET(f->world->guests[2].disarms);
	arrive(f, 0, frames, 100, f->kicks[0]);
	assert_numbered(f, 1, 100);
	assert_int_equal(GET(f->world->stats.ports[0].kicks), 1);
	/* The others were left to sleep. */
	assert_int_equal(GET(f->world->guests[2].disarms), others);
	until_asleep(f, 1);
}

static void every_kick_counts(void **state)
{
	struct fixture *f = *state;
	for (uint16_t i = 0; i < 200; i++) {
		struct world_frame frame = unicast(0, 1, i);
		uint64_t before = sleeps(f);
		arrive(f, 0, &frame, 1, f->kicks[0]);
		until_taken(f, 0);
		/* Sometimes after it has fallen asleep again, sometimes before. */
		if (i % 3 == 0)
			until_asleep(f, before);
	}
	assert_numbered(f, 1, 200);
}

static void wake_makes_it_look_everywhere(void **state)
{
	struct fixture *f = *state;
	uint64_t before[WORLD_GUESTS];
	until_asleep(f, 0);
	for (int i = 0; i < WORLD_GUESTS; i++)
		before[i] = GET(f->world->guests[i].disarms);
	quiesce_wake(&f->quiesce);
	for (int i = 0; i < WORLD_GUESTS; i++)
		WAIT_FOR(GET(f->world->guests[i].disarms) == before[i] + 1);
	until_asleep(f, 1);
	assert_int_equal(GET(f->world->stats.worker.breaths), 0);
}

static void grace_periods_end(void **state)
{
	struct fixture *f = *state;
	struct world_frame frames[WORLD_WAITING_MAX];
	for (uint16_t i = 0; i < WORLD_WAITING_MAX; i++)
		frames[i] = unicast(0, 1, i);
	for (int i = 0; i < 50; i++) {
		SET(f->world->guests[1].sent_count, 0);
		arrive(f, 0, frames, WORLD_WAITING_MAX, f->kicks[0]);
		quiesce_wait(&f->quiesce);
		until_taken(f, 0);
		quiesce_wait(&f->quiesce);
	}
}

/* What has a time of its own wakes it ten times a second, without an event. */
static void sessions_are_ticked(void **state)
{
	struct fixture *f = *state;
	struct world_frame frame = world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0),
		WORLD_GUEST_IP(0), WORLD_REMOTE_IP, 4000, 53);
	until_asleep(f, 0);
	uint64_t start_ns = worker_clock_ns();
	arrive(f, 0, &frame, 1, f->kicks[0]);
	WAIT_FOR(sleeps(f) >= 5);
	uint64_t took_ns = worker_clock_ns() - start_ns;
	assert_true(took_ns > 2 * (uint64_t)WORKER_TICK_NS);
	assert_int_equal(GET(f->world->uplink.sent_count), 1);
}

/* ---- word of the monitor */

#define HOST_IP 0xc0000207u /* 192.0.2.7 */

static struct world_frame to_host(uint16_t from_port)
{
	return world_udp(
		WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0), WORLD_GUEST_IP(0), HOST_IP, from_port, 4000);
}

/* A worker that sleeps for good has heard of the new address before it looks at the first frame. */
static void new_address_is_known_after_a_sleep(void **state)
{
	struct fixture *f = *state;
	struct world_frame frame = to_host(5000);
	until_asleep(f, 0);
	way_out_write(&f->way_out, (struct way_out){htonl(HOST_IP), 1500, true});
	arrive(f, 0, &frame, 1, f->kicks[0]);
	until_taken(f, 0);
	until_asleep(f, 1);
	/* It is the NAT's own, where nobody has port 4000. */
	assert_int_equal(GET(f->world->stats.ports[0].drops[DROP_NAT + NAT_DROP_NO_MAPPING]), 1);
	assert_int_equal(GET(f->world->uplink.sent_count), 0);
}

static void new_address_is_known_to_a_busy_worker(void **state)
{
	struct fixture *f = *state;
	until_asleep(f, 0);
	uint64_t before = sleeps(f);
	SET(f->world->guests[1].readable, true);
	signal_fd(f->kicks[1]);
	WAIT_FOR(GET(f->world->stats.worker.arm_races) >= 3);
	way_out_write(&f->way_out, (struct way_out){htonl(HOST_IP), 1500, true});
	WAIT_FOR(GET(f->worker->way_out_seen) == f->way_out);
	assert_int_equal(sleeps(f), before);
	SET(f->world->guests[1].readable, false);
	until_asleep(f, before);
}

/* ---- the uplink */

static void send_to_world(struct fixture *f)
{
	struct world_frame frame = world_udp(WORLD_GATEWAY_MAC, WORLD_GUEST_MAC(0),
		WORLD_GUEST_IP(0), WORLD_REMOTE_IP, 4000, 53);
	arrive(f, 0, &frame, 1, f->kicks[0]);
}

/* What a port only copied is written when the guest has its buffers back, and when it is due. */
static void copies_are_written_after_buffers_are_given_back(void **state)
{
	struct fixture *f = *state;
	struct world_port *uplink = &f->world->uplink;
	until_asleep(f, 0);
	uint32_t dones = f->world->guests[0].dones;
	SET(uplink->settle_due_ns, 0);
	send_to_world(f);
	WAIT_FOR(GET(uplink->settles) > 3);
	assert_int_equal(uplink->settle_dones, dones + 1);
}

static void nothing_waits_while_the_worker_sleeps(void **state)
{
	struct fixture *f = *state;
	struct world_port *uplink = &f->world->uplink;
	until_asleep(f, 0);
	SET(uplink->settle_due_ns, UINT64_MAX - 1);
	send_to_world(f);
	until_asleep(f, 1);
	assert_int_equal(GET(uplink->settles), 2);
	assert_int_equal(GET(uplink->settles_all), 1);
}

/* One edge for all of them, more than one burst reads. */
static void one_edge_is_enough_for_the_tap(void **state)
{
	struct fixture *f = *state;
	struct world_frame frames[WORLD_WAITING_MAX];
	for (uint16_t i = 0; i < WORLD_WAITING_MAX; i++)
		frames[i] = from_host(1, i);
	until_asleep(f, 0);
	arrive(f, PORT_UPLINK, frames, WORLD_WAITING_MAX, f->tap);
	assert_numbered(f, 1, WORLD_WAITING_MAX);
	until_asleep(f, 1);
	assert_int_equal(f->worker->slots->free_count, SLOTS_COUNT);
}

static void every_edge_counts(void **state)
{
	struct fixture *f = *state;
	for (uint16_t i = 0; i < 200; i++) {
		struct world_frame frame = from_host(1, i);
		uint64_t before = sleeps(f);
		arrive(f, PORT_UPLINK, &frame, 1, f->tap);
		until_taken(f, PORT_UPLINK);
		if (i % 3 == 0)
			until_asleep(f, before);
	}
	assert_numbered(f, 1, 200);
}

/* A guest without buffers: its frames wait, its neighbours' do not, and the worker sleeps. */
static void full_guest_delays_nobody(void **state)
{
	struct fixture *f = *state;
	struct world_frame frames[30];
	for (uint16_t i = 0; i < 30; i++)
		frames[i] = from_host(i % 2 ? 1 : 2, i / 2);
	until_asleep(f, 0);
	SET(f->world->guests[2].room, 4);
	uint64_t before = sleeps(f);
	arrive(f, PORT_UPLINK, frames, 30, f->tap);
	assert_numbered(f, 1, 15);
	assert_numbered(f, 2, 4);
	until_asleep(f, before);
	assert_true(GET(f->world->guests[2].room_arms) > 0);

	/* It posts some, then all. */
	before = sleeps(f);
	SET(f->world->guests[2].room, 5);
	signal_fd(f->receive_kicks[2]);
	assert_numbered(f, 2, 9);
	until_asleep(f, before);
	before = sleeps(f);
	SET(f->world->guests[2].room, WORLD_UNLIMITED);
	signal_fd(f->receive_kicks[2]);
	assert_numbered(f, 2, 15);
	assert_int_equal(GET(f->world->stats.ports[2].drops[DROP_PORT_FULL]), 0);
	until_asleep(f, before);
	assert_int_equal(f->worker->slots->free_count, SLOTS_COUNT);
}

/* Nobody tells us that a guest takes nothing: the worker wakes by itself to give up. */
static void held_frames_are_given_up_in_time(void **state)
{
	struct fixture *f = *state;
	struct world_frame frames[8];
	for (uint16_t i = 0; i < 8; i++)
		frames[i] = from_host(2, i);
	SET(f->world->guests[2].room, 0);
	uint64_t start_ns = worker_clock_ns();
	arrive(f, PORT_UPLINK, frames, 8, f->tap);
	WAIT_FOR(GET(f->world->stats.ports[2].drops[DROP_PORT_FULL]) == 8);
	assert_true(worker_clock_ns() - start_ns >= OUTBOX_HOLD_NS);
	quiesce_wait(&f->quiesce);
	assert_int_equal(GET(f->world->guests[2].sent_count), 0);
	assert_int_equal(f->worker->slots->free_count, SLOTS_COUNT);
}

/* More frames than there are slots, all for a guest without buffers: the TAP is still read, to its
 * end, and what comes for others arrives. */
static void full_guest_and_more_frames_than_slots(void **state)
{
	struct fixture *f = *state;
	struct world_frame frames[WORLD_WAITING_MAX];
	for (uint16_t i = 0; i < WORLD_WAITING_MAX; i++)
		frames[i] = from_host(2, i);
	frames[WORLD_WAITING_MAX - 1] = from_host(1, 0);
	SET(f->world->guests[2].room, 0);
	arrive(f, PORT_UPLINK, frames, WORLD_WAITING_MAX, f->tap);
	assert_numbered(f, 1, 1);
	until_taken(f, PORT_UPLINK);
	SET(f->world->guests[2].room, WORLD_UNLIMITED);
	signal_fd(f->receive_kicks[2]);
	/* Half of the slots, in order; the rest was dropped. */
	WAIT_FOR(GET(f->world->guests[2].sent_count) +
			 GET(f->world->stats.ports[2].drops[DROP_PORT_FULL]) ==
		 WORLD_WAITING_MAX - 1);
	assert_in_range(GET(f->world->guests[2].sent_count), SLOTS_COUNT / 4, SLOTS_COUNT);
	for (uint16_t i = 0; i < GET(f->world->guests[2].sent_count); i++)
		assert_int_equal(world_load16(&f->world->guests[2].sent[i], 34), i);
}

/* ---- without an uplink */

static void guests_alone(void **state)
{
	struct fixture *f = *state;
	struct world_frame frame = unicast(0, 1, 0);
	until_asleep(f, 0);
	arrive(f, 0, &frame, 1, f->kicks[0]);
	assert_numbered(f, 1, 1);
	until_asleep(f, 1);
}

int main(void)
{
#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		WORKER_TEST(idle_ports_are_armed_and_the_worker_sleeps),
		WORKER_TEST(work_seen_when_arming_is_done),
		WORKER_TEST(kick_brings_frames),
		WORKER_TEST(every_kick_counts),
		WORKER_TEST(wake_makes_it_look_everywhere),
		WORKER_TEST(grace_periods_end),
		WORKER_TEST(sessions_are_ticked),
		WORKER_TEST(new_address_is_known_after_a_sleep),
		WORKER_TEST(new_address_is_known_to_a_busy_worker),
		WORKER_TEST(copies_are_written_after_buffers_are_given_back),
		WORKER_TEST(nothing_waits_while_the_worker_sleeps),
		WORKER_TEST(one_edge_is_enough_for_the_tap),
		WORKER_TEST(every_edge_counts),
		WORKER_TEST(full_guest_delays_nobody),
		WORKER_TEST(held_frames_are_given_up_in_time),
		WORKER_TEST(full_guest_and_more_frames_than_slots),
		cmocka_unit_test_setup_teardown(guests_alone, setup_none, teardown),
	};
	return cmocka_run_group_tests(tests, eal_start, eal_stop);
}
