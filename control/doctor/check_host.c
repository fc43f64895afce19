/* SPDX-License-Identifier: BSD-3-Clause */
/* The host's side: TAP, address, forwarding, rules, routes. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/doctor/doctor.h"
#include "control/host/address.h"
#include "control/host/nft.h"
#include "control/host/nft_foreign.h"
#include "control/host/sysctl.h"
#include "control/host/tap_owner.h"

/* Whether the network has no TAP by design. */
static bool has_no_tap(const struct doctor *doctor)
{
	return doctor->status && !json_is_string(json_object_get(doctor->status, "tap"));
}

/* For checks that need the TAP: says so when it is not there. */
static bool skip_without_tap(const struct doctor *doctor, struct doctor_finding *finding)
{
	if (has_no_tap(doctor))
		doctor_found(finding, DOCTOR_SKIP, "the network has no uplink");
	else if (!doctor->link.index)
		doctor_found(finding, DOCTOR_SKIP, "there is no TAP %s", doctor->tap);
	else
		return false;
	return true;
}

static void check_tap(const struct doctor *doctor, struct doctor_finding *finding)
{
	if (has_no_tap(doctor)) {
		doctor_found(finding, DOCTOR_SKIP, "the network has no uplink");
	} else if (!doctor->link.index) {
		doctor_found(finding, DOCTOR_BAD, "no interface %s", doctor->tap);
		doctor_means(finding, "no network is there: none runs, and none is set up");
		doctor_mend(finding, "sudo chnet run -- ...   or once: sudo chnet setup");
	} else if (!doctor->link.up) {
		doctor_found(finding, DOCTOR_BAD, "%s is down", doctor->tap);
		doctor_means(finding, "nothing passes between host and guests");
		doctor_mend(finding, "sudo ip link set %s up", doctor->tap);
	} else {
		doctor_found(finding, DOCTOR_GOOD, "%s is up", doctor->tap);
	}
}

static void check_address(const struct doctor *doctor, struct doctor_finding *finding)
{
	char address[INET_ADDRSTRLEN];
	int r;

	if (skip_without_tap(doctor, finding))
		return;
	inet_ntop(AF_INET, &doctor->host_be, address, sizeof(address));
	r = address_has(doctor->socket, doctor->link.index, doctor->host_be, doctor->prefix);
	if (r == 1) {
		doctor_found(
			finding, DOCTOR_GOOD, "%s/%u on %s", address, doctor->prefix, doctor->tap);
		return;
	}
	doctor_found(
		finding, DOCTOR_BAD, "%s/%u is not on %s", address, doctor->prefix, doctor->tap);
	doctor_means(finding, "guests find no gateway");
	doctor_mend(
		finding, "sudo ip address add %s/%u dev %s", address, doctor->prefix, doctor->tap);
}

static void check_owner(const struct doctor *doctor, struct doctor_finding *finding)
{
	uid_t owner;
	int r;

	if (skip_without_tap(doctor, finding))
		return;
	r = tap_owner(doctor->link.index, &owner);
	if (r == -ENOTTY) {
		doctor_found(finding, DOCTOR_BAD, "%s is no TAP", doctor->tap);
		doctor_means(finding, "no VMM can open it");
		doctor_mend(finding,
			"TAP_NAME=chnet0 chnet run ...   or delete it: sudo ip link del %s",
			doctor->tap);
	} else if (r < 0 && r != -ENOENT) {
		doctor_found(finding, DOCTOR_SKIP, "cannot be read: %s", strerror(-r));
	} else if (doctor->status) {
		doctor_found(finding, DOCTOR_GOOD, "chnet-vhost has it open");
	} else if (doctor->admin || (r == 0 && owner == getuid())) {
		doctor_found(finding, DOCTOR_GOOD, "you may open it");
	} else {
		if (r == 0)
			doctor_found(finding, DOCTOR_BAD, "it is uid %u's, and you are %u", owner,
				getuid());
		else
			doctor_found(
				finding, DOCTOR_BAD, "it is nobody's, and you are %u", getuid());
		doctor_means(finding, "a VMM of yours cannot open it");
		doctor_mend(finding, "sudo chnet cleanup && sudo chnet setup");
	}
}

/* An interface on the guests' way for which forwarding is off although it is on for all. */
static bool find_not_forwarding(const struct doctor *doctor, struct doctor_finding *finding)
{
	const char *const interfaces[] = {doctor->tap, doctor->egress.interface};
	char name[64 + IFNAMSIZ], value[16];

	for (size_t i = 0; i < sizeof(interfaces) / sizeof(interfaces[0]); i++) {
		snprintf(name, sizeof(name), "net/ipv4/conf/%s/forwarding", interfaces[i]);
		if (!interfaces[i][0] || sysctl_read(name, value, sizeof(value)) < 0 ||
			value[0] != '0')
			continue;
		doctor_found(
			finding, DOCTOR_BAD, "net.ipv4.conf.%s.forwarding is 0", interfaces[i]);
		doctor_means(finding, "what comes in by %s goes no further", interfaces[i]);
		doctor_mend(finding, "sudo sysctl -w net.ipv4.conf.%s.forwarding=1", interfaces[i]);
		return true;
	}
	return false;
}

