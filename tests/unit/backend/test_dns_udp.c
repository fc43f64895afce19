/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/backend/dns_case.h"

static int setup(void **state)
{
	return dns_setup(state);
}

static void send_message(int fd, const struct message *message)
{
	assert_int_equal(send(fd, message->bytes + 2, message->length, 0), message->length);
}

static void send_to(int fd, const struct message *message, const struct sockaddr_in *to)
{
	assert_int_equal(sendto(fd, message->bytes + 2, message->length, 0,
				 (const struct sockaddr *)to, sizeof(*to)),
		message->length);
}

/* What comes, and from whom. */
static struct message receive(int fd, struct sockaddr_in *ret_from)
{
	struct message message = {0};
	struct sockaddr_in from;
	socklen_t size = sizeof(from);

	dns_wait(fd, POLLIN);
	ssize_t length =
		recvfrom(fd, message.bytes + 2, LARGEST, 0, (struct sockaddr *)&from, &size);
	assert_true(length > 0);
	message.length = (size_t)length;
	if (ret_from)
		*ret_from = from;
	return message;
}

/* A guest asks, and our server takes it. */
static void ask(int guest, const struct message *query)
{
	send_message(guest, query);
	dns_wait(config.udp_fd, POLLIN);
	dns_udp_listen(&context);
}

/* What arrives at a guest next. */
static struct message answered(int guest)
{
	dns_pump_until(guest);
	return receive(guest, NULL);
}

static void test_all_but_the_id_passes(void **state)
{
	/* An OPT record of 4,096 bytes with an option that nobody knows. */
	static const uint8_t opt[] = {0, 0, 41, 16, 0, 0, 0, 0x80, 0, 0, 6, 0xff, 0xfe, 0, 2, 1, 2};
	int server = dns_socket(SOCK_DGRAM, SERVER, 53), guest = dns_guest(SOCK_DGRAM, 0);
	struct message query = dns_query(0x1234, "MiXed"), seen, answer;
	struct sockaddr_in us;

	query.bytes[2 + 11] = 1;
	memcpy(query.bytes + 2 + query.length, opt, sizeof(opt));
	query.length += sizeof(opt);
	ask(guest, &query);
	seen = receive(server, &us);
	answer = dns_answer(&seen, LARGEST - seen.length);
	answer.bytes[2 + 2] |= 2; /* truncated: it says so */
	send_to(server, &answer, &us);
	/* But for the id, each is what was sent. */
	memcpy(seen.bytes + 2, query.bytes + 2, 2);
	dns_expect_same(&seen, &query);
	memcpy(answer.bytes + 2, query.bytes + 2, 2);
	seen = answered(guest);
	dns_expect_same(&seen, &answer);
	assert_int_equal(context.query_count, 0);
	dns_expect_counted(queries_udp, 1);
	dns_expect_counted(forwarded, 1);
	dns_expect_counted(answers, 1);
	dns_expect_counted(answers_own, 0);
}

static void test_ids_and_ports_are_random(void **state)
{
	int server = dns_socket(SOCK_DGRAM, SERVER, 53), guest = dns_guest(SOCK_DGRAM, 0);
	uint16_t ids[64], ports[64];
	unsigned int same_ids = 0, steps = 0;

	for (unsigned int i = 0; i < 64; i++) {
		struct message query = dns_query(7, "a");
		struct sockaddr_in us;
		ask(guest, &query);
		struct message seen = receive(server, &us), answer = dns_answer(&seen, 0);
		ids[i] = dns_id(&seen);
		ports[i] = ntohs(us.sin_port);
		send_to(server, &answer, &us);
		answered(guest);
		for (unsigned int j = 0; j < i; j++)
			same_ids += ids[i] == ids[j];
		steps += i && ports[i] == ports[i - 1] + 1;
	}
	/* By chance one in 32; three are one in 200,000. */
	assert_true(same_ids < 3);
	assert_true(steps < 3);
}

