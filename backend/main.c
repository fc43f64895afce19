/* SPDX-License-Identifier: BSD-3-Clause */
/* chnet-vhost: wires the parts together. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/dataplane.h"
#include "backend/log.h"
#include "backend/monitor.h"
#include "backend/options.h"
#include "backend/stats.h"
#include "nat/nat.h"

/* How the command line was wrong; EXIT_FAILURE is for everything else. */
#define EXIT_USAGE 2

/* A standard stream that is closed would become the first file that is opened, and be written to.
 */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char *argv[])
{
	struct options options;
	enum options_action action;
	char error[OPTIONS_ERROR_CAPACITY];

	open_standard_streams();
	log_open();
	if (options_parse(argc, argv, &options, &action, error, sizeof(error)) < 0) {
		log_error("%s", error);
		return EXIT_USAGE;
	}
	if (action != OPTIONS_RUN) {
		if (action == OPTIONS_HELP)
			options_help(stdout);
		else
			puts("chnet-vhost " CHNET_VERSION);
		return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	log_set_level(options.log_level);

	const struct nat_config nat = options_nat_config(&options);
	const struct monitor_config config = {
		.options = &options,
		.dataplane = dataplane_main,
		.flow_memory_size = nat_memory_size(&nat),
		.stats_size = sizeof(struct stats),
		.print_stats = stats_print,
	};
	return monitor_run(&config);
}