static void check_forwarding(const struct doctor *doctor, struct doctor_finding *finding)
{
	char value[16];
	int r = sysctl_read("net/ipv4/ip_forward", value, sizeof(value));

	if (r == 0 && value[0] != '0' && find_not_forwarding(doctor, finding))
		return;
	if (r < 0 || value[0] != '0') {
		doctor_found(finding, r < 0 ? DOCTOR_SKIP : DOCTOR_GOOD,
			"net.ipv4.ip_forward is %s", r < 0 ? strerror(-r) : value);
		return;
	}
	doctor_found(
		finding, doctor->link.index ? DOCTOR_BAD : DOCTOR_SKIP, "net.ipv4.ip_forward is 0");
	if (!doctor->link.index)
		return;
	doctor_means(finding, "guests reach the host and nothing beyond");
	doctor_mend(finding, "sudo sysctl -w net.ipv4.ip_forward=1");
}

static void check_rules(const struct doctor *doctor, struct doctor_finding *finding)
{
	const struct nft_view *rules = &doctor->rules;
	char table[NFT_TABLE_SIZE];

	if (skip_without_tap(doctor, finding))
		return;
	nft_table_name(doctor->tap, table);
	if (doctor->rules_error < 0) {
		doctor_found(
			finding, DOCTOR_SKIP, "cannot be read: %s", strerror(-doctor->rules_error));
		return;
	}
	if (rules->masquerades && rules->accepts) {
		doctor_found(finding, DOCTOR_GOOD, "nftables table ip %s", table);
		return;
	}
	if (!rules->exists)
		doctor_found(finding, DOCTOR_BAD, "no nftables table ip %s", table);
	else
		doctor_found(finding, DOCTOR_BAD, "no rule of nftables table ip %s %s", table,
			rules->masquerades ? "accepts what guests send" : "masquerades");
	doctor_means(finding, rules->masquerades
				      ? "guests reach the host and nothing beyond"
				      : "guests leave the host with addresses that nobody answers");
	doctor_mend_network(doctor, finding);
}

static void check_foreign(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct nft_foreign_finding found[1];
	struct nft_foreign_query query = {
		.tap_index = (uint32_t)doctor->link.index,
		.egress_index = (uint32_t)doctor->egress.index,
	};
	char table[NFT_TABLE_SIZE];
	const char *outside = json_string_value(json_object_get(doctor->status, "outside"));
	size_t count = 0;
	int r;

	if (skip_without_tap(doctor, finding))
		return;
	nft_table_name(doctor->tap, table);
	query.own_table = table;
	memcpy(query.tap, doctor->tap, sizeof(query.tap));
	memcpy(query.egress, doctor->egress.interface, sizeof(query.egress));
	if (outside)
		inet_pton(AF_INET, outside, &query.outside_be);
	r = nft_foreign_find(&query, found, 1, &count);
	if (r < 0) {
		doctor_found(finding, DOCTOR_SKIP, "cannot be read: %s", strerror(-r));
	} else if (count) {
		doctor_found(finding, found[0].certain ? DOCTOR_BAD : DOCTOR_NOTE,
			"%s of %s %.100s %.100s %s", found[0].policy ? "the policy" : "a rule",
			found[0].family, found[0].table, found[0].chain,
			found[0].certain ? "drops" : "may drop");
		doctor_means(finding, "%s are lost there, whatever our own rules say",
			found[0].out ? "packets of guests" : "answers to guests");
		doctor_mend(finding, "%s", found[0].mend);
	} else if (nft_foreign_has_legacy()) {
		doctor_found(finding, DOCTOR_NOTE, "rules of the old iptables");
		doctor_means(finding, "they cannot be read here, and may drop packets of guests");
		doctor_mend(finding, "sudo iptables-legacy -S FORWARD");
	} else {
		doctor_found(finding, DOCTOR_GOOD, "none that drop our packets");
	}
}

