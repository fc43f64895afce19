/* SPDX-License-Identifier: BSD-3-Clause */
/* DPDK's environment for tests: small, private, without huge pages and devices. */
#pragma once

#include <sched.h>

#include <rte_eal.h>
#include <rte_log.h>

/* A cmocka group's setup. Once in a process: EAL cannot be started twice. */
static inline int eal_start(void **state)
{
	char *arguments[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"--iova-mode=va", "-m", "16", "--lcores", "0", NULL};
	cpu_set_t processors;
	rte_openlog_stream(stderr);
	rte_log_set_global_level(RTE_LOG_ERR);
	/* EAL pins this thread, and so all that it makes later, to one processor. */
	if (sched_getaffinity(0, sizeof(processors), &processors))
		return -1;
	if (rte_eal_init((int)(sizeof(arguments) / sizeof(arguments[0])) - 1, arguments) < 0)
		return -1;
	return sched_setaffinity(0, sizeof(processors), &processors);
}

static inline int eal_stop(void **state)
{
	return rte_eal_cleanup();
}
