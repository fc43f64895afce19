/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/host_record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/host/forwarding.h"
#include "control/host/link.h"
#include "control/host/lock_file.h"
#include "control/host/namespace_id.h"
#include "control/host/netlink.h"
#include "control/host/nft.h"
#include "control/host/tap.h"

#define PATH_SIZE 512
#define TEXT_SIZE 256

static int record_path(char path[PATH_SIZE], const char *run_directory, const char *network)
{
	int length = snprintf(path, PATH_SIZE, "%s/%s" HOST_RECORD_SUFFIX, run_directory, network);

	return length < PATH_SIZE ? 0 : -ENAMETOOLONG;
}

int host_record_open(const char *run_directory, const char *network, bool make, int *ret_fd)
{
	char path[PATH_SIZE];
	int r = record_path(path, run_directory, network);

	if (r < 0)
		return r;
	return lock_file_open(path, make, false, ret_fd);
}

int host_record_read(int fd, struct host_record *ret_record)
{
	struct host_record record = {0};
	char text[TEXT_SIZE], tap[IFNAMSIZ], address[INET_ADDRSTRLEN];
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
	int kept;

	if (length < 0)
		return -errno;
	if (length == 0)
		return -ENOENT;
	text[length] = '\0';
	if (sscanf(text,
		    "tap %15s %d netns %" SCNu64 " kept %d owner %u address %15[0-9.]/%" SCNu8
		    " forwards %" SCNx64,
		    tap, &record.index, &record.netns, &kept, &record.owner, address,
		    &record.prefix_length, &record.forwards) != 8 ||
		tap_name_check(tap) < 0 || inet_pton(AF_INET, address, &record.address_be) != 1)
		return -EBADMSG;
	memcpy(record.tap, tap, strlen(tap));
	record.kept = kept != 0;
	*ret_record = record;
	return 0;
}

int host_record_write(int fd, const struct host_record *record)
{
	char text[TEXT_SIZE], address[INET_ADDRSTRLEN];
	int length;

	inet_ntop(AF_INET, &record->address_be, address, sizeof(address));
	length = snprintf(text, sizeof(text),
		"tap %s %d netns %" PRIu64 " kept %d owner %u address %s/%u forwards %" PRIx64 "\n",
		record->tap, record->index, record->netns, record->kept, record->owner, address,
		record->prefix_length, record->forwards);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
		return errno ? -errno : -EIO;
	return 0;
}

void host_record_remove(const char *run_directory, const char *network, int fd)
{
	char path[PATH_SIZE];

	if (fd >= 0 && record_path(path, run_directory, network) == 0)
		lock_file_remove(path, fd);
}

/* Removes the TAP when it is still the one that was made. */
static int undo_tap(const struct host_record *record)
{
	struct nl_sock *socket;
	int r = netlink_open(&socket);

	if (r < 0)
		return r;
	r = link_remove(socket, record->index, record->tap);
	netlink_close(socket);
	return r;
}

int host_record_undo(
	const char *run_directory, const char *network, const struct host_record *record)
{
	uint64_t here;
	int r = namespace_id(&here);

	if (r < 0)
		return r;
	if (here != record->netns)
		return -EXDEV;
	r = undo_tap(record);
	if (r == 0 && record->kept)
		r = nft_remove(record->tap);
	if (r == 0)
		r = forwarding_drop(run_directory, network);
	return r;
}