static void check_egress(const struct doctor *doctor, struct doctor_finding *finding)
{
	char address[INET_ADDRSTRLEN];

	if (!doctor->egress.index) {
		doctor_found(finding, DOCTOR_BAD, "no default route");
		doctor_means(finding, "neither host nor guests reach the world");
		doctor_mend(finding, "sudo ip route add default via GATEWAY");
		return;
	}
	/* Rules of 'chnet setup' name no interface. */
	if (doctor->rules_error == 0 && doctor->rules.egress[0] &&
		strcmp(doctor->rules.egress, doctor->egress.interface) != 0) {
		doctor_found(finding, DOCTOR_BAD, "%s, and our rules let guests out by %s",
			doctor->egress.interface, doctor->rules.egress);
		doctor_means(finding,
			"packets of guests are dropped; whoever should follow the default route "
			"does not");
		doctor_mend_network(doctor, finding);
		return;
	}
	inet_ntop(AF_INET, &doctor->egress.source_be, address, sizeof(address));
	doctor_found(finding, DOCTOR_GOOD, "%s, as %s", doctor->egress.interface, address);
}

static void check_collision(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct address_collision other;
	struct in_addr network_be = {
		doctor->host_be.s_addr & address_netmask_be(doctor->prefix).s_addr};
	char ours[INET_ADDRSTRLEN], theirs[INET_ADDRSTRLEN];
	int r = doctor->socket ? address_find_collision(doctor->socket, doctor->link.index,
					 network_be, doctor->prefix, &other)
			       : -ENOTCONN;

	inet_ntop(AF_INET, &network_be, ours, sizeof(ours));
	if (r < 0) {
		doctor_found(finding, DOCTOR_SKIP, "cannot read addresses: %s", strerror(-r));
	} else if (r == 0) {
		doctor_found(finding, DOCTOR_GOOD, "nobody else has %s/%u", ours, doctor->prefix);
	} else {
		inet_ntop(AF_INET, &other.address_be, theirs, sizeof(theirs));
		doctor_found(finding, DOCTOR_BAD, "%s/%u overlaps %s/%u on %s", ours,
			doctor->prefix, theirs, other.prefix_length, other.interface);
		doctor_means(finding, "packets for guests go the wrong way, or no network starts");
		doctor_mend(finding, "chnet run --host-ip 172.31.99.1/24 ...");
	}
}

/* The reverse path filter of an interface: the stricter of its own value and that of all. */
static int read_rp_filter(const char *interface)
{
	char name[64 + IFNAMSIZ], value[16];
	int highest = 0;

	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "net/ipv4/conf/%s/rp_filter", i ? interface : "all");
		if (sysctl_read(name, value, sizeof(value)) == 0 && atoi(value) > highest)
			highest = atoi(value);
	}
	return highest;
}

static void check_rp_filter(const struct doctor *doctor, struct doctor_finding *finding)
{
	const char *egress = doctor->egress.interface;

	if (!doctor->egress.index) {
		doctor_found(finding, DOCTOR_SKIP, "no way out");
		return;
	}
	/* 1: strict, 2: loose, 0: off */
	if (read_rp_filter(egress) != 1) {
		doctor_found(finding, DOCTOR_GOOD, "not strict on %s", egress);
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "strict on %s", egress);
	doctor_means(finding, "answers that come back by another way than packets left (VPNs, two "
			      "uplinks) are dropped");
	doctor_mend(finding,
		"sudo sysctl -w net.ipv4.conf.%s.rp_filter=2 net.ipv4.conf.all."
		"rp_filter=2",
		egress);
}

static void check_mtu(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct link_info egress = {0};

	if (skip_without_tap(doctor, finding))
		return;
	if (!doctor->egress.index ||
		link_get(doctor->socket, doctor->egress.interface, &egress) < 0) {
		doctor_found(finding, DOCTOR_SKIP, "no way out");
		return;
	}
	if (egress.mtu >= doctor->link.mtu) {
		doctor_found(finding, DOCTOR_GOOD, "%s %u, %s %u", doctor->tap, doctor->link.mtu,
			doctor->egress.interface, egress.mtu);
		return;
	}
	doctor_found(finding, DOCTOR_NOTE, "%s has %u, the way out %s only %u", doctor->tap,
		doctor->link.mtu, doctor->egress.interface, egress.mtu);
	doctor_means(finding, "guests depend on path MTU discovery; RedoxOS, or a firewall that "
			      "drops ICMP, does not have it");
	doctor_mend(finding,
		"chnet run -- --net mtu=%u ...   or in the guest: ip link set eth0 "
		"mtu %u",
		egress.mtu, egress.mtu);
}

const struct doctor_check doctor_host_checks[] = {
	{"TAP", check_tap},
	{"address", check_address},
	{"owner", check_owner},
	{"forwarding", check_forwarding},
	{"rules", check_rules},
	{"other rules", check_foreign},
	{"way out", check_egress},
	{"LAN", check_collision},
	{"rp_filter", check_rp_filter},
	{"MTU", check_mtu},
	{NULL, NULL},
};
