/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/control/api_double.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int change(struct api_double *twin, char *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int change(struct api_double *twin, char *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(twin->asked, sizeof(twin->asked), format, arguments);
	va_end(arguments);
	if (twin->refuse)
		snprintf(error, API_ERROR_CAPACITY, "the double refuses");
	return twin->refuse;
}

static int status(void *context, struct api_status *ret_status, char *error)
{
	*ret_status = (struct api_status){
		.name = "default",
		.version = "9.8.7",
		.uplink = "tap",
		.nat = "user",
		.tap = "tap0",
		.egress = "eth0",
		.gateway_be = htonl(0xac100001),
		.prefix = 24,
		.outside_be = htonl(0xac1000fe),
		.workers = 1,
		.pid = 11,
		.monitor_pid = 10,
		.restarts = 2,
		.uptime_s = 1234567890123,
		.sessions = 5,
		.sessions_max = 1024,
		.dns_be = htonl(0x01010101),
		.dns_queries = 7000000000,
		.dns_drops = 6000000000,
	};
	return 0;
}

static int port(void *context, unsigned int from, struct api_port *ret_port)
{
	if (from > 3)
		return -ENOENT;
	*ret_port = (struct api_port){
		.port = from ? 3 : 0,
		.socket = from ? "/run/b\xff.sock" : "/run/a.sock",
		.has_mac = !from,
		.mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56},
		.ip_be = from ? 0 : htonl(0xac100002),
		.hostname = from ? "" : "web",
		.profile = "auto",
		.mode = "server",
		.connected = !from,
		.rx_packets = UINT32_MAX + 1ULL,
		.leases = {{.mac = {2, 0, 0, 0, 0, 0xff},
				   .ip_be = htonl(0xac100005),
				   .hostname = "db",
				   .expires_s = UINT32_MAX},
			{.ip_be = htonl(0xac100006)}},
		.lease_count = from ? 2 : 0,
	};
	return 0;
}

static int port_add(void *context, const char *spec, unsigned int *ret_port, char *error)
{
	*ret_port = 3;
	return change(context, error, "port_add %s", spec);
}

static int port_remove(void *context, unsigned int number, char *error)
{
	return change(context, error, "port_remove %u", number);
}

/* Flow n is of guest 172.16.0.(2 + n % 2); every third place of the table is free. */
static int flows(void *context, uint32_t *cursor, struct api_flow shown[], unsigned int max,
	unsigned int *ret_count, char *error)
{
	const struct api_double *twin = context;
	uint32_t n = *cursor, count = 0;

	if (twin->no_nat) {
		snprintf(error, API_ERROR_CAPACITY, "no NAT");
		return -EOPNOTSUPP;
	}
	for (; n < twin->flow_count && count < max && n - *cursor < 100; n++) {
		if (n % 3 == 2)
			continue;
		shown[count++] = (struct api_flow){
			.number = n,
			.protocol = n % 5 ? IPPROTO_UDP : IPPROTO_TCP,
			.state = "udp",
			.guest_be = htonl(0xac100002 + n % 2),
			.outside_be = htonl(0xac1000fe),
			.remote_be = htonl(0xc6336402),
			.guest_port = (uint16_t)n,
			.outside_port = 7,
			.remote_port = 53,
			.bytes_out = n,
		};
	}
	*cursor = n >= twin->flow_count ? UINT32_MAX : n;
	*ret_count = count;
	return 0;
}

static int forward(void *context, unsigned int number, char spec[API_SPEC_CAPACITY])
{
	const struct api_double *twin = context;

	if (number || !twin->forward[0])
		return -ENOENT;
	strcpy(spec, twin->forward);
	return 0;
}

static int forward_add(void *context, const char *spec, char *error)
{
	return change(context, error, "forward_add %s", spec);
}

static int forward_remove(void *context, const char *spec, char *error)
{
	return change(context, error, "forward_remove %s", spec);
}

static size_t counters(void *context, struct api_counter list[], size_t max)
{
	static const struct api_counter all[] = {
		{"worker", -1, "breaths", NULL, false, 1},
		{"nat", -1, "sessions_live", NULL, true, 2},
		{"nat", -1, "drops", "nat_filtered", false, 3},
		{"port", 0, "rx_packets", NULL, false, 4},
		{"port", 0, "drops", "checksum", false, 5},
		{"port", 3, "rx_packets", NULL, false, 6},
		{"port", 3, "drops", "checksum", false, 7},
		{"uplink", -1, "rx_packets", NULL, false, 8},
		{"uplink", -1, "drops", "checksum", false, UINT64_C(1) << 62},
	};
	size_t count = sizeof(all) / sizeof(all[0]);

	for (size_t i = 0; i < count && i < max; i++)
		list[i] = all[i];
	return count;
}

static const char *log_level(void *context)
{
	const struct api_double *twin = context;

	return twin->level;
}

static int log_level_set(void *context, const char *level, char *error)
{
	struct api_double *twin = context;

	int result = change(twin, error, "log_level %s", level);
	if (!result)
		snprintf(twin->level, sizeof(twin->level), "%s", level);
	return result;
}

struct api_network api_double_network(struct api_double *twin)
{
	static const struct api_ops ops = {
		.status = status,
		.port = port,
		.port_add = port_add,
		.port_remove = port_remove,
		.flows = flows,
		.forward = forward,
		.forward_add = forward_add,
		.forward_remove = forward_remove,
		.counters = counters,
		.log_level = log_level,
		.log_level_set = log_level_set,
	};

	return (struct api_network){.ops = &ops, .context = twin};
}
