/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/route.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdbool.h>
#include <string.h>

#include "control/host/address.h"
#include "control/host/link.h"
#include "control/host/netlink.h"

/* The best default route so far. */
struct egress_search {
	int except;		   /* interface that does not count */
	bool found;		   /* the fields below are valid */
	struct route_egress best;  /* without the name; source_be only if the route names it */
	struct in_addr gateway_be; /* next router; 0.0.0.0 when the route has none */
};

static struct in_addr egress_address_be(struct nl_addr *from)
{
	struct in_addr address_be = {0};

	if (from && nl_addr_get_family(from) == AF_INET &&
		nl_addr_get_len(from) == sizeof(address_be))
		memcpy(&address_be, nl_addr_get_binary_addr(from), sizeof(address_be));
	return address_be;
}

static void egress_check(struct nl_object *object, void *argument)
{
	struct rtnl_route *route = (struct rtnl_route *)object;
	struct egress_search *search = argument;
	struct nl_addr *destination = rtnl_route_get_dst(route);
	uint32_t metric = rtnl_route_get_priority(route);
	int hops = rtnl_route_get_nnexthops(route);
	int i;

	if (rtnl_route_get_table(route) != RT_TABLE_MAIN ||
		rtnl_route_get_type(route) != RTN_UNICAST ||
		(destination && nl_addr_get_prefixlen(destination) != 0) ||
		(search->found && metric >= search->best.metric))
		return;
	for (i = 0; i < hops; i++) {
		struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, i);
		int index = rtnl_route_nh_get_ifindex(hop);

		if (index <= 0 || index == search->except ||
			rtnl_route_nh_get_flags(hop) & RTNH_F_DEAD)
			continue;
		search->found = true;
		search->best.index = index;
		search->best.metric = metric;
		search->best.source_be = egress_address_be(rtnl_route_get_pref_src(route));
		search->gateway_be = egress_address_be(rtnl_route_nh_get_gateway(hop));
		return;
	}
}

/* The choice of a source address. */
struct source_search {
	int index;		   /* interface whose address is wanted */
	struct in_addr gateway_be; /* prefer an address in its network */
	struct in_addr first_be;   /* first address of the interface; 0.0.0.0 = none */
	struct in_addr near_be;	   /* first one in the gateway's network; 0.0.0.0 = none */
};

static void source_check(struct nl_object *object, void *argument)
{
	struct rtnl_addr *address = (struct rtnl_addr *)object;
	struct source_search *search = argument;
	struct nl_addr *local = rtnl_addr_get_local(address);
	struct in_addr local_be = egress_address_be(local);
	uint32_t mask_be;

	if (rtnl_addr_get_ifindex(address) != search->index || local_be.s_addr == 0 ||
		rtnl_addr_get_scope(address) >= RT_SCOPE_LINK ||
		rtnl_addr_get_flags(address) & IFA_F_SECONDARY)
		return;
	if (search->first_be.s_addr == 0)
		search->first_be = local_be;
	mask_be = address_netmask_be((uint8_t)nl_addr_get_prefixlen(local)).s_addr;
	if (search->near_be.s_addr == 0 &&
		((local_be.s_addr ^ search->gateway_be.s_addr) & mask_be) == 0)
		search->near_be = local_be;
}

/*
 * Chooses as the kernel does (inet_select_addr): the first address in the gateway's network, else
 * the first one at all.
 */
static int source_find(
	struct nl_sock *socket, int index, struct in_addr gateway_be, struct in_addr *ret_source_be)
{
	struct source_search search = {.index = index, .gateway_be = gateway_be};
	struct nl_cache *addresses = NULL;
	int r = netlink_errno(rtnl_addr_alloc_cache(socket, &addresses));

	if (r < 0)
		return r;
	nl_cache_foreach(addresses, source_check, &search);
	nl_cache_free(addresses);
	*ret_source_be = search.near_be.s_addr != 0 ? search.near_be : search.first_be;
	return 0;
}

int route_find_egress(struct nl_sock *socket, int except, struct route_egress *ret_egress)
{
	struct egress_search search = {.except = except};
	struct nl_cache *routes = NULL;
	int r = netlink_errno(rtnl_route_alloc_cache(socket, AF_INET, 0, &routes));

	if (r < 0)
		return r;
	nl_cache_foreach(routes, egress_check, &search);
	nl_cache_free(routes);
	if (!search.found)
		return -ENOENT;
	if (search.best.source_be.s_addr == 0) {
		r = source_find(
			socket, search.best.index, search.gateway_be, &search.best.source_be);
		if (r < 0)
			return r;
	}
	r = link_name(
		socket, search.best.index, search.best.interface, sizeof(search.best.interface));
	/* It went away since the routes were read. */
	if (r == -ENODEV)
		return -ENOENT;
	if (r < 0)
		return r;
	*ret_egress = search.best;
	return 0;
}
