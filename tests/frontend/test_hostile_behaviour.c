/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guests that keep the rules of the ring and behave badly all the same: they kick without end, post
 * nothing, take nothing, flood; or pass descriptors that are no eventfds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/frontend/hostile_chain.h"

static struct driver_frame frame;

/* Something that guest 0 does in a thread of its own until told to stop. */
struct doing {
	void (*once)(struct doing *doing);
	struct virtqueue *queue;
	uint64_t times; /* it was done */
	bool stop;
};

static void *go_on(void *data)
{
	struct doing *doing = data;
	while (!__atomic_load_n(&doing->stop, __ATOMIC_RELAXED)) {
		doing->once(doing);
		doing->times++;
	}
	return NULL;
}

/* The case: guest 0 does it all the time, while the neighbours complete many rounds. */
static void all_the_time(const char *name, struct doing *doing, const char *counter)
{
	struct hostile_watch watch;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, go_on, doing), 0);
	hostile_fence();
	hostile_begin(&watch, name);
	/* Until it was seen: its thread may be late. */
	do {
		hostile_fence();
		hostile_poke();
		assert_true(deadline_now_ns() < watch.deadline_ns);
	} while (hostile_goes_on(&watch, 10) || (counter && !hostile_grown(&watch, counter)));
	__atomic_store_n(&doing->stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	print_message("%s: done %llu times\n", name, (unsigned long long)doing->times);
	hostile_end(&watch);
}

static void kick(struct doing *doing)
{
	(void)doing;
	virtqueue_kick(&hostile_port()->driver.queues[DRIVER_TX]);
	virtqueue_kick(&hostile_port()->driver.queues[DRIVER_RX]);
}

static void kicks_in_a_loop(void **state)
{
	struct doing doing = {.once = kick};

	(void)state;
	hostile_plug();
	all_the_time("kicks in a loop", &doing, "port.0.kicks");
}

/* Keeps the transmit ring full of whatever descriptor 0 to 63 are. */
static void keep_full(struct doing *doing)
{
	struct virtqueue *queue = doing->queue;
	uint16_t size = queue->options.size;
	uint16_t used = __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE);
	uint16_t idx = queue->avail->idx;

	while ((uint16_t)(idx - used) < size) {
		queue->avail->ring[idx & (size - 1)] = idx % 64;
		idx++;
	}
	__atomic_store_n(&queue->avail->idx, idx, __ATOMIC_RELEASE);
	virtqueue_kick(queue);
}

static void flood(
	void (*fill)(const struct hostile_stage *stage), const char *name, const char *counter)
{
	struct doing doing = {.once = keep_full};

	hostile_plug();
	struct hostile_stage stage = hostile_stage(DRIVER_TX);
	doing.queue = stage.queue;
	fill(&stage);
	all_the_time(name, &doing, counter);
}

/* The dearest refusal: as many pieces as are followed, and one more. */
static void fill_long_chains(const struct hostile_stage *s)
{
	for (uint16_t i = 0; i < HOSTILE_QUEUE_SIZE; i++)
		hostile_put(&s->desc[i], s->area, 1, VRING_DESC_F_NEXT,
			(uint16_t)((i + 1) % HOSTILE_QUEUE_SIZE));
}

static void flood_of_long_chains(void **state)
{
	(void)state;
	flood(fill_long_chains, "flood of chains that are too long", "port.0.drop.ring_length");
}

static void fill_wrong(const struct hostile_stage *s)
{
	for (uint16_t i = 0; i < 64; i++)
		hostile_put(&s->desc[i], s->area, 100, s->wrong, 0);
}

static void flood_of_refused_chains(void **state)
{
	(void)state;
	flood(fill_wrong, "flood of chains that are refused", "port.0.drop.ring_direction");
}

/* The longest frames that there are, to itself. */
static void fill_large(const struct hostile_stage *s)
{
	struct frames_end own = fixture_end(HOSTILE_GUEST, 0);
	uint8_t *bytes = guest_ram_at(&hostile_port()->ram, s->area, HOSTILE_AREA_SIZE);

	frames_ethernet(
		bytes + DRIVER_HEADER_LENGTH, own.mac, own.mac, FRAMES_TYPE_EXPERIMENT, "", 0);
	for (uint16_t i = 0; i < 64; i++)
		hostile_put(&s->desc[i], s->area, DRIVER_HEADER_LENGTH + DRIVER_FRAME_MAX, 0, 0);
}

