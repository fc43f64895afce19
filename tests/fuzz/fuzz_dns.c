/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary bytes as a DNS message: the question is read, looked up among the network's names, and
 * answered; the answer must be one to that question.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "guest/services/dns_names.h"
#include "tests/fuzz/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dhcp_table table;

static void check_answer(const uint8_t *data, const struct dns_question *question,
	enum dns_rcode rcode, const uint32_t *address_be)
{
	struct dns_question again;
	/* Exactly sized, so that ASAN sees every step beyond it. */
	uint8_t *answer = malloc(DNS_ANSWER_MAX);
	size_t length = dns_message_answer(data, question, rcode, address_be, answer);

	CHECK(length >= DNS_HEADER && length <= DNS_ANSWER_MAX);
	CHECK(dns_message_id(answer) == dns_message_id(data));
	if (question) {
		CHECK(dns_message_read(answer, length, true, &again) == 0);
		CHECK(dns_question_is(question, &again));
		CHECK(dns_message_answers(answer, length, dns_message_id(data), question));
		CHECK(!dns_message_answers(answer, length, dns_message_id(data) ^ 1, question));
		CHECK(!dns_message_answers(data, length, dns_message_id(data), question));
	}
	free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct dns_names names = {.table = &table, .host_be = htonl(0xac100001)};
	struct dns_question question;
	uint32_t address_be = 0;

	table.leases[0].ip_be = htonl(0xac100002);
	dhcp_lease_set(&table.leases[0], DHCP_STATE_HELD, 10, "web");
	/* From a server: it answers its own question, and none with another name. */
	if (dns_message_read(data, size, true, &question) == 0) {
		CHECK(dns_message_answers(data, size, dns_message_id(data), &question));
		question.name[0]++;
		CHECK(!dns_message_answers(data, size, dns_message_id(data), &question));
	}
	int error = dns_message_read(data, size, false, &question);
	if (error) {
		if (size >= DNS_HEADER)
			check_answer(data, NULL, DNS_RCODE_FORMAT, NULL);
		return 0;
	}
	CHECK(question.length <= size && question.name_length > 0);
	CHECK(question.length == DNS_HEADER + question.name_length + 4);
	enum dns_names_result result = dns_names_find(&names, &question, 5, &address_be);
	CHECK((result == DNS_NAMES_FOUND) == (address_be != 0));
	check_answer(data, &question, DNS_RCODE_OK, address_be ? &address_be : NULL);
	check_answer(data, &question, DNS_RCODE_NO_NAME, NULL);
	return 0;
}
