/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The filters of the data plane, as tables of system calls (sandbox_rule.h).
 *
 * Filters stack: a call must pass every filter that its thread has, the strictest answer wins. The
 * wide and the worker's are lists of what is allowed, and anything else kills the process. The
 * settling one is a list of what is refused from then on, on top of the wide one.
 *
 * clone3's flags lie in memory, where no filter sees them; it fails with ENOSYS, so that the C
 * library falls back to clone, which may make threads only.
 */
#include "backend/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "backend/sandbox_rule.h"

static const struct sandbox_rule wide[] = {
	/* descriptors */
	ALLOW(read),
	ALLOW(write),
	ALLOW(readv),
	ALLOW(writev),
	ALLOW(pread64),
	ALLOW(pwrite64),
	ALLOW(lseek),
	ALLOW(close),
	ALLOW(close_range),
	/* not the commands that have signals sent to other processes */
	WHEN(fcntl, 1, INT, F_DUPFD),
	WHEN(fcntl, 1, INT, F_DUPFD_CLOEXEC),
	WHEN(fcntl, 1, INT, F_GETFD),
	WHEN(fcntl, 1, INT, F_SETFD),
	WHEN(fcntl, 1, INT, F_GETFL),
	WHEN(fcntl, 1, INT, F_SETFL),
	ALLOW(dup),
	ALLOW(dup2),
	ALLOW(dup3),
	ALLOW(pipe),
	ALLOW(pipe2),
	ALLOW(eventfd),
	ALLOW(eventfd2),
	ALLOW(signalfd),
	ALLOW(signalfd4),
	ALLOW(memfd_create),
	ALLOW(ftruncate),
	ALLOW(fallocate),
	ALLOW(fsync),
	WHEN(ioctl, 1, WHOLE, TCGETS),
	WHEN(ioctl, 1, WHOLE, FIONREAD),
	WHEN(ioctl, 1, WHOLE, FIONBIO),
	/* files: EAL reads /sys and /proc, loads drivers */
	ALLOW(open),
	ALLOW(openat),
	ALLOW(access),
	ALLOW(faccessat),
	ALLOW(faccessat2),
	ALLOW(stat),
	ALLOW(lstat),
	ALLOW(fstat),
	ALLOW(newfstatat),
	ALLOW(statx),
	ALLOW(statfs),
	ALLOW(fstatfs),
	ALLOW(readlink),
	ALLOW(readlinkat),
	ALLOW(getdents64),
	ALLOW(getcwd),
	/* the library removes its socket at the end; the monitor does it anyway */
	FAIL(unlink, EACCES),
	FAIL(unlinkat, EACCES),
	/* EAL makes a runtime directory that it has no use for with --no-shconf, and is content
	 * when there is one */
	FAIL(mkdir, EEXIST),
	FAIL(mkdirat, EEXIST),
	/* memory */
	ALLOW(mmap),
	ALLOW(munmap),
	ALLOW(mprotect),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(brk),
	ALLOW(mlock),
	ALLOW(munlock),
	ALLOW(mincore),
	ALLOW(get_mempolicy),
	ALLOW(set_mempolicy),
	ALLOW(mbind),
	WHEN(move_pages, 0, INT, 0),
	FAIL(userfaultfd, EPERM),
	/* threads; a new one shares memory, files and signal handlers, so it is no process */
	WHEN(clone, 0, CLONE_THREAD, CLONE_THREAD),
	FAIL(clone3, ENOSYS),
	ALLOW(set_robust_list),
	ALLOW(set_tid_address),
	ALLOW(rseq),
	ALLOW(futex),
	ALLOW(gettid),
	ALLOW(getpid),
	ALLOW(getppid),
	ALLOW(sched_yield),
	ALLOW(sched_getaffinity),
	ALLOW(sched_setaffinity),
	ALLOW(sched_getparam),
	ALLOW(sched_getscheduler),
	ALLOW(getcpu),
	ALLOW(membarrier),
	ALLOW(exit),
	ALLOW(exit_group),
	ALLOW(restart_syscall),
	/* signals, to ourselves only: other processes of the same user are not ours */
	ALLOW(rt_sigaction),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW(rt_sigtimedwait),
	ALLOW(sigaltstack),
	OWN(tgkill, 0),
	/* time */
	ALLOW(clock_gettime),
	ALLOW(clock_getres),
	ALLOW(clock_nanosleep),
	ALLOW(nanosleep),
	ALLOW(gettimeofday),
	ALLOW(time),
	ALLOW(timerfd_create),
	ALLOW(timerfd_settime),
	ALLOW(timerfd_gettime),
	/* waiting */
	ALLOW(epoll_create),
	ALLOW(epoll_create1),
	ALLOW(epoll_ctl),
	ALLOW(epoll_wait),
	ALLOW(epoll_pwait),
	ALLOW(epoll_pwait2),
	ALLOW(poll),
	ALLOW(ppoll),
	ALLOW(select),
	ALLOW(pselect6),
	/* the guests' sockets; who connects: sandbox_filter_wide() */
	WHEN(socket, 0, WHOLE, AF_UNIX),
	FAIL_OTHER(socket, EAFNOSUPPORT, 0, AF_UNIX),
	ALLOW(bind),
	ALLOW(listen),
	ALLOW(accept),
	ALLOW(accept4),
	ALLOW(recvmsg),
	ALLOW(sendmsg),
	ALLOW(recvfrom),
	ALLOW(sendto),
	ALLOW(shutdown),
	ALLOW(getsockopt),
	ALLOW(setsockopt),
	ALLOW(getsockname),
	ALLOW(getpeername),
	/* what we are */
	ALLOW(uname),
	ALLOW(sysinfo),
	ALLOW(getuid),
	ALLOW(geteuid),
	ALLOW(getgid),
	ALLOW(getegid),
	ALLOW(getrandom),
	ALLOW(getrlimit),
	ALLOW(getrusage),
	WHEN(prlimit64, 0, INT, 0),
	/* for the next filter */
	ALLOW(seccomp),
	WHEN(prctl, 0, INT, PR_SET_NO_NEW_PRIVS),
	WHEN(prctl, 0, INT, PR_GET_NO_NEW_PRIVS),
	WHEN(prctl, 0, INT, PR_SET_NAME),
	WHEN(prctl, 0, INT, PR_GET_NAME),
	WHEN(prctl, 0, INT, PR_SET_VMA),
	WHEN(prctl, 0, INT, PR_CAPBSET_READ),
	/* drivers' constructors try these */
	FAIL(iopl, EPERM),
	FAIL(ioperm, EPERM),
};

