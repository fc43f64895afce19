/* SPDX-License-Identifier: BSD-3-Clause */
/* The filter of the DNS server: it reads files, talks to the Internet, and does nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "backend/sandbox_filter.h"
#include "backend/sandbox_rule.h"

/* What of open()'s flags makes or changes a file; O_TMPFILE's own bit among them. */
#define WRITING (INT & (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY)))

static const struct sandbox_rule resolver[] = {
	ALLOW(read),
	ALLOW(write),
	ALLOW(close),
	ALLOW(lseek),
	WHEN(open, 1, WRITING, 0),
	WHEN(openat, 2, WRITING, 0),
	ALLOW(stat),
	ALLOW(fstat),
	ALLOW(newfstatat),
	ALLOW(statx),
	WHEN(ioctl, 1, WHOLE, TCGETS),
	WHEN(ioctl, 1, WHOLE, SIOCGIFINDEX),
	WHEN(socket, 0, WHOLE, AF_INET),
	WHEN(socket, 0, WHOLE, AF_INET6),
	FAIL_WHEN(socket, EAFNOSUPPORT, 0, WHOLE, AF_UNIX),
	ALLOW(connect),
	ALLOW(accept4),
	ALLOW(recvfrom),
	ALLOW(sendto),
	ALLOW(recvmsg),
	ALLOW(sendmsg),
	ALLOW(epoll_create1),
	ALLOW(epoll_ctl),
	ALLOW(epoll_wait),
	ALLOW(epoll_pwait),
	/* not mprotect: the leases, which it may read, would be its to write again */
	WHEN(mmap, 2, PROT_EXEC, 0),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(brk),
	ALLOW(futex),
	ALLOW(getrandom),
	ALLOW(clock_gettime),
	ALLOW(getrlimit),
	WHEN(prlimit64, 0, INT, 0),
	ALLOW(rt_sigaction),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW(gettid),
	ALLOW(getpid),
	OWN(tgkill, 0),
	ALLOW(exit),
	ALLOW(exit_group),
	ALLOW(restart_syscall),
	WHEN(prctl, 0, INT, PR_SET_VMA),
};

int sandbox_filter_resolver(void)
{
	return sandbox_rule_install(
		SCMP_ACT_KILL_PROCESS, resolver, sizeof(resolver) / sizeof(resolver[0]), false);
}
