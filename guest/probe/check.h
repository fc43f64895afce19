/* SPDX-License-Identifier: BSD-3-Clause */
/* The checks, in the order in which they are made; each prints its result. */
#pragma once

#include <stdbool.h>

#include "guest/probe/net.h"
#include "guest/probe/parameters.h"

struct probe {
	struct parameters parameters;
	struct net net;
};

/* These return whether it makes sense to go on. */
bool check_clock(struct probe *probe);
bool check_device(struct probe *probe);
bool check_features(struct probe *probe);
bool check_rings(struct probe *probe);

bool check_dhcp(struct probe *probe);
bool check_arp(struct probe *probe);
bool check_interrupt(struct probe *probe);
bool check_ping(struct probe *probe);
bool check_udp(struct probe *probe);
bool check_download(struct probe *probe);
bool check_upload(struct probe *probe);
bool check_checksums(struct probe *probe);
bool check_frames(struct probe *probe);

/*
 * For a check that needs somebody to talk to: when the gateway is silent, or (`server`) there is no
 * server, prints that result and returns false.
 */
bool check_can(struct probe *probe, const char *name, bool server);
