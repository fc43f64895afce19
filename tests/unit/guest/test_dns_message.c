/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages were made with dnspython's notation in mind, by hand: RFC 1035, 4.1. */
#include "guest/services/dns_message.h"

#include <errno.h>

#include "tests/unit/frame.h"

/* A? Web.chnet, id 0x1234, recursion desired, with an OPT record of 1,232 bytes. */
static const char query_hex[] = "1234 0100 0001 0000 0000 0001 03 576562 05 63686e6574 00 0001 0001"
				"00 0029 04d0 00000000 0000";
#define QUESTION_END 27
#define QUERY_LENGTH 38

static uint8_t query[64];

static int setup(void **state)
{
	assert_int_equal(frame_hex(query_hex, query, sizeof(query)), QUERY_LENGTH);
	return 0;
}

/* Read from a block of exactly its size, so that ASAN sees every step beyond it. */
static int read_message(
	const uint8_t *bytes, size_t length, bool response, struct dns_question *question)
{
	uint8_t *copy = test_malloc(length + !length);

	memcpy(copy, bytes, length);
	int error = dns_message_read(copy, length, response, question);
	test_free(copy);
	return error;
}

static void test_question(void **state)
{
	struct dns_question question;

	assert_int_equal(read_message(query, QUERY_LENGTH, false, &question), 0);
	assert_int_equal(question.name_length, 11);
	assert_memory_equal(question.name, "\003web\005chnet", 11);
	assert_int_equal(question.type, DNS_TYPE_A);
	assert_int_equal(question.class_, DNS_CLASS_IN);
	assert_int_equal(question.length, QUESTION_END);
	assert_true(question.edns);
	/* Cut at every length: whole with the question; the OPT record is not needed. */
	for (size_t length = 0; length < QUERY_LENGTH; length++) {
		int error = read_message(query, length, false, &question);
		assert_int_equal(error, length < QUESTION_END ? -EBADMSG : 0);
		if (!error)
			assert_false(question.edns);
	}
}

static void test_root(void **state)
{
	static const uint8_t root[] = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1};
	struct dns_question question;

	assert_int_equal(read_message(root, sizeof(root), false, &question), 0);
	assert_int_equal(question.name_length, 1);
	assert_int_equal(question.type, 2);
}

static void test_refused(void **state)
{
	struct dns_question question;
	static const struct {
		unsigned int at;
		uint8_t value;
		int error;
	} cases[] = {
		{2, 0x81, -EBADMSG},	/* an answer */
		{2, 0x28, -EOPNOTSUPP}, /* an update */
		{5, 0, -EBADMSG},	/* no question */
		{5, 2, -EBADMSG},	/* two */
		{4, 1, -EBADMSG},	/* 257 */
		{12, 0xc0, -EBADMSG},	/* a compressed name */
		{12, 64, -EBADMSG},	/* a label too long */
		{12, 30, -EBADMSG},	/* a label beyond the end */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(NULL);
		query[cases[i].at] = cases[i].value;
		assert_int_equal(
			read_message(query, QUERY_LENGTH, false, &question), cases[i].error);
	}
	setup(NULL);
	assert_int_equal(read_message(query, QUERY_LENGTH, true, &question), -EBADMSG);
}

static void test_longest_name(void **state)
{
	uint8_t message[DNS_HEADER + 300] = {0, 1, 1, 0, 0, 1};
	struct dns_question question;

	/* 127 labels of one letter and the root: 255 bytes. */
	for (unsigned int i = 0; i < 254; i++)
		message[DNS_HEADER + i] = i % 2 ? 'a' : 1;
	assert_int_equal(read_message(message, DNS_HEADER + 259, false, &question), 0);
	assert_int_equal(question.name_length, 255);
	/* One more. */
	message[DNS_HEADER + 254] = 1;
	message[DNS_HEADER + 255] = 'a';
	assert_int_equal(read_message(message, sizeof(message), false, &question), -EBADMSG);
}

