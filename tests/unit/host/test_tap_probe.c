/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <linux/virtio_net.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/tap.h"
#include "control/host/tap_probe.h"
#include "tests/unit/host/namespace.h"

/* What the probe rests on: on a TAP that is down, a wrong header is EINVAL and a good one is EIO.
 */
static void the_kernel_checks_headers_first(void **state)
{
	uint8_t frame[2000] = {[12] = 0x08, [14] = 0x45};
	struct virtio_net_hdr_v1 header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 54,
		.gso_size = 500,
		.csum_start = 34,
		.csum_offset = 16};
	struct iovec parts[] = {{&header, sizeof(header)}, {frame, sizeof(frame)}};
	struct tap tap;

	assert_int_equal(tap_open("tap0", 1, &tap), 0);
	frame[23] = 6;
	assert_int_equal(writev(tap.fds[0], parts, 2), -1);
	assert_int_equal(errno, EIO);
	header.gso_size = 0;
	assert_int_equal(writev(tap.fds[0], parts, 2), -1);
	assert_int_equal(errno, EINVAL);
	tap_close(&tap);
}

static void this_kernel_takes_large_frames(void **state)
{
	struct tap tap;

	assert_int_equal(tap_open("tap0", 1, &tap), 0);
	assert_true(tap.takes_tso);
	assert_int_equal(tap.takes_uso, !!(tap.offloads & TAP_OFFLOAD_USO4));
	/* the probe's frames reached nobody */
	assert_string_equal(
		namespace_output("cat /sys/class/net/tap0/statistics/rx_packets"), "0\n");
	assert_string_equal(
		namespace_output("cat /sys/class/net/tap0/statistics/rx_frame_errors"), "0\n");
	tap_close(&tap);
}

/* A timer cannot be written to: EINVAL, as from a kernel that refuses. */
static void refusal_is_seen(void **state)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "12345678", 8), -1);
	assert_int_equal(errno, EINVAL);
	assert_false(tap_probe_tso(fd));
	assert_false(tap_probe_uso(fd));
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_checks_headers_first),
		cmocka_unit_test(this_kernel_takes_large_frames),
		cmocka_unit_test(refusal_is_seen),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
