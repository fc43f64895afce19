/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/frontend/hostile.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>

#include "tests/frontend/api.h"

#define METRICS_SIZE (1u << 17)
/* Acts before the first look at memory: what is allocated once is no growth. */
#define WARM_UP 3
/* What may come and go with the allocator's pages, bytes. That of the address sanitizer deals out
 * places at random; it finds leaks by itself. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#define MEMORY_TOLERANCE (4u << 20)
#else
#define MEMORY_TOLERANCE (512u << 10)
#endif
/* Rounds that are worth a look at every port. */
#define FENCE_ROUNDS 8

static struct fixture *fixture;
static struct neighbours neighbours;
static struct driver_frame scratch;
static struct hostile_room room;
/* While nobody does any harm: processor time of the worker for one round, ns, and descriptors that
 * the data plane has open. */
static uint64_t quiet_ns;
static unsigned int quiet_fds;

struct fixture *hostile_fixture(void)
{
	return fixture;
}

struct frontend *hostile_port(void)
{
	return &fixture->ports[HOSTILE_GUEST];
}

static void start_neighbours(void)
{
	struct frontend_options options = fixture_options();

	for (unsigned int i = 1; i <= HOSTILE_WITNESS; i++) {
		fixture_unplug(fixture, i);
		fixture_plug(fixture, i, &options);
	}
	struct frames_end first = fixture_end(1, 0), second = fixture_end(2, 0);
	assert_int_equal(neighbours_start(&neighbours, &fixture->ports[1], first.mac,
				 &fixture->ports[2], second.mac),
		0);
}

/* Waits for more rounds of the neighbours than there are. */
static void await_rounds(uint64_t rounds, uint64_t deadline_ns)
{
	int error = neighbours_wait(&neighbours, rounds, deadline_ns);
	if (error)
		fail_msg("the neighbours' transfer: %s",
			error == -EIO ? neighbours.fault : "it stands still");
}

void hostile_fence(void)
{
	await_rounds(neighbours_rounds(&neighbours) + FENCE_ROUNDS, deadline_in(DEADLINE_STEP_MS));
}

/* Processor time of the data plane's worker, ns; 0 when it is not to be had. */
static uint64_t worker_ns(void)
{
	char path[320], name[32];
	uint64_t ns = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", fixture->dataplane);
	DIR *tasks = opendir(path);
	struct dirent *entry;
	while (tasks && !ns && (entry = readdir(tasks))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", fixture->dataplane,
			entry->d_name);
		FILE *file = fopen(path, "re");
		bool found = file && fgets(name, sizeof(name), file) &&
			     strcmp(name, "chnet-worker\n") == 0;
		if (file)
			fclose(file);
		if (!found)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", fixture->dataplane,
			entry->d_name);
		file = fopen(path, "re");
		if (file && fscanf(file, "%" SCNu64, &ns) != 1)
			ns = 0;
		if (file)
			fclose(file);
	}
	if (tasks)
		closedir(tasks);
	return ns;
}

/* Anonymous memory of the data plane, bytes: guests' memory is none of it. */
static uint64_t memory_of_dataplane(void)
{
	char path[64], line[128];
	uint64_t kilobytes = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", fixture->dataplane);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) && !kilobytes)
		if (sscanf(line, "RssAnon: %" SCNu64, &kilobytes) != 1)
			kilobytes = 0;
	fclose(file);
	assert_true(kilobytes > 0);
	return kilobytes * 1024;
}

static char *read_metrics(void)
{
	char path[128];
	char *metrics = malloc(METRICS_SIZE);

	assert_non_null(metrics);
	snprintf(path, sizeof(path), "%s/api", fixture->directory);
	int status = api_request(path, "GET", "/metrics", NULL, metrics, METRICS_SIZE);
	if (status != 200)
		fail_msg("GET /metrics: %d", status);
	return metrics;
}

/* The value of a counter, called as SIGUSR1 prints it. */
static uint64_t find_counter(const char *metrics, const char *name)
{
	char sample[160], field[64];
	unsigned int port;
	uint64_t value = 0;

	if (sscanf(name, "port.%u.drop.%63s", &port, field) == 2)
		snprintf(sample, sizeof(sample),
			"\nchnet_port_drops_total{port=\"%u\",reason=\"%s\"} ", port, field);
	else if (sscanf(name, "port.%u.%63s", &port, field) == 2)
		snprintf(
			sample, sizeof(sample), "\nchnet_port_%s_total{port=\"%u\"} ", field, port);
	else if (sscanf(name, "worker.%63s", field) == 1)
		snprintf(sample, sizeof(sample), "\nchnet_worker_%s_total ", field);
	else
		fail_msg("no counter's name: %s", name);
	const char *at = strstr(metrics, sample);
	if (!at || sscanf(at + strlen(sample), "%" SCNu64, &value) != 1)
		fail_msg("there is no counter %s", name);
	return value;
}

