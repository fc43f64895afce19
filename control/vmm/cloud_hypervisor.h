/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cloud Hypervisor's command line: what the user's own arguments ask of the network, and the same
 * arguments with the network in them. Pure: nothing is opened or started here.
 */
#pragma once

#include <net/ethernet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/vmm/arguments.h"

/* The most network devices of one VM that we connect. */
#define CLOUD_HYPERVISOR_NICS_MAX 8
/* Room for an error line. */
#define CLOUD_HYPERVISOR_ERROR_SIZE 512
/* Queue pairs of a device on our vhost-user back end. */
#define CLOUD_HYPERVISOR_PAIRS_MAX 1

/* A network device that the user left to us to connect. */
struct cloud_hypervisor_nic {
	bool has_mac;		     /* the user chose its MAC address */
	uint8_t mac[ETHER_ADDR_LEN]; /* it; zeros otherwise */
	uint32_t queues;	     /* num_queues, rings; Cloud Hypervisor's default is 2 */
};

/* What the arguments ask of the network. */
struct cloud_hypervisor_request {
	struct cloud_hypervisor_nic nics[CLOUD_HYPERVISOR_NICS_MAX];
	size_t nic_count; /* at least 1: without a --net of the user's that is left to us, one of
			     ours */
};

/* Where a device is connected. */
struct cloud_hypervisor_link {
	const char *socket;	     /* path of the vhost-user socket, or NULL: */
	const char *tap;	     /* name of the TAP */
	uint8_t mac[ETHER_ADDR_LEN]; /* its MAC address, unless the user chose one */
};

/*
 * Reads the user's arguments, argv[0..argc-1]. A value of --net without tap=, fd=, socket= and
 * vhost_user= is a device left to us; others are the user's own business. Returns 0, or -EINVAL
 * with one line in `error` (CLOUD_HYPERVISOR_ERROR_SIZE bytes).
 */
int cloud_hypervisor_read(
	int argc, char *const argv[], struct cloud_hypervisor_request *ret_request, char *error);

/*
 * Whether these arguments, which cloud_hypervisor_read() accepted, can work with a vhost-user
 * device: with a rate limiter, iommu=on, a wrong number of queues or memory that is not shared they
 * cannot. Returns 0, or -EOPNOTSUPP with the reason in `error`.
 */
int cloud_hypervisor_check_vhost_user(int argc, char *const argv[], char *error);

/*
 * Appends the arguments with the devices connected to `links`, one for each NIC of the request, to
 * `arguments`. With sockets, memory becomes shared where the user said nothing about that; what the
 * user did set stays. A failed allocation is in arguments->failed.
 */
void cloud_hypervisor_build(int argc, char *const argv[], const struct cloud_hypervisor_link *links,
	struct arguments *arguments);
