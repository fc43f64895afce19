/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/frontend/deadline.h"

#define ARGUMENTS_MAX 32
/* Turns of the worker's loop that a fence is worth are more than one for each exchange. */
#define FENCE_EXCHANGES 8
/* Frames that fixture_stream() sends at a time. */
#define STREAM_BURST 32
#define NUMBERED_MIN (FRAMES_ETHERNET + 4)
#define NUMBERED_UDP_MIN (FRAMES_ETHERNET + FRAMES_IPV4 + FRAMES_UDP + 4)
/* Source and destination of numbered datagrams: "discard" (RFC 863). */
#define NUMBERED_PORT 9

/* One at a time; too large for a stack. */
static struct fixture the_fixture;
static struct driver_frame received;

const char *const fixture_full[FIXTURE_PORTS_MAX] = {
	",profile=full", ",profile=full", ",profile=full", ",profile=full"};

int fixture_setup(void **state)
{
	struct fixture *fixture = &the_fixture;

	memset(fixture, 0, sizeof(*fixture));
	fixture->backend = (struct backend_process){
		.ready_fd = -1, .error_fd = -1, .watch_fd = -1, .netns_fd = -1};
	for (unsigned int i = 0; i < FIXTURE_PORTS_MAX; i++)
		fixture->ports[i].client.fd = -1;
	fixture->listens = getenv("CHNET_VMM_LISTENS") != NULL;
	strcpy(fixture->directory, "/tmp/chnet-frontend-XXXXXX");
	if (!mkdtemp(fixture->directory))
		return -1;
	*state = fixture;
	return 0;
}

/* The only data plane of the program; 0 when there is none. */
static pid_t dataplane_of(const struct fixture *fixture)
{
	pid_t pids[BACKEND_PROCESS_CHILDREN_MAX];
	return backend_process_children(&fixture->backend, pids) == 1 ? pids[0] : 0;
}

void fixture_start(struct fixture *fixture, unsigned int count, const char *const *suffixes,
	const char *const *arguments)
{
	char sockets[FIXTURE_PORTS_MAX][160];
	const char *argv[ARGUMENTS_MAX];
	unsigned int at = 0;

	fixture->count = count;
	for (unsigned int i = 0; i < count; i++) {
		const char *suffix = suffixes && suffixes[i] ? suffixes[i] : "";
		snprintf(fixture->sockets[i], sizeof(fixture->sockets[i]), "%s/guest%u",
			fixture->directory, i);
		snprintf(sockets[i], sizeof(sockets[i]), "%s%s%s", fixture->sockets[i], suffix,
			fixture->listens ? ",mode=server" : "");
		argv[at++] = "--socket";
		argv[at++] = sockets[i];
	}
	argv[at++] = "--uplink";
	argv[at++] = "none";
	for (unsigned int i = 0; arguments && arguments[i]; i++)
		argv[at++] = arguments[i];
	argv[at] = NULL;
	assert_int_equal(backend_process_start(&fixture->backend, fixture->directory, argv), 0);
	assert_int_equal(backend_process_wait_ready(&fixture->backend), 0);
	fixture->dataplane = dataplane_of(fixture);
}

struct frontend_options fixture_options(void)
{
	return (struct frontend_options){
		.features = FRONTEND_BIT(VIRTIO_NET_F_MRG_RXBUF) | FRONTEND_BIT(VIRTIO_NET_F_CSUM) |
			    FRONTEND_BIT(VIRTIO_NET_F_GUEST_CSUM) |
			    FRONTEND_BIT(VIRTIO_NET_F_HOST_TSO4) |
			    FRONTEND_BIT(VIRTIO_NET_F_HOST_TSO6) |
			    FRONTEND_BIT(VIRTIO_NET_F_HOST_ECN) |
			    FRONTEND_BIT(VIRTIO_NET_F_GUEST_TSO4) |
			    FRONTEND_BIT(VIRTIO_NET_F_GUEST_TSO6) |
			    FRONTEND_BIT(VIRTIO_NET_F_GUEST_ECN) |
			    FRONTEND_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
			    FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX),
		.queue_size = 256,
		.rx_buffer = 2048,
		.listens = the_fixture.listens,
	};
}

