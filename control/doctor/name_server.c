/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/doctor/name_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define DNS_PORT 53

int name_server_first(const char *path, struct in_addr *ret_server_be)
{
	char line[512], address[64];
	FILE *file = fopen(path, "re");
	int r = -ENOENT;

	if (!file)
		return -ENOENT;
	while (r < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "nameserver %63s", address) == 1 &&
			inet_pton(AF_INET, address, ret_server_be) == 1)
			r = 0;
	fclose(file);
	return r;
}

/* Waits for an answer with the id of the question. */
static int wait_answer(int fd, const uint8_t question[2], int limit_ms)
{
	struct pollfd answer = {.fd = fd, .events = POLLIN};
	uint8_t text[512];
	int count = poll(&answer, 1, limit_ms);

	if (count == 0)
		return -ETIMEDOUT;
	ssize_t length = count < 0 ? -1 : recv(fd, text, sizeof(text), 0);
	if (length < 0)
		return -errno;
	return length >= 12 && memcmp(text, question, 2) == 0 ? 0 : -EBADMSG;
}

int name_server_ask(struct in_addr server_be, int limit_ms)
{
	/* id, recursion desired, one question: the root, NS, IN */
	uint8_t question[] = {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1};
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(DNS_PORT), .sin_addr = server_be};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = fd < 0 ? -errno : 0;

	if (r == 0 && getrandom(question, 2, 0) != 2)
		r = -errno;
	if (r == 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		r = -errno;
	if (r == 0 && send(fd, question, sizeof(question), 0) < 0)
		r = -errno;
	if (r == 0)
		r = wait_answer(fd, question, limit_ms);
	if (fd >= 0)
		close(fd);
	return r;
}
