/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A wire between a socket of chnet-vhost and whoever plays the guest: the front end of a virtual
 * machine without the machine.
 *
 * Theory of operation. The other end of the wire is a descriptor that carries one frame in each
 * read() and write(), behind its virtio-net header of 12 bytes, in either of two forms:
 *
 *   --tap NAME   A TAP that is made in the network namespace of this process. That namespace's
 *                kernel is then the guest, with every program that runs there. Its header is
 *                passed on as it is, so checksums stay partial and large frames stay large just
 *                as far as the guest acked the features (and ethtool -K on the TAP says).
 *   --fd N       A descriptor that was inherited, one end of a SOCK_SEQPACKET pair: a program that
 *                sends and answers every frame itself, with no kernel in between.
 *
 * The wire changes nothing and answers nothing. It keeps no frame either: what the ring has no room
 * for stays in the descriptor, and what the descriptor has no room for stays in the ring.
 *
 * Of chnet-vhost it demands every feature that it asks for. With --any-back-end it does without
 * those that are not offered, as a guest's driver does, and begins with rings at 0, which back ends
 * that believe SET_VRING_BASE need.
 *
 * When the back end hangs up, the wire does what Cloud Hypervisor does: it connects again and
 * resumes with the rings as they are. Lines on standard output say `connected` each time. It ends
 * when the other end of --fd is closed, or by a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/frontend/deadline.h"
#include "tests/frontend/frontend.h"

#define QUEUE_SIZE 256
/* Frames that are taken from one side before the other one is looked at. */
#define BURST 32

struct wire {
	const char *path; /* of the back end's socket */
	const char *tap;  /* name of the TAP, or NULL */
	bool plain;	  /* a driver without offloads: every frame is whole and complete */
	bool any;	  /* do without what the back end lacks */
	int fd;		  /* the guest's end */
	struct frontend frontend;
	struct driver_frame out; /* from the guest; kept while the ring has no room */
	bool out_waits;		 /* `out` holds a frame */
	struct driver_frame in;	 /* for the guest; kept while the descriptor has no room */
	bool in_waits;		 /* `in` holds a frame */
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(-error));
	return EXIT_FAILURE;
}

/* ---- the guest's end --------------------------------------------------------------------------
 */

/* Makes the TAP. 0 and *ret_fd, or negative errno. */
static int open_tap(const struct wire *wire, int *ret_fd)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int header = DRIVER_HEADER_LENGTH;
	int error = 0;

	if (strlen(wire->tap) >= sizeof(request.ifr_name))
		return -ENAMETOOLONG;
	strcpy(request.ifr_name, wire->tap);
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		error = -errno;
	if (error)
		close(fd);
	else
		*ret_fd = fd;
	return error;
}

/* What the guest's kernel may leave to us is what its driver acked. 0 or negative errno. */
static int set_offloads(const struct wire *wire)
{
	static const struct {
		unsigned int feature;
		unsigned int offload;
	} pairs[] = {
		{VIRTIO_NET_F_CSUM, TUN_F_CSUM},
		{VIRTIO_NET_F_HOST_TSO4, TUN_F_TSO4},
		{VIRTIO_NET_F_HOST_TSO6, TUN_F_TSO6},
		{VIRTIO_NET_F_HOST_ECN, TUN_F_TSO_ECN},
	};
	unsigned long offloads = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (wire->frontend.acked & FRONTEND_BIT(pairs[i].feature))
			offloads |= pairs[i].offload;
	}
	return ioctl(wire->fd, TUNSETOFFLOAD, offloads) < 0 ? -errno : 0;
}

/* Takes a frame from the guest into `out`. 0, -EAGAIN, -EPIPE when the guest is gone, or another
 * negative errno. */
static int read_guest(struct wire *wire)
{
	struct driver_frame *frame = &wire->out;
	struct iovec parts[] = {
		{&frame->vnet, DRIVER_HEADER_LENGTH},
		{frame->bytes, sizeof(frame->bytes)},
	};
	ssize_t got = readv(wire->fd, parts, 2);

	if (got < 0)
		return errno == EIO ? -EAGAIN : -errno; /* EIO: the TAP is down */
	if (got == 0)
		return -EPIPE;
	if (got <= DRIVER_HEADER_LENGTH)
		return -EBADMSG;
	frame->length = (uint32_t)got - DRIVER_HEADER_LENGTH;
	/* A driver sets it to zero (virtio 1.2, 5.1.6.2). */
	frame->vnet.num_buffers = 0;
	wire->out_waits = true;
	return 0;
}

