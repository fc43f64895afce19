/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

void text_clear(struct text *text)
{
	text->length = 0;
	text->bytes[0] = '\0';
}

static void add_byte(struct text *text, char byte)
{
	if (text->length + 1 >= sizeof(text->bytes))
		return;
	text->bytes[text->length++] = byte;
	text->bytes[text->length] = '\0';
}

void text_add(struct text *text, const char *more)
{
	for (; *more; more++)
		add_byte(text, *more);
}

void text_number(struct text *text, uint32_t number)
{
	char digits[10];
	unsigned int count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (count > 0)
		add_byte(text, digits[--count]);
}

void text_tenths(struct text *text, uint32_t tenths)
{
	text_number(text, tenths / 10);
	add_byte(text, '.');
	add_byte(text, (char)('0' + tenths % 10));
}

void text_hex(struct text *text, uint64_t number, unsigned int digits)
{
	unsigned int count = 16;

	while (count > digits && count > 1 && number >> (4 * (count - 1)) == 0)
		count--;
	while (count-- > 0)
		add_byte(text, "0123456789abcdef"[number >> (4 * count) & 15]);
}

void text_ipv4(struct text *text, uint32_t address_be)
{
	uint32_t address = ntohl(address_be);

	for (int shift = 24; shift >= 0; shift -= 8) {
		text_number(text, address >> shift & UINT8_MAX);
		if (shift > 0)
			add_byte(text, '.');
	}
}

void text_mac(struct text *text, const uint8_t mac[6])
{
	for (int i = 0; i < 6; i++) {
		if (i > 0)
			add_byte(text, ':');
		text_hex(text, mac[i], 2);
	}
}

int text_read_number(const char **at, const char *end, uint32_t *ret_number)
{
	const char *p = *at;
	uint32_t number = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		uint32_t digit = (uint32_t)(*p - '0');

		if (number > (UINT32_MAX - digit) / 10)
			return -EINVAL;
		number = number * 10 + digit;
	}
	if (p == *at)
		return -EINVAL;
	*at = p;
	*ret_number = number;
	return 0;
}

int text_read_ipv4(const char **at, const char *end, uint32_t *ret_address_be)
{
	const char *p = *at;
	uint32_t address = 0, part;

	for (int i = 0; i < 4; i++) {
		if (i > 0 && (p == end || *p++ != '.'))
			return -EINVAL;
		if (text_read_number(&p, end, &part) < 0 || part > UINT8_MAX)
			return -EINVAL;
		address = address << 8 | part;
	}
	*at = p;
	*ret_address_be = htonl(address);
	return 0;
}
