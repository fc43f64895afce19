/* SPDX-License-Identifier: BSD-3-Clause */
/* What must hold whatever a fuzz target is given. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

/* Ends the target, which libFuzzer reports with the input. */
#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)
