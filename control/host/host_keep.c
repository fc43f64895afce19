/* SPDX-License-Identifier: BSD-3-Clause */
/* The steps of host_build.c for what outlives the process: its record, and the TAP of a VMM. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/host/host_build.h"
#include "control/host/namespace_id.h"

int host_keep_directory(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	if (mkdir(config->run_directory, (mode_t)0755) < 0 && errno != EEXIST)
		return host_fail(error, -errno, "cannot make directory %s: %s",
			config->run_directory, strerror(errno));
	host->run_directory = strdup(config->run_directory);
	if (host->run_directory && config->for_vmm)
		host->network = strdup(config->network);
	if (!host->run_directory || (config->for_vmm && !host->network))
		return host_fail(error, -ENOMEM, "no memory");
	return 0;
}

/* Reads what somebody left in the record, and takes that away unless it is there to stay. */
static int clear_record(struct host *host, int fd, const struct host_error *error)
{
	struct host_record record;
	int r = host_record_read(fd, &record);

	if (r == -ENOENT || r == -EBADMSG)
		return 0;
	if (r == 0 && record.kept)
		return host_fail(error, -EEXIST,
			"the network %s is set up already, on TAP %s: 'chnet cleanup' takes it "
			"away",
			host->network, record.tap);
	if (r == 0)
		r = host_record_undo(host->run_directory, host->network, &record);
	if (r == -EXDEV)
		return host_fail(error, r,
			"the network %s was made in another network namespace: clean up there, or "
			"take another --name",
			host->network);
	if (r < 0)
		return host_fail(error, r, "cannot take away what was left of the network %s: %s",
			host->network, strerror(-r));
	return 0;
}

/* The lock that says that this network is in use; what a killed process left behind it goes. */
int host_keep_open(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	int fd, r;

	if (!config->for_vmm)
		return 0;
	r = host_record_open(host->run_directory, host->network, true, &fd);
	if (r == -EWOULDBLOCK)
		return host_fail(error, -EBUSY,
			"the network %s has a VM on its TAP already: take another --name, TAP and "
			"--host-ip",
			host->network);
	if (r < 0)
		return host_fail(error, r, "cannot open the record of the network %s in %s: %s",
			host->network, host->run_directory, strerror(-r));
	r = clear_record(host, fd, error);
	if (r < 0) {
		close(fd);
		return r;
	}
	host->record_fd = fd;
	return 0;
}

/* Before anything outlives us. */
int host_keep_write(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	struct host_record *record = &host->record;
	int r;

	if (!config->for_vmm)
		return 0;
	*record = (struct host_record){
		.index = host->link.index,
		.kept = config->keep,
		.owner = config->owner,
		.address_be = config->address_be,
		.prefix_length = config->prefix_length,
		.forwards = host_forward_digest(config->forwards, config->forward_count),
	};
	memcpy(record->tap, host->tap.name, sizeof(record->tap));
	r = namespace_id(&record->netns);
	if (r == 0)
		r = host_record_write(host->record_fd, record);
	if (r < 0)
		return host_fail(error, r, "cannot write the record of the network %s in %s: %s",
			host->network, host->run_directory, strerror(-r));
	host->recorded = true;
	return 0;
}

/* The TAP is whole: the VMM may open it. */
int host_keep_hand_over(
	struct host *host, const struct host_config *config, const struct host_error *error)
{
	int r = config->for_vmm ? tap_keep(&host->tap) : 0;

	if (r < 0)
		return host_fail(
			error, r, "cannot make TAP %s last: %s", host->tap.name, strerror(-r));
	return 0;
}
