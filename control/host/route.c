/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * Reading the main table for a default route would miss every VPN that works with routing rules
 * (wg-quick) or with two halves of a default (OpenVPN's def1), and would repeat the kernel's choice
 * of a source address. So the kernel is asked for its route to an address in the world. Any address
 * that no host routes specially will do: this one is RIPE NCC's, in use since 1992.
 */
#include "control/host/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/netlink.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdint.h>
#include <string.h>

#include "control/host/link.h"
#include "control/host/netlink.h"

/* 193.0.0.1, host byte order. */
#define SOMEWHERE UINT32_C(0xc1000001)

/* Asks for the route; -ENOENT when there is none. */
static int route_look_up(struct nl_sock *socket, struct rtnl_route **ret_route)
{
	struct in_addr somewhere_be = {htonl(SOMEWHERE)};
	struct nl_addr *destination = nl_addr_build(AF_INET, &somewhere_be, sizeof(somewhere_be));
	int r;

	if (!destination)
		return -ENOMEM;
	r = netlink_errno(rtnl_route_lookup(socket, destination, ret_route));
	nl_addr_put(destination);
	/* No route at all (libnl has no word for ENETUNREACH), a blackhole, a prohibited one. */
	if (r == -EIO || r == -EINVAL || r == -EACCES)
		return -ENOENT;
	return r;
}

/* Reads what we need of the kernel's answer. */
static int route_read(struct rtnl_route *route, int except, struct route_egress *egress)
{
	struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);
	struct nl_addr *source = rtnl_route_get_pref_src(route);

	if (rtnl_route_get_type(route) != RTN_UNICAST || !hop)
		return -ENOENT;
	egress->index = rtnl_route_nh_get_ifindex(hop);
	if (egress->index <= 0 || egress->index == except)
		return -ENOENT;
	/* Left at 0 when the route has none. */
	(void)rtnl_route_get_metric(route, RTAX_MTU, &egress->mtu);
	if (source && nl_addr_get_len(source) == sizeof(egress->source_be))
		memcpy(&egress->source_be, nl_addr_get_binary_addr(source),
			sizeof(egress->source_be));
	return 0;
}

int route_find_egress(struct nl_sock *socket, int except, struct route_egress *ret_egress)
{
	struct route_egress egress = {0};
	struct rtnl_route *route = NULL;
	struct link_info link;
	int r = route_look_up(socket, &route);

	if (r < 0)
		return r;
	r = route_read(route, except, &egress);
	rtnl_route_put(route);
	if (r < 0)
		return r;
	r = link_name(socket, egress.index, egress.interface, sizeof(egress.interface));
	/* It went away since then. */
	if (r == -ENODEV)
		return -ENOENT;
	if (r < 0)
		return r;
	if (link_get(socket, egress.interface, &link) == 0 &&
		(egress.mtu == 0 || link.mtu < egress.mtu))
		egress.mtu = link.mtu;
	*ret_egress = egress;
	return 0;
}
