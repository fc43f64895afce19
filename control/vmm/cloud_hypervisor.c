/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Theory of operation
 *
 * One walk over the arguments says for each word what it is: the name of an option that matters
 * here, a value of it, or both ("--net=VALUE"), or something else that passes through untouched.
 * Reading, checking and building are three users of that walk.
 *
 * Options with several values ("--net A B") take words until the next that begins with '-'. New
 * devices join the user's last --net, since before v48 Cloud Hypervisor refuses a second --net.
 */
#include "control/vmm/cloud_hypervisor.h"

#include <errno.h>
#include <netinet/ether.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/vmm/spec.h"

/* What Cloud Hypervisor takes when --memory is missing. */
#define MEMORY_DEFAULT "size=512M"
/* Longest value of a key that we look at, bytes. */
#define VALUE_SIZE 64

enum option {
	OPTION_OTHER, /* not ours to look at */
	OPTION_NET,
	OPTION_MEMORY,
	OPTION_ZONE,
	OPTION_CPUS,
	OPTION_RESTORE,
};

static const struct {
	const char *name;
	enum option option;
	bool several; /* it takes more than one value */
} options[] = {
	{"--net", OPTION_NET, true},
	{"--memory", OPTION_MEMORY, false},
	{"--memory-zone", OPTION_ZONE, true},
	{"--cpus", OPTION_CPUS, false},
	{"--restore", OPTION_RESTORE, false},
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

/* A walk over the arguments: the present word. */
struct walk {
	int argc;
	char *const *argv;
	int next;	    /* index of the next word */
	const char *word;   /* as the user wrote it */
	const char *value;  /* the option's value in this word; NULL = none */
	enum option option; /* whose name or value this word is */
	bool named;	    /* the word holds the option's name */
	bool several;	    /* more values may follow */
	bool stray;	    /* the word is no value of the option before it, which has its own */
};

static void walk_begin(struct walk *walk, int argc, char *const argv[])
{
	*walk = (struct walk){.argc = argc, .argv = argv};
}

/* Recognises the name of an option. */
static bool walk_name(struct walk *walk)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		size_t length = strlen(options[i].name);

		if (strncmp(walk->word, options[i].name, length) != 0)
			continue;
		if (walk->word[length] != '\0' && walk->word[length] != '=')
			continue;
		walk->option = options[i].option;
		walk->named = true;
		walk->value = walk->word[length] == '=' ? walk->word + length + 1 : NULL;
		walk->several = options[i].several;
		return true;
	}
	return false;
}

/* Goes to the next word; false at the end. */
static bool walk_on(struct walk *walk)
{
	/* After "--memory" one value is due; after "--memory=…", none. */
	bool known = walk->option != OPTION_OTHER;
	bool due = known &&
		   (walk->several ? !(walk->named && walk->value) : walk->named && !walk->value);

	if (walk->next == walk->argc)
		return false;
	walk->word = walk->argv[walk->next++];
	walk->stray = known && !due && walk->word[0] != '-';
	if (walk_name(walk))
		return true;
	walk->named = false;
	walk->value = NULL;
	if (due && walk->word[0] != '-')
		walk->value = walk->word;
	else
		walk->option = OPTION_OTHER;
	return true;
}

/* Whether this is a value of --net for a device that is left to us. */
static bool is_open(const struct walk *walk)
{
	return walk->option == OPTION_NET && walk->value && !spec_has(walk->value, "tap") &&
	       !spec_has(walk->value, "fd") && !spec_has(walk->value, "socket") &&
	       !spec_has(walk->value, "vhost_user");
}

__attribute__((format(printf, 3, 4))) static int refuse(char *error, int r, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(error, CLOUD_HYPERVISOR_ERROR_SIZE, format, values);
	va_end(values);
	return r;
}

/* Reads a device that is left to us. */
static int read_nic(const char *value, struct cloud_hypervisor_request *request, char *error)
{
	struct cloud_hypervisor_nic *nic = &request->nics[request->nic_count];
	char text[VALUE_SIZE];
	struct ether_addr mac;

	if (request->nic_count == CLOUD_HYPERVISOR_NICS_MAX)
		return refuse(error, -EINVAL, "--net %s: one device too many: a VM has up to %d",
			value, CLOUD_HYPERVISOR_NICS_MAX);
	*nic = (struct cloud_hypervisor_nic){.queues = 2};
	int r = spec_get(value, "mac", text, sizeof(text));
	if (r != -ENOENT) {
		if (r < 0 || !ether_aton_r(text, &mac) || mac.ether_addr_octet[0] & 1)
			return refuse(error, -EINVAL,
				"--net %s: mac= is no address of a device: write it as "
				"52:54:00:12:34:56",
				value);
		memcpy(nic->mac, &mac, sizeof(nic->mac));
		nic->has_mac = true;
	}
	if (spec_get_number(value, "num_queues", &nic->queues) == -EINVAL)
		return refuse(error, -EINVAL, "--net %s: num_queues is no number", value);
	request->nic_count++;
	return 0;
}

