/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/dns_message.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "backend/bytes.h"

/* Offsets in a header, and bits of its third byte. */
#define AT_FLAGS 2
#define AT_RCODE 3
#define AT_QDCOUNT 4
#define AT_ANCOUNT 6
#define AT_NSCOUNT 8
#define AT_ARCOUNT 10
#define FLAG_RESPONSE 0x80
#define FLAG_OPCODE 0x78
#define FLAG_AUTHORITATIVE 0x04
#define FLAG_RECURSION_DESIRED 0x01
#define RCODE_RECURSION_AVAILABLE 0x80

#define LABEL_MAX 63
#define TYPE_OPT 41
/* TTL of what is answered here, seconds: a guest's address seldom changes. */
#define TTL 30
/* What we take over UDP, said in OPT records. */
#define EDNS_SIZE 1232

static uint8_t *store16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

/* Copies the name at the front of `length` bytes; its length, or 0 when it lies. */
static uint8_t read_name(const uint8_t *bytes, size_t length, uint8_t name[DNS_NAME_MAX])
{
	size_t at = 0;

	for (;;) {
		if (at >= length || at >= DNS_NAME_MAX)
			return 0;
		uint8_t label = bytes[at];
		name[at++] = label;
		if (label == 0)
			return (uint8_t)at;
		if (label > LABEL_MAX || label > length - at || label >= DNS_NAME_MAX - at)
			return 0;
		for (size_t end = at + label; at < end; at++)
			name[at] = (uint8_t)tolower(bytes[at]);
	}
}

/* Is there an OPT record, and nothing before it? */
static bool has_opt(const uint8_t *message, size_t length, size_t at)
{
	return load16(message + AT_ANCOUNT) == 0 && load16(message + AT_NSCOUNT) == 0 &&
	       load16(message + AT_ARCOUNT) != 0 && length - at >= 11 && message[at] == 0 &&
	       load16(message + at + 1) == TYPE_OPT;
}

int dns_message_read(
	const uint8_t *message, size_t length, bool response, struct dns_question *ret_question)
{
	struct dns_question question = {0};

	if (length < DNS_HEADER || response != !!(message[AT_FLAGS] & FLAG_RESPONSE))
		return -EBADMSG;
	if (message[AT_FLAGS] & FLAG_OPCODE)
		return -EOPNOTSUPP;
	if (load16(message + AT_QDCOUNT) != 1)
		return -EBADMSG;
	question.name_length = read_name(message + DNS_HEADER, length - DNS_HEADER, question.name);
	size_t at = DNS_HEADER + question.name_length;
	if (question.name_length == 0 || length - at < 4)
		return -EBADMSG;
	question.type = load16(message + at);
	question.class_ = load16(message + at + 2);
	question.length = (uint16_t)(at + 4);
	question.edns = has_opt(message, length, at + 4);
	*ret_question = question;
	return 0;
}

bool dns_question_is(const struct dns_question *a, const struct dns_question *b)
{
	return a->type == b->type && a->class_ == b->class_ && a->name_length == b->name_length &&
	       memcmp(a->name, b->name, a->name_length) == 0;
}

bool dns_message_answers(
	const uint8_t *message, size_t length, uint16_t id, const struct dns_question *question)
{
	struct dns_question answered;

	return dns_message_read(message, length, true, &answered) == 0 &&
	       dns_message_id(message) == id && dns_question_is(&answered, question);
}

uint16_t dns_message_id(const uint8_t *message)
{
	uint16_t id;

	memcpy(&id, message, sizeof(id));
	return id;
}

void dns_message_set_id(uint8_t *message, uint16_t id)
{
	memcpy(message, &id, sizeof(id));
}

size_t dns_message_answer(const uint8_t *query, const struct dns_question *question,
	enum dns_rcode rcode, const uint32_t *address_be, uint8_t answer[DNS_ANSWER_MAX])
{
	size_t length = question ? question->length : DNS_HEADER;
	uint8_t *at = answer + length;
	bool edns = question && question->edns;

	memcpy(answer, query, length);
	answer[AT_FLAGS] =
		FLAG_RESPONSE | (query[AT_FLAGS] & (FLAG_OPCODE | FLAG_RECURSION_DESIRED));
	if (rcode == DNS_RCODE_OK || rcode == DNS_RCODE_NO_NAME)
		answer[AT_FLAGS] |= FLAG_AUTHORITATIVE;
	answer[AT_RCODE] = (uint8_t)(RCODE_RECURSION_AVAILABLE | rcode);
	store16(answer + AT_QDCOUNT, question != NULL);
	store16(answer + AT_ANCOUNT, address_be != NULL);
	store16(answer + AT_NSCOUNT, 0);
	store16(answer + AT_ARCOUNT, edns);
	if (address_be) {
		at = store16(at, 0xc000 | DNS_HEADER); /* the question's name */
		at = store16(at, DNS_TYPE_A);
		at = store16(at, DNS_CLASS_IN);
		at = store16(store16(at, 0), TTL);
		at = store16(at, sizeof(*address_be));
		memcpy(at, address_be, sizeof(*address_be));
		at += sizeof(*address_be);
	}
	if (edns) {
		*at++ = 0;
		at = store16(at, TYPE_OPT);
		at = store16(at, EDNS_SIZE);
		at = store16(store16(at, 0), 0);
		at = store16(at, 0);
	}
	return (size_t)(at - answer);
}
