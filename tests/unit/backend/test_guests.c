/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that come and go with librte_vhost and a worker in a thread, as the data plane has them. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/ethernet.h"
#include "backend/guests.h"
#include "tests/unit/backend/eal.h"

static char directory[64], error[256];
static struct options options;
static struct quiesce quiesce;
static struct stats stats;
static struct worker *worker;
static struct guests *guests;
static pthread_t thread;

static void read_options(void)
{
	char first[128], second[128];
	char *words[] = {"chnet-vhost", "--uplink", "none", "--socket", first, "--socket", second};
	enum options_action action;

	snprintf(first, sizeof(first), "%s/0,mac=52:54:00:12:34:56,ip=172.16.0.2,hostname=web",
		directory);
	snprintf(second, sizeof(second), "%s/1", directory);
	if (options_parse(7, words, &options, &action, error, sizeof(error)) < 0)
		fail_msg("%s", error);
}

static int watch(int fd, uint64_t tag)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = tag};

	return epoll_ctl(quiesce.epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int set_up(void **state)
{
	static const uint8_t macs[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
	struct network network = {.prefix = 24};

	strcpy(directory, "/tmp/chnet-test-XXXXXX");
	assert_non_null(mkdtemp(directory));
	read_options();
	network.lan_be = options.lan_be;
	network.mask_be = htonl(0xffffff00);
	network.gateway_be = options.host_ip_be;
	network.gateway_mac = ethernet_load(macs[0]);
	network.nat_mac = ethernet_load(macs[1]);
	memset(&stats, 0, sizeof(stats));
	assert_int_equal(quiesce_init(&quiesce, 1), 0);
	assert_int_equal(worker_new(&network, &quiesce, &stats, options.socket_count, &worker), 0);
	assert_int_equal(watch(quiesce.wake_fd, WORKER_TAG_WAKE), 0);
	assert_int_equal(watch(worker->call.wake_fd, WORKER_TAG_CALL), 0);
	assert_int_equal(guests_new(&options, &quiesce, &stats, worker, &guests), 0);
	assert_int_equal(pthread_create(&thread, NULL, worker_main, worker), 0);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	worker_stop(worker);
	assert_int_equal(pthread_join(thread, NULL), 0);
	guests_free(guests);
	worker_free(worker);
	quiesce_fini(&quiesce);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

/* Whether somebody listens at the socket of that name. */
static bool listens(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	bool answered;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, name);
	answered = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return answered;
}

static int add(unsigned int index, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int add(unsigned int index, const char *format, ...)
{
	char spec[256];
	va_list values;
	int length = snprintf(spec, sizeof(spec), "%s/", directory);

	va_start(values, format);
	vsnprintf(spec + length, sizeof(spec) - (size_t)length, format, values);
	va_end(values);
	return guests_add(guests, spec, index, error, sizeof(error));
}

static void those_of_the_start(void **state)
{
	assert_false(listens("0"));
	assert_int_equal(guests_start(guests), 0);
	assert_true(listens("0"));
	assert_true(listens("1"));
	assert_int_equal(guests->options.socket_count, 2);
	guests_free(NULL);
}

static void one_comes_and_goes(void **state)
{
	assert_int_equal(guests_start(guests), 0);
	/* What an earlier port of that number has counted is not the new one's. */
	stats.ports[2].rx_packets = 7;
	assert_int_equal(add(2, "two,ip=172.16.0.4"), 0);
	assert_true(listens("two"));
	assert_int_equal(stats.ports[2].rx_packets, 0);
	assert_int_equal(guests->options.socket_count, 3);
	assert_non_null(worker->ports[2].port);
	guests_remove(guests, 2);
	assert_null(worker->ports[2].port);
	assert_false(listens("two"));
	assert_true(listens("0"));
	/* Its number and addresses are free. */
	assert_int_equal(add(2, "three"), 0);
	assert_int_equal(add(3, "four,ip=172.16.0.4"), 0);
	assert_true(listens("three"));
	assert_true(listens("four"));
	guests_remove(guests, 0);
	assert_false(listens("0"));
	assert_true(listens("three"));
	assert_int_equal(add(0, "again,mac=52:54:00:12:34:56,ip=172.16.0.2,hostname=web"), 0);
	assert_true(listens("again"));
}

static int listen_as_vmm(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, name);
	unlink(address.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Dials until somebody has come, as the control thread does. */
static int accept_of(int listener)
{
	struct pollfd wait = {.fd = listener, .events = POLLIN};
	int tries = 200;

	while (poll(&wait, 1, guests_dial(guests)) == 0 && --tries)
		;
	assert_true(tries);
	return accept(listener, NULL, NULL);
}

/* The VMM listens: before its port is there, behind it, and again after each hang-up. */
static void one_whose_vmm_listens(void **state)
{
	char path[128];

	assert_int_equal(guests_start(guests), 0);
	assert_int_equal(guests_dial(guests), -1);
	int listener = listen_as_vmm("two");
	assert_int_equal(add(2, "two,mode=server"), 0);
	assert_int_equal(add(3, "three,mode=server"), 0);
	assert_in_range(guests_dial(guests), 0, 100);
	for (int i = 0; i < 20; i++) {
		struct pollfd ended = {.fd = guests_dial_fd(guests), .events = POLLIN};
		int vmm = accept_of(listener);
		assert_true(vmm >= 0);
		assert_int_equal(poll(&ended, 1, 0), 0);
		close(vmm);
		assert_int_equal(poll(&ended, 1, 10000), 1);
	}
	close(listener);
	int third = listen_as_vmm("three");
	int vmm = accept_of(third);
	guests_remove(guests, 3);
	char byte;
	assert_int_equal(read(vmm, &byte, 1), 0);
	close(vmm);
	close(third);
	guests_remove(guests, 2);
	/* Both files are the VMMs'. */
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, i ? "three" : "two");
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(guests_dial(guests), -1);
}

/* Nothing has changed afterwards: the next one has the number and addresses. */
static void what_cannot_be_changes_nothing(void **state)
{
	assert_int_equal(guests_start(guests), 0);
	assert_true(add(2, "two,ip=172.16.0.2") < 0);
	assert_non_null(strstr(error, "172.16.0.2"));
	assert_int_equal(add(5, "two"), -EPROTO);
	assert_non_null(strstr(error, "number their ports differently"));
	assert_true(add(2, "no/such/directory/x,ip=172.16.0.4,hostname=db") < 0);
	assert_non_null(strstr(error, "cannot listen there"));
	assert_null(worker->ports[2].port);
	assert_int_equal(guests->options.socket_count, 2);
	assert_int_equal(add(2, "two"), 0);
	assert_int_equal(add(3, "three,ip=172.16.0.4,hostname=db"), 0);
	assert_true(listens("two"));
	assert_true(listens("three"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(those_of_the_start),
		TEST(one_comes_and_goes),
		TEST(one_whose_vmm_listens),
		TEST(what_cannot_be_changes_nothing),
	};

	return cmocka_run_group_tests(tests, eal_start, eal_stop);
}
