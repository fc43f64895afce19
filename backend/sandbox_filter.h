/* SPDX-License-Identifier: BSD-3-Clause */
/* The system call filters behind sandbox.h. All return 0 or a negative errno. */
#pragma once

#include <stdbool.h>

/* For the calling thread and those that it starts later. Needs no_new_privs. Without `connects`, no
 * socket connects to another. */
int sandbox_filter_wide(bool connects);

/* On top of the wide filter, for all threads at once; none may have a filter of its own. */
int sandbox_filter_settle(void);

/* On top of the others, for the calling thread. */
int sandbox_filter_worker(void);

/* In place of the wide one, for the DNS server. */
int sandbox_filter_resolver(void);
