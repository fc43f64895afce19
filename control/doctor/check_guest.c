/* SPDX-License-Identifier: BSD-3-Clause */
/* What is seen of guests: VMM, driver, address, gateway; and names. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control/doctor/doctor.h"
#include "control/doctor/name_server.h"
#include "control/host/neighbour.h"

#define RESOLV_CONF "/etc/resolv.conf"
/* How long a name server may take, milliseconds. */
#define NAME_SERVER_MS 2000

static const char no_vhost[] = "no network by vhost-user runs";

/* Whether somebody listens at the local socket, by the kernel's own table: connecting would disturb
 * the VMM that is served there. The table keeps the name of a socket whose file was removed. */
static bool is_served(const char *path)
{
	struct stat file;
	char line[512];
	unsigned long flags;
	bool served = false;
	FILE *table = stat(path, &file) == 0 && S_ISSOCK(file.st_mode)
			      ? fopen("/proc/net/unix", "re")
			      : NULL;

	if (!table)
		return false;
	while (!served && fgets(line, sizeof(line), table)) {
		const char *name = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		/* __SO_ACCEPTCON: it listens */
		served = name && strcmp(name, path) == 0 &&
			 sscanf(line, "%*s %*s %*s %lx", &flags) == 1 && (flags & 0x10000);
	}
	fclose(table);
	return served;
}

static void check_sockets(const struct doctor *doctor, struct doctor_finding *finding)
{
	json_t *port;
	size_t i, count = json_array_size(json_object_get(doctor->ports, "ports"));

	if (!doctor->status) {
		doctor_found(finding, DOCTOR_SKIP, "%s", no_vhost);
		return;
	}
	json_array_foreach(json_object_get(doctor->ports, "ports"), i, port)
	{
		const char *path = json_string_value(json_object_get(port, "socket"));
		const char *mode = json_string_value(json_object_get(port, "mode"));

		/* At some the VMM listens, and only until we have come. */
		if ((path && is_served(path)) || (mode && strcmp(mode, "server") == 0))
			continue;
		doctor_found(finding, DOCTOR_BAD, "nobody listens at %.300s", path ? path : "?");
		doctor_means(finding, "its VMM cannot connect");
		doctor_mend(finding,
			"chnet port del %" JSON_INTEGER_FORMAT "; chnet port add %.300s",
			json_integer_value(json_object_get(port, "port")), path ? path : "");
		return;
	}
	doctor_found(finding, DOCTOR_GOOD, "%zu served", count);
}

static void check_restarts(const struct doctor *doctor, struct doctor_finding *finding)
{
	json_int_t restarts = json_integer_value(json_object_get(doctor->status, "restarts"));

	if (!doctor->status) {
		doctor_found(finding, DOCTOR_SKIP, "%s", no_vhost);
		return;
	}
	doctor_found(finding, restarts ? DOCTOR_NOTE : DOCTOR_GOOD,
		"%" JSON_INTEGER_FORMAT " restarts of the data plane", restarts);
	if (!restarts)
		return;
	doctor_means(finding, "it died and was started anew; guests went on, and the log says why");
	doctor_mend(
		finding, "cat /run/chnet/%s.log   or: journalctl -u chnet-vhost", doctor->network);
}

/* The first port whose guest is not as far as its VMM has come. */
static void check_driver(const struct doctor *doctor, struct doctor_finding *finding)
{
	json_t *port;
	size_t i, up = 0;

	if (!doctor->status) {
		doctor_found(finding, DOCTOR_SKIP, "%s", no_vhost);
		return;
	}
	json_array_foreach(json_object_get(doctor->ports, "ports"), i, port)
	{
		json_int_t number = json_integer_value(json_object_get(port, "port"));

		if (!json_is_true(json_object_get(port, "connected"))) {
			doctor_found(finding, DOCTOR_NOTE,
				"port %" JSON_INTEGER_FORMAT ": no VMM is connected", number);
			doctor_means(finding, "its VM is not started, or not with this socket");
			doctor_mend(finding, "chnet ports");
			return;
		}
		if (!json_is_true(json_object_get(port, "receiving")) ||
			!json_is_true(json_object_get(port, "sending"))) {
			doctor_found(finding, DOCTOR_BAD,
				"port %" JSON_INTEGER_FORMAT ": the guest's driver has not started "
				"its queues",
				number);
			doctor_means(
				finding, "the guest has no driver, or did not find the device");
			doctor_mend(finding, "in the guest: dmesg | grep virtio_net   (RedoxOS: ls "
					     "/scheme | grep network)");
			return;
		}
		up++;
	}
	doctor_found(finding, DOCTOR_GOOD, "%zu up", up);
}

