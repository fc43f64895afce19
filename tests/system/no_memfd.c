/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded into a program: a kernel without memfd_create(2). */
#include <errno.h>
#include <sys/mman.h>

int memfd_create(const char *name, unsigned int flags)
{
	(void)name;
	(void)flags;
	errno = ENOSYS;
	return -1;
}
