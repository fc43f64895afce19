/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/host/host_build.h"
#include "control/host/reserved_ports.h"
#include "control/host/watch.h"

int host_up(
	const struct host_config *config, struct host **ret_host, char *error, size_t error_size)
{
	struct host_error line = {error, error_size};
	struct host *host = calloc(1, sizeof(*host));
	int r;

	if (!host) {
		snprintf(error, error_size, "no memory");
		return -ENOMEM;
	}
	host->record_fd = -1;
	r = host_build(host, config, &line);
	if (r < 0) {
		host_down(host);
		return r;
	}
	*ret_host = host;
	return 0;
}

void host_down(struct host *host)
{
	if (!host)
		return;
	int left = 0;

	/* The TAP first: at no moment does the host forward for it without the rules. */
	if (host->recorded)
		left = host_record_undo(host->run_directory, host->network, &host->record);
	forwarding_release(host->forwarding);
	host->forwarding = NULL;
	/* The TAP may live on in a child. */
	if (host->nft && nft_forward_needs_loopback(host->forwards, host->forward_count))
		host_forward_loopback(host, false);
	nft_close(host->nft);
	host->nft = NULL;
	reserved_ports_release(host->reserved);
	host->reserved = NULL;
	if (left == 0)
		host_record_remove(host->run_directory, host->network, host->record_fd);
	else
		close(host->record_fd);
	host->record_fd = -1;
	host_leave(host);
}

void host_leave(struct host *host)
{
	if (!host)
		return;
	host_close_in_child(host);
	tap_close(&host->tap);
	if (host->record_fd >= 0)
		close(host->record_fd);
	free(host->run_directory);
	free(host->network);
	free(host);
}

void host_close_in_child(struct host *host)
{
	forwarding_close_in_child(host->forwarding);
	host->forwarding = NULL;
	nft_close_in_child(host->nft);
	host->nft = NULL;
	reserved_ports_close_in_child(host->reserved);
	host->reserved = NULL;
	netlink_close(host->watch);
	host->watch = NULL;
	netlink_close(host->socket);
	host->socket = NULL;
}

int host_refresh(struct host *host)
{
	struct route_egress egress;
	bool changed;
	int r;

	watch_drain(host->watch);
	if (!host->follow)
		return 0;
	r = host_find_egress(host, &egress);
	if (r < 0)
		return r;
	changed = strcmp(egress.interface, host->egress.interface) != 0 ||
		  egress.source_be.s_addr != host->egress.source_be.s_addr;
	if (changed) {
		r = nft_set_egress(host->nft, egress.interface, egress.source_be);
		if (r < 0)
			return r;
		host->stateless = nft_keeps_no_state(host->nft);
	}
	host->egress = egress;
	return changed;
}

int host_watch_fd(const struct host *host)
{
	return watch_fd(host->watch);
}

const struct tap *host_tap(const struct host *host)
{
	return &host->tap;
}

const uint8_t *host_mac(const struct host *host)
{
	return host->link.mac;
}

int host_index(const struct host *host)
{
	return host->link.index;
}

const char *host_egress(const struct host *host)
{
	return host->egress.interface;
}

struct in_addr host_egress_address_be(const struct host *host)
{
	return host->egress.source_be;
}

uint32_t host_path_mtu(const struct host *host)
{
	if (host->egress.mtu == 0)
		return 0;
	return host->egress.mtu < host->link.mtu ? host->egress.mtu : host->link.mtu;
}

bool host_is_stateless(const struct host *host)
{
	return host->stateless;
}

const char *host_warning(const struct host *host, size_t index)
{
	return index < host->warning_count ? host->warnings[index] : NULL;
}
