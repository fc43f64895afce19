/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/api.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/frontend/client.h"
#include "tests/frontend/deadline.h"

/* Until the server has closed the connection, too, so that its descriptor is gone: what it says
 * ends before. 0 or -ETIMEDOUT. */
static int wait_close(int fd, uint64_t deadline)
{
	struct pollfd wait = {.fd = fd}; /* a hang-up is always told */

	return poll(&wait, 1, deadline_left_ms(deadline)) == 1 ? 0 : -ETIMEDOUT;
}

/* Everything up to the end of the connection: its length, or negative errno. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
	size_t length = 0;

	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		if (poll(&wait, 1, deadline_left_ms(deadline)) == 0)
			return -ETIMEDOUT;
		if (length + 1 >= size)
			return -ENOSPC;
		ssize_t got = read(fd, text + length, size - 1 - length);
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	text[length] = 0;
	int error = wait_close(fd, deadline);
	return error ? error : (ssize_t)length;
}

int api_request(const char *socket_path, const char *method, const char *path, const char *sent,
	char *body, size_t size)
{
	static char text[1 << 18];
	struct client client; /* for its connection alone */
	int status = 0;

	int error = client_connect(&client, socket_path);
	if (error)
		return error;
	int length = snprintf(text, sizeof(text),
		"%s %s HTTP/1.1\r\nHost: chnet\r\nConnection: close\r\nContent-Length: "
		"%zu\r\n\r\n%s",
		method, path, sent ? strlen(sent) : 0, sent ? sent : "");
	if (write(client.fd, text, (size_t)length) != length)
		error = -EIO;
	ssize_t got = error ? error : read_all(client.fd, text, sizeof(text));
	client_disconnect(&client);
	if (got < 0)
		return (int)got;
	const char *end = strstr(text, "\r\n\r\n");
	if (!end || sscanf(text, "HTTP/1.1 %d", &status) != 1)
		return -EPROTO;
	snprintf(body, size, "%s", end + 4);
	return status;
}