/* A driver believes a device that says the checksum is right (virtio 1.2, 5.1.6.4.2); a TAP cannot
 * be told so, but takes it as well for one that is still to be completed. */
static void pass_valid(struct driver_frame *frame)
{
	const uint8_t *ip = frame->bytes + 14;
	uint16_t header = (ip[0] & 0xf) * 4;
	bool tcp = ip[9] == 6;

	if (!(frame->vnet.flags & VIRTIO_NET_HDR_F_DATA_VALID) || frame->length < 14 + 20 ||
		frame->bytes[12] != 8 || frame->bytes[13] != 0 || (!tcp && ip[9] != 17))
		return;
	frame->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	frame->vnet.csum_start = 14 + header;
	frame->vnet.csum_offset = tcp ? 16 : 6;
}

/* Gives `in` to the guest. 0, -EAGAIN, or another negative errno. */
static int write_guest(struct wire *wire)
{
	struct driver_frame *frame = &wire->in;
	struct iovec parts[] = {
		{&frame->vnet, DRIVER_HEADER_LENGTH},
		{frame->bytes, frame->length},
	};

	if (writev(wire->fd, parts, 2) < 0) {
		if (errno == EAGAIN)
			return -EAGAIN;
		/* An interface that is down, or a header that its kernel does not take, costs the
		 * frame, as it would in a guest. */
		if (errno != EIO && errno != EINVAL)
			return -errno;
	}
	wire->in_waits = false;
	return 0;
}

/* ---- the rings --------------------------------------------------------------------------------
 */

/*
 * A driver that asks for an interrupt with every used entry: then two rings and a descriptor can be
 * waited for together, without arming anything.
 */
static struct frontend_options options_of(const struct wire *wire)
{
	uint64_t offloads =
		FRONTEND_BIT(VIRTIO_NET_F_CSUM) | FRONTEND_BIT(VIRTIO_NET_F_GUEST_CSUM) |
		FRONTEND_BIT(VIRTIO_NET_F_HOST_TSO4) | FRONTEND_BIT(VIRTIO_NET_F_HOST_TSO6) |
		FRONTEND_BIT(VIRTIO_NET_F_HOST_ECN) | FRONTEND_BIT(VIRTIO_NET_F_GUEST_TSO4) |
		FRONTEND_BIT(VIRTIO_NET_F_GUEST_TSO6) | FRONTEND_BIT(VIRTIO_NET_F_GUEST_ECN);
	return (struct frontend_options){
		.features = FRONTEND_BIT(VIRTIO_NET_F_MRG_RXBUF) |
			    FRONTEND_BIT(VIRTIO_RING_F_INDIRECT_DESC) |
			    (wire->plain ? 0 : offloads),
		.queue_size = QUEUE_SIZE,
		.rx_buffer = 2048,
		.interrupt = VIRTQUEUE_INTERRUPT_ALWAYS,
	};
}

/* Connected: the driver does without what is not offered. 0 or negative errno. */
static int make_do(struct wire *wire)
{
	struct frontend_options options = wire->frontend.options;

	options.features &= wire->frontend.offered;
	if (!(options.features & FRONTEND_BIT(VIRTIO_NET_F_MRG_RXBUF)))
		options.rx_buffer = 0;
	return frontend_change_driver(&wire->frontend, &options);
}

/* 0 or negative errno; frontend_fini() is due either way. */
static int connect_first(struct wire *wire)
{
	struct frontend_options options = options_of(wire);

	if (wire->any) {
		/* Room for two drivers, the second with the longest buffers. */
		struct frontend_options longest = options;
		longest.rx_buffer = DRIVER_HEADER_LENGTH + DRIVER_FRAME_MAX;
		options.ram.region_size = 2 * frontend_ram_needed(&longest);
		options.base = FRONTEND_BASE_SAVED;
	}
	int error = frontend_init(&wire->frontend, &options);
	if (!error)
		error = frontend_connect(&wire->frontend, wire->path);
	if (!error && wire->any)
		error = make_do(wire);
	if (!error)
		error = frontend_activate(&wire->frontend);
	return error || !wire->tap ? error : set_offloads(wire);
}

/* Frames from the ring to the guest. 0 or negative errno. */
static int carry_in(struct wire *wire)
{
	for (int i = 0; i < BURST; i++) {
		int error = 0;
		if (!wire->in_waits)
			error = driver_poll(&wire->frontend.driver, &wire->in);
		if (!error && wire->tap)
			pass_valid(&wire->in);
		if (!error) {
			wire->in_waits = true;
			error = write_guest(wire);
		}
		if (error)
			return error == -EAGAIN ? 0 : error;
	}
	return 0;
}

