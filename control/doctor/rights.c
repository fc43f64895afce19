/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/doctor/rights.h"

#include <cap-ng.h>

bool rights_have_net_admin(void)
{
	return capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
}
