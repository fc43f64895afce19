/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/watch.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stddef.h>
#include <sys/socket.h>

#include "control/host/netlink.h"

/* What can change the way out, and the host's address there. */
static const int groups[] = {
	RTNLGRP_LINK,
	RTNLGRP_IPV4_IFADDR,
	RTNLGRP_IPV4_ROUTE,
	RTNLGRP_IPV4_RULE,
};

int watch_open(struct nl_sock **ret_watch)
{
	struct nl_sock *watch;
	size_t i;
	int r = netlink_open(&watch);

	if (r < 0)
		return r;
	for (i = 0; r == 0 && i < sizeof(groups) / sizeof(groups[0]); i++)
		r = netlink_errno(nl_socket_add_membership(watch, groups[i]));
	if (r == 0)
		r = netlink_errno(nl_socket_set_nonblocking(watch));
	if (r < 0) {
		netlink_close(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

int watch_fd(const struct nl_sock *watch)
{
	return nl_socket_get_fd(watch);
}

bool watch_drain(struct nl_sock *watch)
{
	char report[8192];
	bool any = false;

	/* The contents do not matter: whoever asks looks at the state as it is now. Reports that
	 * did not fit into the socket (ENOBUFS) were reports all the same. */
	for (;;) {
		ssize_t length = recv(watch_fd(watch), report, sizeof(report), 0);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && errno != ENOBUFS)
			return any;
		any = true;
	}
}