/* The library closes what a front end leaves behind in its own time. */
static void expect_fds(void)
{
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);

	while (fixture_count_fds(fixture) > quiet_fds && deadline_now_ns() < deadline)
		sched_yield();
	fixture_expect_fds(fixture, quiet_fds);
}

int hostile_group_setup(void **state)
{
	static const char *const suffixes[] = {",mac=52:54:00:12:34:56", ",mac=52:54:00:12:34:57",
		",mac=52:54:00:12:34:58", ",mac=52:54:00:12:34:59"};
	char path[128], sanitizer[512];

	/* What was freed is to be seen as free: under ASAN it is kept for long otherwise. */
	const char *old = getenv("ASAN_OPTIONS");
	snprintf(sanitizer, sizeof(sanitizer), "%s:quarantine_size_mb=1", old ? old : "");
	setenv("ASAN_OPTIONS", sanitizer, 1);
	if (fixture_setup(state))
		return -1;
	fixture = *state;
	*state = NULL; /* or cases would get it in place of their description */
	snprintf(path, sizeof(path), "%s/api", fixture->directory);
	const char *const arguments[] = {"--api", path, NULL};
	fixture_start(fixture, HOSTILE_WITNESS + 1, suffixes, arguments);
	start_neighbours();
	/* What is allocated once, for the first guest of a port and the first look. */
	hostile_plug();
	hostile_pass(60);
	fixture_unplug(fixture, HOSTILE_GUEST);
	free(read_metrics());
	await_rounds(HOSTILE_ROUNDS, deadline_in(DEADLINE_STEP_MS));
	uint64_t before = worker_ns();
	await_rounds(11 * HOSTILE_ROUNDS, deadline_in(DEADLINE_STEP_MS));
	quiet_ns = (worker_ns() - before) / (10 * HOSTILE_ROUNDS);
	quiet_fds = fixture_count_fds(fixture);
	return 0;
}

int hostile_group_teardown(void **state)
{
	*state = fixture;
	neighbours_stop(&neighbours);
	return fixture_teardown(state);
}

int hostile_setup(void **state)
{
	(void)state;
	if (neighbours_rounds(&neighbours) > 0 && !neighbours.fault[0])
		return 0;
	/* The case before has killed somebody. That was its failure, not this one's. */
	neighbours_stop(&neighbours);
	fixture_unplug(fixture, HOSTILE_GUEST);
	fixture_accept_new_dataplane(fixture);
	start_neighbours();
	return 0;
}

int hostile_teardown(void **state)
{
	(void)state;
	fixture_unplug(fixture, HOSTILE_GUEST);
	return 0;
}

void hostile_begin(struct hostile_watch *watch, const char *name)
{
	*watch = (struct hostile_watch){
		.name = name,
		.metrics = read_metrics(),
		.memory = memory_of_dataplane(),
		.rounds = neighbours_rounds(&neighbours),
		.worker_ns = worker_ns(),
		.deadline_ns = deadline_in(DEADLINE_STEP_MS),
	};
}

bool hostile_goes_on(struct hostile_watch *watch, unsigned int times)
{
	watch->turns++;
	if (neighbours_rounds(&neighbours) >= watch->rounds + HOSTILE_ROUNDS)
		return watch->turns < times;
	/* Fails, and says why, when there is nothing to wait for any more. */
	if (neighbours.fault[0] || deadline_now_ns() >= watch->deadline_ns)
		await_rounds(watch->rounds + HOSTILE_ROUNDS, watch->deadline_ns);
	return true;
}

uint64_t hostile_grown(const struct hostile_watch *watch, const char *counter)
{
	char *metrics = read_metrics();
	uint64_t grown = find_counter(metrics, counter) - find_counter(watch->metrics, counter);
	free(metrics);
	return grown;
}

void hostile_counted(const struct hostile_watch *watch, const char *counter, uint64_t count)
{
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
	uint64_t grown;

	while ((grown = hostile_grown(watch, counter)) < count)
		if (deadline_now_ns() >= deadline)
			break;
	if (grown != count)
		fail_msg("%s has grown by %" PRIu64 ", not by %" PRIu64, counter, grown, count);
}

