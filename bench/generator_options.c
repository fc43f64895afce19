/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/generator_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/world.h"

static const char help[] =
	"usage: chnet-generator [OPTION…] SOCKET SOCKET…\n"
	"Drives the rings of vhost-user guests from one core and prints one line of JSON.\n"
	"Guests work in pairs: the first sends to the second, the third to the fourth, …\n"
	"  --to MAC,IP                 or all send there, by the gateway with that address\n"
	"  --count DEVICE              frames that leave by it are those that arrived\n"
	"  --mode rate|latency|idle    frames a second (default), round trips, or only connect\n"
	"  --mode down --world FILE    datagrams from that network namespace to the guest\n"
	"  --gso                       down: large ones that the kernel cuts\n"
	"  --bare drop|copy|tap        no back end: a thread that takes its place (see "
	"--stations)\n"
	"  --tap NAME                  of --bare tap: where frames go to and come from\n"
	"  --stations N                with --bare: how many guests (default 2)\n"
	"  --kind udp|tcp|tso|icmp     of frames (default udp); icmp: echo requests\n"
	"  --size BYTES                of a frame without FCS (default 64; tso 65214)\n"
	"  --layout linear|apart|indirect   of descriptors (default linear; tso indirect)\n"
	"  --flows N                   UDP or TCP port pairs in turn (default 1)\n"
	"  --stream                    TCP sequence numbers count\n"
	"  --queue-size N              entries of a ring (default 256)\n"
	"  --rx-buffer BYTES           of a receive buffer (default 1536; large frames 4096)\n"
	"  --batch N                   frames shown at a time, at least (default 32)\n"
	"  --window N                  frames in flight of a sender, at most (default: the ring);\n"
	"                              down: datagrams on their way\n"
	"  --untouched                 send the same bytes again, without a new stamp\n"
	"  --no-mergeable, --no-event-idx   features not to ask for\n"
	"  --both                      both guests of a pair send\n"
	"  --unheard                   all send, and nothing has to come (any number of guests)\n"
	"  --active N                  only the first N of those that would send do\n"
	"  --pace FRAMES               a second, all senders together (default: no limit)\n"
	"  --interval US               from one round trip to the next (default 0)\n"
	"  --load                      latency: the other guests send UDP of 1500 bytes\n"
	"  --seconds S, --warm-up S    of counting (default 1), and before it (default 0.2)\n"
	"  --warm-up-frames N          and before that many frames were sent (default 0)\n"
	"  --cpu N, --device-cpu N     where to run (default 1), and the bare device (default 0)\n"
	"  --hold                      stay connected until standard input ends, as idle does\n"
	"  --ready-fd FD               connect when this descriptor can be read\n";

/* A number on the command line. */
struct number {
	const char *name;
	double low;
	double high;
	double *to;
};

/* Everything that is read as a number, before it is stored where it belongs. */
struct numbers {
	double stations, active, size, flows, queue_size, rx_buffer, batch, window, cpu, device_cpu;
	double ready_fd;
};

static int refuse(const char *name, const char *value)
{
	fprintf(stderr, "chnet-generator: --%s cannot be '%s' (see --help)\n", name, value);
	return -EINVAL;
}

static int read_word(const char *const words[], const char *value, int *ret_index)
{
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], value) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int read_number(const struct number *number, const char *value)
{
	char *end;
	double parsed = strtod(value, &end);
	if (end == value || *end || !(parsed >= number->low && parsed <= number->high))
		return refuse(number->name, value);
	*number->to = parsed;
	return 0;
}

/* MAC,IP */
static int read_target(const char *value, struct frames_end *ret_target)
{
	struct frames_end target = {0};
	struct ether_addr mac;
	struct in_addr ip;
	char text[64];
	const char *comma = strchr(value, ',');
	if (!comma || (size_t)(comma - value) >= sizeof(text))
		return -EINVAL;
	memcpy(text, value, (size_t)(comma - value));
	text[comma - value] = '\0';
	if (!ether_aton_r(text, &mac) || inet_pton(AF_INET, comma + 1, &ip) != 1)
		return -EINVAL;
	memcpy(target.mac, mac.ether_addr_octet, sizeof(target.mac));
	target.ip = ntohl(ip.s_addr);
	*ret_target = target;
	return 0;
}

