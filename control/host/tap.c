/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * A multi-queue TAP is made by opening /dev/net/tun once for each queue and attaching each
 * descriptor to the same name. The trap: attaching to a name that exists *joins* it, silently,
 * whether it is a persistent TAP or one that another process is using at this moment. Frames would
 * then be shared out between two owners. So the first queue is attached with IFF_TUN_EXCL, which
 * makes the kernel refuse, without a race, a name that exists.
 *
 * Offloads belong to the interface, not to the queue, and are all or nothing: a kernel that does
 * not know one bit refuses the set. Hence the descending list of sets.
 */
#include "control/host/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "control/host/tap_probe.h"

_Static_assert(TAP_OFFLOAD_CSUM == TUN_F_CSUM && TAP_OFFLOAD_TSO4 == TUN_F_TSO4 &&
		       TAP_OFFLOAD_TSO6 == TUN_F_TSO6 && TAP_OFFLOAD_ECN == TUN_F_TSO_ECN,
	"our offload bits are the kernel's");

#define TAP_OFFLOADS_TSO (TAP_OFFLOAD_CSUM | TAP_OFFLOAD_TSO4 | TAP_OFFLOAD_TSO6 | TAP_OFFLOAD_ECN)
#define TAP_OFFLOADS_USO (TAP_OFFLOAD_USO4 | TAP_OFFLOAD_USO6)

/* The sets to ask for, best first. */
static const unsigned int offload_sets[] = {
	TAP_OFFLOADS_TSO | TAP_OFFLOADS_USO,
	TAP_OFFLOADS_TSO,
	TAP_OFFLOAD_CSUM,
	0,
};

int tap_name_check(const char *name)
{
	size_t length = strlen(name);

	if (length == 0)
		return -EINVAL;
	if (length >= IFNAMSIZ)
		return -ENAMETOOLONG;
	if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") !=
		length)
		return -EINVAL;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	return 0;
}

/* Opens one more queue of the TAP; `flags` are added to those that every queue has. */
static int tap_attach(const char *name, int flags, int *ret_fd)
{
	struct ifreq request = {0};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags);
	/* The name was checked: it fits, with its terminator. */
	memcpy(request.ifr_name, name, strlen(name));
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	*ret_fd = fd;
	return 0;
}

/* Finds the largest set of offloads that the kernel accepts. Returns 0, or a negative errno. */
static int tap_set_offloads(struct tap *tap)
{
	size_t i;

	for (i = 0; i < sizeof(offload_sets) / sizeof(offload_sets[0]); i++) {
		if (ioctl(tap->fds[0], TUNSETOFFLOAD, (unsigned long)offload_sets[i]) == 0) {
			tap->offloads = offload_sets[i];
			return 0;
		}
		if (errno != EINVAL)
			return -errno;
	}
	return -EINVAL;
}

/* Sets up what belongs to the interface as a whole. */
static int tap_configure(struct tap *tap)
{
	int header_length = TAP_HEADER_LENGTH;
	int r;

	if (ioctl(tap->fds[0], TUNSETVNETHDRSZ, &header_length) < 0)
		return -errno;
	r = tap_set_offloads(tap);
	if (r < 0)
		return r;
	tap->takes_tso = tap_probe_tso(tap->fds[0]);
	tap->takes_uso = (tap->offloads & TAP_OFFLOAD_USO4) && tap_probe_uso(tap->fds[0]);
	return 0;
}

int tap_open(const char *name, unsigned int queues, struct tap *ret_tap)
{
	struct tap tap = {0};
	size_t i;
	int r = tap_name_check(name);

	if (r < 0)
		return r;
	if (queues == 0 || queues > TAP_QUEUES_MAX)
		return -EINVAL;
	for (i = 0; i < TAP_QUEUES_MAX; i++)
		tap.fds[i] = -1;
	memcpy(tap.name, name, strlen(name));

	for (; tap.queues < queues; tap.queues++) {
		r = tap_attach(name, IFF_MULTI_QUEUE | (tap.queues == 0 ? IFF_TUN_EXCL : 0),
			&tap.fds[tap.queues]);
		/* With IFF_TUN_EXCL the kernel says EBUSY when the name is taken. */
		if (r == -EBUSY && tap.queues == 0)
			r = -EEXIST;
		if (r < 0)
			goto fail;
	}
	r = tap_configure(&tap);
	if (r < 0)
		goto fail;
	*ret_tap = tap;
	return 0;
fail:
	tap_close(&tap);
	return r;
}

int tap_open_for(const char *name, uid_t owner, struct tap *ret_tap)
{
	struct tap tap = {0};
	int r = tap_name_check(name);

	if (r < 0)
		return r;
	memcpy(tap.name, name, strlen(name));
	r = tap_attach(name, IFF_TUN_EXCL, &tap.fds[0]);
	if (r < 0)
		return r == -EBUSY ? -EEXIST : r;
	tap.queues = 1;
	if (ioctl(tap.fds[0], TUNSETOWNER, (unsigned long)owner) < 0) {
		r = -errno;
		tap_close(&tap);
		return r;
	}
	*ret_tap = tap;
	return 0;
}

int tap_keep(struct tap *tap)
{
	if (ioctl(tap->fds[0], TUNSETPERSIST, 1UL) < 0)
		return -errno;
	tap_close(tap);
	return 0;
}

void tap_close(struct tap *tap)
{
	size_t i;

	if (!tap)
		return;
	for (i = 0; i < tap->queues; i++) {
		if (tap->fds[i] >= 0)
			close(tap->fds[i]);
		tap->fds[i] = -1;
	}
	tap->queues = 0;
}
