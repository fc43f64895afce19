/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/breath.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/ethernet.h"

#define LAN 0xac100000u
#define GATEWAY 0xac100001u
#define OUTSIDE 0xac1000feu
#define REMOTE 0xc6336402u /* 198.51.100.2 */
#define SESSIONS 65536
/* Of a station's rings. */
#define QUEUE_SIZE 256
/* Room of the socket pair, bytes: what one breath writes at most. */
#define SOCKET_BYTES (8 << 20)
/* Between two breaths: the TAP is read in each. */
#define BREATH_NS WORKER_TAP_POLL_NS
/* After which no frame waits for more of its flow. */
#define FLOW_NS (COALESCE_GAP_NS + 1)
#define START_NS 1000000000

#define BIT(n) (1ULL << (n))
#define OFFLOADS \
	(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_MRG_RXBUF))

static const uint8_t gateway_mac[ETHERNET_ADDRESS_LENGTH] = {0x02, 0x63, 0x68, 0x6e, 0x65, 0x01};
static const uint8_t nat_mac[ETHERNET_ADDRESS_LENGTH] = {0x02, 0x63, 0x68, 0x6e, 0x65, 0x81};

#define UDP(bytes)                                                                              \
	{                                                                                       \
		.kind = WORKLOAD_UDP, .layout = WORKLOAD_LINEAR, .frame_length = (bytes),       \
		.flows = 1, .rx_buffer = 1536, .queue_size = QUEUE_SIZE, .batch = BREATH_BURST, \
		.mergeable = true, .event_idx = true                                            \
	}
#define TCP(bytes, in_turn)                                                                 \
	{                                                                                   \
		.kind = WORKLOAD_TCP, .layout = WORKLOAD_APART, .frame_length = (bytes),    \
		.flows = (in_turn), .rx_buffer = 1536, .queue_size = QUEUE_SIZE,            \
		.batch = BREATH_BURST, .mergeable = true, .event_idx = true, .stream = true \
	}
#define TSO(batch_frames)                                                                         \
	{                                                                                         \
		.kind = WORKLOAD_TSO, .layout = WORKLOAD_INDIRECT, .frame_length = 65214,         \
		.flows = 1, .rx_buffer = 4096, .queue_size = QUEUE_SIZE, .batch = (batch_frames), \
		.window = (batch_frames), .mergeable = true, .event_idx = true, .stream = true    \
	}

const struct breath_case breath_cases[] = {
	{"guest-64", "guest to guest, UDP, 64 bytes", BREATH_GUEST, 2, UDP(64)},
	{"guest-1500", "guest to guest, UDP, 1500 bytes", BREATH_GUEST, 2, UDP(1500)},
	{"guest-tso", "guest to guest, TCP, 64 KiB", BREATH_GUEST, 2, TSO(4)},
	{"guest-64-of-64", "guest to guest, UDP, 64 bytes, among 64 guests that are polled",
		BREATH_GUEST, 64, UDP(64)},
	{"out-64", "guest to world, UDP, 64 bytes", BREATH_OUT, 2, UDP(64)},
	{"out-1500", "guest to world, UDP, 1500 bytes", BREATH_OUT, 2, UDP(1500)},
	{"out-tcp", "guest to world, TCP, 1500 bytes without offloads", BREATH_OUT, 2,
		TCP(1500, 1)},
	{"out-tcp-of-64", "guest to world, TCP, 1500 bytes without offloads, 64 flows in turn",
		BREATH_OUT, 2, TCP(1500, 64)},
	{"out-tso", "guest to world, TCP, 64 KiB", BREATH_OUT, 2, TSO(4)},
	{"in-64", "world to guest, UDP, 64 bytes", BREATH_IN, 2, UDP(64)},
	{"in-1500", "world to guest, UDP, 1500 bytes", BREATH_IN, 2, UDP(1500)},
	{"idle-64", "64 guests that are polled and say nothing; of a guest", BREATH_IDLE, 64,
		UDP(64)},
	{0},
};

static struct frames_end target_of(const struct breath_case *what)
{
	struct frames_end world = {.ip = REMOTE};
	memcpy(world.mac, gateway_mac, sizeof(world.mac));
	return what->way == BREATH_GUEST || what->way == BREATH_IDLE ? workload_end(1) : world;
}

/* ---- making it */

static void see_memory(struct guest_memory *memory, const struct guest_ram *ram)
{
	memory->count = ram->count;
	for (unsigned int i = 0; i < ram->count; i++)
		memory->regions[i] = (struct guest_memory_region){
			ram->regions[i].guest, ram->regions[i].size, ram->regions[i].host};
}

