/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DNS messages (RFC 1035, 4) as far as a forwarder looks into them: header and question. All else
 * passes byte for byte, EDNS options and truncation included, so that nothing is lost that is not
 * known here. What is read is a guest's or the world's: lengths are checked, and names in questions
 * are not compressed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER 12
#define DNS_MESSAGE_MAX 65535
/* Over UDP, what a client without EDNS takes (RFC 1035, 4.2.1); enough for any answer made here. */
#define DNS_ANSWER_MAX 512
#define DNS_NAME_MAX 255

#define DNS_TYPE_A 1
#define DNS_TYPE_IXFR 251
#define DNS_TYPE_AXFR 252
#define DNS_CLASS_IN 1

/* RFC 1035, 4.1.1. */
enum dns_rcode {
	DNS_RCODE_OK = 0,
	DNS_RCODE_FORMAT = 1,
	DNS_RCODE_FAILURE = 2,
	DNS_RCODE_NO_NAME = 3,
	DNS_RCODE_NOT_IMPLEMENTED = 4,
};

struct dns_question {
	uint8_t name[DNS_NAME_MAX]; /* as on the wire, labels with their lengths, in lower case */
	uint8_t name_length;	    /* bytes, the root's zero included */
	bool edns;	 /* the message has an OPT record right behind the question (RFC 6891) */
	uint16_t type;	 /* host byte order */
	uint16_t class_; /* host byte order */
	uint16_t length; /* bytes of header and question */
};

/*
 * Reads the question of a query, or (`response`) of an answer. 0; -EBADMSG when there is none that
 * makes sense; -EOPNOTSUPP for another operation than a standard query.
 */
int dns_message_read(
	const uint8_t *message, size_t length, bool response, struct dns_question *ret_question);

/* Whether two questions are the same, whatever the case of their names (RFC 5452, 4.2). */
bool dns_question_is(const struct dns_question *a, const struct dns_question *b);

/*
 * Whether `length` bytes are an answer to the query with that id (as dns_message_id() has it) and
 * that question: what RFC 5452, 9.1 asks for besides addresses and ports.
 */
bool dns_message_answers(
	const uint8_t *message, size_t length, uint16_t id, const struct dns_question *question);

/* The message's id, network byte order as it lies there; `length` is DNS_HEADER at least. */
uint16_t dns_message_id(const uint8_t *message);
void dns_message_set_id(uint8_t *message, uint16_t id);

/*
 * Writes an answer to `query`, whose question was read; with `address_be`, it has that one A
 * record. `question` NULL: the query is echoed by its header alone (it must have one). Returns its
 * length in bytes.
 */
size_t dns_message_answer(const uint8_t *query, const struct dns_question *question,
	enum dns_rcode rcode, const uint32_t *address_be, uint8_t answer[DNS_ANSWER_MAX]);
