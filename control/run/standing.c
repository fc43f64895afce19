/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/run/standing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of an option or, without one, of the variable; NULL: neither is there. */
static const char *wish_of(const char *option, const char *variable)
{
	const char *value = option ? option : getenv(variable);

	return value && value[0] ? value : NULL;
}

/* Whether ADDRESS[/LEN] is that gateway; without LEN the address is enough. */
static bool is_gateway(const char *wish, const char *host_ip)
{
	size_t length = strchr(wish, '/') ? strlen(host_ip) : strcspn(host_ip, "/");

	return strlen(wish) == length && strncmp(wish, host_ip, length) == 0;
}

int standing_adopt(const struct standing *standing, const struct plan_wishes *wishes,
	struct plan_wishes *ret_wishes, char *error)
{
	const char *tap = wish_of(wishes->tap, "TAP_NAME");
	const char *host_ip = wish_of(wishes->host_ip, "HOST_IP");

	if (tap && standing->tap[0] && strcmp(tap, standing->tap) != 0) {
		snprintf(error, PLAN_ERROR_SIZE,
			"the network %s is there already, on TAP %s: leave out %s %.100s, or take "
			"another --name",
			wishes->network, standing->tap, wishes->tap ? "--tap-name" : "TAP_NAME",
			tap);
		return -EEXIST;
	}
	if (host_ip && !is_gateway(host_ip, standing->host_ip)) {
		snprintf(error, PLAN_ERROR_SIZE,
			"the network %s is there already, with gateway %s: leave out %s %.100s, or "
			"take another --name",
			wishes->network, standing->host_ip,
			wishes->host_ip ? "--host-ip" : "HOST_IP", host_ip);
		return -EEXIST;
	}
	*ret_wishes = *wishes;
	ret_wishes->host_ip = standing->host_ip;
	if (standing->tap[0])
		ret_wishes->tap = standing->tap;
	return 0;
}
