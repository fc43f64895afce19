/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "control/vmm/cloud_hypervisor.h"

#define WORDS_MAX 16

/* Splits `line` at single blanks into words, within `buffer`. */
static int split(const char *line, char buffer[512], char *words[WORDS_MAX])
{
	int count = 0;
	char *saved;

	snprintf(buffer, 512, "%s", line);
	for (char *word = strtok_r(buffer, " ", &saved); word; word = strtok_r(NULL, " ", &saved)) {
		assert_true(count < WORDS_MAX);
		words[count++] = word;
	}
	return count;
}

static const struct cloud_hypervisor_link sockets[] = {
	{.socket = "/s0", .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56}},
	{.socket = "/s1", .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x57}},
};
static const struct cloud_hypervisor_link taps[] = {
	{.tap = "tap0", .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56}},
	{.tap = "tap1", .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x57}},
};

#define M0 "mac=52:54:00:12:34:56"
#define M1 "mac=52:54:00:12:34:57"
#define V0 "vhost_user=true,socket=/s0"
#define V1 "vhost_user=true,socket=/s1"
#define QQ "num_queues=2,queue_size=256"

static void check_build(
	const struct cloud_hypervisor_link *links, const char *given, const char *expected)
{
	struct arguments arguments = {0};
	char buffer[512], got[1024] = "", *words[WORDS_MAX];
	int count = split(given, buffer, words);

	cloud_hypervisor_build(count, words, links, &arguments);
	assert_false(arguments.failed);
	for (size_t i = 0; i < arguments.count; i++) {
		strcat(got, i > 0 ? " " : "");
		strcat(got, arguments.words[i]);
	}
	assert_string_equal(got, expected);
	arguments_fini(&arguments);
}

