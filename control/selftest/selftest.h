/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `chnet selftest`: the probe guest is run as `chnet run` runs a VM, on a network of its own, and
 * what it says is read.
 */
#pragma once

#include "control/run/run.h"
#include "control/selftest/probe_report.h"

/* The network's TAP. */
#define SELFTEST_TAP "chnet-selftest"

/* How it went, beside what the probe said. */
struct selftest_outcome {
	struct probe_report report;
	bool too_slow;	    /* it was stopped because nothing came any more */
	bool ran;	    /* the VMM was started, and ended with: */
	int status;	    /* wait status */
	enum run_mode mode; /* RUN_VHOST_USER or RUN_TAP: which it was */
};

/*
 * Runs the probe with run->vmm, in run->mode; the supervisor is ready. Fills in the rest of `run`.
 * Returns 0 with the outcome; -EINTR when somebody wanted us to end; or another negative errno with
 * the reason when no guest ran.
 */
int selftest_run(struct run *run, struct selftest_outcome *ret_outcome, struct run_reason *reason);
