/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/backend/dns_case.h"

static int setup(void **state)
{
	return dns_setup(state);
}

/* Sends a whole message, with its length before it. */
static void send_message(int fd, struct message *message)
{
	message->bytes[0] = (uint8_t)(message->length >> 8);
	message->bytes[1] = (uint8_t)message->length;
	dns_wait(fd, POLLOUT);
	assert_int_equal(
		send(fd, message->bytes, 2 + message->length, MSG_NOSIGNAL), 2 + message->length);
}

static void receive_bytes(int fd, uint8_t *bytes, size_t length)
{
	while (length) {
		dns_pump_until(fd);
		ssize_t some = recv(fd, bytes, length, 0);
		if (some <= 0)
			fail_msg("the connection has ended");
		bytes += some;
		length -= (size_t)some;
	}
}

/* The next message, while our server works. */
static struct message receive(int fd)
{
	struct message message = {0};

	receive_bytes(fd, message.bytes, 2);
	message.length = (size_t)(message.bytes[0] << 8 | message.bytes[1]);
	assert_true(message.length <= LARGEST);
	receive_bytes(fd, message.bytes + 2, message.length);
	return message;
}

static void expect_end(int fd)
{
	uint8_t byte;

	dns_pump_until(fd);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
}

/* A connection from ours to a server. */
static int accepted(int server)
{
	dns_pump_until(server);
	int fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Serves what is there, until nothing moves. */
static void settle(void)
{
	struct pollfd wait = {.fd = context.epoll_fd, .events = POLLIN};

	while (poll(&wait, 1, 0) == 1)
		dns_pump();
}

static void test_messages_pass_unchanged(void **state)
{
	int server = dns_socket(SOCK_STREAM, SERVER, 53), guest = dns_guest(SOCK_STREAM, 0);
	struct message query = dns_query(0x1234, "MiXed"), seen, answer;

	query.bytes[1] = (uint8_t)query.length;
	/* A byte at a time. */
	dns_wait(guest, POLLOUT);
	for (size_t i = 0; i < 2 + query.length; i++) {
		assert_int_equal(send(guest, query.bytes + i, 1, 0), 1);
		settle();
	}
	int fd = accepted(server);
	seen = receive(fd);
	dns_expect_same(&seen, &query);
	answer = dns_answer(&seen, LARGEST - seen.length);
	send_message(fd, &answer);
	seen = receive(guest);
	dns_expect_same(&seen, &answer);
	/* The next one over the same connections. */
	query = dns_query(1, "b");
	send_message(guest, &query);
	seen = receive(fd);
	dns_expect_same(&seen, &query);
	dns_expect_counted(queries_tcp, 2);
	dns_expect_counted(forwarded, 2);
	dns_expect_counted(answers, 1);
}

static void test_answers_in_any_order(void **state)
{
	int server = dns_socket(SOCK_STREAM, SERVER, 53), guest = dns_guest(SOCK_STREAM, 0);
	static const char *const labels[] = {"a", "b", "c"};
	static const unsigned int order[] = {2, 0, 1};
	struct message seen[3], got;

	for (unsigned int i = 0; i < 3; i++) {
		struct message query = dns_query((uint16_t)i, labels[i]);
		send_message(guest, &query);
	}
	int fd = accepted(server);
	for (unsigned int i = 0; i < 3; i++)
		seen[i] = receive(fd);
	for (unsigned int i = 0; i < 3; i++) {
		struct message answer = dns_answer(&seen[order[i]], 3);
		send_message(fd, &answer);
		got = receive(guest);
		dns_expect_same(&got, &answer);
	}
	assert_int_equal(context.streams[0].pending_count, 0);
}

static void test_forged_answers(void **state)
{
	int server = dns_socket(SOCK_STREAM, SERVER, 53), guest = dns_guest(SOCK_STREAM, 0);
	struct message first = dns_query(1, "bank"), second = dns_query(2, "shop"), got, forged;

	send_message(guest, &first);
	send_message(guest, &second);
	int fd = accepted(server);
	receive(fd);
	receive(fd);
	/* The id of one and the question of the other; another id; no answer; nothing at all. */
	forged = dns_answer(&second, 8);
	forged.bytes[3] = 1;
	send_message(fd, &forged);
	forged = dns_answer(&first, 8);
	forged.bytes[2] ^= 1;
	send_message(fd, &forged);
	send_message(fd, &second);
	forged.length = 0;
	send_message(fd, &forged);
	settle();
	assert_false(dns_has_input(guest));
	dns_expect_dropped(DNS_DROP_FORGED, 4);
	/* The answer, which counts once. */
	forged = dns_answer(&second, 8);
	send_message(fd, &forged);
	send_message(fd, &forged);
	got = receive(guest);
	dns_expect_same(&got, &forged);
	settle();
	dns_expect_dropped(DNS_DROP_FORGED, 5);
	forged = dns_answer(&first, 8);
	send_message(fd, &forged);
	got = receive(guest);
	dns_expect_same(&got, &forged);
	assert_false(dns_has_input(guest));
	dns_expect_counted(answers, 2);
}

/* More queries than may wait are not lost: they are read when there is room. */
static void test_pipeline(void **state)
{
	int server = dns_socket(SOCK_STREAM, SERVER, 53), guest = dns_guest(SOCK_STREAM, 0);
	struct message seen, answer, got;

	for (uint16_t i = 0; i < DNS_PIPELINE_MAX + 4; i++) {
		struct message query = dns_query(i, "a");
		send_message(guest, &query);
	}
	int fd = accepted(server);
	settle();
	dns_expect_counted(forwarded, DNS_PIPELINE_MAX);
	for (uint16_t i = 0; i < DNS_PIPELINE_MAX + 4; i++) {
		seen = receive(fd);
		assert_int_equal(dns_id(&seen), i);
		answer = dns_answer(&seen, 0);
		send_message(fd, &answer);
		got = receive(guest);
		assert_int_equal(dns_id(&got), i);
	}
	dns_expect_counted(answers, DNS_PIPELINE_MAX + 4);
	assert_int_equal(context.streams[0].pending_count, 0);
}

static void test_a_missing_server(void **state)
{
	int other = dns_socket(SOCK_STREAM, OTHER_SERVER, 53), guest = dns_guest(SOCK_STREAM, 0);
	struct message query = dns_query(7, "a"), got;

	dns_resolv("nameserver 127.0.0.53\nnameserver 127.0.0.54\n");
	send_message(guest, &query);
	int fd = accepted(other);
	got = receive(fd);
	dns_expect_same(&got, &query);
	dns_expect_counted(tries_refused, 1);
	close(fd);
	expect_end(guest);
	dns_expect_dropped(DNS_DROP_STREAM_LOST, 1);
	/* None: the guest is told, and may go on asking. */
	dns_resolv("nameserver 127.0.0.99\n");
	guest = dns_guest(SOCK_STREAM, 0);
	for (unsigned int i = 1; i <= 2; i++) {
		send_message(guest, &query);
		got = receive(guest);
		assert_int_equal(dns_id(&got), 7);
		assert_int_equal(dns_rcode(&got), DNS_RCODE_FAILURE);
		dns_expect_dropped(DNS_DROP_NO_SERVER, i);
		dns_expect_counted(tries_refused, 1 + i * DNS_TRIES);
	}
}

/* Servers end connections that are idle; that loses nothing. */
static void test_a_server_that_hangs_up(void **state)
{
	int server = dns_socket(SOCK_STREAM, SERVER, 53), guest = dns_guest(SOCK_STREAM, 0);
	struct message query = dns_query(7, "a"), answer;

	for (unsigned int i = 0; i < 3; i++) {
		send_message(guest, &query);
		int fd = accepted(server);
		answer = receive(fd);
		answer = dns_answer(&answer, 0);
		send_message(fd, &answer);
		receive(guest);
		close(fd);
	}
	dns_expect_counted(answers, 3);
	dns_expect_dropped(DNS_DROP_STREAM_LOST, 0);
}

static void test_a_guest_that_says_no_more(void **state)
{
	int server = dns_socket(SOCK_STREAM, SERVER, 53), guest = dns_guest(SOCK_STREAM, 0);
	struct message query = dns_query(7, "a"), answer, got;

	send_message(guest, &query);
	assert_int_equal(shutdown(guest, SHUT_WR), 0);
	int fd = accepted(server);
	answer = receive(fd);
	answer = dns_answer(&answer, 0);
	send_message(fd, &answer);
	got = receive(guest);
	dns_expect_same(&got, &answer);
	expect_end(guest);
	assert_int_equal(context.stream_count, 0);
	expect_end(fd);
}

static void test_answered_here(void **state)
{
	int guest = dns_guest(SOCK_STREAM, 0);
	struct message query = dns_query_wire(5, "\4host\5chnet\0", 12), got;

	send_message(guest, &query);
	got = receive(guest);
	assert_int_equal(dns_rcode(&got), 0);
	assert_memory_equal(got.bytes + 2 + got.length - 4, "\177\0\0\1", 4);
	/* A whole zone has more than one answer. */
	query = dns_query(6, "a");
	query.bytes[2 + query.length - 3] = DNS_TYPE_AXFR;
	send_message(guest, &query);
	got = receive(guest);
	assert_int_equal(dns_id(&got), 6);
	assert_int_equal(dns_rcode(&got), DNS_RCODE_NOT_IMPLEMENTED);
	/* No query. */
	query = dns_answer(&query, 0);
	send_message(guest, &query);
	expect_end(guest);
	dns_expect_dropped(DNS_DROP_MALFORMED, 1);
	dns_expect_counted(queries_tcp, 3);
	dns_expect_counted(answers_own, 2);
	assert_int_equal(context.stream_count, 0);
}

static void test_limits(void **state)
{
	const unsigned int share = DNS_STREAMS_MAX / 4;
	int guest = -1;

	for (unsigned int n = 0; n < 4; n++) {
		for (unsigned int i = 0; i < share; i++)
			dns_guest(SOCK_STREAM, n);
		settle();
		assert_int_equal(context.stream_count, (n + 1) * share);
		if (n == 3)
			break;
		guest = dns_guest(SOCK_STREAM, n);
		expect_end(guest);
		dns_expect_dropped(DNS_DROP_GUEST_STREAMS_FULL, n + 1);
	}
	guest = dns_guest(SOCK_STREAM, 5);
	expect_end(guest);
	dns_expect_dropped(DNS_DROP_STREAMS_FULL, 1);
	dns_expect_dropped(DNS_DROP_GUEST_STREAMS_FULL, 3);
	/* They end when nothing moves. */
	dns_pass(DNS_IDLE_NS - 1);
	assert_int_equal(context.stream_count, DNS_STREAMS_MAX);
	dns_pass(1);
	assert_int_equal(context.stream_count, 0);
	dns_expect_dropped(DNS_DROP_STREAM_IDLE, 0);
	assert_int_equal(context.next_ns, UINT64_MAX);
}

static void test_a_silent_server(void **state)
{
	int server = dns_socket(SOCK_STREAM, SERVER, 53), guest = dns_guest(SOCK_STREAM, 0);
	struct message query = dns_query(7, "a");

	send_message(guest, &query);
	receive(accepted(server));
	dns_pass(DNS_IDLE_NS);
	expect_end(guest);
	dns_expect_dropped(DNS_DROP_STREAM_IDLE, 1);
}

/* A guest that asks without end has DNS_BURST turns at a time, and loses nothing. */
static void test_bursts(void **state)
{
	int guest = dns_guest(SOCK_STREAM, 0);
	struct message query = dns_query_wire(5, "\4host\5chnet\0", 12);

	for (unsigned int i = 0; i < 2 * DNS_BURST; i++)
		send_message(guest, &query);
	while (!counters.queries_tcp)
		dns_pump();
	assert_true(counters.queries_tcp <= DNS_BURST);
	for (unsigned int i = 0; i < 2 * DNS_BURST; i++)
		receive(guest);
	/* Connections likewise. */
	for (unsigned int i = 0; i < DNS_BURST; i++)
		dns_guest(SOCK_STREAM, 1);
	dns_guest(SOCK_STREAM, 2);
	settle();
	dns_expect_dropped(DNS_DROP_GUEST_STREAMS_FULL, DNS_BURST - DNS_STREAMS_MAX / 4);
	assert_int_equal(context.stream_count, 1 + DNS_STREAMS_MAX / 4 + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, dns_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_messages_pass_unchanged),
		TEST(test_answers_in_any_order),
		TEST(test_forged_answers),
		TEST(test_pipeline),
		TEST(test_a_missing_server),
		TEST(test_a_server_that_hangs_up),
		TEST(test_a_guest_that_says_no_more),
		TEST(test_answered_here),
		TEST(test_limits),
		TEST(test_a_silent_server),
		TEST(test_bursts),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
