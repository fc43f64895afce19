/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What keeps a guest from its network: checks, each with what was found, what that means, and the
 * command that mends it. Nothing is changed; the one thing sent is a question to the host's own
 * name server.
 */
#pragma once

#include <jansson.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/host/link.h"
#include "control/host/nft_view.h"
#include "control/host/route.h"

struct nl_sock;

enum doctor_grade {
	DOCTOR_GOOD,
	DOCTOR_NOTE, /* it may stand in the way */
	DOCTOR_BAD,  /* it does */
	DOCTOR_SKIP, /* it cannot be said here, or does not matter; `found` says why */
};
#define DOCTOR_GRADE_COUNT (DOCTOR_SKIP + 1)

#define DOCTOR_TEXT_SIZE 512
#define DOCTOR_MEND_SIZE 2048

/* What one check says. */
struct doctor_finding {
	enum doctor_grade grade;
	char found[DOCTOR_TEXT_SIZE];	/* what there is */
	char meaning[DOCTOR_TEXT_SIZE]; /* what follows from it; empty when it is good */
	char mend[DOCTOR_MEND_SIZE];	/* a command; empty when it is good */
};

/* What the checks look at. */
struct doctor {
	const char *network;	    /* its name */
	const char *vmm;	    /* the VMM: a name or a path */
	char tap[IFNAMSIZ];	    /* of the network, whether it is there or not */
	struct in_addr host_be;	    /* the gateway */
	struct in_addr guest_be;    /* the first guest, or the network's only one */
	uint8_t prefix;		    /* of the LAN, bits */
	struct nl_sock *socket;	    /* route netlink; NULL: cannot be had */
	struct link_info link;	    /* of the TAP; index 0: it is not there */
	struct route_egress egress; /* the way out; index 0: none */
	int rules_error;	    /* negative errno: the host's rules cannot be read; 0: */
	struct nft_view rules;	    /* our own */
	bool admin;		    /* CAP_NET_ADMIN */
	bool kept;		    /* the network is one of 'chnet setup' */
	json_t *status;		    /* of the network by vhost-user that runs; NULL: none does */
	json_t *ports;		    /* its ports */
};

/* One check; the table of them ends with a NULL name. */
struct doctor_check {
	const char *name;
	void (*check)(const struct doctor *doctor, struct doctor_finding *finding);
};
extern const struct doctor_check doctor_machine_checks[]; /* programs, devices, rights */
extern const struct doctor_check doctor_host_checks[];	  /* TAP, routes, rules */
extern const struct doctor_check doctor_guest_checks[];	  /* what is seen of guests */

/*
 * Gathers what the checks look at. Returns 0, or -EINVAL with a line in `error` (DOCTOR_TEXT_SIZE
 * bytes) for values that are wrong (TAP_NAME, HOST_IP, GUEST_IP). doctor_fini() frees.
 */
int doctor_init(struct doctor *doctor, const char *network, const char *vmm, char *error);
void doctor_fini(struct doctor *doctor);

/* For checks: the commands that make the network's host side anew. */
void doctor_mend_network(const struct doctor *doctor, struct doctor_finding *finding);

/* For checks: each writes one part of the finding. */
__attribute__((format(printf, 3, 4))) void doctor_found(
	struct doctor_finding *finding, enum doctor_grade grade, const char *format, ...);
__attribute__((format(printf, 2, 3))) void doctor_means(
	struct doctor_finding *finding, const char *format, ...);
__attribute__((format(printf, 2, 3))) void doctor_mend(
	struct doctor_finding *finding, const char *format, ...);
