/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/frame.h"

#include <ctype.h>

#include "backend/stats.h"

static char *printed(const struct stats *stats, unsigned int ports)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	assert_non_null(file);
	stats_print(stats, ports, file);
	fclose(file);
	return text;
}

static void assert_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);
	if (!at || (at != text && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("\"%s\" is no line of:\n%s", line, text);
}

/* Users and scripts read these names: none is missing, none is twice, all are of one kind. */
static void every_reason_has_a_name_of_its_own(void **state)
{
	for (unsigned int i = 0; i < DROP_COUNT; i++) {
		const char *name = drop_name(i);
		assert_non_null(name);
		assert_true(strlen(name) > 0 && strlen(name) < 40);
		for (const char *c = name; *c; c++)
			assert_true(islower((unsigned char)*c) || *c == '_');
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(name, drop_name(j));
	}
	assert_string_equal(drop_name(DROP_MALFORMED), "malformed");
	assert_string_equal(drop_name(DROP_RING_INDIRECT), "ring_indirect");
	assert_string_equal(drop_name(DROP_NAT + NAT_DROP_NO_MAPPING), "nat_no_mapping");
}

static void zeros_are_left_out(void **state)
{
	static const struct stats stats;
	char *text = printed(&stats, 64);
	assert_string_equal(text, "");
	free(text);
}

static void everything_has_a_line(void **state)
{
	static struct stats stats;
	/* All words of it count something. */
	memset(&stats, 0, sizeof(stats));
	uint64_t *words = (uint64_t *)(void *)&stats.worker;
	size_t worker_words = offsetof(struct worker_stats, log_lost) / 8 + 1;
	for (size_t i = 0; i < worker_words; i++)
		words[i] = i + 1;
	stats.ports[0].rx_packets = UINT64_MAX;
	stats.ports[1].drops[DROP_PORT_FULL] = 7;
	stats.ports[2].rx_packets = 9; /* there are two ports only */
	stats.ports[PORT_UPLINK].tx_bytes = 8;
	stats.ports[PORT_UPLINK].drops[DROP_NAT + NAT_DROP_FILTERED] = 3;
	stats.nat.sessions_live = 5;
	stats.nat.icmp_sent = 6;

	char *text = printed(&stats, 2);
	assert_line(text, "worker.breaths 1");
	assert_line(text, "worker.rings_refused 9");
	assert_line(text, "worker.log_lost 10");
	assert_line(text, "port.0.rx_packets 18446744073709551615");
	assert_line(text, "port.1.drop.port_full 7");
	assert_line(text, "uplink.tx_bytes 8");
	assert_line(text, "uplink.drop.nat_filtered 3");
	assert_line(text, "nat.sessions_live 5");
	assert_line(text, "nat.icmp_sent 6");
	size_t lines = 0;
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, worker_words + 6);
	free(text);
}

struct seen {
	unsigned int counters;
	unsigned int gauges;
	uint64_t ports; /* bits of those with counters */
	uint64_t sum;
	bool uplink;
	bool nat;
};

static void see(void *context, const struct stats_counter *counter)
{
	struct seen *seen = context;
	assert_non_null(counter->name);
	assert_int_equal(counter->port >= 0, strcmp(counter->group, "port") == 0);
	assert_int_equal(counter->drop != NULL, strcmp(counter->name, "drops") == 0);
	seen->counters++;
	seen->gauges += counter->gauge;
	seen->sum += counter->value;
	if (counter->port >= 0)
		seen->ports |= UINT64_C(1) << counter->port;
	seen->uplink |= strcmp(counter->group, "uplink") == 0;
	seen->nat |= strcmp(counter->group, "nat") == 0;
}

static void a_walk_shows_what_is_asked_for(void **state)
{
	static struct stats stats;
	memset(&stats, 0, sizeof(stats));
	stats.ports[63].rx_bytes = 1;
	stats.ports[63].drops[DROP_CHECKSUM] = 2;
	stats.ports[0].drops[DROP_CHECKSUM] = 100; /* is not shown */
	stats.ports[PORT_UPLINK].tx_bytes = 4;
	stats.nat.drops[NAT_DROP_FILTERED] = 8;
	stats.nat.misses = 16;
	struct seen seen = {.counters = 0};
	struct stats_shown shown = {.ports = UINT64_C(1) << 63 | 1 << 2, .nat = true};
	stats_walk(&stats, &shown, see, &seen);
	assert_int_equal(seen.sum, 1 + 2 + 8 + 16);
	assert_int_equal(seen.ports, UINT64_C(1) << 63 | 1 << 2);
	assert_int_equal(seen.gauges, 2);
	assert_true(seen.nat && !seen.uplink);
	seen = (struct seen){.counters = 0};
	shown = (struct stats_shown){.uplink = true};
	stats_walk(&stats, &shown, see, &seen);
	assert_int_equal(seen.sum, 4);
	assert_true(seen.uplink && !seen.nat && !seen.ports);
	assert_int_equal(stats_drops(&stats.ports[63]), 2);
}

static void more_ports_than_there_can_be(void **state)
{
	static struct stats stats;
	memset(&stats, 0, sizeof(stats));
	stats.ports[PORT_UPLINK].tx_bytes = 8;
	char *text = printed(&stats, 1000);
	assert_string_equal(text, "uplink.tx_bytes 8\n");
	free(text);
}

static void drops_add_up(void **state)
{
	struct port_stats port = {.rx_packets = 0};
	stats_drop(&port, DROP_CHECKSUM, 2);
	stats_drop(&port, DROP_CHECKSUM, 3);
	stats_drop(&port, DROP_COUNT - 1, 1);
	assert_int_equal(port.drops[DROP_CHECKSUM], 5);
	assert_int_equal(port.drops[DROP_COUNT - 1], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_a_name_of_its_own),
		cmocka_unit_test(zeros_are_left_out),
		cmocka_unit_test(everything_has_a_line),
		cmocka_unit_test(a_walk_shows_what_is_asked_for),
		cmocka_unit_test(more_ports_than_there_can_be),
		cmocka_unit_test(drops_add_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
