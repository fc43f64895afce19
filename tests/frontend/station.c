/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/station.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Frames that are taken from one side before the other one is looked at. */
#define BURST 32
#define TAP "eth0"

enum direction {
	OUT,
	IN,
};

/* Is the next frame of this direction one of those that are lost? */
static bool is_lost(struct station *station, enum direction direction, unsigned int *count)
{
	if (!station->lose || ++*count % station->lose)
		return false;
	station->lost[direction]++;
	return true;
}

/* ---- the thread: 0, -EAGAIN, or what ends it */

static int read_tap(struct station *station)
{
	struct driver_frame *frame = &station->out;
	struct iovec parts[] = {
		{&frame->vnet, DRIVER_HEADER_LENGTH},
		{frame->bytes, sizeof(frame->bytes)},
	};
	ssize_t got = readv(station->tap_fd, parts, 2);

	if (got < 0)
		return -errno;
	if (got <= DRIVER_HEADER_LENGTH)
		return -EBADMSG;
	frame->length = (uint32_t)got - DRIVER_HEADER_LENGTH;
	frame->vnet.num_buffers = 0;
	return 0;
}

static int write_tap(struct station *station)
{
	struct driver_frame *frame = &station->in;
	struct iovec parts[] = {
		{&frame->vnet, DRIVER_HEADER_LENGTH},
		{frame->bytes, frame->length},
	};

	return writev(station->tap_fd, parts, 2) < 0 ? -errno : 0;
}

static int carry_in(struct station *station, unsigned int *count)
{
	for (int i = 0; i < BURST; i++) {
		station->doing = "the driver receives";
		int error = machine_poll(station->machine, &station->in);
		if (error)
			return error;
		station->doing = "the kernel takes a frame";
		if (!is_lost(station, IN, count))
			error = write_tap(station);
		if (error)
			return error;
	}
	return 0;
}

static int carry_out(struct station *station, unsigned int *count)
{
	for (int i = 0; i < BURST; i++) {
		station->doing = "the kernel gives a frame";
		int error = read_tap(station);
		if (error)
			return error;
		if (is_lost(station, OUT, count))
			continue;
		station->doing = "the driver sends";
		error = machine_send(
			station->machine, &station->out, deadline_in(DEADLINE_STEP_MS));
		if (error)
			return error == -EAGAIN ? -EIO : error;
	}
	return 0;
}

enum watched {
	WATCHED_STOP,
	WATCHED_TAP,
	WATCHED_RX,
	WATCHED_TX,
	WATCHED_COUNT,
};

/* Sleeps until there is something to carry; true when the thread is to end. */
static bool sleep_or_end(struct station *station)
{
	struct virtqueue *queues = station->machine->frontend->driver.queues;
	const struct personality *personality = station->machine->personality;
	bool polls = personality->no_vector || personality->no_interrupt;
	struct pollfd events[WATCHED_COUNT] = {
		[WATCHED_STOP] = {.fd = station->stop_fd, .events = POLLIN},
		[WATCHED_TAP] = {.fd = station->tap_fd, .events = POLLIN},
		[WATCHED_RX] = {.fd = queues[DRIVER_RX].call_fd, .events = POLLIN},
		[WATCHED_TX] = {.fd = queues[DRIVER_TX].call_fd, .events = POLLIN},
	};
	bool armed = machine_arm(station->machine);

	if (poll(events, WATCHED_COUNT, armed && !polls ? -1 : 0) < 0 && errno != EINTR) {
		station->error = -errno;
		return true;
	}
	if (armed)
		machine_disarm(station->machine);
	if (polls)
		sched_yield();
	for (int i = 0; i < DRIVER_QUEUES; i++)
		virtqueue_drain(&queues[i]);
	return events[WATCHED_STOP].revents;
}

