/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/bare_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/frontend/driver.h"

/* Frames moved before the driver is told. */
#define BURST 32
/* Of a frame: header and headers, then 32 KiB pieces. And receive buffers for the largest one. */
#define PIECES 64

int bare_tap_open(const char *name, int *ret_fd)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int header = DRIVER_HEADER_LENGTH;

	if (strlen(name) >= sizeof(request.ifr_name))
		return -ENAMETOOLONG;
	memcpy(request.ifr_name, name, strlen(name) + 1);
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 ||
		ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	*ret_fd = fd;
	return 0;
}

static int put(int fd, const struct virtqueue *tx, uint16_t head)
{
	struct iovec pieces[PIECES];
	struct bare_chain chain;
	int count = 0;

	bare_open_chain(tx, head, &chain);
	for (;;) {
		pieces[count++] = (struct iovec){bare_host(tx, chain.at.addr), chain.at.len};
		if (!(chain.at.flags & VRING_DESC_F_NEXT) || count == PIECES)
			break;
		chain.at = chain.table[chain.at.next];
	}
	return writev(fd, pieces, count) < 0 ? -errno : 0;
}

/* Reads one frame into as many receive buffers as it takes. 0, -EAGAIN when there is none, or no
 * room for a large one, or another negative errno. */
static int get(int fd, const struct virtqueue *rx, struct bare_progress *progress)
{
	uint16_t posted = __atomic_load_n(&rx->avail->idx, __ATOMIC_ACQUIRE);
	struct iovec room[PIECES] = {{0}};
	uint16_t heads[PIECES];
	int count = 0;
	size_t bytes = 0;

	while (count < PIECES && bytes < DRIVER_HEADER_LENGTH + DRIVER_FRAME_MAX) {
		if ((uint16_t)(progress->rx + count) == posted)
			return -EAGAIN;
		heads[count] = bare_head(rx, (uint16_t)(progress->rx + count));
		const struct vring_desc *desc = &rx->desc[heads[count]];
		room[count] = (struct iovec){bare_host(rx, desc->addr), desc->len};
		bytes += room[count++].iov_len;
	}
	ssize_t got = readv(fd, room, count);
	if (got < 0)
		return -errno;
	struct virtio_net_hdr_v1 *vnet = room[0].iov_base;
	uint16_t buffers = 0;
	for (size_t left = (size_t)got; left && buffers < count; buffers++) {
		size_t part = left < room[buffers].iov_len ? left : room[buffers].iov_len;
		bare_use(rx, progress->rx++, heads[buffers], (uint32_t)part);
		left -= part;
	}
	vnet->num_buffers = buffers;
	__atomic_store_n(&rx->used->idx, progress->rx, __ATOMIC_RELEASE);
	return 0;
}

int bare_tap_turn(int fd, const struct virtqueue *tx, const struct virtqueue *rx,
	struct bare_progress *progress)
{
	uint16_t ready = __atomic_load_n(&tx->avail->idx, __ATOMIC_ACQUIRE);
	unsigned int moved = 0;
	int error = 0;

	for (; progress->tx != ready && moved < BURST && !error; moved++) {
		uint16_t head = bare_head(tx, progress->tx);
		error = put(fd, tx, head);
		bare_use(tx, progress->tx++, head, 0);
	}
	if (moved)
		__atomic_store_n(&tx->used->idx, progress->tx, __ATOMIC_RELEASE);
	else
		error = get(fd, rx, progress);
	return error == -EAGAIN ? 0 : error;
}