static void flood_of_large_frames(void **state)
{
	(void)state;
	flood(fill_large, "flood of the largest frames", "port.0.drop.same_port");
}

static void fill_spoofed(const struct hostile_stage *s)
{
	struct frames_end other = fixture_end(1, 0);
	uint8_t *bytes = guest_ram_at(&hostile_port()->ram, s->area, HOSTILE_AREA_SIZE);

	frames_ethernet(bytes + DRIVER_HEADER_LENGTH, frames_broadcast, other.mac,
		FRAMES_TYPE_EXPERIMENT, "", 0);
	for (uint16_t i = 0; i < 64; i++)
		hostile_put(&s->desc[i], s->area, DRIVER_HEADER_LENGTH + 60, 0, 0);
}

static void flood_in_anothers_name(void **state)
{
	(void)state;
	flood(fill_spoofed, "flood in another's name", "port.0.drop.spoofed_mac");
}

/* Plugs guest 0 as a driver that has posted nothing yet. */
static void plug_without_buffers(void)
{
	hostile_plug();
	assert_int_equal(frontend_reset(hostile_port()), 0);
	driver_clear(&hostile_port()->driver);
	assert_int_equal(frontend_resume(hostile_port()), 0);
}

/* Guest 0 has no receive buffers at all, or looks at none. */
static void fills_up(struct fixture *fixture, const void *context, unsigned int turn)
{
	(void)context;
	(void)turn;
	(void)fixture;
	for (int i = 0; i < 20; i++)
		hostile_poke();
}

static void never_posts_buffers(void **state)
{
	struct hostile_case c = {.name = "never posts buffers",
		.act = fills_up,
		.counter = "port.0.drop.port_full",
		.count = 20};
	void *inner = &c;

	(void)state;
	plug_without_buffers();
	hostile_run(&inner);
}

static void never_takes_completions(void **state)
{
	struct hostile_watch watch;

	(void)state;
	hostile_plug();
	for (uint16_t i = 0; i < hostile_port()->driver.rx_slots; i++)
		hostile_poke();
	hostile_begin(&watch, "never takes completions");
	do {
		/* In its transmit queue it takes none, either, until the ring is full. */
		fixture_number(hostile_fixture(), &frame, HOSTILE_GUEST,
			fixture_end(HOSTILE_GUEST, 0).mac, 1000);
		if (hostile_port()->driver.queues[DRIVER_TX].free_count > 0 &&
			watch.turns < hostile_port()->driver.tx_slots)
			fixture_send(hostile_fixture(), HOSTILE_GUEST, &frame);
		hostile_poke();
	} while (hostile_goes_on(&watch, HOSTILE_TIMES));
	hostile_counted(&watch, "port.0.drop.port_full", watch.turns);
	hostile_end(&watch);
}

/* Sends frames to guest 0 that its buffers are too small for. */
static void overflows(struct fixture *fixture, const void *context, unsigned int turn)
{
	struct driver *witness = &fixture->ports[HOSTILE_WITNESS].driver;

	(void)context;
	(void)turn;
	for (int i = 0; i < 20; i++) {
		fixture_number(
			fixture, &frame, HOSTILE_WITNESS, fixture_end(HOSTILE_GUEST, 0).mac, 1000);
		assert_int_equal(driver_queue(witness, &frame, deadline_in(DEADLINE_STEP_MS)), 0);
	}
	driver_publish(witness);
	assert_int_equal(driver_drain(witness, deadline_in(DEADLINE_STEP_MS)), 0);
}

/* Every frame asks for more buffers than one may take. */
static void buffers_of_a_byte(void **state)
{
	struct hostile_case c = {.name = "receive buffers of a byte",
		.act = overflows,
		.counter = "port.0.drop.too_large",
		.count = 20};
	void *inner = &c;

	(void)state;
	plug_without_buffers();
	struct hostile_stage stage = hostile_stage(DRIVER_RX);
	for (uint16_t i = 0; i < HOSTILE_QUEUE_SIZE; i++) {
		hostile_put(&stage.desc[i], stage.area + i, 1, stage.right, 0);
		hostile_offer(stage.queue, i);
	}
	hostile_run(&inner);
}