/* An option whose argument is a word; false when `name` is none of them. */
static bool read_choice(struct generator_options *options, const char *name, const char *value,
	bool *ret_layout_given, int *ret_error)
{
	static const char *const modes[] = {"rate", "latency", "down", "idle", NULL};
	static const char *const kinds[] = {"udp", "tcp", "tso", "icmp", NULL};
	static const char *const layouts[] = {"linear", "apart", "indirect", NULL};
	static const char *const bares[] = {"drop", "copy", "tap", NULL};
	int index = 0;

	if (strcmp(name, "mode") == 0) {
		*ret_error = read_word(modes, value, &index);
		options->mode = (enum generator_mode)index;
	} else if (strcmp(name, "kind") == 0) {
		*ret_error = read_word(kinds, value, &index);
		options->workload.kind = (enum workload_kind)index;
	} else if (strcmp(name, "layout") == 0) {
		*ret_error = read_word(layouts, value, &index);
		options->workload.layout = (enum workload_layout)index;
		*ret_layout_given = true;
	} else if (strcmp(name, "bare") == 0) {
		*ret_error = read_word(bares, value, &index);
		options->device = (enum generator_device)(GENERATOR_BARE_DROP + index);
	} else if (strcmp(name, "to") == 0) {
		*ret_error = read_target(value, &options->target);
		options->has_target = true;
	} else if (strcmp(name, "count") == 0) {
		options->count = value;
	} else if (strcmp(name, "world") == 0) {
		options->world = value;
	} else if (strcmp(name, "tap") == 0) {
		options->tap = value;
	} else {
		return false;
	}
	if (*ret_error)
		refuse(name, value);
	return true;
}

/* Defaults that depend on other options, and what must fit together. */
static int finish(
	struct generator_options *options, const struct numbers *numbers, bool layout_given)
{
	struct workload *workload = &options->workload;
	bool tso = workload->kind == WORKLOAD_TSO;
	uint32_t size = (uint32_t)numbers->queue_size;

	workload->frame_length = (uint32_t)numbers->size;
	if (!workload->frame_length)
		workload->frame_length =
			tso ? workload_headers(workload) + 45 * WORKLOAD_SEGMENT : 64;
	if (tso && !layout_given)
		workload->layout = WORKLOAD_INDIRECT;
	workload->rx_buffer = (uint32_t)numbers->rx_buffer;
	if (!workload->rx_buffer)
		workload->rx_buffer = workload->frame_length > 1514 ? 4096 : 1536;
	workload->flows = (uint32_t)numbers->flows;
	workload->queue_size = (uint16_t)size;
	workload->batch = (uint16_t)numbers->batch;
	workload->window = (uint16_t)numbers->window;
	options->stations = (unsigned int)numbers->stations;
	options->active = (unsigned int)numbers->active;
	options->cpu = (int)numbers->cpu;
	options->device_cpu = (int)numbers->device_cpu;
	options->ready_fd = (int)numbers->ready_fd;

	const char *wrong = NULL;
	if (size & (size - 1))
		wrong = "--queue-size must be a power of two";
	else if (workload->frame_length < WORKLOAD_FRAME_MIN)
		wrong = "--size leaves no room for headers and stamp";
	else if (workload->rx_buffer < DRIVER_HEADER_LENGTH + workload->frame_length &&
		 !workload->mergeable)
		wrong = "--no-mergeable needs an --rx-buffer for a whole frame";
	else if (workload->kind == WORKLOAD_TCP && workload->flows > size / 2)
		wrong = "--flows of complete TCP checksums must fit into half a ring";
	else if (workload->kind == WORKLOAD_ICMP && workload->flows > 1)
		wrong = "--kind icmp has one flow";
	else if (options->has_target && !workload_leaves(options->target.ip))
		wrong = "--to is an address beyond the guests' network";
	else if (options->has_target && !options->count && options->mode == GENERATOR_RATE)
		wrong = "--to needs --count";
	else if (options->mode == GENERATOR_DOWN &&
		 (!options->world || !options->has_target || workload->kind != WORKLOAD_UDP ||
			 (workload->window && workload->window < WORLD_BURST)))
		wrong = "--mode down needs --world, --to and a --window of 32 or more, and is UDP";
	else if ((options->device == GENERATOR_BARE_TAP) != (options->tap != NULL))
		wrong = "--bare tap and --tap NAME go together";
	else if (workload->stream &&
		 (workload->kind == WORKLOAD_UDP || workload->kind == WORKLOAD_ICMP ||
			 size / 2 % workload->flows))
		wrong = "--stream goes with TCP, and as many flows as divide half a ring";
	if (!wrong)
		return 0;
	fprintf(stderr, "chnet-generator: %s\n", wrong);
	return -EINVAL;
}