void fixture_plug(
	struct fixture *fixture, unsigned int index, const struct frontend_options *options)
{
	struct frontend *port = &fixture->ports[index];

	fixture->plugged[index] = true;
	assert_int_equal(frontend_init(port, options), 0);
	assert_int_equal(frontend_connect(port, fixture->sockets[index]), 0);
	assert_int_equal(frontend_activate(port), 0);
}

void fixture_unplug(struct fixture *fixture, unsigned int index)
{
	if (fixture->plugged[index])
		frontend_fini(&fixture->ports[index]);
	fixture->plugged[index] = false;
}

void fixture_accept_new_dataplane(struct fixture *fixture)
{
	fixture->dataplane = dataplane_of(fixture);
	assert_int_not_equal(fixture->dataplane, 0);
}

void fixture_restart_dataplane(struct fixture *fixture, unsigned int ports)
{
	assert_int_not_equal(fixture->dataplane, 0);
	assert_int_equal(kill(fixture->dataplane, SIGKILL), 0);
	for (unsigned int i = 0; i < ports; i++) {
		assert_int_equal(client_wait_hangup(&fixture->ports[i].client), 0);
		assert_int_equal(frontend_reconnect(&fixture->ports[i], fixture->sockets[i]), 0);
	}
	fixture_accept_new_dataplane(fixture);
}

void fixture_stop(struct fixture *fixture)
{
	int status;

	for (unsigned int i = 0; i < FIXTURE_PORTS_MAX; i++)
		fixture_unplug(fixture, i);
	assert_int_equal(backend_process_stop(&fixture->backend, &status), 0);
	assert_int_equal(status, 0);
	backend_process_fini(&fixture->backend);
	fixture->dataplane = 0;
}

void fixture_check_alive(struct fixture *fixture)
{
	assert_int_equal(dataplane_of(fixture), fixture->dataplane);
}