/* What guest 0's rings get in place of an eventfd. */
enum kind {
	CALL_IS_KICK,	     /* the same eventfd: every interrupt is a kick */
	PIPE_WITHOUT_READER, /* SIGPIPE */
	PIPE_THAT_IS_FULL,
	SOCKET_WITHOUT_PEER,
	EVENTFD_THAT_IS_FULL,
	READ_ONLY_FILE,
	OWN_CONNECTION,
};

/* A descriptor of that kind; the caller closes it. */
static int strange_descriptor(enum kind kind, const struct frontend *port, uint32_t queue)
{
	int ends[2] = {-1, -1};
	char bytes[4096] = {0};
	uint64_t most = UINT64_MAX - 1;

	switch (kind) {
	case CALL_IS_KICK:
		return dup(port->driver.queues[queue].kick_fd);
	case PIPE_WITHOUT_READER:
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		close(ends[0]);
		return ends[1];
	case PIPE_THAT_IS_FULL:
		assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
		while (write(ends[1], bytes, sizeof(bytes)) > 0)
			;
		/* Its other end stays open, as a descriptor that nobody knows any more. */
		fcntl(ends[1], F_SETFL, 0);
		assert_int_equal(dup2(ends[0], port->driver.queues[queue].call_fd),
			port->driver.queues[queue].call_fd);
		close(ends[0]);
		return ends[1];
	case SOCKET_WITHOUT_PEER:
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		close(ends[0]);
		return ends[1];
	case EVENTFD_THAT_IS_FULL:
		ends[0] = eventfd(0, EFD_CLOEXEC);
		assert_int_equal(write(ends[0], &most, sizeof(most)), sizeof(most));
		return ends[0];
	case READ_ONLY_FILE:
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	case OWN_CONNECTION:
		return dup(port->client.fd);
	}
	return -1;
}

/* Interrupts go there; then kicks are to come from there, too. */
static void strange_descriptors(struct fixture *fixture, const void *context, unsigned int turn)
{
	const enum kind *kind = context;
	struct frontend *port = hostile_port();

	(void)turn;
	hostile_plug();
	for (uint32_t queue = 0; queue < DRIVER_QUEUES; queue++) {
		/* Every used entry is one to tell of. */
		*virtqueue_used_event(&port->driver.queues[queue]) = 0;
		int fd = strange_descriptor(*kind, port, queue);
		assert_true(fd >= 0);
		client_set_vring_fd(&port->client, CLIENT_SET_VRING_CALL, queue, fd);
		close(fd);
	}
	for (int i = 0; i < 10; i++) {
		fixture_number(
			fixture, &frame, HOSTILE_GUEST, fixture_end(HOSTILE_GUEST, 0).mac, 100);
		fixture_send(fixture, HOSTILE_GUEST, &frame);
		hostile_poke();
	}
	for (uint32_t queue = 0; queue < DRIVER_QUEUES; queue++) {
		int fd = strange_descriptor(*kind, port, queue);
		assert_true(fd >= 0);
		client_set_vring_fd(&port->client, CLIENT_SET_VRING_KICK, queue, fd);
		close(fd);
	}
	hostile_poke();
	hostile_fence();
}

#define STRANGE(title, which) \
	HOSTILE_CASE(title, .act = strange_descriptors, .context = &(const enum kind){which})

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(kicks_in_a_loop),
	HOSTILE_TEST(flood_of_long_chains),
	HOSTILE_TEST(flood_of_refused_chains),
	HOSTILE_TEST(flood_of_large_frames),
	HOSTILE_TEST(flood_in_anothers_name),
	HOSTILE_TEST(never_posts_buffers),
	HOSTILE_TEST(never_takes_completions),
	HOSTILE_TEST(buffers_of_a_byte),
	STRANGE("call descriptor is the kick descriptor", CALL_IS_KICK),
	STRANGE("descriptors are a pipe without a reader", PIPE_WITHOUT_READER),
	STRANGE("descriptors are a pipe that is full", PIPE_THAT_IS_FULL),
	STRANGE("descriptors are a socket without a peer", SOCKET_WITHOUT_PEER),
	STRANGE("descriptors are eventfds that are full", EVENTFD_THAT_IS_FULL),
	HOSTILE_CASE("descriptors are files for reading", .act = strange_descriptors,
		.context = &(const enum kind){READ_ONLY_FILE}, .counter = "worker.rings_refused"),
	STRANGE("descriptors are the connection itself", OWN_CONNECTION),
};

HOSTILE_MAIN(tests)
