/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/tap.h"
#include "tests/unit/host/namespace.h"

static void checks_names(void **state)
{
	assert_int_equal(tap_name_check("tap0"), 0);
	assert_int_equal(tap_name_check("a"), 0);
	assert_int_equal(tap_name_check("vm-tap_0.100abc"), 0);
	assert_int_equal(tap_name_check(""), -EINVAL);
	assert_int_equal(tap_name_check("sixteen-bytes-xx"), -ENAMETOOLONG);
	assert_int_equal(tap_name_check("tap/0"), -EINVAL);
	assert_int_equal(tap_name_check("tap 0"), -EINVAL);
	assert_int_equal(tap_name_check("tap%d"), -EINVAL);
	assert_int_equal(tap_name_check("tap:0"), -EINVAL);
	assert_int_equal(tap_name_check("."), -EINVAL);
	assert_int_equal(tap_name_check(".."), -EINVAL);
}

static void makes_queues(void **state)
{
	struct tap tap;
	unsigned int i;
	int header_length = 0;

	assert_int_equal(tap_open("tap0", 3, &tap), 0);
	assert_int_equal(tap.queues, 3);
	assert_string_equal(tap.name, "tap0");
	for (i = 0; i < tap.queues; i++) {
		struct ifreq request = {0};

		assert_int_equal(ioctl(tap.fds[i], TUNGETIFF, &request), 0);
		assert_string_equal(request.ifr_name, "tap0");
		assert_int_equal((unsigned short)request.ifr_flags &
					 (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE),
			IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE);
		assert_int_equal(fcntl(tap.fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		assert_int_equal(fcntl(tap.fds[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	}
	assert_int_equal(ioctl(tap.fds[2], TUNGETVNETHDRSZ, &header_length), 0);
	assert_int_equal(header_length, 12);
	assert_true(namespace_has_link("tap0"));
	tap_close(&tap);
	assert_false(namespace_has_link("tap0"));
	tap_close(&tap);
	tap_close(NULL);
}

static void refuses_bad_arguments(void **state)
{
	struct tap tap;

	assert_int_equal(tap_open("tap0", 0, &tap), -EINVAL);
	assert_int_equal(tap_open("tap0", TAP_QUEUES_MAX + 1, &tap), -EINVAL);
	assert_int_equal(tap_open("tap%d", 1, &tap), -EINVAL);
	assert_int_equal(tap_open("sixteen-bytes-xx", 1, &tap), -ENAMETOOLONG);
}

/* The offload flags that the kernel shows are those that we are told. */
static void accepts_offloads(void **state)
{
	struct tap tap;
	unsigned int features = 0;

	assert_int_equal(tap_open("tap0", 1, &tap), 0);
	assert_true(tap.offloads & TAP_OFFLOAD_CSUM);
	assert_true(tap.offloads & TAP_OFFLOAD_TSO4);
	assert_int_equal(ioctl(tap.fds[0], TUNGETFEATURES, &features), 0);
	assert_non_null(
		strstr(namespace_output("ethtool -k tap0"), "tcp-segmentation-offload: on"));
	/* USO comes in pairs */
	assert_int_equal(!!(tap.offloads & TAP_OFFLOAD_USO4), !!(tap.offloads & TAP_OFFLOAD_USO6));
	tap_close(&tap);
}

static void never_joins(void **state)
{
	struct tap tap, other;

	/* one in use, with queues to spare */
	assert_int_equal(tap_open("tap0", 2, &tap), 0);
	memset(&other, 0x5a, sizeof(other));
	assert_int_equal(tap_open("tap0", 1, &other), -EEXIST);
	assert_int_equal(other.queues, 0x5a5a5a5a);
	tap_close(&tap);

	/* a persistent one that nobody uses */
	namespace_run("ip tuntap add dev tap1 mode tap multi_queue vnet_hdr");
	assert_int_equal(tap_open("tap1", 1, &other), -EEXIST);
	assert_true(namespace_has_link("tap1"));
	namespace_run("ip link del tap1");

	/* no TAP at all */
	assert_int_equal(tap_open("lo", 1, &other), -EEXIST);
}

static int open_as_nobody(void *argument)
{
	struct tap tap;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	return -tap_open("tap0", 1, &tap);
}

static void needs_rights(void **state)
{
	assert_int_equal(namespace_in_child(open_as_nobody, NULL), EPERM);
	assert_false(namespace_has_link("tap0"));
}

static void needs_the_device(void **state)
{
	struct tap tap;

	assert_int_equal(mount("tmpfs", "/dev/net", "tmpfs", 0, NULL), 0);
	assert_int_equal(tap_open("tap0", 1, &tap), -ENOENT);
	assert_int_equal(umount("/dev/net"), 0);
}

/* Opens a TAP, says so through the pipe, and waits for its death. */
static int open_and_wait(void *argument)
{
	const int *ends = argument;
	struct tap tap;

	if (tap_open("tap0", 2, &tap) < 0 || write(ends[1], "x", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static void dies_with_the_process(void **state)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = namespace_fork(open_and_wait, ends);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	assert_true(namespace_has_link("tap0"));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(namespace_has_link("tap0"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_names),
		cmocka_unit_test(makes_queues),
		cmocka_unit_test(refuses_bad_arguments),
		cmocka_unit_test(accepts_offloads),
		cmocka_unit_test(never_joins),
		cmocka_unit_test(needs_rights),
		cmocka_unit_test(needs_the_device),
		cmocka_unit_test(dies_with_the_process),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