unsigned int fixture_count_fds(struct fixture *fixture)
{
	char path[64];
	unsigned int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", fixture->dataplane);
	DIR *directory = opendir(path);
	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

void fixture_expect_fds(struct fixture *fixture, unsigned int most)
{
	/* A data plane that has just started may close one more: fewer are no leak. */
	assert_in_range(fixture_count_fds(fixture), 1, most);
}

uint64_t fixture_counter(struct fixture *fixture, const char *name)
{
	uint64_t value = 0;
	int error = backend_process_counter(&fixture->backend, name, &value);
	if (error)
		fail_msg("counter %s: %s", name, strerror(-error));
	return value;
}

struct frames_end fixture_end(unsigned int index, uint16_t port)
{
	return (struct frames_end){
		.mac = {0x52, 0x54, 0x00, 0x12, 0x34, (uint8_t)(0x56 + index)},
		.ip = FIXTURE_FIRST_IP + index,
		.port = port,
	};
}

/* The guest's last byte of the MAC says which address it has. */
static void number_udp(struct driver_frame *frame, unsigned int from, const uint8_t target[6],
	uint32_t length, uint32_t number)
{
	struct frames_end source = fixture_end(from, NUMBERED_PORT);
	struct frames_end to = fixture_end(target[5] - source.mac[5] + from, NUMBERED_PORT);
	uint8_t bytes[DRIVER_FRAME_MAX] = {0};
	uint32_t headers = NUMBERED_UDP_MIN - (uint32_t)sizeof(number);

	if (length < NUMBERED_UDP_MIN)
		length = NUMBERED_UDP_MIN;
	for (uint32_t i = 0; i < length - headers; i++)
		bytes[i] = (uint8_t)(i + number);
	memcpy(bytes, &number, sizeof(number));
	memcpy(to.mac, target, sizeof(to.mac));
	frame->length = frames_udp(frame->bytes, &source, &to, bytes, length - headers);
}

void fixture_number(struct fixture *fixture, struct driver_frame *frame, unsigned int from,
	const uint8_t target[6], uint32_t length)
{
	struct frames_end source = fixture_end(from, 0);
	uint32_t number = ++fixture->serial;

	if (fixture->udp) {
		memset(&frame->vnet, 0, sizeof(frame->vnet));
		number_udp(frame, from, target, length, number);
		return;
	}
	assert_in_range(length, NUMBERED_MIN, DRIVER_FRAME_MAX);
	memset(&frame->vnet, 0, sizeof(frame->vnet));
	frames_ethernet(
		frame->bytes, target, source.mac, FRAMES_TYPE_EXPERIMENT, &number, sizeof(number));
	for (uint32_t i = NUMBERED_MIN; i < length; i++)
		frame->bytes[i] = (uint8_t)(i + number);
	frame->length = length;
}

void fixture_send(struct fixture *fixture, unsigned int from, const struct driver_frame *frame)
{
	int error = driver_send(&fixture->ports[from].driver, frame, deadline_in(DEADLINE_STEP_MS));
	if (error)
		fail_msg("guest %u cannot send: %s", from, strerror(-error));
}

void fixture_receive(struct fixture *fixture, unsigned int to, struct driver_frame *frame)
{
	int error =
		driver_receive(&fixture->ports[to].driver, frame, deadline_in(DEADLINE_STEP_MS));
	if (error)
		fail_msg("guest %u receives nothing: %s", to,
			error == -ENOMSG ? "the interrupt is missing" : strerror(-error));
}

/* Of a guest that goes on at another place, on its behalf: an ARP request for its own address, or
 * reverse ARP. A ring that lies about its indices looks like that, too. */
static bool is_announcement(const struct driver_frame *frame)
{
	static const uint8_t arp[2] = {0x08, 0x06}, rarp[2] = {0x80, 0x35};
	const uint8_t *type = &frame->bytes[FRAMES_ETHERNET - 2];
	const uint8_t *body = &frame->bytes[FRAMES_ETHERNET];

	if (memcmp(type, rarp, sizeof(rarp)) == 0)
		return true;
	return memcmp(type, arp, sizeof(arp)) == 0 && memcmp(body + 14, body + 24, 4) == 0;
}

void fixture_expect(struct fixture *fixture, unsigned int to, const struct driver_frame *frame)
{
	do
		fixture_receive(fixture, to, &received);
	while (is_announcement(&received) && !is_announcement(frame));
	if (received.length != frame->length ||
		memcmp(received.bytes, frame->bytes, frame->length) != 0) {
		uint32_t numbers[2];
		uint32_t at = (fixture->udp ? NUMBERED_UDP_MIN : NUMBERED_MIN) - 4;
		memcpy(&numbers[0], received.bytes + at, sizeof(numbers[0]));
		memcpy(&numbers[1], frame->bytes + at, sizeof(numbers[1]));
		fail_msg("guest %u: received frame %u of %u bytes, expected %u of %u", to,
			numbers[0], received.length, numbers[1], frame->length);
	}
}

void fixture_pass(struct fixture *fixture, unsigned int from, unsigned int to, uint32_t length)
{
	static struct driver_frame frame;
	fixture_number(fixture, &frame, from, fixture_end(to, 0).mac, length);
	fixture_send(fixture, from, &frame);
	fixture_expect(fixture, to, &frame);
}

void fixture_stream(struct fixture *fixture, unsigned int from, unsigned int to, uint32_t count)
{
	static struct driver_frame burst[STREAM_BURST];
	struct driver *driver = &fixture->ports[from].driver;
	/* No more than the receiver has buffers for: what does not fit is rightly dropped. */
	const struct driver *receiver = &fixture->ports[to].driver;
	uint32_t buffer = receiver->options.rx_buffer;
	uint32_t most = receiver->rx_slots / ((DRIVER_HEADER_LENGTH + 1514 + buffer - 1) / buffer);

	assert_true(most > 0);
	if (most > STREAM_BURST)
		most = STREAM_BURST;
	for (uint32_t done = 0; done < count;) {
		uint32_t size = count - done < most ? count - done : most;
		for (uint32_t i = 0; i < size; i++) {
			fixture_number(fixture, &burst[i], from, fixture_end(to, 0).mac,
				60 + (done + i) % (1514 - 60 + 1));
			assert_int_equal(
				driver_queue(driver, &burst[i], deadline_in(DEADLINE_STEP_MS)), 0);
		}
		driver_publish(driver);
		for (uint32_t i = 0; i < size; i++)
			fixture_expect(fixture, to, &burst[i]);
		done += size;
	}
}

void fixture_introduce(struct fixture *fixture)
{
	static struct driver_frame frame;

	if (fixture->udp) {
		fixture_pass(fixture, 0, 1, 60);
		fixture_pass(fixture, 1, 0, 60);
		return;
	}
	for (unsigned int from = 0; from < fixture->count; from++) {
		if (!fixture->plugged[from])
			continue;
		fixture_number(fixture, &frame, from, frames_broadcast, 60);
		fixture_send(fixture, from, &frame);
		for (unsigned int to = 0; to < fixture->count; to++)
			if (to != from && fixture->plugged[to])
				fixture_expect(fixture, to, &frame);
	}
}

void fixture_fence(struct fixture *fixture, unsigned int a, unsigned int b)
{
	for (int i = 0; i < FENCE_EXCHANGES; i++) {
		fixture_pass(fixture, a, b, 60);
		fixture_pass(fixture, b, a, 60);
	}
}

/* Removes the scratch directory; returns how many sockets were left in it. */
static unsigned int remove_directory(const char *path)
{
	unsigned int sockets = 0;
	DIR *directory = opendir(path);
	if (!directory)
		return 0;
	struct dirent *entry;
	while ((entry = readdir(directory))) {
		struct stat status;
		if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISSOCK(status.st_mode))
			sockets++;
		if (!S_ISDIR(status.st_mode))
			unlinkat(dirfd(directory), entry->d_name, 0);
	}
	closedir(directory);
	rmdir(path);
	return sockets;
}

