/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `chnet run` is going to do, decided before anything is done: addresses of the guest, and the
 * command line of chnet-vhost. The same reader that chnet-vhost has (backend/options.h) checks it
 * all, the environment included, so that both modes take the same values and say the same of bad
 * ones.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/options.h"
#include "control/vmm/arguments.h"
#include "control/vmm/cloud_hypervisor.h"

#define PLAN_ERROR_SIZE OPTIONS_ERROR_CAPACITY
/* Room for a path in the run directory. */
#define PLAN_PATH_SIZE 512

/* What the user said; NULL: nothing. */
struct plan_wishes {
	const char *network;	     /* its name; never NULL */
	const char *tap;	     /* name of the TAP */
	const char *host_ip;	     /* ADDRESS[/LEN] of the gateway */
	const char *hostname;	     /* of the guest */
	const char *const *forwards; /* SPECs */
	unsigned int forward_count;
	const struct cloud_hypervisor_request *request; /* devices of the VM */
};

/* An address that a guest of the network has already. */
struct plan_taken {
	uint8_t mac[6];
	bool has_mac;
	uint32_t ip_be; /* 0: none */
};

struct plan {
	char directory[PLAN_PATH_SIZE]; /* the run directory */
	struct options options;		/* as chnet-vhost would read `backend` */
	struct arguments backend;	/* chnet-vhost's command line without descriptors */
	size_t nic_count;		/* devices of this VM: options.sockets[0] and on */
};

/*
 * Decides. `backend_path` is the program chnet-vhost; `taken` what the network's guests have (none
 * when it does not run yet). Returns 0; -EINVAL with one line in `error` (PLAN_ERROR_SIZE bytes)
 * for a bad value; -ENOSPC when the LAN is full; or another negative errno. plan_fini() frees.
 */
int plan_make(const struct plan_wishes *wishes, const char *backend_path,
	const struct plan_taken *taken, size_t taken_count, struct plan *ret_plan, char *error);

void plan_fini(struct plan *plan);
