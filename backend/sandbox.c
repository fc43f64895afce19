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

#include "backend/sandbox_files.h"
#include "backend/sandbox_filter.h"

static int forbid_new_privileges(const struct sandbox_config *config)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* Only who may set capabilities can empty the bounding set, and only before the user changes;
 * others have nothing in reach of it, with no new privileges. */
static int empty_bounding_set(const struct sandbox_config *config)
{
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return 0;
	capng_clear(CAPNG_SELECT_BOTH);
	return capng_apply(CAPNG_SELECT_BOUNDS) < 0 ? -EPERM : 0;
}

static int take_identity(const struct sandbox_config *config)
{
	if (geteuid() != 0)
		return 0;
	/* EPERM: in a user namespace that forbids it. */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return -errno;
	if (setresgid(config->gid, config->gid, config->gid) < 0 ||
		setresuid(config->uid, config->uid, config->uid) < 0)
		return -errno;
	return 0;
}

static int drop_capabilities(const struct sandbox_config *config)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	capng_clear(CAPNG_SELECT_BOTH);
	return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

static int forbid_core_dumps(const struct sandbox_config *config)
{
	static const struct rlimit none;

	return setrlimit(RLIMIT_CORE, &none) < 0 ? -errno : 0;
}

/* After every change of ids, which would undo it. */
static int die_with_parent(const struct sandbox_config *config)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return getppid() == config->parent ? 0 : -ESRCH;
}

static int restrict_files(const struct sandbox_config *config)
{
	/* Without the filters, EAL makes its runtime directory: see sandbox_filter.c. */
	if (!sandbox_has_filters())
		return 0;
	int error = sandbox_files_restrict(config->directories, config->directory_count);

	/* A kernel without it, or one where it is switched off. */
	return error == -EOPNOTSUPP ? 0 : error;
}

static int filter(const struct sandbox_config *config)
{
	if (!sandbox_has_filters())
		return 0;
	return config->resolver ? sandbox_filter_resolver() : sandbox_filter_wide(config->connects);
}

static const struct {
	const char *step; /* completes "cannot …" */
	int (*run)(const struct sandbox_config *config);
} steps[] = {
	{"forbid new privileges", forbid_new_privileges},
	{"empty the bounding set", empty_bounding_set},
	{"take the user and group of the sockets", take_identity},
	{"drop capabilities", drop_capabilities},
	{"forbid core dumps", forbid_core_dumps},
	{"tie the data plane to the monitor", die_with_parent},
	{"restrict changes to files", restrict_files},
	{"install the system call filter", filter},
};

int sandbox_enter(const struct sandbox_config *config, const char **ret_step)
{
	umask(0117);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int error = steps[i].run(config);
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