static void *run(void *argument)
{
	struct station *station = argument;
	unsigned int counts[2] = {0};

	for (;;) {
		int in = carry_in(station, &counts[IN]);
		int out = in && in != -EAGAIN ? 0 : carry_out(station, &counts[OUT]);
		if ((in && in != -EAGAIN) || (out && out != -EAGAIN)) {
			station->error = in && in != -EAGAIN ? in : out;
			return NULL;
		}
		if (in && out && sleep_or_end(station))
			return NULL;
	}
}

/* ---- making and taking away */

/* What the guest's kernel may leave to the device. */
static unsigned long offloads(uint64_t features)
{
	unsigned long flags = 0;

	if (features & FRONTEND_BIT(VIRTIO_NET_F_CSUM))
		flags |= TUN_F_CSUM;
	if (features & FRONTEND_BIT(VIRTIO_NET_F_HOST_TSO4))
		flags |= TUN_F_TSO4;
	if (features & FRONTEND_BIT(VIRTIO_NET_F_HOST_TSO6))
		flags |= TUN_F_TSO6;
	return flags;
}

static int open_tap(uint64_t features)
{
	struct ifreq request = {.ifr_name = TAP, .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int header = DRIVER_HEADER_LENGTH;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &header), 0);
	assert_int_equal(ioctl(fd, TUNSETOFFLOAD, offloads(features)), 0);
	return fd;
}

static void configure(unsigned int index, bool redox)
{
	char command[1024];

	snprintf(command, sizeof(command),
		"set -e; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6;"
		"ip link set lo up; ip link set %s address 52:54:00:12:34:%02x mtu %d;"
		"ip address add 172.16.0.%u/24 dev %s; ip link set %s up;"
		"ip route add default via 172.16.0.1;"
		"cd /proc/sys/net/ipv4;"
		"for i in %s; do echo 0 >$i; done",
		TAP, 0x56 + index, redox ? REDOX_MTU : 1500, 2 + index, TAP, TAP,
		redox ? "tcp_window_scaling tcp_sack tcp_timestamps" : "");
	assert_int_equal(system(command), 0);
}

static int enter_new_namespace(void)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(here >= 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	return here;
}

static void leave(int here)
{
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	close(here);
}

void station_start(
	struct station *station, struct machine *machine, unsigned int index, unsigned int lose)
{
	*station = (struct station){
		.machine = machine,
		.lose = lose,
		.tap_fd = -1,
		.netns_fd = -1,
		.stop_fd = eventfd(0, EFD_CLOEXEC),
	};
	assert_true(station->stop_fd >= 0);
	int here = enter_new_namespace();
	station->netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	station->tap_fd = open_tap(machine->frontend->acked);
	configure(index, machine->personality->kind != PERSONALITY_DRIVER);
	leave(here);
	assert_int_equal(pthread_create(&station->thread, NULL, run, station), 0);
	station->runs = true;
}

void station_fini(struct station *station)
{
	uint64_t one = 1;

	if (!station->machine)
		return;
	if (station->runs && write(station->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(station->thread, NULL);
	station->runs = false;
	int *fds[] = {&station->tap_fd, &station->netns_fd, &station->stop_fd};
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	station->machine = NULL;
}

void station_stop(struct station *station)
{
	station_fini(station);
	if (station->error)
		fail_msg("%s: %s", station->doing, strerror(-station->error));
}

void station_add_world(struct fixture *fixture)
{
	char command[128];

	snprintf(command, sizeof(command),
		"nsenter -t %d -n sh -c 'ip link set lo up && ip address add 198.51.100.1/32 dev "
		"lo'",
		fixture->backend.pid);
	assert_int_equal(system(command), 0);
}

int station_socket_in(int netns_fd, int type)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(here >= 0);
	assert_int_equal(setns(netns_fd, CLONE_NEWNET), 0);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	leave(here);
	assert_true(fd >= 0);
	return fd;
}

int station_socket(struct station *station, int type)
{
	return station_socket_in(station->netns_fd, type);
}