/* What the host's ARP table says of the guest. */
static void check_seen(const struct doctor *doctor, struct doctor_finding *finding)
{
	char guest[INET_ADDRSTRLEN];
	int state = doctor->link.index ? neighbour_look_up(doctor->socket, doctor->link.index,
						 doctor->guest_be)
				       : NEIGHBOUR_NONE;

	inet_ntop(AF_INET, &doctor->guest_be, guest, sizeof(guest));
	if (state == NEIGHBOUR_SEEN) {
		doctor_found(finding, DOCTOR_GOOD, "%s has answered", guest);
	} else if (state == NEIGHBOUR_SILENT) {
		doctor_found(finding, DOCTOR_BAD, "%s does not answer ARP", guest);
		doctor_means(finding, "the guest is off, has another address, or no driver");
		doctor_mend(finding,
			"in the guest: ip address add %s/%u dev eth0; ip link set eth0 "
			"up   (RedoxOS: /bin/netcfg-ch)",
			guest, doctor->prefix);
	} else if (state < 0) {
		doctor_found(finding, DOCTOR_SKIP, "cannot be read: %s", strerror(-state));
	} else {
		doctor_found(finding, DOCTOR_SKIP, "nobody has asked for %s yet (ping it)", guest);
	}
}

/* Whether anything of a guest went beyond the host. */
static void check_gateway(const struct doctor *doctor, struct doctor_finding *finding)
{
	char host[INET_ADDRSTRLEN];
	uint64_t packets = doctor->rules.packets;

	inet_ntop(AF_INET, &doctor->host_be, host, sizeof(host));
	if (!doctor->link.index || doctor->rules_error < 0 || !doctor->rules.exists) {
		doctor_found(finding, DOCTOR_SKIP, "no rules of ours to look at");
	} else if (packets) {
		doctor_found(finding, DOCTOR_GOOD, "%" PRIu64 " packets passed the host", packets);
	} else {
		doctor_found(finding, DOCTOR_NOTE, "no packet of a guest passed the host yet");
		doctor_means(finding, "no guest has sent anything beyond, or has no gateway set");
		doctor_mend(finding,
			"in the guest: ip route add default via %s   (RedoxOS: echo %s "
			"> /etc/net/ip_router)",
			host, host);
	}
}

static void check_names(const struct doctor *doctor, struct doctor_finding *finding)
{
	struct in_addr server_be;
	char server[INET_ADDRSTRLEN];
	int r = name_server_first(RESOLV_CONF, &server_be);

	if (r < 0) {
		doctor_found(finding, DOCTOR_NOTE, "no name server in " RESOLV_CONF);
		doctor_means(finding, "the host resolves no names; guests that ask 1.1.1.1 may");
		doctor_mend(finding, "echo 'nameserver 1.1.1.1' | sudo tee " RESOLV_CONF);
		return;
	}
	inet_ntop(AF_INET, &server_be, server, sizeof(server));
	r = name_server_ask(server_be, NAME_SERVER_MS);
	if (r == 0) {
		doctor_found(finding, DOCTOR_GOOD, "%s answers", server);
		return;
	}
	doctor_found(finding, DOCTOR_BAD, "%s: %s", server, strerror(-r));
	doctor_means(finding, "names do not resolve here, and hardly in guests");
	doctor_mend(finding, "ip route get %s; resolvectl status", server);
}

const struct doctor_check doctor_guest_checks[] = {
	{"sockets", check_sockets},
	{"data plane", check_restarts},
	{"driver", check_driver},
	{"guest", check_seen},
	{"gateway", check_gateway},
	{"names", check_names},
	{NULL, NULL},
};
