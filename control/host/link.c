/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/link.h"

#include <errno.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "control/host/netlink.h"

/* Asks for one interface, by index or (index 0) by name. */
static int link_ask(
	struct nl_sock *socket, int index, const char *name, struct rtnl_link **ret_link)
{
	struct rtnl_link *link = NULL;
	int r = netlink_errno(rtnl_link_get_kernel(socket, index, name, &link));

	if (r == -ENOENT)
		return -ENODEV;
	if (r < 0)
		return r;
	*ret_link = link;
	return 0;
}

int link_get(struct nl_sock *socket, const char *name, struct link_info *ret_info)
{
	struct link_info info = {0};
	struct rtnl_link *link;
	const char *kind;
	struct nl_addr *mac;
	int r = link_ask(socket, 0, name, &link);

	if (r < 0)
		return r;
	info.index = rtnl_link_get_ifindex(link);
	info.up = rtnl_link_get_flags(link) & IFF_UP;
	kind = rtnl_link_get_type(link);
	info.tun = kind && strcmp(kind, "tun") == 0;
	info.mtu = rtnl_link_get_mtu(link);
	mac = rtnl_link_get_addr(link);
	if (mac && nl_addr_get_len(mac) == LINK_MAC_LENGTH)
		memcpy(info.mac, nl_addr_get_binary_addr(mac), LINK_MAC_LENGTH);
	rtnl_link_put(link);
	*ret_info = info;
	return 0;
}

int link_name(struct nl_sock *socket, int index, char *name, size_t size)
{
	struct rtnl_link *link;
	int r = link_ask(socket, index, NULL, &link);

	if (r < 0)
		return r;
	snprintf(name, size, "%s", rtnl_link_get_name(link));
	rtnl_link_put(link);
	return 0;
}

int link_remove(struct nl_sock *socket, int index, const char *name)
{
	struct rtnl_link *link;
	int r = link_ask(socket, index, NULL, &link);

	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return r;
	if (strcmp(rtnl_link_get_name(link), name) == 0)
		r = netlink_errno(rtnl_link_delete(socket, link));
	rtnl_link_put(link);
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

/* Sends `change` (which it frees; NULL means no memory) for interface `index`. */
static int link_change(struct nl_sock *socket, int index, struct rtnl_link *change)
{
	struct rtnl_link *link = rtnl_link_alloc();
	int r = -ENOMEM;

	if (!link || !change)
		goto out;
	rtnl_link_set_ifindex(link, index);
	r = netlink_errno(rtnl_link_change(socket, link, change, 0));
	if (r == -ENOENT)
		r = -ENODEV;
out:
	if (link)
		rtnl_link_put(link);
	if (change)
		rtnl_link_put(change);
	return r;
}

int link_set_up(struct nl_sock *socket, int index, bool up)
{
	struct rtnl_link *change = rtnl_link_alloc();

	if (change && up)
		rtnl_link_set_flags(change, IFF_UP);
	if (change && !up)
		rtnl_link_unset_flags(change, IFF_UP);
	return link_change(socket, index, change);
}

int link_set_mtu(struct nl_sock *socket, int index, uint32_t mtu)
{
	struct rtnl_link *change = rtnl_link_alloc();

	if (change)
		rtnl_link_set_mtu(change, mtu);
	return link_change(socket, index, change);
}

int link_set_mac(struct nl_sock *socket, int index, const uint8_t mac[LINK_MAC_LENGTH])
{
	struct rtnl_link *change = rtnl_link_alloc();
	/* libnl wants the address itself without const, but only copies it. */
	struct nl_addr *address = nl_addr_build(AF_LLC, (void *)mac, LINK_MAC_LENGTH);
	int r = -ENOMEM;

	if (!change || !address)
		goto out;
	rtnl_link_set_addr(change, address);
	r = link_change(socket, index, change);
	change = NULL;
out:
	if (change)
		rtnl_link_put(change);
	if (address)
		nl_addr_put(address);
	return r;
}