void hostile_end(struct hostile_watch *watch)
{
	uint64_t rounds = neighbours_rounds(&neighbours) - watch->rounds;
	uint64_t ns = worker_ns() - watch->worker_ns;

	await_rounds(watch->rounds + rounds + HOSTILE_ROUNDS, deadline_in(DEADLINE_STEP_MS));
	fixture_check_alive(fixture);
	/* An honest guest finds its socket as it was; with the same things open as at first. */
	fixture_unplug(fixture, HOSTILE_GUEST);
	hostile_plug();
	hostile_pass(1514);
	hostile_pass_back(1514);
	fixture_unplug(fixture, HOSTILE_GUEST);
	hostile_fence();
	uint64_t memory = memory_of_dataplane();
	print_message("%s: %u acts, %" PRIu64 " rounds of the neighbours meanwhile, %" PRIu64
		      " us of the worker each (%" PRIu64 " undisturbed), memory %+" PRId64 " KiB\n",
		watch->name, watch->turns, rounds, rounds ? ns / rounds / 1000 : 0, quiet_ns / 1000,
		((int64_t)memory - (int64_t)watch->memory) / 1024);
	free(watch->metrics);
	watch->metrics = NULL;
	if (memory > watch->memory + MEMORY_TOLERANCE)
		fail_msg("the data plane has %" PRIu64 " bytes, before it had %" PRIu64, memory,
			watch->memory);
	expect_fds();
}

void hostile_run(void **state)
{
	const struct hostile_case *c = *state;
	unsigned int times = c->times ? c->times : HOSTILE_TIMES;
	struct hostile_watch watch;

	if (c->plugged)
		hostile_plug();
	for (unsigned int i = 0; i < WARM_UP; i++)
		c->act(fixture, c->context, i);
	hostile_begin(&watch, c->name);
	do
		c->act(fixture, c->context, watch.turns);
	while (hostile_goes_on(&watch, times));
	if (c->counter && c->count)
		hostile_counted(&watch, c->counter, c->count * watch.turns);
	else if (c->counter)
		assert_true(hostile_grown(&watch, c->counter) > 0);
	hostile_end(&watch);
}

struct hostile_room hostile_plug_regions(unsigned int regions)
{
	struct frontend_options options = fixture_options();
	struct frontend *port = hostile_port();

	options.queue_size = HOSTILE_QUEUE_SIZE;
	options.rx_slots = 64;
	options.ram = (struct guest_ram_layout){
		.regions = regions, .region_size = 16u << 20, .adjacent = true};
	fixture_unplug(fixture, HOSTILE_GUEST);
	fixture_plug(fixture, HOSTILE_GUEST, &options);
	room.area = guest_ram_alloc(&port->ram, HOSTILE_AREA_SIZE, 4096);
	room.table = guest_ram_alloc(&port->ram, HOSTILE_TABLE_ENTRIES * 16, 4096);
	assert_true(room.area && room.table);
	return room;
}

struct hostile_room hostile_plug(void)
{
	return hostile_plug_regions(1);
}

struct hostile_room hostile_room(void)
{
	return room;
}

struct frontend *hostile_connect(void)
{
	struct frontend_options options = fixture_options();
	struct frontend *port = hostile_port();

	fixture_unplug(fixture, HOSTILE_GUEST);
	fixture->plugged[HOSTILE_GUEST] = true;
	assert_int_equal(frontend_init(port, &options), 0);
	assert_int_equal(frontend_connect(port, fixture->sockets[HOSTILE_GUEST]), 0);
	return port;
}

void hostile_pass(uint32_t length)
{
	fixture_pass(fixture, HOSTILE_GUEST, HOSTILE_WITNESS, length);
}

void hostile_pass_back(uint32_t length)
{
	fixture_pass(fixture, HOSTILE_WITNESS, HOSTILE_GUEST, length);
}

void hostile_poke(void)
{
	struct driver *witness = &fixture->ports[HOSTILE_WITNESS].driver;

	fixture_number(fixture, &scratch, HOSTILE_WITNESS, fixture_end(HOSTILE_GUEST, 0).mac, 60);
	fixture_send(fixture, HOSTILE_WITNESS, &scratch);
	assert_int_equal(driver_drain(witness, deadline_in(DEADLINE_STEP_MS)), 0);
}