/* The low bits of a socket's type; SOCK_CLOEXEC and SOCK_NONBLOCK lie above. */
#define TYPE 0xf

/* The C library opens files in passing (processors, time zone) and lives with a refusal. */
static const struct sandbox_rule settle[] = {
	FAIL(open, EACCES),
	FAIL(openat, EACCES),
	/* datagrams reach sockets of others without connect(); AF_UNIX takes raw for datagram;
	 * sequenced packets are some services' (udev's control socket), and no VMM's */
	FAIL_WHEN(socket, EPROTONOSUPPORT, 1, TYPE, SOCK_DGRAM),
	FAIL_WHEN(socket, EPROTONOSUPPORT, 1, TYPE, SOCK_RAW),
	FAIL_WHEN(socket, EPROTONOSUPPORT, 1, TYPE, SOCK_SEQPACKET),
	FAIL_WHEN(mmap, EACCES, 2, PROT_EXEC, PROT_EXEC),
	FAIL_WHEN(mprotect, EACCES, 2, PROT_EXEC, PROT_EXEC),
};

static const struct sandbox_rule worker[] = {
	ALLOW(read),
	ALLOW(write),
	ALLOW(readv),
	ALLOW(writev),
	ALLOW(close),
	ALLOW(epoll_wait),
	ALLOW(epoll_pwait),
	ALLOW(epoll_pwait2),
	ALLOW(epoll_ctl),
	ALLOW(poll),
	ALLOW(ppoll),
	ALLOW(timerfd_settime),
	ALLOW(futex),
	ALLOW(sched_yield),
	ALLOW(membarrier),
	ALLOW(getcpu),
	ALLOW(clock_gettime),
	ALLOW(clock_getres),
	ALLOW(clock_nanosleep),
	ALLOW(nanosleep),
	ALLOW(gettimeofday),
	ALLOW(time),
	ALLOW(getrandom),
	/* the SIGBUS handler's zero pages, and the allocator's memory; never code */
	WHEN(mmap, 2, PROT_EXEC, 0),
	WHEN(mprotect, 2, PROT_EXEC, 0),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(brk),
	/* a fault that is not a guest's ends the process */
	ALLOW(rt_sigaction),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW(sigaltstack),
	ALLOW(gettid),
	ALLOW(getpid),
	OWN(tgkill, 0),
	ALLOW(exit),
	ALLOW(exit_group),
	ALLOW(restart_syscall),
	WHEN(prctl, 0, INT, PR_SET_VMA),
	/* the C library tries, and can do without */
	FAIL(open, EACCES),
	FAIL(openat, EACCES),
	FAIL(fstat, EACCES),
	FAIL(newfstatat, EACCES),
	FAIL(ioctl, ENOTTY),
};

#define WIDE_COUNT (sizeof(wide) / sizeof(wide[0]))

int sandbox_filter_wide(bool connects)
{
	static const struct sandbox_rule allow = ALLOW(connect), fail = FAIL(connect, EACCES);
	struct sandbox_rule rules[WIDE_COUNT + 1];

	memcpy(rules, wide, sizeof(wide));
	rules[WIDE_COUNT] = connects ? allow : fail;
	return sandbox_rule_install(SCMP_ACT_KILL_PROCESS, rules, WIDE_COUNT + 1, false);
}

int sandbox_filter_settle(void)
{
	return sandbox_rule_install(
		SCMP_ACT_ALLOW, settle, sizeof(settle) / sizeof(settle[0]), true);
}

int sandbox_filter_worker(void)
{
	return sandbox_rule_install(
		SCMP_ACT_KILL_PROCESS, worker, sizeof(worker) / sizeof(worker[0]), false);
}
