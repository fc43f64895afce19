/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/services/dhcp_message.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Offsets in a message, bytes (RFC 2131, figure 1). */
#define AT_OP 0
#define AT_HTYPE 1
#define AT_HLEN 2
#define AT_XID 4
#define AT_FLAGS 10
#define AT_CIADDR 12
#define AT_YIADDR 16
#define AT_GIADDR 24
#define AT_CHADDR 28
#define AT_SNAME 44
#define AT_FILE 108
#define AT_COOKIE 236
#define AT_OPTIONS 240
#define SNAME_LENGTH (AT_FILE - AT_SNAME)
#define FILE_LENGTH (AT_COOKIE - AT_FILE)

#define OP_REQUEST 1
#define OP_REPLY 2
#define HTYPE_ETHERNET 1
#define FLAG_BROADCAST 0x8000
/* BOOTP's shortest message. */
#define MESSAGE_MIN 300

enum option {
	OPTION_PAD = 0,
	OPTION_MASK = 1,
	OPTION_ROUTER = 3,
	OPTION_DNS = 6,
	OPTION_NAME = 12,
	OPTION_DOMAIN = 15,
	OPTION_MTU = 26,
	OPTION_BROADCAST = 28,
	OPTION_REQUESTED = 50,
	OPTION_LEASE = 51,
	OPTION_OVERLOAD = 52,
	OPTION_TYPE = 53,
	OPTION_SERVER = 54,
	OPTION_WANTED = 55,
	OPTION_RENEW = 58,
	OPTION_REBIND = 59,
	OPTION_CLIENT_ID = 61,
	OPTION_END = 255,
};

#define OVERLOAD_FILE 1
#define OVERLOAD_SNAME 2

static const uint8_t cookie[] = {99, 130, 83, 99};

/* ---- reading */

struct reader {
	struct dhcp_request *request;
	uint64_t seen[4]; /* options read already, a set of numbers */
	uint8_t overload; /* option 52; 0: none */
};

static bool set_has(const uint64_t set[4], uint8_t number)
{
	return set[number / 64] >> number % 64 & 1;
}

static void set_add(uint64_t set[4], uint8_t number)
{
	set[number / 64] |= UINT64_C(1) << number % 64;
}

bool dhcp_name_read(const uint8_t *text, size_t length, char ret_name[DHCP_NAME_CAPACITY])
{
	if (length == 0 || length >= DHCP_NAME_CAPACITY || text[0] == '-' ||
		text[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!(isascii(text[i]) && isalnum(text[i])) && text[i] != '-')
			return false;
	}
	for (size_t i = 0; i < length; i++)
		ret_name[i] = (char)tolower(text[i]);
	ret_name[length] = '\0';
	return true;
}

/* Some clients count a terminating zero, some send a whole domain name. */
static void read_name(struct dhcp_request *request, const uint8_t *value, uint8_t length)
{
	size_t end = 0;

	while (end < length && value[end] != '.' && value[end] != '\0')
		end++;
	if (!dhcp_name_read(value, end, request->name))
		request->name[0] = '\0';
}

static int read_address(const uint8_t *value, uint8_t length, uint32_t *ret_address_be)
{
	if (length != sizeof(*ret_address_be))
		return -EBADMSG;
	memcpy(ret_address_be, value, sizeof(*ret_address_be));
	return 0;
}

static int read_option(struct reader *reader, uint8_t number, const uint8_t *value, uint8_t length)
{
	struct dhcp_request *request = reader->request;

	switch (number) {
	case OPTION_TYPE:
		if (length != 1)
			return -EBADMSG;
		request->type = value[0];
		return 0;
	case OPTION_OVERLOAD:
		if (length != 1 || value[0] < 1 || value[0] > (OVERLOAD_FILE | OVERLOAD_SNAME))
			return -EBADMSG;
		reader->overload = value[0];
		return 0;
	case OPTION_REQUESTED:
		return read_address(value, length, &request->requested_be);
	case OPTION_SERVER:
		return read_address(value, length, &request->server_be);
	case OPTION_WANTED:
		for (uint8_t i = 0; i < length; i++)
			set_add(request->wanted, value[i]);
		return 0;
	case OPTION_CLIENT_ID:
		request->client_id_length = length;
		memcpy(request->client_id, value, length);
		return 0;
	case OPTION_NAME:
		read_name(request, value, length);
		return 0;
	default:
		return 0;
	}
}

static int read_options(struct reader *reader, const uint8_t *field, size_t size)
{
	for (size_t at = 0; at < size;) {
		uint8_t number = field[at++];

		if (number == OPTION_PAD)
			continue;
		if (number == OPTION_END)
			return 0;
		if (at == size || field[at] > size - at - 1)
			return -EBADMSG;
		uint8_t length = field[at++];
		if (!set_has(reader->seen, number)) {
			set_add(reader->seen, number);
			int error = read_option(reader, number, field + at, length);
			if (error)
				return error;
		}
		at += length;
	}
	return 0;
}

static int read_header(const uint8_t *message, size_t length, struct dhcp_request *request)
{
	uint32_t giaddr_be;

	if (length < AT_OPTIONS || memcmp(message + AT_COOKIE, cookie, sizeof(cookie)) != 0)
		return -EBADMSG;
	memcpy(&giaddr_be, message + AT_GIADDR, sizeof(giaddr_be));
	if (message[AT_OP] != OP_REQUEST || message[AT_HTYPE] != HTYPE_ETHERNET ||
		message[AT_HLEN] != DHCP_MAC_LENGTH || giaddr_be != 0)
		return -EPROTONOSUPPORT;
	memcpy(&request->xid_be, message + AT_XID, sizeof(request->xid_be));
	memcpy(&request->flags_be, message + AT_FLAGS, sizeof(request->flags_be));
	memcpy(&request->ciaddr_be, message + AT_CIADDR, sizeof(request->ciaddr_be));
	memcpy(request->mac, message + AT_CHADDR, DHCP_MAC_LENGTH);
	request->broadcast = ntohs(request->flags_be) & FLAG_BROADCAST;
	return 0;
}

