/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dns_counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT (sizeof(struct dns_counters) / sizeof(uint64_t))

struct seen {
	unsigned int count;
	uint64_t values; /* bit n: value n was there */
	char names[COUNT][64];
};

static void see(void *context, const struct stats_counter *counter)
{
	struct seen *seen = context;

	assert_string_equal(counter->group, "dns");
	assert_int_equal(counter->port, -1);
	assert_false(counter->gauge);
	assert_true(counter->value < COUNT);
	assert_true((counter->drop != NULL) == (strcmp(counter->name, "drops") == 0));
	seen->values |= UINT64_C(1) << counter->value;
	snprintf(seen->names[seen->count], sizeof(seen->names[0]), "%s%s", counter->name,
		counter->drop ? counter->drop : "");
	for (unsigned int i = 0; i < seen->count; i++)
		assert_string_not_equal(seen->names[i], seen->names[seen->count]);
	seen->count++;
}

/* Each is visited once, under a name of its own. */
static void test_walk(void **state)
{
	uint64_t values[COUNT] = {0};
	struct dns_counters counters;
	struct seen seen = {0};

	_Static_assert(COUNT < 64, "a bit for each");
	for (unsigned int i = 0; i < COUNT; i++)
		values[i] = i;
	memcpy(&counters, values, sizeof(counters));
	dns_counters_walk(&counters, see, &seen);
	assert_int_equal(seen.count, COUNT);
	assert_int_equal(seen.values, (UINT64_C(1) << COUNT) - 1);
	assert_string_equal(dns_drop_name(DNS_DROP_FORGED), "forged");
}

static void test_print(void **state)
{
	struct dns_counters counters = {.queries_udp = 3, .drops = {[DNS_DROP_SEND] = 2}};
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	dns_counters_walk(&counters, stats_print_counter, file);
	fclose(file);
	assert_string_equal(text, "dns.queries_udp 3\ndns.drop.send 2\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
