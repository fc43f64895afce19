/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/number.h"

#include <errno.h>

int number_read(const char *text, uint32_t low, uint32_t high, uint32_t *ret_number)
{
	uint64_t number = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		number = number * 10 + (uint64_t)(*text - '0');
		if (number > high)
			return -EINVAL;
	}
	if (number < low)
		return -EINVAL;
	*ret_number = (uint32_t)number;
	return 0;
}