static int start_ring(struct breath *breath, unsigned int guest, unsigned int queue)
{
	const struct virtqueue *driver = &breath->stations[guest].frontend.driver.queues[queue];
	const struct ring_config config = {
		.desc = driver->desc,
		.avail = driver->avail,
		.used = driver->used,
		.memory = &breath->memory[guest],
		.size = driver->options.size,
		.event_idx = breath->what->workload.event_idx,
		.mergeable = breath->what->workload.mergeable,
		.version_1 = true,
		.call_fd = driver->call_fd,
		.kick_fd = driver->kick_fd,
		.stats = &breath->stats.ports[guest],
		.worker_stats = &breath->stats.worker,
	};
	return ring_init(&breath->rings[guest][queue], &config);
}

static int add_guest(struct breath *breath, unsigned int guest)
{
	struct station *station = &breath->stations[guest];
	struct vhost_port *port = &breath->ports[guest];
	const struct frames_end target = target_of(breath->what);
	const struct frames_end self = workload_end(guest);
	int error = station_init(station, &breath->what->workload, guest, &target);
	if (error)
		return error;
	station_start_bare(station);
	see_memory(&breath->memory[guest], &station->frontend.ram);
	for (unsigned int queue = 0; queue < VHOST_QUEUES && !error; queue++)
		error = start_ring(breath, guest, queue);
	if (error)
		return error;
	*port = (struct vhost_port){
		.port = {&vhost_port_ops, &breath->stats.ports[guest], (uint16_t)guest},
		.rx = &breath->rings[guest][VHOST_QUEUE_TRANSMIT],
		.tx = &breath->rings[guest][VHOST_QUEUE_RECEIVE],
		.features = OFFLOADS,
	};
	worker_add_port(breath->worker, &port->port);
	return worker_bind_port(breath->worker, (uint16_t)guest, self.mac, htonl(self.ip));
}

static int add_nat(struct breath *breath)
{
	const struct nat_config config = {
		.inside_be = htonl(LAN),
		.inside_prefix = 24,
		.outside_be = htonl(OUTSIDE),
		.gateway_be = htonl(GATEWAY),
		.port_low = 1024,
		.port_high = 65535,
		.sessions = SESSIONS,
		.counters = &breath->stats.nat,
	};
	size_t size = nat_memory_size(&config);
	breath->flow_memory = aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
	if (!breath->flow_memory)
		return -ENOMEM;
	memset(breath->flow_memory, 0, size);
	return nat_new(
		&config, breath->flow_memory, size, breath->now_ns, NULL, &breath->worker->nat);
}

static int add_uplink(struct breath *breath)
{
	static const int room = SOCKET_BYTES;
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	breath->tap_fd = ends[0];
	breath->world_fd = ends[1];
	for (unsigned int i = 0; i < 2; i++)
		if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) < 0)
			return -errno;
	const struct tap_port_config config = {
		.fd = breath->tap_fd,
		.tso = true,
		.uso = true,
		.now_ns = &breath->worker->now_ns,
		.slots = breath->worker->slots,
		.stats = &breath->stats.ports[PORT_UPLINK],
	};
	int error = tap_port_init(&breath->uplink, &config);
	if (!error)
		worker_add_port(breath->worker, &breath->uplink.port);
	return error;
}

static int make_worker(struct breath *breath)
{
	const struct network network = {
		.lan_be = htonl(LAN),
		.mask_be = htonl(0xffffff00),
		.prefix = 24,
		.gateway_be = htonl(GATEWAY),
		.outside_be = htonl(OUTSIDE),
		.gateway_mac = ethernet_load(gateway_mac),
		.nat_mac = ethernet_load(nat_mac),
		.has_uplink = true,
	};
	int error =
		worker_new(&network, NULL, &breath->stats, breath->what->guests, &breath->worker);
	if (!error)
		error = add_nat(breath);
	if (!error)
		error = add_uplink(breath);
	return error;
}

/* ---- the world */

/* Takes what the worker wrote; keeps the first frame in breath->answer when there is none yet. */
static void drain_world(struct breath *breath)
{
	static uint8_t frame[sizeof(struct virtio_net_hdr_v1) + PACKET_LENGTH_MAX];
	ssize_t got;
	while ((got = recv(breath->world_fd, frame, sizeof(frame), 0)) > 0) {
		breath->to_world++;
		breath->delivered += (size_t)got - sizeof(struct virtio_net_hdr_v1);
		if (!breath->answer && (breath->answer = malloc((size_t)got))) {
			memcpy(breath->answer, frame, (size_t)got);
			breath->answer_length = (uint32_t)got;
		}
	}
}

static void swap(uint8_t *a, uint8_t *b, size_t length)
{
	uint8_t kept[ETHERNET_ADDRESS_LENGTH];
	memcpy(kept, a, length);
	memcpy(a, b, length);
	memcpy(b, kept, length);
}

/* `ns` pass, and a breath is taken. Whoever takes part is not sent to sleep in between. */
static void breathe(struct breath *breath, uint64_t ns)
{
	struct worker *worker = breath->worker;
	breath->now_ns += ns;
	for (unsigned int i = 0; i < breath->what->guests; i++)
		worker->ports[i].last_rx_ns = breath->now_ns;
	if (breath->what->way == BREATH_IN)
		worker->ports[PORT_UPLINK].last_rx_ns = breath->now_ns;
	worker_breathe(worker, breath->now_ns);
}

