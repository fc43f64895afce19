/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preloaded into User Mode Linux, so that it runs on processors with large register states.
 *
 * User Mode Linux 6.1 keeps 2,696 bytes of extended registers for each of its processes, which ends
 * with AVX-512 and the protection keys. On a processor with AMX the host's state has 10,752 bytes;
 * PTRACE_SETREGSET demands all of them and answers EFAULT, and the guest's first process dies.
 * Later kernels ask the host for the size. Here the missing tail is added as zeros: the header in
 * front says which components are in use, and those behind the end are in none of our guests.
 */
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define STATE_MAX 65536

typedef long ptrace_function(int request, pid_t pid, void *address, void *data);

/* Bytes that the host's kernel wants; 0: it does not say. */
static size_t state_size(ptrace_function *next, pid_t pid)
{
	static size_t size;
	static char buffer[STATE_MAX];
	struct iovec all = {buffer, sizeof(buffer)};
	if (!size && next(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &all) == 0)
		size = all.iov_len;
	return size;
}

long ptrace(enum __ptrace_request request, ...)
{
	static ptrace_function *next;
	static char buffer[STATE_MAX];
	va_list arguments;

	va_start(arguments, request);
	pid_t pid = va_arg(arguments, pid_t);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);

	if (!next) {
		void *symbol = dlsym(RTLD_NEXT, "ptrace");
		memcpy(&next, &symbol, sizeof(next));
	}
	if (request != PTRACE_SETREGSET || (unsigned long)address != NT_X86_XSTATE)
		return next((int)request, pid, address, data);

	const struct iovec *part = data;
	struct iovec all = {buffer, state_size(next, pid)};
	if (part->iov_len >= all.iov_len)
		return next((int)request, pid, address, data);
	memcpy(buffer, part->iov_base, part->iov_len); /* the tail stays zero */
	return next((int)request, pid, address, &all);
}
