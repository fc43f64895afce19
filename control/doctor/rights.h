/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

/* Whether this process may configure the network of its namespace (CAP_NET_ADMIN). */
bool rights_have_net_admin(void);