int cloud_hypervisor_read(
	int argc, char *const argv[], struct cloud_hypervisor_request *ret_request, char *error)
{
	struct cloud_hypervisor_request request = {0};
	struct walk walk;

	walk_begin(&walk, argc, argv);
	while (walk_on(&walk)) {
		int r = 0;

		if (walk.option == OPTION_RESTORE)
			return refuse(error, -EINVAL,
				"--restore: a restored VM brings the devices that it had: start it "
				"without chnet run, on a network that runs");
		if (walk.stray)
			return refuse(error, -EINVAL,
				"%s: is no option, and the one before it has its value: leave it "
				"out",
				walk.word);
		/* Taken apart into two words it would be an option. */
		if (walk.named && walk.value && walk.value[0] == '-')
			return refuse(error, -EINVAL,
				"%s: no value begins with '-': write as in --net "
				"mac=52:54:00:12:34:56",
				walk.word);
		if (walk.value && !spec_is_balanced(walk.value))
			return refuse(
				error, -EINVAL, "%s: a bracket or quote is not closed", walk.value);
		if (is_open(&walk))
			r = read_nic(walk.value, &request, error);
		if (r < 0)
			return r;
	}
	if (request.nic_count == 0)
		request.nics[request.nic_count++] = (struct cloud_hypervisor_nic){.queues = 2};
	*ret_request = request;
	return 0;
}

/* Keys of --net that make a rate limiter. */
static const char *const limiter_keys[] = {"bw_size", "bw_one_time_burst", "bw_refill_time",
	"ops_size", "ops_one_time_burst", "ops_refill_time"};

/* Whether a vhost-user device can be as the user wants it; `cpus` of the VM are there at boot. */
static int check_nic(const char *value, uint32_t cpus, char *error)
{
	uint32_t queues = 2, size = 256;
	char mode[VALUE_SIZE];
	size_t i;

	for (i = 0; i < sizeof(limiter_keys) / sizeof(limiter_keys[0]); i++)
		if (spec_has(value, limiter_keys[i]))
			return refuse(error, -EOPNOTSUPP,
				"--net %s: Cloud Hypervisor cannot limit the rate of a vhost-user "
				"device: leave %s out",
				value, limiter_keys[i]);
	if (spec_is_on(value, "iommu"))
		return refuse(error, -EOPNOTSUPP,
			"--net %s: a vhost-user device cannot be behind the IOMMU: leave iommu=on "
			"out",
			value);
	if (spec_get(value, "vhost_mode", mode, sizeof(mode)) == 0 && strcmp(mode, "client") != 0)
		return refuse(error, -EOPNOTSUPP,
			"--net %s: chnet listens and the VMM connects: leave vhost_mode out",
			value);
	spec_get_number(value, "num_queues", &queues);
	if (queues < 2 || queues % 2 != 0)
		return refuse(error, -EOPNOTSUPP,
			"--net %s: a device has a queue each way: take num_queues=2", value);
	if (queues / 2 > cpus)
		return refuse(error, -EOPNOTSUPP,
			"--net %s: %u queue pairs are more than the %u vCPUs at boot: take a "
			"smaller num_queues, or more with --cpus boot=",
			value, queues / 2, cpus);
	if (queues / 2 > CLOUD_HYPERVISOR_PAIRS_MAX)
		return refuse(error, -EOPNOTSUPP,
			"--net %s: chnet-vhost serves %d queue pair for each device: take "
			"num_queues=%d",
			value, CLOUD_HYPERVISOR_PAIRS_MAX, 2 * CLOUD_HYPERVISOR_PAIRS_MAX);
	if (spec_get_number(value, "queue_size", &size) == -EINVAL || size == 0 ||
		(size & (size - 1)) != 0)
		return refuse(error, -EOPNOTSUPP,
			"--net %s: queue_size must be a power of two: take queue_size=256", value);
	return 0;
}

/* Whether memory that the user said to be private stays so. */
static int check_memory(const struct walk *walk, char *error)
{
	const char *value = walk->value;

	if (spec_has(value, "shared") && !spec_is_on(value, "shared") &&
		!spec_is_on(value, "hugepages"))
		return refuse(error, -EOPNOTSUPP,
			"%s %s: a vhost-user device needs memory that is shared: leave shared= out",
			walk->option == OPTION_ZONE ? "--memory-zone" : "--memory", value);
	return 0;
}