static void test_same_question(void **state)
{
	struct dns_question question, other;

	assert_int_equal(read_message(query, QUERY_LENGTH, false, &question), 0);
	query[2] |= 0x80;
	query[13] = 'w';
	assert_int_equal(read_message(query, QUERY_LENGTH, true, &other), 0);
	assert_true(dns_question_is(&question, &other));
	other.type++;
	assert_false(dns_question_is(&question, &other));
	other.type--;
	other.class_++;
	assert_false(dns_question_is(&question, &other));
	other.class_--;
	other.name[2]++;
	assert_false(dns_question_is(&question, &other));
}

static void test_is_an_answer(void **state)
{
	struct dns_question question;
	const uint16_t id = dns_message_id(query);

	assert_int_equal(read_message(query, QUERY_LENGTH, false, &question), 0);
	/* The query itself is none. */
	assert_false(dns_message_answers(query, QUERY_LENGTH, id, &question));
	query[2] |= 0x80;
	assert_true(dns_message_answers(query, QUERY_LENGTH, id, &question));
	assert_false(dns_message_answers(query, QUESTION_END - 1, id, &question));
	assert_false(dns_message_answers(query, QUERY_LENGTH, id ^ 1, &question));
	assert_false(dns_message_answers(query, QUERY_LENGTH, id ^ 0x100, &question));
	/* Each byte of the question counts, but for the case of letters. */
	for (size_t at = DNS_HEADER; at < QUESTION_END; at++) {
		query[at] ^= 0x20;
		bool is_letter = (query[at] | 0x20) >= 'a' && (query[at] | 0x20) <= 'z';
		assert_int_equal(
			dns_message_answers(query, QUERY_LENGTH, id, &question), is_letter);
		query[at] ^= 0x20;
	}
}

static void test_answer(void **state)
{
	static const char expected_hex[] =
		"1234 8580 0001 0001 0000 0001 03 576562 05 63686e6574 00 0001 0001"
		"c00c 0001 0001 0000001e 0004 ac100002 00 0029 04d0 00000000 0000";
	uint8_t expected[DNS_ANSWER_MAX], answer[DNS_ANSWER_MAX];
	const uint32_t address_be = 0x020010ac;
	struct dns_question question;

	assert_int_equal(read_message(query, QUERY_LENGTH, false, &question), 0);
	size_t length = dns_message_answer(query, &question, DNS_RCODE_OK, &address_be, answer);
	assert_int_equal(length, frame_hex(expected_hex, expected, sizeof(expected)));
	assert_memory_equal(answer, expected, length);
	/* Nothing, and without EDNS. */
	assert_int_equal(read_message(query, QUESTION_END, false, &question), 0);
	length = dns_message_answer(query, &question, DNS_RCODE_NO_NAME, NULL, answer);
	assert_int_equal(length, QUESTION_END);
	assert_memory_equal(answer, "\x12\x34\x85\x83\0\1\0\0\0\0\0\0", 12);
	/* The header alone. */
	length = dns_message_answer(query, NULL, DNS_RCODE_FORMAT, NULL, answer);
	assert_int_equal(length, DNS_HEADER);
	assert_memory_equal(answer, "\x12\x34\x81\x81\0\0\0\0\0\0\0\0", 12);
}

static void test_id(void **state)
{
	uint16_t id = dns_message_id(query);

	dns_message_set_id(query, (uint16_t)~id);
	assert_memory_equal(query, "\xed\xcb\x01", 3);
	dns_message_set_id(query, id);
	assert_memory_equal(query, "\x12\x34\x01", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_question, setup),
		cmocka_unit_test_setup(test_root, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_longest_name, setup),
		cmocka_unit_test_setup(test_same_question, setup),
		cmocka_unit_test_setup(test_is_an_answer, setup),
		cmocka_unit_test_setup(test_answer, setup),
		cmocka_unit_test_setup(test_id, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
