/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/dns_names.h"

#include <string.h>

#define HOST "host"
/* "chnet" as the end of a name on the wire. */
static const uint8_t domain[] = {5, 'c', 'h', 'n', 'e', 't', 0};

/* The port that has `label` by hostname=; -1: none. */
static int port_named(const struct dhcp_table *table, const char *label, uint32_t *ret_bound_be)
{
	for (int i = 0; i < DHCP_PORTS_MAX; i++) {
		/* A copy: the worker may be changing it. */
		struct dhcp_port port;
		memcpy(&port, &table->ports[i], sizeof(port));
		if (strncmp(port.name, label, sizeof(port.name)) != 0)
			continue;
		*ret_bound_be = port.ip_be;
		return i;
	}
	return -1;
}

/*
 * The lease of a client that calls itself so; `port`: at that port alone, -1: at any. One at a port
 * is in use, and wins over what is remembered of a network that ran before.
 */
static bool find_lease(const struct dhcp_table *table, const char *label, int port, uint32_t now_s,
	uint32_t *ret_address_be)
{
	bool found = false;

	for (unsigned int i = 0; i < DHCP_LEASES_MAX; i++) {
		struct dhcp_lease lease;
		if (!dhcp_lease_read(table, i, &lease) || strcmp(lease.name, label) != 0 ||
			lease.state != DHCP_STATE_HELD || lease.end_s <= now_s ||
			(port >= 0 && lease.port != port))
			continue;
		*ret_address_be = lease.ip_be;
		found = true;
		if (lease.port != DHCP_PORT_NONE)
			break;
	}
	return found;
}

static bool find_label(
	const struct dns_names *names, const char *label, uint32_t now_s, uint32_t *ret_address_be)
{
	uint32_t bound_be = 0;

	if (strcmp(label, HOST) == 0) {
		*ret_address_be = names->host_be;
		return true;
	}
	if (!names->table)
		return false;
	int port = port_named(names->table, label, &bound_be);
	if (bound_be) {
		*ret_address_be = bound_be;
		return true;
	}
	return find_lease(names->table, label, port, now_s, ret_address_be);
}

enum dns_names_result dns_names_find(const struct dns_names *names,
	const struct dns_question *question, uint32_t now_s, uint32_t *ret_address_be)
{
	char label[DHCP_NAME_CAPACITY];
	uint32_t address_be;
	size_t length = question->name_length;
	const uint8_t *name = question->name;

	if (length < sizeof(domain) ||
		memcmp(name + length - sizeof(domain), domain, sizeof(domain)) != 0)
		return DNS_NAMES_FOREIGN;
	if (length == sizeof(domain))
		return DNS_NAMES_EMPTY;
	/* One label before the domain; else "domain" is the end of some longer label, or the name
	 * has more labels. */
	if (name[0] + 1u + sizeof(domain) != length) {
		for (size_t at = 0; at < length; at += name[at] + 1u) {
			if (length - at == sizeof(domain))
				return DNS_NAMES_UNKNOWN;
		}
		return DNS_NAMES_FOREIGN;
	}
	if (!dhcp_name_read(name + 1, name[0], label) ||
		!find_label(names, label, now_s, &address_be))
		return DNS_NAMES_UNKNOWN;
	if (question->type != DNS_TYPE_A || question->class_ != DNS_CLASS_IN)
		return DNS_NAMES_EMPTY;
	*ret_address_be = address_be;
	return DNS_NAMES_FOUND;
}
