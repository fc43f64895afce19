/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/options_value.h"
#include "backend/sandbox_filter.h"

/* sudo's user gets the sockets' group: SUDO_GID is only believed when we are root. */
static int take_group(pid_t parent)
{
	const char *text = getenv("SUDO_GID");
	uint32_t gid;

	if (geteuid() != 0)
		return 0;
	if (!text || options_read_number(text, 0, INT32_MAX, &gid) < 0)
		gid = getegid();
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return -errno;
	return setresgid(gid, gid, gid) < 0 ? -errno : 0;
}

static int drop_capabilities(pid_t parent)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* Only who may set capabilities can empty the bounding set; others have nothing in reach
	 * of it, with no new privileges. */
	bool bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	capng_clear(CAPNG_SELECT_BOTH);
	if (bounds && capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		return -EPERM;
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	return 0;
}

static int forbid_core_dumps(pid_t parent)
{
	static const struct rlimit none;

	return setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;
}

/* After every change of ids, which would undo it. */
static int die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

static int filter(pid_t parent)
{
	return sandbox_has_filters() ? sandbox_filter_wide() : 0;
}

static const struct {
	const char *step; /* completes "cannot …" */
	int (*run)(pid_t parent);
} steps[] = {
	{"take the group of sudo's user", take_group},
	{"drop capabilities", drop_capabilities},
	{"forbid core dumps", forbid_core_dumps},
	{"tie the data plane to the monitor", die_with_parent},
	{"install the system call filter", filter},
};

int sandbox_enter(pid_t parent, const char **ret_step)
{
	umask(0117);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int error = steps[i].run(parent);
		if (error) {
			*ret_step = steps[i].step;
			return error;
		}
	}
	return 0;
}

int sandbox_settle(void)
{
	return sandbox_has_filters() ? sandbox_filter_settle() : 0;
}

int sandbox_worker(void)
{
	return sandbox_has_filters() ? sandbox_filter_worker() : 0;
}

bool sandbox_has_filters(void)
{
#ifdef CHNET_SANITIZE
	return false;
#else
	return true;
#endif
}