static void test_vhost_user(void **state)
{
	static const struct {
		const char *given;
		const char *expected;
	} cases[] = {
		{"", "--net " V0 "," M0 "," QQ " --memory size=512M,shared=on"},
		{"--kernel k --memory size=1G",
			"--kernel k --memory size=1G,shared=on --net " V0 "," M0 "," QQ},
		{"--memory=size=1G", "--memory size=1G,shared=on --net " V0 "," M0 "," QQ},
		/* what the user set stays */
		{"--memory size=1G,shared=on",
			"--memory size=1G,shared=on --net " V0 "," M0 "," QQ},
		{"--memory size=1G,hugepages=on",
			"--memory size=1G,hugepages=on --net " V0 "," M0 "," QQ},
		{"--memory size=1G,hugepages=off",
			"--memory size=1G,hugepages=off,shared=on --net " V0 "," M0 "," QQ},
		{"--memory size=0 --memory-zone id=a,size=1G id=b,size=1G,shared=on",
			"--memory size=0,shared=on --memory-zone id=a,size=1G,shared=on "
			"id=b,size=1G,shared=on --net " V0 "," M0 "," QQ},
		/* a device of the user's that is left to us */
		{"--memory size=1G --net mac=52:54:00:00:00:01,queue_size=512,id=n",
			"--memory size=1G,shared=on --net "
			"mac=52:54:00:00:00:01,queue_size=512,id=n," V0 ",num_queues=2"},
		{"--net=id=n --memory size=1G",
			"--net id=n," V0 "," M0 "," QQ " --memory size=1G,shared=on"},
		{"--net id=a id=b --memory size=1G", "--net id=a," V0 "," M0 "," QQ " id=b," V1
						     "," M1 "," QQ " --memory size=1G,shared=on"},
		/* the user's own devices stay, and ours joins them */
		{"--net tap=own --memory size=1G",
			"--net tap=own " V0 "," M0 "," QQ " --memory size=1G,shared=on"},
		{"--net=tap=own --cpus boot=2 --memory size=1G",
			"--net tap=own " V0 "," M0 "," QQ
			" --cpus boot=2 --memory size=1G,shared=on"},
		{"--net vhost_user=true,socket=/own fd=3 --memory size=1G",
			"--net vhost_user=true,socket=/own fd=3 " V0 "," M0 "," QQ
			" --memory size=1G,shared=on"},
		{"--net tap=own id=n --memory size=1G",
			"--net tap=own id=n," V0 "," M0 "," QQ " --memory size=1G,shared=on"},
		/* not options of ours */
		{"--network x --disk path=--net --memory size=1G",
			"--network x --disk path=--net --memory size=1G,shared=on --net " V0 "," M0
			"," QQ},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_build(sockets, cases[i].given, cases[i].expected);
}

static void test_tap(void **state)
{
	check_build(taps, "", "--net tap=tap0," M0);
	check_build(taps, "--memory size=1G --kernel k",
		"--memory size=1G --kernel k --net tap=tap0," M0);
	check_build(taps, "--net iommu=on,mac=52:54:00:00:00:01 --memory size=1G",
		"--net iommu=on,mac=52:54:00:00:00:01,tap=tap0 --memory size=1G");
	check_build(taps, "--net=id=a", "--net id=a,tap=tap0," M0);
}

static void test_read(void **state)
{
	static const uint8_t mac[] = {0x52, 0x54, 0, 0, 0, 1};
	struct cloud_hypervisor_request request;
	char buffer[512], error[CLOUD_HYPERVISOR_ERROR_SIZE], *words[WORDS_MAX];
	int count = split("--net tap=x mac=52:54:00:00:00:01,num_queues=4 id=b", buffer, words);

	assert_int_equal(cloud_hypervisor_read(count, words, &request, error), 0);
	assert_int_equal(request.nic_count, 2);
	assert_true(request.nics[0].has_mac);
	assert_memory_equal(request.nics[0].mac, mac, sizeof(mac));
	assert_int_equal(request.nics[0].queues, 4);
	assert_false(request.nics[1].has_mac);
	assert_int_equal(request.nics[1].queues, 2);

	assert_int_equal(cloud_hypervisor_read(0, words, &request, error), 0);
	assert_int_equal(request.nic_count, 1);
	assert_false(request.nics[0].has_mac);
}

static void test_read_refuses(void **state)
{
	static const struct {
		const char *given;
		const char *says;
	} cases[] = {
		{"--net mac=52:54", "mac="},
		{"--net mac=53:54:00:12:34:56", "mac="},
		{"--net num_queues=many", "num_queues"},
		{"--net id=[a", "not closed"},
		{"--memory size=\"1", "not closed"},
		{"--memory size=1G stray", "stray"},
		{"--net=id=a stray", "stray"},
		{"--net=--restore=", "no value begins with"},
		{"--restore source_url=file:///x", "--restore"},
		{"--restore=source_url=file:///x", "--restore"},
		{"--net id=1 id=2 id=3 id=4 id=5 id=6 id=7 id=8 id=9", "too many"},
	};
	struct cloud_hypervisor_request request;
	char buffer[512], error[CLOUD_HYPERVISOR_ERROR_SIZE], *words[WORDS_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int count = split(cases[i].given, buffer, words);

		assert_int_equal(cloud_hypervisor_read(count, words, &request, error), -EINVAL);
		assert_non_null(strstr(error, cases[i].says));
		assert_null(strchr(error, '\n'));
	}
}

static void test_check_vhost_user(void **state)
{
	static const char *const good[] = {
		"",
		"--net num_queues=2,queue_size=1024,iommu=off --memory size=1G,shared=on",
		"--memory size=1G,shared=off,hugepages=on",
		/* not ours to judge */
		"--net tap=x,iommu=on,bw_size=1,bw_refill_time=2",
	};
	static const struct {
		const char *given;
		const char *says;
	} bad[] = {
		{"--net iommu=on", "iommu"},
		{"--net id=a,bw_size=1,bw_refill_time=2", "bw_size"},
		{"--net ops_size=1,ops_refill_time=2", "ops_size"},
		{"--net ops_one_time_burst=1", "ops_one_time_burst"},
		{"--net num_queues=1", "num_queues=2"},
		{"--net num_queues=3", "num_queues=2"},
		{"--net num_queues=4", "vCPUs"},
		{"--cpus boot=1,max=4 --net num_queues=4", "vCPUs"},
		{"--cpus boot=4 --net num_queues=4", "queue pair"},
		{"--net queue_size=100", "power of two"},
		{"--net queue_size=0", "power of two"},
		{"--net vhost_mode=server", "vhost_mode"},
		{"--memory size=1G,shared=off", "shared"},
		{"--memory size=0 --memory-zone id=a,size=1G,shared=off", "--memory-zone"},
	};
	char buffer[512], error[CLOUD_HYPERVISOR_ERROR_SIZE], *words[WORDS_MAX];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int count = split(good[i], buffer, words);

		assert_int_equal(cloud_hypervisor_check_vhost_user(count, words, error), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int count = split(bad[i].given, buffer, words);

		assert_int_equal(
			cloud_hypervisor_check_vhost_user(count, words, error), -EOPNOTSUPP);
		assert_non_null(strstr(error, bad[i].says));
		assert_null(strchr(error, '\n'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vhost_user),
		cmocka_unit_test(test_tap),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_refuses),
		cmocka_unit_test(test_check_vhost_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
