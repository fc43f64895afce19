/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines of text that are put together piece by piece, and numbers read from text. A line that is
 * too long is cut.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TEXT_CAPACITY 160

struct text {
	char bytes[TEXT_CAPACITY]; /* zero terminated */
	size_t length;		   /* without the zero */
};

void text_clear(struct text *text);
void text_add(struct text *text, const char *more);
void text_number(struct text *text, uint32_t number);
/* Tenths, as 12.3 */
void text_tenths(struct text *text, uint32_t tenths);
/* Hexadecimal with at least so many digits. */
void text_hex(struct text *text, uint64_t number, unsigned int digits);
void text_ipv4(struct text *text, uint32_t address_be);
void text_mac(struct text *text, const uint8_t mac[6]);

/*
 * Read from *at up to `end`, and move *at behind what was read. 0, or -EINVAL with *at where it
 * was.
 */
int text_read_number(const char **at, const char *end, uint32_t *ret_number);
int text_read_ipv4(const char **at, const char *end, uint32_t *ret_address_be);
