/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/control_line.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int fail(int result, char *error, size_t size)
{
	snprintf(error, size, "the monitor does not answer: %s", strerror(-result));
	return result;
}

int control_line_ask(int fd, enum control_kind kind, unsigned int number, const char *text,
	struct control_answer *ret_answer, char *error, size_t size)
{
	struct control_request request = {.kind = kind, .number = number};
	struct control_answer answer;
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	if ((size_t)snprintf(request.text, sizeof(request.text), "%s", text ? text : "") >=
		sizeof(request.text)) {
		snprintf(error, size, "that is too long");
		return -EINVAL;
	}
	if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) < 0)
		return fail(-errno, error, size);
	int ready;
	do
		ready = poll(&wait, 1, CONTROL_PATIENCE_S * 1000);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return fail(ready < 0 ? -errno : -ETIMEDOUT, error, size);
	if (recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) != sizeof(answer))
		return fail(-EPIPE, error, size);
	answer.text[sizeof(answer.text) - 1] = 0;
	if (answer.error) {
		snprintf(error, size, "%s", answer.text);
		return answer.error;
	}
	if (ret_answer)
		*ret_answer = answer;
	return 0;
}
