/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * A table of steps. Each builds one part of struct host, or fails with a line of text; host_down()
 * undoes whatever parts are there, so a failure in the middle is undone by the same code. The rules
 * come before forwarding: at no moment does the host forward for the TAP without them.
 */
#include "control/host/host_build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/host/address.h"
#include "control/host/host_mac.h"
#include "control/host/nft_view.h"
#include "control/host/sysctl.h"
#include "control/host/watch.h"

int host_fail(const struct host_error *error, int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, error->size, format, arguments);
	va_end(arguments);
	return r;
}

void host_warn(struct host *host, const char *format, ...)
{
	va_list arguments;

	if (host->warning_count == WARNINGS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(host->warnings[host->warning_count++], WARNING_SIZE, format, arguments);
	va_end(arguments);
}

/* Can `address_be` be a host of the LAN: not its first (the network) and not its last (broadcast)?
 */
static bool config_is_host(const struct host_config *config, struct in_addr address_be)
{
	uint32_t mask_be = address_netmask_be(config->prefix_length).s_addr;
	uint32_t part_be = address_be.s_addr & ~mask_be;

	return ((address_be.s_addr ^ config->address_be.s_addr) & mask_be) == 0 && part_be != 0 &&
	       part_be != (uint32_t)~mask_be;
}

static int check_config(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	char address[INET_ADDRSTRLEN], outside[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &config->address_be, address, sizeof(address));
	inet_ntop(AF_INET, &config->outside_be, outside, sizeof(outside));
	if (config->prefix_length < 1 || config->prefix_length > 30)
		return host_fail(error, -EINVAL,
			"the guests' network %s/%u must have 1 to 30 bits of prefix: choose "
			"another with --host-ip",
			address, config->prefix_length);
	if (!config_is_host(config, config->address_be))
		return host_fail(error, -EINVAL,
			"%s is not an address of a host in %s/%u: choose another with --host-ip",
			address, address, config->prefix_length);
	if (!config_is_host(config, config->outside_be) ||
		config->outside_be.s_addr == config->address_be.s_addr)
		return host_fail(error, -EINVAL,
			"the outside address %s must be an address of a host in the guests' "
			"network %s/%u, and not the gateway's",
			outside, address, config->prefix_length);
	host->address_be = config->address_be;
	host->outside_be = config->outside_be;
	host->prefix_length = config->prefix_length;
	host->nat = config->nat;
	return 0;
}

/*
 * Only of a TAP that no network of ours has is it good advice to delete it: the name may be that of
 * the host's own uplink.
 */
static int refuse_name(const struct host_config *config, int r, const struct host_error *error)
{
	struct link_info other = {0};
	struct nl_sock *socket = NULL;
	struct nft_view rules = {0};

	if (netlink_open(&socket) == 0 && link_get(socket, config->tap, &other) < 0)
		other.tun = true; /* gone by now */
	netlink_close(socket);
	if (other.tun && nft_view_read(config->tap, &rules) == 0 && rules.exists)
		return host_fail(error, r,
			"TAP %s is that of a network of chnet that runs or is set up: choose "
			"another name with " HOST_TAP_OPTION ", or end that network first",
			config->tap);
	if (other.tun)
		return host_fail(error, r,
			"TAP %s exists already and belongs to someone else: choose another name "
			"with " HOST_TAP_OPTION ", or delete it with 'ip link del %s'",
			config->tap, config->tap);
	return host_fail(error, r,
		"an interface named %s exists already, and is no TAP: choose another name "
		"with " HOST_TAP_OPTION,
		config->tap);
}

static int make_tap(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	int r = config->for_vmm ? tap_open_for(config->tap, config->owner, &host->tap)
				: tap_open(config->tap, config->queues, &host->tap);

	switch (r) {
	case 0:
		return 0;
	case -ENAMETOOLONG:
		return host_fail(error, r,
			"TAP name '%s' is longer than 15 bytes: choose another "
			"with " HOST_TAP_OPTION,
			config->tap);
	case -EEXIST:
		return refuse_name(config, r, error);
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return host_fail(error, r,
			"cannot create TAP %s: /dev/net/tun is missing: run 'modprobe tun'",
			config->tap);
	case -EACCES:
	case -EPERM:
		return host_fail(error, r, "cannot create TAP %s: not permitted: %s", config->tap,
			HOST_NEED_RIGHTS);
	default:
		if (tap_name_check(config->tap) < 0)
			return host_fail(error, r,
				"TAP name '%s' has other bytes than letters, digits, '.', '_' and "
				"'-': choose another with " HOST_TAP_OPTION,
				config->tap);
		return host_fail(error, r, "cannot create TAP %s with %u queues: %s", config->tap,
			config->queues, strerror(-r));
	}
}

static int find_tap(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	int r = netlink_open(&host->socket);

	if (r == 0)
		r = watch_open(&host->watch);
	if (r < 0)
		return host_fail(error, r, "cannot open a route netlink socket: %s", strerror(-r));
	r = link_get(host->socket, host->tap.name, &host->link);
	if (r < 0)
		return host_fail(
			error, r, "cannot find TAP %s again: %s", host->tap.name, strerror(-r));
	return 0;
}

static int check_collision(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	struct in_addr network_be = host_network_be(config);
	struct address_collision other;
	char ours[INET_ADDRSTRLEN], theirs[INET_ADDRSTRLEN];
	int r = address_find_collision(
		host->socket, host->link.index, network_be, config->prefix_length, &other);

	if (r < 0)
		return host_fail(error, r, "cannot read the host's addresses: %s", strerror(-r));
	if (r == 0)
		return 0;
	inet_ntop(AF_INET, &network_be, ours, sizeof(ours));
	inet_ntop(AF_INET, &other.address_be, theirs, sizeof(theirs));
	return host_fail(error, -EADDRINUSE,
		"the guests' network %s/%u overlaps %s%s/%u on %s: choose another with --host-ip",
		ours, config->prefix_length, other.route ? "the route to " : "", theirs,
		other.prefix_length, other.interface);
}

/*
 * The network is IPv4 only. With IPv6 on the TAP a guest could announce itself to the host as a
 * router (accept_ra is on by default), and the host would wake us with announcements of its own.
 */
static int leave_out_ipv6(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	char name[sizeof("net/ipv6/conf//disable_ipv6") + IFNAMSIZ];
	int r;

	snprintf(name, sizeof(name), "net/ipv6/conf/%s/disable_ipv6", host->tap.name);
	r = sysctl_write(name, "1");
	/* -ENOENT: a kernel without IPv6. */
	if (r < 0 && r != -ENOENT)
		host_warn(host,
			"cannot switch off IPv6 on TAP %s (%s): a guest may announce itself to the "
			"host as a router",
			host->tap.name, strerror(-r));
	return 0;
}

/* MAC, MTU and address of the TAP, which then is switched on. */
static int set_up_tap(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	uint8_t mac[LINK_MAC_LENGTH];
	const char *what = "MAC address";
	int index = host->link.index;
	int r = 0;

	if (config->mac)
		r = link_set_mac(host->socket, index, config->mac);
	else if (host_mac_stable(HOST_MAC_ID_FILE, config->tap, mac) == 0)
		r = link_set_mac(host->socket, index, mac);
	/* else the kernel's random one has to do */
	if (r < 0)
		goto fail;
	what = "MTU";
	if (config->mtu != 0)
		r = link_set_mtu(host->socket, index, config->mtu);
	if (r < 0)
		goto fail;
	what = "address";
	r = address_add(host->socket, index, config->address_be, config->prefix_length);
	if (r < 0)
		goto fail;
	what = "state";
	r = link_set_up(host->socket, index, true);
	if (r < 0)
		goto fail;
	r = link_get(host->socket, host->tap.name, &host->link);
	if (r < 0)
		goto fail;
	return 0;
fail:
	return host_fail(error, r, "cannot set the %s of TAP %s: %s%s%s", what, host->tap.name,
		strerror(-r), r == -EPERM ? ": " : "", r == -EPERM ? HOST_NEED_RIGHTS : "");
}

int host_find_egress(const struct host *host, struct route_egress *ret_egress)
{
	struct route_egress egress = {0};
	int r = route_find_egress(host->socket, host->link.index, &egress);

	if (r == -ENOENT)
		egress = (struct route_egress){0};
	else if (r < 0)
		return r;
	*ret_egress = egress;
	return 0;
}

static int choose_egress(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	struct link_info link = {0};
	int r;

	host->follow = !config->egress;
	if (host->follow) {
		r = host_find_egress(host, &host->egress);
		if (r < 0)
			return host_fail(
				error, r, "cannot read the host's routes: %s", strerror(-r));
		if (host->egress.index == 0)
			host_warn(host, "the host has no default route: guests reach the host and "
					"each other, and the world when there is one");
		return 0;
	}
	if (config->egress[0] == '\0')
		return 0;
	r = link_get(host->socket, config->egress, &link);
	if (r < 0)
		return host_fail(error, r, "cannot use %s as the way out: %s", config->egress,
			r == -ENODEV ? "there is no such interface" : strerror(-r));
	snprintf(host->egress.interface, sizeof(host->egress.interface), "%s", config->egress);
	host->egress.index = link.index;
	return 0;
}

static int hold_forwarding(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	int r;

	r = forwarding_hold(config->run_directory, &host->forwarding);
	if (r == 0 && config->keep)
		r = forwarding_keep(host->forwarding, host->network);
	if (r == -EROFS)
		return host_fail(error, r,
			"cannot switch on forwarding, /proc/sys is read-only here: run 'sysctl -w "
			"net.ipv4.ip_forward=1' outside of the container");
	if (r < 0)
		return host_fail(error, r,
			"cannot switch on net.ipv4.ip_forward and note that in %s: %s",
			config->run_directory, strerror(-r));
	return 0;
}

/* In this order. */
static int (*const steps[])(
	struct host *host, const struct host_config *config, const struct host_error *error) = {
	check_config,
	host_forward_check,
	host_outside_check,
	host_keep_directory,
	host_keep_open,
	make_tap,
	find_tap,
	host_keep_write,
	check_collision,
	leave_out_ipv6,
	set_up_tap,
	choose_egress,
	host_outside_reserve,
	host_rules_make,
	hold_forwarding,
	host_rules_warn,
	host_keep_hand_over,
};

int host_build(struct host *host, const struct host_config *config, const struct host_error *error)
{
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int r = steps[i](host, config, error);

		if (r < 0)
			return r;
	}
	return 0;
}
