/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/sandbox_rule.h"

#include <errno.h>
#include <unistd.h>

static int add_rule(scmp_filter_ctx context, const struct sandbox_rule *rule)
{
	uint32_t action = rule->error ? SCMP_ACT_ERRNO(rule->error) : SCMP_ACT_ALLOW;
	struct scmp_arg_cmp compare = {.arg = rule->argument};

	switch (rule->operand) {
	case SANDBOX_NOTHING:
		return seccomp_rule_add_array(context, action, rule->call, 0, NULL);
	case SANDBOX_VALUE:
		compare.op = SCMP_CMP_MASKED_EQ;
		compare.datum_a = rule->mask;
		compare.datum_b = rule->value;
		break;
	case SANDBOX_OTHER:
		compare.op = SCMP_CMP_NE;
		compare.datum_a = rule->value;
		break;
	case SANDBOX_OWN_PID:
		compare.op = SCMP_CMP_EQ;
		compare.datum_a = (scmp_datum_t)getpid();
		break;
	}
	return seccomp_rule_add_array(context, action, rule->call, 1, &compare);
}

int sandbox_rule_install(
	uint32_t otherwise, const struct sandbox_rule rules[], size_t count, bool all_threads)
{
	scmp_filter_ctx context = seccomp_init(otherwise);

	if (!context)
		return -ENOMEM;
	/* A call through another calling convention (i386 on x86-64) is no honest one. */
	int error = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!error && all_threads)
		error = seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; !error && i < count; i++)
		error = add_rule(context, &rules[i]);
	if (!error)
		error = seccomp_load(context);
	seccomp_release(context);
	return error;
}