static void test_forged_answers(void **state)
{
	int server = dns_socket(SOCK_DGRAM, SERVER, 53), guest = dns_guest(SOCK_DGRAM, 0);
	int other_port = dns_socket(SOCK_DGRAM, SERVER, 5353);
	int other_server = dns_socket(SOCK_DGRAM, OTHER_SERVER, 53);
	struct message query = dns_query(0x4321, "bank"), forged;
	struct sockaddr_in us;

	ask(guest, &query);
	struct message seen = receive(server, &us), answer = dns_answer(&seen, 16);
	/* All but the last byte right, from elsewhere: the kernel sees to that. */
	send_to(other_port, &answer, &us);
	send_to(other_server, &answer, &us);
	/* Every id but one bit, the question's name, type, class; and no answer at all. */
	static const size_t at[] = {
		2, 3, 2 + DNS_HEADER + 1, 2 + DNS_HEADER + 15, 2 + DNS_HEADER + 17, 2 + 2};
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		forged = answer;
		forged.bytes[at[i]] ^= at[i] == 2 + 2 ? 0x80 : 1;
		send_to(server, &forged, &us);
	}
	forged = answer;
	forged.length = DNS_HEADER - 1;
	send_to(server, &forged, &us);
	dns_pump();
	assert_false(dns_has_input(guest));
	assert_int_equal(context.query_count, 1);
	dns_expect_dropped(DNS_DROP_FORGED, sizeof(at) / sizeof(at[0]) + 1);
	/* The name's case is the server's to choose. */
	answer.bytes[2 + DNS_HEADER + 1] ^= 0x20;
	send_to(server, &answer, &us);
	forged = answered(guest);
	assert_int_equal(dns_id(&forged), 0x4321);
	assert_int_equal(forged.length, answer.length);
	dns_expect_counted(answers, 1);
}

static void test_a_silent_server(void **state)
{
	int server = dns_socket(SOCK_DGRAM, SERVER, 53);
	int other = dns_socket(SOCK_DGRAM, OTHER_SERVER, 53), guest = dns_guest(SOCK_DGRAM, 0);
	struct message query = dns_query(1, "slow"), last, late;
	struct sockaddr_in us, us_late;

	dns_resolv("nameserver 127.0.0.53\nnameserver 127.0.0.54\n");
	ask(guest, &query);
	late = receive(server, &us_late);
	late = dns_answer(&late, 0);
	dns_pass(DNS_TRY_NS - 1);
	assert_false(dns_has_input(other));
	dns_pass(1);
	dns_expect_counted(tries_silent, 1);
	last = receive(other, &us);
	/* The first one wakes up: too late. */
	send_to(server, &late, &us_late);
	dns_pass(DNS_TRY_NS);
	receive(server, NULL);
	assert_false(dns_has_input(guest));
	dns_pass(DNS_TRY_NS);
	dns_expect_counted(tries_silent, DNS_TRIES);
	dns_expect_dropped(DNS_DROP_NO_SERVER, 1);
	last = receive(guest, NULL);
	assert_int_equal(dns_id(&last), 1);
	assert_int_equal(dns_rcode(&last), DNS_RCODE_FAILURE);
	assert_memory_equal(last.bytes + 2 + DNS_HEADER, query.bytes + 2 + DNS_HEADER,
		query.length - DNS_HEADER);
	assert_int_equal(context.query_count, 0);
	/* Nothing is left to wait for. */
	assert_int_equal(context.next_ns, UINT64_MAX);
}

/* No time is lost with a server that is not there. */
static void test_a_missing_server(void **state)
{
	int other = dns_socket(SOCK_DGRAM, OTHER_SERVER, 53), guest = dns_guest(SOCK_DGRAM, 0);
	struct message query = dns_query(1, "a"), answer;
	struct sockaddr_in us;

	dns_resolv("nameserver 127.0.0.53\nnameserver 127.0.0.54\n");
	ask(guest, &query);
	dns_pump_until(other);
	answer = receive(other, &us);
	dns_expect_counted(tries_refused, 1);
	answer = dns_answer(&answer, 0);
	send_to(other, &answer, &us);
	answer = answered(guest);
	assert_int_equal(dns_rcode(&answer), 0);
	/* None is there; and none can be reached. */
	dns_resolv("nameserver 127.0.0.99\n");
	ask(guest, &query);
	answer = answered(guest);
	assert_int_equal(dns_rcode(&answer), DNS_RCODE_FAILURE);
	dns_expect_counted(tries_refused, 1 + DNS_TRIES);
	dns_resolv("nameserver 192.0.2.1\n");
	ask(guest, &query);
	answer = answered(guest);
	assert_int_equal(dns_rcode(&answer), DNS_RCODE_FAILURE);
	dns_expect_dropped(DNS_DROP_NO_SERVER, 2);
}