/* Frames from the guest to the ring. 0 or negative errno. */
static int carry_out(struct wire *wire)
{
	int error = 0;

	for (int i = 0; i < BURST && !error; i++) {
		if (!wire->out_waits)
			error = read_guest(wire);
		if (!error)
			error = driver_queue(&wire->frontend.driver, &wire->out, 0);
		if (!error)
			wire->out_waits = false;
	}
	driver_publish(&wire->frontend.driver);
	/* The ring has no room, and perhaps it has again just now: the interrupt will tell. */
	if (error == -ETIMEDOUT || error == -ENOMSG || error == -EAGAIN)
		return 0;
	return error;
}

/* Is there something to carry that nothing will wake us for? */
static bool has_work(const struct wire *wire)
{
	return !wire->in_waits && virtqueue_has_used(&wire->frontend.driver.queues[DRIVER_RX]);
}

/* Connects again after the back end has died. 0 or negative errno. */
static int come_back(struct wire *wire)
{
	int error = frontend_reconnect(&wire->frontend, wire->path);
	if (!error)
		puts("connected");
	return error;
}

enum watched {
	WATCHED_GUEST,
	WATCHED_BACKEND,
	WATCHED_RX,
	WATCHED_TX,
	WATCHED_COUNT,
};

/* Waits until something can be carried. 0 or negative errno. */
static int wait_for_work(struct wire *wire)
{
	struct virtqueue *queues = wire->frontend.driver.queues;
	struct pollfd events[WATCHED_COUNT] = {
		[WATCHED_GUEST] = {.fd = wire->fd},
		[WATCHED_BACKEND] = {.fd = wire->frontend.client.fd, .events = POLLIN},
		[WATCHED_RX] = {.fd = queues[DRIVER_RX].call_fd, .events = POLLIN},
		[WATCHED_TX] = {.fd = queues[DRIVER_TX].call_fd, .events = POLLIN},
	};

	if (!wire->out_waits)
		events[WATCHED_GUEST].events |= POLLIN;
	if (wire->in_waits)
		events[WATCHED_GUEST].events |= POLLOUT;
	if (poll(events, WATCHED_COUNT, has_work(wire) ? 0 : -1) < 0)
		return errno == EINTR ? 0 : -errno;
	/* Before the rings are looked at: what comes after it is told anew. */
	for (int i = 0; i < DRIVER_QUEUES; i++)
		virtqueue_drain(&queues[i]);
	/* A front end is told nothing unasked: this is the end of the connection. */
	if (events[WATCHED_BACKEND].revents)
		return come_back(wire);
	if ((events[WATCHED_GUEST].revents & (POLLHUP | POLLERR)) && !wire->tap)
		return -EPIPE;
	return 0;
}

static int run(struct wire *wire)
{
	int error = 0;

	while (!error) {
		error = carry_in(wire);
		if (!error)
			error = carry_out(wire);
		if (!error)
			error = wait_for_work(wire);
	}
	return error == -EPIPE ? EXIT_SUCCESS : fail("carrying frames", error);
}

/* ---- options ----------------------------------------------------------------------------------
 */

static int usage(void)
{
	fputs("usage: wire --socket PATH (--tap NAME | --fd N) [--plain] [--any-back-end]\n",
		stderr);
	return EXIT_FAILURE;
}

static bool parse(struct wire *wire, int argc, char *argv[])
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"tap", required_argument, NULL, 't'},
		{"fd", required_argument, NULL, 'f'},
		{"plain", no_argument, NULL, 'p'},
		{"any-back-end", no_argument, NULL, 'a'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 's')
			wire->path = optarg;
		else if (option == 't')
			wire->tap = optarg;
		else if (option == 'f')
			wire->fd = atoi(optarg);
		else if (option == 'p')
			wire->plain = true;
		else if (option == 'a')
			wire->any = true;
		else
			return false;
	}
	return optind == argc && wire->path && !wire->tap == (wire->fd >= 0);
}

int main(int argc, char *argv[])
{
	static struct wire wire = {.fd = -1};

	if (!parse(&wire, argc, argv))
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (wire.tap) {
		int error = open_tap(&wire, &wire.fd);
		if (error)
			return fail(wire.tap, error);
	}
	if (fcntl(wire.fd, F_SETFL, O_NONBLOCK) < 0)
		return fail("--fd", -errno);
	int error = connect_first(&wire);
	if (error) {
		frontend_fini(&wire.frontend);
		return fail(wire.path, error);
	}
	puts("connected");
	int status = run(&wire);
	frontend_fini(&wire.frontend);
	return status;
}