/* vCPUs at boot. */
static uint32_t count_cpus(int argc, char *const argv[])
{
	uint32_t cpus = 1;
	struct walk walk;

	walk_begin(&walk, argc, argv);
	while (walk_on(&walk))
		if (walk.option == OPTION_CPUS && walk.value)
			spec_get_number(walk.value, "boot", &cpus);
	return cpus;
}

int cloud_hypervisor_check_vhost_user(int argc, char *const argv[], char *error)
{
	uint32_t cpus = count_cpus(argc, argv);
	struct walk walk;

	walk_begin(&walk, argc, argv);
	while (walk_on(&walk)) {
		int r = 0;

		if (is_open(&walk))
			r = check_nic(walk.value, cpus, error);
		else if (walk.value && (walk.option == OPTION_MEMORY || walk.option == OPTION_ZONE))
			r = check_memory(&walk, error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Adds a device: what the user said about it (may be empty), and where it is connected. */
static void add_nic(
	const char *value, const struct cloud_hypervisor_link *link, struct arguments *arguments)
{
	char mac[sizeof(",mac=xx:xx:xx:xx:xx:xx")] = "";
	const char *comma = *value ? "," : "";

	if (!spec_has(value, "mac"))
		snprintf(mac, sizeof(mac), ",mac=%02x:%02x:%02x:%02x:%02x:%02x", link->mac[0],
			link->mac[1], link->mac[2], link->mac[3], link->mac[4], link->mac[5]);
	if (!link->socket)
		arguments_add(arguments, "%s%stap=%s%s", value, comma, link->tap, mac);
	else
		arguments_add(arguments, "%s%svhost_user=true,socket=%s%s%s%s", value, comma,
			link->socket, mac, spec_has(value, "num_queues") ? "" : ",num_queues=2",
			spec_has(value, "queue_size") ? "" : ",queue_size=256");
}

/* Adds a value of --memory or --memory-zone, shared unless the user said something about that. */
static void add_memory(const char *value, struct arguments *arguments)
{
	if (spec_has(value, "shared") || spec_is_on(value, "hugepages"))
		arguments_add(arguments, "%s", value);
	else
		arguments_add(arguments, "%s%sshared=on", value, *value ? "," : "");
}

/* How far the building is. */
struct build {
	const struct cloud_hypervisor_link *links;
	size_t linked; /* devices connected so far */
	bool shared;   /* memory must be shared */
	bool own;      /* the user leaves no device to us: add one of our own */
	int last_net;  /* number of the word behind which it comes; -1: at the end */
	bool memory;   /* there was a --memory */
	struct arguments *arguments;
};

/* Adds the present word, with what we have to say about it. */
static void build_word(struct build *build, const struct walk *walk)
{
	bool memory = walk->option == OPTION_MEMORY || walk->option == OPTION_ZONE;

	build->memory = build->memory || walk->option == OPTION_MEMORY;
	if (!walk->value || (walk->option != OPTION_NET && !(memory && build->shared))) {
		arguments_add(build->arguments, "%s", walk->word);
		return;
	}
	if (walk->named)
		arguments_add(
			build->arguments, "%.*s", (int)(walk->value - walk->word - 1), walk->word);
	if (memory)
		add_memory(walk->value, build->arguments);
	else if (is_open(walk))
		add_nic(walk->value, &build->links[build->linked++], build->arguments);
	else
		arguments_add(build->arguments, "%s", walk->value);
}

void cloud_hypervisor_build(int argc, char *const argv[], const struct cloud_hypervisor_link *links,
	struct arguments *arguments)
{
	struct build build = {.links = links,
		.shared = links[0].socket,
		.own = true,
		.last_net = -1,
		.arguments = arguments};
	struct walk walk;

	walk_begin(&walk, argc, argv);
	while (walk_on(&walk)) {
		if (walk.option == OPTION_NET)
			build.last_net = walk.next;
		if (is_open(&walk))
			build.own = false;
	}
	walk_begin(&walk, argc, argv);
	while (walk_on(&walk)) {
		build_word(&build, &walk);
		if (build.own && walk.next == build.last_net)
			add_nic("", &links[0], arguments);
	}
	if (build.own && build.last_net < 0) {
		arguments_add(arguments, "--net");
		add_nic("", &links[0], arguments);
	}
	if (build.shared && !build.memory) {
		arguments_add(arguments, "--memory");
		add_memory(MEMORY_DEFAULT, arguments);
	}
}
