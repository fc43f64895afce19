/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/control_line.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static int fail(int result, char *error, size_t size)
{
	snprintf(error, size, "the monitor does not answer: %s", strerror(-result));
	return result;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The answer to the request of that number; those to requests that were given up are passed over.
 */
static int take_answer(int fd, uint32_t serial, struct control_answer *ret_answer)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int64_t end_ms = now_ms() + CONTROL_PATIENCE_S * 1000;
	struct control_answer answer;

	for (;;) {
		int64_t left_ms = end_ms - now_ms();
		int ready = left_ms > 0 ? poll(&wait, 1, (int)left_ms) : 0;
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return ready < 0 ? -errno : -ETIMEDOUT;
		if (recv(fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_TRUNC) != sizeof(answer))
			return -EPIPE;
		if (answer.serial == serial)
			break;
	}
	answer.text[sizeof(answer.text) - 1] = 0;
	*ret_answer = answer;
	return 0;
}

int control_line_ask(int fd, enum control_kind kind, unsigned int number, const char *text,
	struct control_answer *ret_answer, char *error, size_t size)
{
	/* Of the last request; one thread asks. */
	static uint32_t serial;
	struct control_request request = {.kind = kind, .number = number};
	struct control_answer answer = {.error = 0};

	if ((size_t)snprintf(request.text, sizeof(request.text), "%s", text ? text : "") >=
		sizeof(request.text)) {
		snprintf(error, size, "that is too long");
		return -EINVAL;
	}
	request.serial = ++serial;
	if (send(fd, &request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return fail(-errno, error, size);
	int result = take_answer(fd, request.serial, &answer);
	if (result)
		return fail(result, error, size);
	if (answer.error) {
		snprintf(error, size, "%s", answer.text);
		return answer.error;
	}
	if (ret_answer)
		*ret_answer = answer;
	return 0;
}
