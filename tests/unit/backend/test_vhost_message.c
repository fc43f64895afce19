/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/vhost_message.h"

static enum vhost_message_kind kind(uint32_t request)
{
	const struct vhost_message message = {.request = request};
	return vhost_message_kind(&message);
}

static void only_what_is_offered_is_served(void **state)
{
	assert_int_equal(kind(MESSAGE_GET_FEATURES), VHOST_MESSAGE_PLAIN);
	assert_int_equal(kind(MESSAGE_GET_STATUS), VHOST_MESSAGE_PLAIN);
	assert_int_equal(kind(MESSAGE_SET_MEM_TABLE), VHOST_MESSAGE_DEVICE);
	assert_int_equal(kind(MESSAGE_SET_LOG_BASE), VHOST_MESSAGE_DEVICE);
	/* Requests 8 to 14, and 18. */
	for (uint32_t request = MESSAGE_SET_VRING_NUM; request <= MESSAGE_SET_VRING_ERR; request++)
		assert_int_equal(kind(request), VHOST_MESSAGE_RING);
	assert_int_equal(kind(MESSAGE_SET_VRING_ENABLE), VHOST_MESSAGE_RING);
	/* None, GET_INFLIGHT_FD, the one behind the last, and numbers that are none. */
	assert_int_equal(kind(0), VHOST_MESSAGE_FOREIGN);
	assert_int_equal(kind(31), VHOST_MESSAGE_FOREIGN);
	assert_int_equal(kind(MESSAGE_GET_STATUS + 1), VHOST_MESSAGE_FOREIGN);
	assert_int_equal(kind(UINT32_MAX), VHOST_MESSAGE_FOREIGN);
}

static void a_ring_is_named_by_the_low_byte(void **state)
{
	struct vhost_message message = {.request = MESSAGE_SET_VRING_KICK};
	message.payload.u64 = 1 | VHOST_MESSAGE_NO_FD;
	assert_int_equal(vhost_message_ring(&message), 1);
}

static int file_of(off_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static struct vhost_message table_of(uint64_t offset, uint64_t size, int fd)
{
	struct vhost_message message = {.request = MESSAGE_SET_MEM_TABLE, .fd_count = 1};
	message.payload.memory.count = 1;
	message.payload.memory.regions[0].offset = offset;
	message.payload.memory.regions[0].size = size;
	message.fds[0] = fd;
	return message;
}

static bool can_hold(uint64_t offset, uint64_t size, int fd)
{
	const struct vhost_message message = table_of(offset, size, fd);
	return vhost_message_files_can_hold(&message);
}

static void a_file_must_hold_its_region(void **state)
{
	int fd = file_of(8192);
	assert_true(can_hold(0, 8192, fd));
	assert_true(can_hold(4096, 4096, fd));
	assert_true(can_hold(4096, 100, fd));
	assert_false(can_hold(0, 0, fd));
	assert_false(can_hold(0, 8193, fd));
	assert_false(can_hold(8192, 1, fd));
	assert_false(can_hold(UINT64_MAX, 2, fd)); /* wraps to 1 */
	assert_int_equal(close(fd), 0);
	assert_false(can_hold(0, 1, fd)); /* no file at all */
}

static void a_file_must_be_one_that_can_be_mapped(void **state)
{
	char path[64];
	int ends[2];
	int fd = file_of(8192), sealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int reading = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(reading >= 0);
	assert_false(can_hold(0, 4096, reading));
	assert_int_equal(ftruncate(sealed, 8192), 0);
	assert_true(can_hold(0, 8192, sealed));
	assert_int_equal(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_false(can_hold(0, 8192, sealed));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_false(can_hold(0, 4096, ends[0]));
	/* A file may be longer than there are addresses. */
	assert_int_equal(ftruncate(fd, INT64_C(1) << 60), 0);
	assert_false(can_hold(0, UINT64_C(1) << 60, fd));
	assert_true(can_hold(0, 1 << 20, fd));
	close(fd);
	close(sealed);
	close(reading);
	close(ends[0]);
	close(ends[1]);
}

static void a_device_has_no_size(void **state)
{
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	assert_true(zero >= 0);
	assert_true(can_hold(0, 4096, zero));
	assert_false(can_hold(0, UINT64_MAX, zero));
	assert_false(can_hold(UINT64_MAX - 4095, 1, zero));
	close(zero);
}

static void what_is_no_table_is_left_to_the_library(void **state)
{
	/* More regions than descriptors, or than a table has. */
	struct vhost_message message = table_of(0, 4096, -1);
	message.fd_count = 0;
	assert_true(vhost_message_files_can_hold(&message));
	message.payload.memory.count = VHOST_MESSAGE_REGIONS_MAX + 1;
	message.fd_count = VHOST_MESSAGE_REGIONS_MAX;
	assert_true(vhost_message_files_can_hold(&message));
}

static void descriptors_are_closed_once(void **state)
{
	int first = file_of(0), second = file_of(0);
	struct vhost_message message = table_of(0, 0, first);
	message.fds[1] = -1;
	message.fds[2] = second;
	message.fd_count = 3;
	vhost_message_close_fds(&message);
	assert_int_equal(message.fd_count, 0);
	assert_int_equal(fcntl(first, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(fcntl(second, F_GETFD), -1);
	/* And no other that has taken the number since. */
	int again = file_of(0);
	vhost_message_close_fds(&message);
	assert_true(fcntl(again, F_GETFD) >= 0);
	close(again);
}

static void an_answer_to_set_log_base_is_what_the_front_end_waits_for(void **state)
{
	(void)state;
	/* Cloud Hypervisor acks MQ, LOG_SHMFD and REPLY_ACK of what is offered; QEMU all of it. */
	assert_int_equal(vhost_message_log_answer(0x0b), 16);
	assert_int_equal(vhost_message_log_answer(VHOST_MESSAGE_PROTOCOL_FEATURES), 0);
}

static void the_first_descriptor_is_the_message_s(void **state)
{
	(void)state;
	struct vhost_message message = {.fds = {77, 78}, .fd_count = 2};
	assert_int_equal(vhost_message_fd(&message), 77);
	message.fd_count = 0;
	assert_int_equal(vhost_message_fd(&message), -1);
	message.fd_count = -1;
	assert_int_equal(vhost_message_fd(&message), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_offered_is_served),
		cmocka_unit_test(a_ring_is_named_by_the_low_byte),
		cmocka_unit_test(a_file_must_hold_its_region),
		cmocka_unit_test(a_file_must_be_one_that_can_be_mapped),
		cmocka_unit_test(a_device_has_no_size),
		cmocka_unit_test(what_is_no_table_is_left_to_the_library),
		cmocka_unit_test(descriptors_are_closed_once),
		cmocka_unit_test(an_answer_to_set_log_base_is_what_the_front_end_waits_for),
		cmocka_unit_test(the_first_descriptor_is_the_message_s),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
