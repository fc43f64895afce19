/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stddef.h>

/* libnl's errors by number; those that say nothing more precise become EIO. */
static const int errors[NLE_MAX + 1] = {
	[NLE_INTR] = EINTR,
	[NLE_BAD_SOCK] = EBADF,
	[NLE_AGAIN] = EAGAIN,
	[NLE_NOMEM] = ENOMEM,
	[NLE_EXIST] = EEXIST,
	[NLE_INVAL] = EINVAL,
	[NLE_RANGE] = ERANGE,
	[NLE_MSGSIZE] = EMSGSIZE,
	[NLE_OPNOTSUPP] = EOPNOTSUPP,
	[NLE_AF_NOSUPPORT] = EAFNOSUPPORT,
	[NLE_OBJ_NOTFOUND] = ENOENT,
	[NLE_NOATTR] = ENODATA,
	[NLE_MISSING_ATTR] = EINVAL,
	[NLE_PROTO_MISMATCH] = EPROTO,
	[NLE_NOACCESS] = EACCES,
	[NLE_PERM] = EPERM,
	[NLE_NODEV] = ENODEV,
	[NLE_BUSY] = EBUSY,
	[NLE_NOADDR] = EADDRNOTAVAIL,
	[NLE_DUMP_INTR] = EINTR,
};

int netlink_errno(int error)
{
	if (error >= 0)
		return 0;
	if (-error > NLE_MAX || errors[-error] == 0)
		return -EIO;
	return -errors[-error];
}

int netlink_open(struct nl_sock **ret_socket)
{
	struct nl_sock *socket = nl_socket_alloc();
	int r;

	if (!socket)
		return -ENOMEM;
	r = nl_connect(socket, NETLINK_ROUTE);
	if (r < 0) {
		nl_socket_free(socket);
		return netlink_errno(r);
	}
	*ret_socket = socket;
	return 0;
}

void netlink_close(struct nl_sock *socket)
{
	if (socket)
		nl_socket_free(socket);
}
