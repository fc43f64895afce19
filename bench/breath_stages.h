/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a breath's cycles go: the ports' operations are the product's own behind a look at the time
 * stamp counter, so that what lies between them is what was decided.
 */
#pragma once

#include <stdint.h>

#include "bench/breath.h"

enum breath_stage {
	BREATH_INHALE,	/* rx_burst: ring walked, headers copied; of the TAP: readv() */
	BREATH_PARSE,	/* parse_packet() and parse_vnet() once more, on the same packets */
	BREATH_EXHALE,	/* tx_burst and tx_flush: the one copy, used ring, notification */
	BREATH_RELEASE, /* rx_done: buffers given back */
	BREATH_SETTLE,	/* tx_settle: what was joined is written to the TAP */
	BREATH_TOTAL,	/* the breath, without the second parse */
	BREATH_STAGES,
};

/* Puts itself between the worker and its ports. */
void breath_stages_watch(struct breath *breath);

/* Cycles of each stage since breath_stages_watch(), or since this was called last; BREATH_TOTAL is
 * the caller's to know. */
void breath_stages_take(uint64_t ret_cycles[BREATH_STAGES]);
