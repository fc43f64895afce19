/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <string.h>

#include "control/host/link.h"
#include "control/host/netlink.h"

struct in_addr address_netmask_be(uint8_t prefix_length)
{
	/* A shift by 32 is undefined. */
	uint32_t mask = prefix_length == 0 ? 0 : UINT32_MAX << (32 - prefix_length);

	return (struct in_addr){htonl(mask)};
}

/* Do the two networks share an address? They do when they agree in the shorter prefix. */
static bool address_overlap(
	struct in_addr a_be, uint8_t a_length, struct in_addr b_be, uint8_t b_length)
{
	uint32_t mask_be = address_netmask_be(a_length < b_length ? a_length : b_length).s_addr;

	return ((a_be.s_addr ^ b_be.s_addr) & mask_be) == 0;
}

/* Reads an IPv4 address of libnl; false when it is none. A default route has no bytes at all. */
static bool address_read(struct nl_addr *from, struct in_addr *address_be, uint8_t *prefix_length)
{
	if (!from || nl_addr_get_family(from) != AF_INET)
		return false;
	*address_be = (struct in_addr){0};
	if (nl_addr_get_len(from) == sizeof(*address_be))
		memcpy(address_be, nl_addr_get_binary_addr(from), sizeof(*address_be));
	*prefix_length = (uint8_t)nl_addr_get_prefixlen(from);
	return true;
}

int address_add(struct nl_sock *socket, int index, struct in_addr address_be, uint8_t prefix_length)
{
	struct rtnl_addr *address = rtnl_addr_alloc();
	struct nl_addr *local = nl_addr_build(AF_INET, &address_be, sizeof(address_be));
	int r = -ENOMEM;

	if (!address || !local)
		goto out;
	nl_addr_set_prefixlen(local, prefix_length);
	rtnl_addr_set_ifindex(address, index);
	r = netlink_errno(rtnl_addr_set_local(address, local));
	if (r < 0)
		goto out;
	r = netlink_errno(rtnl_addr_add(socket, address, 0));
out:
	if (local)
		nl_addr_put(local);
	if (address)
		rtnl_addr_put(address);
	return r;
}

/* An address of an interface that is looked for. */
struct address_search {
	struct in_addr address_be;
	uint8_t prefix_length; /* bits */
	int index;	       /* of the interface */
	bool found;
};

static void search_address(struct nl_object *object, void *argument)
{
	struct rtnl_addr *address = (struct rtnl_addr *)object;
	struct address_search *search = argument;
	struct in_addr found_be;
	uint8_t length;

	if (rtnl_addr_get_ifindex(address) == search->index &&
		address_read(rtnl_addr_get_local(address), &found_be, &length) &&
		found_be.s_addr == search->address_be.s_addr && length == search->prefix_length)
		search->found = true;
}

int address_has(struct nl_sock *socket, int index, struct in_addr address_be, uint8_t prefix_length)
{
	struct address_search search = {
		.address_be = address_be, .prefix_length = prefix_length, .index = index};
	struct nl_cache *addresses = NULL;
	int r = netlink_errno(rtnl_addr_alloc_cache(socket, &addresses));

	if (r < 0)
		return r;
	nl_cache_foreach(addresses, search_address, &search);
	nl_cache_free(addresses);
	return search.found;
}

/* What is looked for, and what was found. */
struct collision_search {
	struct in_addr network_be;	/* our network */
	uint8_t prefix_length;		/* its length, bits */
	int index;			/* interface that does not count; 0 = none */
	int found_index;		/* interface of the collision; 0 = none found */
	struct address_collision found; /* the collision, without the interface's name */
};

/* Records address/length of interface `index` if it overlaps. */
static void collision_check(struct collision_search *search, struct in_addr address_be,
	uint8_t prefix_length, int index, bool route)
{
	if (search->found_index != 0 || index == search->index ||
		!address_overlap(
			address_be, prefix_length, search->network_be, search->prefix_length))
		return;
	search->found_index = index;
	search->found = (struct address_collision){
		.address_be = address_be, .prefix_length = prefix_length, .route = route};
}

static void collision_check_address(struct nl_object *object, void *argument)
{
	struct rtnl_addr *address = (struct rtnl_addr *)object;
	struct collision_search *search = argument;
	struct in_addr network_be;
	uint8_t length;
	int index = rtnl_addr_get_ifindex(address);

	if (address_read(rtnl_addr_get_local(address), &network_be, &length)) {
		/* With a peer, the local address stands alone and the network is the peer's. */
		if (rtnl_addr_get_peer(address))
			length = 32;
		collision_check(search, network_be, length, index, false);
	}
	if (address_read(rtnl_addr_get_peer(address), &network_be, &length))
		collision_check(search, network_be, length, index, false);
}

static void collision_check_route(struct nl_object *object, void *argument)
{
	struct rtnl_route *route = (struct rtnl_route *)object;
	struct collision_search *search = argument;
	struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);
	struct in_addr network_be;
	uint8_t length;

	/* A blackhole has no next hop; a wider route than ours does no harm. */
	if (rtnl_route_get_table(route) != RT_TABLE_MAIN || !hop ||
		!address_read(rtnl_route_get_dst(route), &network_be, &length) ||
		length < search->prefix_length)
		return;
	collision_check(search, network_be, length, rtnl_route_nh_get_ifindex(hop), true);
}

int address_find_collision(struct nl_sock *socket, int index, struct in_addr network_be,
	uint8_t prefix_length, struct address_collision *ret_collision)
{
	struct collision_search search = {
		.network_be = network_be, .prefix_length = prefix_length, .index = index};
	struct nl_cache *addresses = NULL;
	struct nl_cache *routes = NULL;
	int r;

	r = netlink_errno(rtnl_addr_alloc_cache(socket, &addresses));
	if (r < 0)
		goto out;
	r = netlink_errno(rtnl_route_alloc_cache(socket, AF_INET, 0, &routes));
	if (r < 0)
		goto out;
	nl_cache_foreach(addresses, collision_check_address, &search);
	nl_cache_foreach(routes, collision_check_route, &search);
	if (search.found_index == 0)
		goto out;
	if (link_name(socket, search.found_index, search.found.interface,
		    sizeof(search.found.interface)) < 0)
		snprintf(search.found.interface, sizeof(search.found.interface), "?");
	*ret_collision = search.found;
	r = 1;
out:
	nl_cache_free(routes);
	nl_cache_free(addresses);
	return r;
}
