/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/neighbour.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/route/neighbour.h>
#include <sys/socket.h>

#include "control/host/netlink.h"

int neighbour_look_up(struct nl_sock *socket, int index, struct in_addr address_be)
{
	struct nl_cache *cache = NULL;
	struct nl_addr *address = nl_addr_build(AF_INET, &address_be, sizeof(address_be));
	struct rtnl_neigh *neighbour;
	int state, r;

	if (!address)
		return -ENOMEM;
	r = netlink_errno(rtnl_neigh_alloc_cache(socket, &cache));
	if (r < 0)
		goto out;
	neighbour = rtnl_neigh_get(cache, index, address);
	r = NEIGHBOUR_NONE;
	if (!neighbour)
		goto out;
	state = rtnl_neigh_get_state(neighbour);
	if (state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT))
		r = NEIGHBOUR_SEEN;
	else if (state & (NUD_FAILED | NUD_INCOMPLETE))
		r = NEIGHBOUR_SILENT;
	rtnl_neigh_put(neighbour);
out:
	nl_cache_free(cache);
	nl_addr_put(address);
	return r;
}