static int take_sockets(struct generator_options *options, int count, char *paths[])
{
	bool bare = options->device != GENERATOR_BACKEND;
	bool odd = count % 2 && !options->has_target && !options->unheard;
	if (bare ? count > 0 : count < 1 || odd || count > STATIONS_MAX) {
		fprintf(stderr,
			"chnet-generator: give an even number of sockets (any with --to), at most "
			"%d, or "
			"--bare and none\n",
			STATIONS_MAX);
		return -EINVAL;
	}
	for (int i = 0; i < count; i++)
		options->sockets[i] = paths[i];
	if (!bare)
		options->stations = (unsigned int)count;
	return 0;
}

int generator_options_parse(int argc, char *argv[], struct generator_options *ret_options)
{
	struct generator_options options = {
		.workload = {.mergeable = true, .event_idx = true},
		.seconds = 1,
		.warm_up = 0.2,
	};
	struct numbers n = {.stations = 2,
		.flows = 1,
		.queue_size = 256,
		.batch = 32,
		.cpu = 1,
		.ready_fd = -1};
	const struct number numbers[] = {
		{"stations", 1, STATIONS_MAX, &n.stations},
		{"active", 0, STATIONS_MAX, &n.active},
		{"size", 0, UINT16_MAX + FRAMES_ETHERNET, &n.size},
		{"flows", 1, 3e9, &n.flows},
		{"queue-size", 16, 32768, &n.queue_size},
		{"rx-buffer", 0, 1 << 20, &n.rx_buffer},
		{"batch", 1, 32768, &n.batch},
		{"window", 0, 32768, &n.window},
		{"pace", 0, 1e9, &options.pace},
		{"interval", 0, 1e7, &options.interval_us},
		{"seconds", 0.001, 3600, &options.seconds},
		{"warm-up", 0, 3600, &options.warm_up},
		{"warm-up-frames", 0, 1e9, &options.warm_up_frames},
		{"cpu", -1, 1023, &n.cpu},
		{"device-cpu", 0, 1023, &n.device_cpu},
		{"ready-fd", 0, 65535, &n.ready_fd},
	};
	enum {
		NUMBERS = sizeof(numbers) / sizeof(numbers[0]),
		CHOICES = 8,
		FLAGS = 10
	};
	static const char *const choices[CHOICES] = {
		"mode", "kind", "layout", "bare", "to", "count", "tap", "world"};
	int no_mergeable = 0, no_event_idx = 0, both = 0, untouched = 0, stream = 0, load = 0,
	    hold = 0, gso = 0, unheard = 0, show_help = 0;
	struct option table[NUMBERS + CHOICES + FLAGS + 1] = {
		{"no-mergeable", no_argument, &no_mergeable, 1},
		{"no-event-idx", no_argument, &no_event_idx, 1},
		{"both", no_argument, &both, 1},
		{"untouched", no_argument, &untouched, 1},
		{"stream", no_argument, &stream, 1},
		{"load", no_argument, &load, 1},
		{"hold", no_argument, &hold, 1},
		{"gso", no_argument, &gso, 1},
		{"unheard", no_argument, &unheard, 1},
		{"help", no_argument, &show_help, 1},
	};
	for (int i = 0; i < CHOICES; i++)
		table[FLAGS + i] = (struct option){choices[i], required_argument, NULL, 'c'};
	for (int i = 0; i < NUMBERS; i++)
		table[FLAGS + CHOICES + i] =
			(struct option){numbers[i].name, required_argument, NULL, 'n'};

	bool layout_given = false;
	int at = 0, kind, error = 0;
	while (!error && (kind = getopt_long(argc, argv, "", table, &at)) != -1) {
		if (kind == 'n')
			error = read_number(&numbers[at - FLAGS - CHOICES], optarg);
		else if (kind == 'c')
			read_choice(&options, table[at].name, optarg, &layout_given, &error);
		else if (kind == '?')
			error = -EINVAL;
	}
	if (show_help) {
		fputs(help, stdout);
		exit(0);
	}
	options.workload.mergeable = !no_mergeable;
	options.workload.event_idx = !no_event_idx;
	options.workload.untouched = untouched;
	options.workload.stream = stream;
	options.unheard = unheard;
	options.both = both || unheard || options.has_target;
	options.load = load;
	options.gso = gso;
	if (options.mode == GENERATOR_DOWN)
		options.workload.first_flow = WORKLOAD_ANSWERED_FLOW;
	options.hold = hold || options.mode == GENERATOR_IDLE;
	if (!error)
		error = finish(&options, &n, layout_given);
	if (!error)
		error = take_sockets(&options, argc - optind, argv + optind);
	if (!error)
		*ret_options = options;
	return error;
}
