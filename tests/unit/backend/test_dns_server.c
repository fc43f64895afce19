/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole server in a process, and what it answers itself; the transports have their own tests.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/backend/dns_case.h"

static int setup(void **state)
{
	return dns_setup(state);
}

static struct dhcp_table table;

/* The answer that is made here; its length, as dns_server_answer() says. */
static int answer(const struct message *query, struct message *ret_answer)
{
	struct dns_question question;
	int made = dns_server_answer(
		&context, query->bytes + 2, query->length, &question, ret_answer->bytes + 2);

	ret_answer->length = made > 0 ? (size_t)made : 0;
	return made;
}

static void expect_rcode(const char *name, size_t length, uint8_t type, enum dns_rcode rcode)
{
	struct message query = dns_query_wire(9, name, length), got;

	query.bytes[2 + query.length - 3] = type;
	assert_true(answer(&query, &got) > 0);
	assert_int_equal(dns_id(&got), 9);
	assert_int_equal(dns_rcode(&got), rcode);
}

static void test_names(void **state)
{
	config.names.table = &table;
	table.leases[0].ip_be = htonl(0x0a000001);
	dhcp_lease_set(&table.leases[0], DHCP_STATE_HELD, 50, "web");
	context.now_ns = UINT64_C(49) * 1000000000;
	expect_rcode("\4host\5chnet\0", 12, DNS_TYPE_A, DNS_RCODE_OK);
	expect_rcode("\3WEB\5chnet\0", 11, DNS_TYPE_A, DNS_RCODE_OK);
	expect_rcode("\3web\5chnet\0", 11, 28, DNS_RCODE_OK);
	expect_rcode("\3xyz\5chnet\0", 11, DNS_TYPE_A, DNS_RCODE_NO_NAME);
	/* The lease has ended: time counts. */
	context.now_ns = UINT64_C(50) * 1000000000;
	expect_rcode("\3web\5chnet\0", 11, DNS_TYPE_A, DNS_RCODE_NO_NAME);
	dns_expect_counted(answers_own, 5);
}

static void test_what_is_not_ours(void **state)
{
	struct message query = dns_query(1, "a"), got;

	assert_int_equal(answer(&query, &got), 0);
	dns_expect_counted(answers_own, 0);
	expect_rcode("\1a\7example\0", 11, DNS_TYPE_AXFR, DNS_RCODE_NOT_IMPLEMENTED);
	expect_rcode("\1a\7example\0", 11, DNS_TYPE_IXFR, DNS_RCODE_NOT_IMPLEMENTED);
	query.bytes[2 + 5] = 2; /* two questions */
	assert_true(answer(&query, &got) > 0);
	assert_int_equal(dns_rcode(&got), DNS_RCODE_FORMAT);
	query.bytes[2 + 2] = 0x29; /* an update */
	assert_true(answer(&query, &got) > 0);
	assert_int_equal(dns_rcode(&got), DNS_RCODE_NOT_IMPLEMENTED);
	dns_expect_counted(answers_own, 4);
	query.bytes[2 + 2] |= 0x80; /* an answer to one */
	assert_int_equal(answer(&query, &got), -1);
	query.length = DNS_HEADER - 1;
	assert_int_equal(answer(&query, &got), -1);
	dns_expect_dropped(DNS_DROP_MALFORMED, 2);
}

static int serve(void *argument)
{
	const struct rlimit *limit = argument;

	if (limit && setrlimit(RLIMIT_NOFILE, limit) < 0)
		return 2;
	return dns_server_main(&config);
}

static void test_a_process(void **state)
{
	int server = dns_socket(SOCK_DGRAM, SERVER, 53);
	int udp = dns_guest(SOCK_DGRAM, 0), tcp = dns_guest(SOCK_STREAM, 0);
	struct message query = dns_query_wire(5, "\4host\5chnet\0", 12);
	struct sockaddr_in us;
	socklen_t size = sizeof(us);
	uint8_t bytes[512];
	int status;

	config.counters = mmap(
		NULL, sizeof(counters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(config.counters, MAP_FAILED);
	pid_t pid = namespace_fork(serve, NULL);
	/* A name, over both. */
	query.bytes[1] = (uint8_t)query.length;
	send(udp, query.bytes + 2, query.length, 0);
	dns_wait(udp, POLLIN);
	assert_int_equal(recv(udp, bytes, sizeof(bytes), 0), query.length + 16);
	dns_wait(tcp, POLLOUT);
	send(tcp, query.bytes, 2 + query.length, 0);
	dns_wait(tcp, POLLIN);
	assert_int_equal(recv(tcp, bytes, sizeof(bytes), 0), 2 + query.length + 16);
	/* A query that goes on, and that the first try loses: time passes by itself. */
	query = dns_query(6, "a");
	send(udp, query.bytes + 2, query.length, 0);
	for (int i = 0; i < 2; i++) {
		dns_wait(server, POLLIN);
		assert_int_equal(
			recvfrom(server, bytes, sizeof(bytes), 0, (struct sockaddr *)&us, &size),
			query.length);
	}
	bytes[2] |= 0x80;
	sendto(server, bytes, query.length, 0, (struct sockaddr *)&us, size);
	dns_wait(udp, POLLIN);
	assert_int_equal(recv(udp, bytes, sizeof(bytes), 0), query.length);
	assert_int_equal(bytes[1], 6);
	assert_int_equal(config.counters->answers_own, 2);
	assert_int_equal(config.counters->answers, 1);
	assert_int_equal(config.counters->tries_silent, 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	munmap(config.counters, sizeof(counters));
}

/* It ends at once, and says so, where it could not have a socket for each query. */
static void test_too_few_descriptors(void **state)
{
	struct rlimit limit = {.rlim_cur = 64, .rlim_max = 64};

	assert_int_equal(namespace_in_child(serve, &limit), EXIT_FAILURE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, dns_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names),
		TEST(test_what_is_not_ours),
		TEST(test_a_process),
		TEST(test_too_few_descriptors),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
