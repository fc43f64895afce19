/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/doctor/doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/client.h"
#include "control/doctor/rights.h"
#include "control/host/host_record.h"
#include "control/host/netlink.h"
#include "control/host/run_path.h"
#include "control/run/plan.h"

void doctor_found(struct doctor_finding *finding, enum doctor_grade grade, const char *format, ...)
{
	va_list values;

	finding->grade = grade;
	va_start(values, format);
	vsnprintf(finding->found, sizeof(finding->found), format, values);
	va_end(values);
}

void doctor_means(struct doctor_finding *finding, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(finding->meaning, sizeof(finding->meaning), format, values);
	va_end(values);
}

void doctor_mend(struct doctor_finding *finding, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(finding->mend, sizeof(finding->mend), format, values);
	va_end(values);
}

void doctor_mend_network(const struct doctor *doctor, struct doctor_finding *finding)
{
	if (doctor->status)
		doctor_mend(finding,
			"sudo kill %" JSON_INTEGER_FORMAT "   and start the network again",
			json_integer_value(json_object_get(doctor->status, "monitor_pid")));
	else if (doctor->kept)
		doctor_mend(finding, "sudo chnet cleanup; sudo chnet setup");
	else
		doctor_mend(finding, "end the VM (or, when it was killed: sudo chnet cleanup), and "
				     "start it again: sudo chnet run --tap ...");
}

/* The first guest's address as chnet run chooses it, when nobody says otherwise. */
static struct in_addr first_guest_be(const struct doctor *doctor)
{
	uint32_t host = ntohl(doctor->host_be.s_addr);
	uint32_t lan = host & ~(UINT32_MAX >> doctor->prefix);

	return (struct in_addr){htonl(host == lan + 1 ? lan + 2 : lan + 1)};
}

/*
 * What the network would be by the environment, as chnet run would plan it; of one that is there,
 * TAP and address are known by now, and only the guest's address is still to be chosen.
 */
static int read_plan(struct doctor *doctor, char *error)
{
	const struct cloud_hypervisor_request request = {.nic_count = 1};
	struct plan_wishes wishes = {.network = doctor->network, .request = &request};
	char host_ip[INET_ADDRSTRLEN + sizeof("/32")], address[INET_ADDRSTRLEN];
	struct plan plan;
	char line[PLAN_ERROR_SIZE];

	if (doctor->host_be.s_addr) {
		snprintf(host_ip, sizeof(host_ip), "%s/%u",
			inet_ntop(AF_INET, &doctor->host_be, address, sizeof(address)),
			doctor->prefix);
		wishes.host_ip = host_ip;
		wishes.tap = doctor->tap[0] ? doctor->tap : NULL;
	}
	int r = plan_make(&wishes, "chnet-vhost", NULL, 0, &plan, line);

	if (r < 0 && doctor->host_be.s_addr) {
		/* One that was started by hand may have what chnet run does not plan. */
		doctor->guest_be = first_guest_be(doctor);
		return 0;
	}
	if (r < 0) {
		snprintf(error, DOCTOR_TEXT_SIZE, "%.500s", line);
		return -EINVAL;
	}
	memcpy(doctor->tap, plan.options.tap, sizeof(doctor->tap));
	doctor->host_be.s_addr = plan.options.host_ip_be;
	doctor->guest_be.s_addr = plan.options.sockets[0].ip_be;
	doctor->prefix = plan.options.prefix;
	plan_fini(&plan);
	return 0;
}

/* What is written down of a network on a TAP. */
static bool read_record(struct doctor *doctor, const char *directory)
{
	bool found;
	char path[PLAN_PATH_SIZE];
	struct host_record record;
	FILE *file;

	/* Without the lock: a VM may be running on it. */
	snprintf(path, sizeof(path), "%s/%s" HOST_RECORD_SUFFIX, directory, doctor->network);
	file = fopen(path, "re");
	if (!file)
		return false;
	found = host_record_read(fileno(file), &record) == 0;
	fclose(file);
	if (!found)
		return false;
	memcpy(doctor->tap, record.tap, sizeof(doctor->tap));
	doctor->host_be = record.address_be;
	doctor->prefix = record.prefix_length;
	doctor->kept = record.kept;
	return true;
}

/* What a network by vhost-user that runs says of itself. */
static void read_api(struct doctor *doctor)
{
	char unused[CLIENT_ERROR_CAPACITY];
	const char *tap, *gateway;

	if (client_json(doctor->network, "GET", "/v1/status", NULL, &doctor->status, unused) < 0) {
		doctor->status = NULL;
		return;
	}
	if (client_json(doctor->network, "GET", "/v1/ports", NULL, &doctor->ports, unused) < 0)
		doctor->ports = NULL;
	tap = json_string_value(json_object_get(doctor->status, "tap"));
	if (tap)
		snprintf(doctor->tap, sizeof(doctor->tap), "%s", tap);
	gateway = json_string_value(json_object_get(doctor->status, "gateway"));
	if (gateway)
		inet_pton(AF_INET, gateway, &doctor->host_be);
	doctor->prefix = (uint8_t)json_integer_value(json_object_get(doctor->status, "prefix"));
}

int doctor_init(struct doctor *doctor, const char *network, const char *vmm, char *error)
{
	char directory[PLAN_PATH_SIZE], unused[PLAN_ERROR_SIZE];
	int r;

	*doctor = (struct doctor){.network = network, .vmm = vmm};
	doctor->admin = rights_have_net_admin();
	if (run_path(directory, sizeof(directory), unused, sizeof(unused)) < 0 ||
		!read_record(doctor, directory))
		read_record(doctor, RUN_PATH_ROOT);
	read_api(doctor);
	r = read_plan(doctor, error);
	if (r < 0) {
		json_decref(doctor->status);
		json_decref(doctor->ports);
		return r;
	}
	doctor->rules_error = nft_view_read(doctor->tap, &doctor->rules);
	if (netlink_open(&doctor->socket) < 0) {
		doctor->socket = NULL;
		return 0;
	}
	if (link_get(doctor->socket, doctor->tap, &doctor->link) < 0)
		doctor->link = (struct link_info){0};
	if (route_find_egress(doctor->socket, doctor->link.index, &doctor->egress) < 0)
		doctor->egress = (struct route_egress){0};
	return 0;
}

void doctor_fini(struct doctor *doctor)
{
	netlink_close(doctor->socket);
	json_decref(doctor->status);
	json_decref(doctor->ports);
}