int dhcp_message_read(const uint8_t *message, size_t length, struct dhcp_request *ret_request)
{
	struct dhcp_request request = {0};
	struct reader reader = {.request = &request};

	int error = read_header(message, length, &request);
	if (!error)
		error = read_options(&reader, message + AT_OPTIONS, length - AT_OPTIONS);
	if (!error && reader.overload & OVERLOAD_FILE)
		error = read_options(&reader, message + AT_FILE, FILE_LENGTH);
	if (!error && reader.overload & OVERLOAD_SNAME)
		error = read_options(&reader, message + AT_SNAME, SNAME_LENGTH);
	if (!error && !set_has(reader.seen, OPTION_TYPE))
		error = -EBADMSG; /* BOOTP */
	if (error)
		return error;
	*ret_request = request;
	return 0;
}

/* ---- writing */

struct writer {
	uint8_t *message; /* DHCP_MESSAGE_MAX bytes */
	size_t at;
};

/* Leaves out what does not fit; only what is put last can be that long. */
static void put(struct writer *writer, uint8_t number, const void *value, size_t length)
{
	/* Two bytes before the value, and the end option. */
	if (length == 0 || length > UINT8_MAX || writer->at + length + 3 > DHCP_MESSAGE_MAX)
		return;
	writer->message[writer->at++] = number;
	writer->message[writer->at++] = (uint8_t)length;
	memcpy(writer->message + writer->at, value, length);
	writer->at += length;
}

static void put_byte(struct writer *writer, uint8_t number, uint8_t value)
{
	put(writer, number, &value, sizeof(value));
}

static void put_be16(struct writer *writer, uint8_t number, uint16_t value)
{
	uint16_t value_be = htons(value);

	put(writer, number, &value_be, sizeof(value_be));
}

static void put_be32(struct writer *writer, uint8_t number, uint32_t value)
{
	uint32_t value_be = htonl(value);

	put(writer, number, &value_be, sizeof(value_be));
}

static void put_text(struct writer *writer, uint8_t number, const char *text)
{
	put(writer, number, text, strlen(text));
}

static void put_settings(struct writer *writer, const struct dhcp_answer *answer)
{
	if (answer->lease_s) {
		put_be32(writer, OPTION_LEASE, answer->lease_s);
		put_be32(writer, OPTION_RENEW, answer->lease_s / 2);
		put_be32(writer, OPTION_REBIND, answer->lease_s / 8 * 7);
	}
	put_be32(writer, OPTION_MASK, UINT32_MAX << (32 - answer->prefix));
	put_be32(writer, OPTION_ROUTER, ntohl(answer->router_be));
	if (answer->dns_be)
		put_be32(writer, OPTION_DNS, ntohl(answer->dns_be));
}

static void put_wanted(
	struct writer *writer, const struct dhcp_request *request, const struct dhcp_answer *answer)
{
	if (set_has(request->wanted, OPTION_MTU))
		put_be16(writer, OPTION_MTU, answer->mtu);
	if (set_has(request->wanted, OPTION_BROADCAST))
		put_be32(writer, OPTION_BROADCAST,
			ntohl(answer->lan_be) | UINT32_MAX >> answer->prefix);
	if (set_has(request->wanted, OPTION_NAME))
		put_text(writer, OPTION_NAME, answer->name);
	if (set_has(request->wanted, OPTION_DOMAIN))
		put_text(writer, OPTION_DOMAIN, answer->domain);
}

size_t dhcp_message_write(const struct dhcp_request *request, const struct dhcp_answer *answer,
	uint8_t message[DHCP_MESSAGE_MAX])
{
	struct writer writer = {.message = message, .at = AT_OPTIONS};

	memset(message, 0, DHCP_MESSAGE_MAX);
	message[AT_OP] = OP_REPLY;
	message[AT_HTYPE] = HTYPE_ETHERNET;
	message[AT_HLEN] = DHCP_MAC_LENGTH;
	memcpy(message + AT_XID, &request->xid_be, sizeof(request->xid_be));
	memcpy(message + AT_FLAGS, &request->flags_be, sizeof(request->flags_be));
	if (answer->type == DHCP_ACK)
		memcpy(message + AT_CIADDR, &request->ciaddr_be, sizeof(request->ciaddr_be));
	memcpy(message + AT_YIADDR, &answer->yiaddr_be, sizeof(answer->yiaddr_be));
	memcpy(message + AT_CHADDR, request->mac, DHCP_MAC_LENGTH);
	memcpy(message + AT_COOKIE, cookie, sizeof(cookie));

	put_byte(&writer, OPTION_TYPE, answer->type);
	put_be32(&writer, OPTION_SERVER, ntohl(answer->server_be));
	if (answer->type != DHCP_NAK)
		put_settings(&writer, answer);
	put(&writer, OPTION_CLIENT_ID, request->client_id, request->client_id_length);
	if (answer->type != DHCP_NAK)
		put_wanted(&writer, request, answer);
	message[writer.at++] = OPTION_END;
	return writer.at < MESSAGE_MIN ? MESSAGE_MIN : writer.at;
}