/* Reports something that the teardown found. */
static int complain(struct fixture *fixture, const char *what)
{
	fprintf(stderr, "teardown: %s\n", what);
	(void)fixture;
	return 1;
}

static int stop_backend(struct fixture *fixture)
{
	int faults = 0;
	int status = 0;

	if (fixture->dataplane != dataplane_of(fixture))
		faults += complain(fixture, "the data plane is not the one that was started");
	if (backend_process_stop(&fixture->backend, &status) < 0)
		faults += complain(fixture, "the program does not end by SIGTERM");
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		faults += complain(fixture, "the program's exit code is not 0");
	if (backend_process_leftover_processes() > 0)
		faults += complain(fixture, "a process is left behind");
	if (fixture->backend.netns_fd >= 0 &&
		backend_process_leftover_links(&fixture->backend) != 0)
		faults += complain(fixture, "an interface is left behind");
	return faults;
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;
	int faults = 0;

	if (fixture->backend.pid > 0)
		faults += stop_backend(fixture);
	for (unsigned int i = 0; i < FIXTURE_PORTS_MAX; i++)
		fixture_unplug(fixture, i);
	if (faults || getenv("CHNET_SHOW"))
		backend_process_show(&fixture->backend);
	backend_process_fini(&fixture->backend);
	backend_process_forget_leases();
	/* Those of VMMs are the VMMs'. */
	for (unsigned int i = 0; fixture->listens && i < fixture->count; i++)
		unlink(fixture->sockets[i]);
	if (remove_directory(fixture->directory) > 0)
		faults += complain(fixture, "a socket is left behind");
	return faults ? -1 : 0;
}
