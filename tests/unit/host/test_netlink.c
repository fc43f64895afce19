/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <netlink/errno.h>
#include <netlink/socket.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/host/link.h"
#include "control/host/netlink.h"
#include "tests/unit/host/namespace.h"

static void turns_errors_into_errno(void **state)
{
	assert_int_equal(netlink_errno(0), 0);
	assert_int_equal(netlink_errno(3), 0);
	assert_int_equal(netlink_errno(-NLE_PERM), -EPERM);
	assert_int_equal(netlink_errno(-NLE_EXIST), -EEXIST);
	assert_int_equal(netlink_errno(-NLE_NODEV), -ENODEV);
	assert_int_equal(netlink_errno(-NLE_OBJ_NOTFOUND), -ENOENT);
	/* what says nothing more precise, the last one, and beyond */
	assert_int_equal(netlink_errno(-NLE_FAILURE), -EIO);
	assert_int_equal(netlink_errno(-NLE_MAX), -EIO);
	assert_int_equal(netlink_errno(-NLE_MAX - 1), -EIO);
}

static void stays_in_its_namespace(void **state)
{
	struct nl_sock *route_socket;
	struct link_info info;

	namespace_run("ip link add veth0 type veth peer name veth1");
	assert_int_equal(netlink_open(&route_socket), 0);
	assert_int_equal(fcntl(nl_socket_get_fd(route_socket), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	namespace_new_network();
	assert_int_equal(link_get(route_socket, "veth0", &info), 0);
	netlink_close(route_socket);
	netlink_close(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(turns_errors_into_errno),
		cmocka_unit_test(stays_in_its_namespace),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