/* Turns the first guest's own frame, as it came out of the NAT, into the world's answer: both ends
 * change places, and the checksums stay what they are. */
static int learn_answer(struct breath *breath)
{
	sender_post(&breath->stations[0].sender, 1);
	breath_take(breath);
	breath_finish(breath);
	if (!breath->answer)
		return -ENODATA;
	uint8_t *ethernet = breath->answer + sizeof(struct virtio_net_hdr_v1);
	uint8_t *ip = ethernet + FRAMES_ETHERNET;
	uint8_t *udp = ip + FRAMES_IPV4;
	swap(ethernet, ethernet + ETHERNET_SOURCE_OFFSET, ETHERNET_ADDRESS_LENGTH);
	swap(ip + 12, ip + 16, 4);
	swap(udp, udp + 2, 2);
	return 0;
}

static unsigned int load_world(struct breath *breath)
{
	for (unsigned int i = 0; i < BREATH_BURST; i++)
		if (send(breath->world_fd, breath->answer, breath->answer_length, 0) < 0)
			return 0;
	return BREATH_BURST;
}

/* ---- the calls */

int breath_new(const struct breath_case *what, struct breath **ret_breath)
{
	struct breath *breath = aligned_alloc(64, (sizeof(*breath) + 63) & ~(size_t)63);
	*ret_breath = breath;
	if (!breath)
		return -ENOMEM;
	memset(breath, 0, sizeof(*breath));
	breath->what = what;
	/* The answer is made of a frame that went out. */
	breath->way = what->way == BREATH_IN ? BREATH_OUT : what->way;
	breath->now_ns = START_NS;
	breath->tap_fd = breath->world_fd = -1;
	int error = make_worker(breath);
	for (unsigned int i = 0; i < what->guests && !error; i++)
		error = add_guest(breath, i);
	if (error)
		return error;
	worker_begin(breath->worker, breath->now_ns);
	if (what->way == BREATH_IN)
		error = learn_answer(breath);
	breath->way = what->way;
	return error;
}

void breath_free(struct breath *breath)
{
	if (!breath)
		return;
	worker_free(breath->worker);
	tap_port_fini(&breath->uplink);
	for (unsigned int i = 0; i < breath->what->guests; i++)
		station_fini(&breath->stations[i]);
	if (breath->tap_fd >= 0)
		close(breath->tap_fd);
	if (breath->world_fd >= 0)
		close(breath->world_fd);
	free(breath->answer);
	free(breath->flow_memory);
	free(breath);
}

void breath_begin(struct breath *breath)
{
	breath_finish(breath);
	breath->to_world = breath->delivered = 0;
	breath->stats.ports[PORT_UPLINK] = (struct port_stats){0};
	for (unsigned int i = 0; i < 2; i++)
		breath->stations[i].sink.frames = breath->stations[i].sink.foreign = 0;
}

unsigned int breath_load(struct breath *breath)
{
	switch (breath->way) {
	case BREATH_GUEST:
	case BREATH_OUT:
		return sender_post(&breath->stations[0].sender, BREATH_BURST);
	case BREATH_IN:
		return load_world(breath);
	case BREATH_IDLE:
		return breath->what->guests;
	}
	return 0;
}

void breath_take(struct breath *breath)
{
	breathe(breath, BREATH_NS);
}

void breath_finish(struct breath *breath)
{
	breathe(breath, FLOW_NS);
	breath_empty(breath);
}

void breath_empty(struct breath *breath)
{
	drain_world(breath);
	for (unsigned int i = 0; i < 2; i++)
		sink_poll(&breath->stations[i].sink);
	sender_in_flight(&breath->stations[0].sender);
}

int breath_check(struct breath *breath, uint64_t frames)
{
	const struct sink *sink = &breath->stations[breath->way == BREATH_IN ? 0 : 1].sink;
	uint64_t bytes = frames * breath->what->workload.frame_length;
	bool good = true;
	for (unsigned int i = 0; i < 2; i++)
		good &= !breath->stations[i].sink.broken && !breath->stations[i].sender.misordered;
	switch (breath->way) {
	case BREATH_GUEST:
	case BREATH_IN:
		good &= sink->frames == frames && !sink->foreign &&
			(breath->way == BREATH_IN || !sink->wrong);
		break;
	case BREATH_OUT:
		/* Those that were joined share headers. */
		good &= breath->to_world > 0 && breath->delivered <= bytes &&
			breath->stats.ports[PORT_UPLINK].tx_packets == frames;
		break;
	case BREATH_IDLE:
		good &= !sink->frames && !breath->to_world;
		break;
	}
	return good ? 0 : -EBADMSG;
}