static void test_limits(void **state)
{
	int server = dns_socket(SOCK_DGRAM, SERVER, 53);
	struct message query = dns_query(1, "a");
	struct sockaddr_in us = {0};
	int guests[3];

	for (unsigned int i = 0; i < 3; i++)
		guests[i] = dns_guest(SOCK_DGRAM, i);
	for (unsigned int i = 0; i < QUERIES / 2 + 1; i++)
		ask(guests[0], &query);
	dns_expect_dropped(DNS_DROP_GUEST_FULL, 1);
	for (unsigned int i = 0; i < QUERIES / 2; i++)
		ask(guests[1], &query);
	assert_int_equal(context.query_count, QUERIES);
	ask(guests[2], &query);
	dns_expect_dropped(DNS_DROP_TABLE_FULL, 1);
	dns_expect_dropped(DNS_DROP_GUEST_FULL, 1);
	/* One is answered, so there is room. */
	struct message seen = receive(server, &us), answer = dns_answer(&seen, 0);
	send_to(server, &answer, &us);
	answered(guests[0]);
	ask(guests[2], &query);
	assert_int_equal(context.query_count, QUERIES);
	dns_expect_counted(queries_udp, QUERIES + 3);
	dns_expect_counted(forwarded, QUERIES + 1);
}

static void test_answered_here(void **state)
{
	int guest = dns_guest(SOCK_DGRAM, 0);
	struct message query = dns_query_wire(5, "\4host\5chnet\0", 12), answer;

	ask(guest, &query);
	answer = receive(guest, NULL);
	assert_int_equal(dns_id(&answer), 5);
	assert_int_equal(dns_rcode(&answer), 0);
	assert_memory_equal(answer.bytes + 2 + answer.length - 4, "\177\0\0\1", 4);
	query.bytes[2 + 2] |= 0x28; /* an update */
	ask(guest, &query);
	answer = receive(guest, NULL);
	assert_int_equal(dns_rcode(&answer), DNS_RCODE_NOT_IMPLEMENTED);
	dns_expect_counted(answers_own, 2);
	dns_expect_counted(forwarded, 0);
}

static void test_dropped(void **state)
{
	int server = dns_socket(SOCK_DGRAM, SERVER, 53), guest = dns_guest(SOCK_DGRAM, 0);
	struct message query = dns_query(5, "a"), answer = dns_answer(&query, 0);

	/* Two servers that answer answers would never end. */
	ask(guest, &answer);
	dns_expect_dropped(DNS_DROP_MALFORMED, 1);
	query.length = DNS_HEADER - 1;
	ask(guest, &query);
	dns_expect_dropped(DNS_DROP_MALFORMED, 2);
	query = dns_query(5, "a");
	query.length = DNS_QUERY_MAX + 1;
	ask(guest, &query);
	dns_expect_dropped(DNS_DROP_TOO_LONG, 1);
	assert_false(dns_has_input(guest));
	assert_false(dns_has_input(server));
	query.length = DNS_QUERY_MAX;
	ask(guest, &query);
	assert_int_equal(receive(server, NULL).length, DNS_QUERY_MAX);
	dns_expect_counted(queries_udp, 4);
	assert_int_equal(context.query_count, 1);
}

static void test_a_guest_that_cannot_be_told(void **state)
{
	int server = dns_socket(SOCK_DGRAM, SERVER, 53), guest = dns_guest(SOCK_DGRAM, 0);
	struct message query = dns_query(5, "a"), answer;
	struct sockaddr_in us;

	ask(guest, &query);
	answer = receive(server, &us);
	answer = dns_answer(&answer, 0);
	send_to(server, &answer, &us);
	int kept = config.udp_fd;
	config.udp_fd = -1;
	dns_pump();
	config.udp_fd = kept;
	dns_expect_dropped(DNS_DROP_SEND, 1);
	assert_int_equal(context.query_count, 0);
}

/* A guest that asks without end has DNS_BURST turns at a time. */
static void test_bursts(void **state)
{
	int guest = dns_guest(SOCK_DGRAM, 0);
	struct message query = dns_query_wire(5, "\4host\5chnet\0", 12);

	for (unsigned int i = 0; i < DNS_BURST + 1; i++)
		send_message(guest, &query);
	dns_pump();
	dns_expect_counted(queries_udp, DNS_BURST);
	dns_pump();
	dns_expect_counted(queries_udp, DNS_BURST + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, dns_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_but_the_id_passes),
		TEST(test_ids_and_ports_are_random),
		TEST(test_forged_answers),
		TEST(test_a_silent_server),
		TEST(test_a_missing_server),
		TEST(test_limits),
		TEST(test_answered_here),
		TEST(test_dropped),
		TEST(test_a_guest_that_cannot_be_told),
		TEST(test_bursts),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
