/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A rule of a system call filter, and what makes a filter of a table of them (libseccomp, BPF).
 *
 * Several entries for one call are alternatives. libseccomp knows no order among them, and lets an
 * unconditional entry swallow the others: conditions of one call must exclude each other. Names
 * that an architecture does not have are skipped by libseccomp.
 */
#pragma once

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

/* Name of anonymous mappings, which newer C libraries set. */
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* What an entry's argument is compared with. */
enum sandbox_operand {
	SANDBOX_NOTHING, /* the rule holds for every call */
	SANDBOX_VALUE,	 /* holds when (argument & mask) == value */
	SANDBOX_OTHER,	 /* holds when argument != value */
	SANDBOX_OWN_PID, /* holds when argument is the process' id */
};

struct sandbox_rule {
	int call;	    /* SCMP_SYS(name) */
	unsigned int error; /* errno to fail with; 0: allow */
	enum sandbox_operand operand;
	unsigned int argument; /* its index, 0 to 5 */
	uint64_t mask;
	uint64_t value;
};

#define ALLOW(name)                    \
	{                              \
		.call = SCMP_SYS(name) \
	}
#define FAIL(name, errno_)                                \
	{                                                 \
		.call = SCMP_SYS(name), .error = (errno_) \
	}
#define WHEN(name, argument_, mask_, value_)                                               \
	{                                                                                  \
		.call = SCMP_SYS(name), .operand = SANDBOX_VALUE, .argument = (argument_), \
		.mask = (mask_), .value = (value_)                                         \
	}
#define FAIL_WHEN(name, errno_, argument_, mask_, value_)                            \
	{                                                                            \
		.call = SCMP_SYS(name), .error = (errno_), .operand = SANDBOX_VALUE, \
		.argument = (argument_), .mask = (mask_), .value = (value_)          \
	}
#define FAIL_OTHER(name, errno_, argument_, value_)                                  \
	{                                                                            \
		.call = SCMP_SYS(name), .error = (errno_), .operand = SANDBOX_OTHER, \
		.argument = (argument_), .value = (value_)                           \
	}
#define OWN(name, argument_)                                                                \
	{                                                                                   \
		.call = SCMP_SYS(name), .operand = SANDBOX_OWN_PID, .argument = (argument_) \
	}

#define WHOLE UINT64_MAX
#define INT UINT32_MAX

/*
 * Installs `count` rules; a call that none of them names has the action `otherwise` (SCMP_ACT_…).
 * For the calling thread and those that it starts later, or (`all_threads`) for all of the process,
 * none of which may have a filter of its own. Needs no_new_privs. 0 or a negative errno.
 */
int sandbox_rule_install(
	uint32_t otherwise, const struct sandbox_rule rules[], size_t count, bool all_threads);
