/* SPDX-License-Identifier: BSD-3-Clause */
/* The data plane's end, against a monitor that answers as each test says. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/control_line.h"

#define ANSWERS_MAX 3

/* One answer of the monitor. */
struct reply {
	struct control_answer answer; /* its serial is added to that of the request */
	size_t cut;		      /* bytes left out at its end */
	size_t more;		      /* bytes behind it */
};

static struct {
	int ours, its; /* the two ends; -1: closed */
	struct control_request request;
	struct reply replies[ANSWERS_MAX];
	unsigned int count;
} line;
static char error[CONTROL_ANSWER_TEXT];

static int setup(void **state)
{
	int ends[2];

	memset(&line, 0, sizeof(line));
	memset(error, 0, sizeof(error));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	line.ours = ends[0];
	line.its = ends[1];
	return 0;
}

static int teardown(void **state)
{
	close(line.ours);
	if (line.its >= 0)
		close(line.its);
	return 0;
}

static void *be_monitor(void *unused)
{
	if (recv(line.its, &line.request, sizeof(line.request), 0) != sizeof(line.request))
		return "no request came";
	for (unsigned int i = 0; i < line.count; i++) {
		struct {
			struct control_answer answer;
			char more[64];
		} message = {.answer = line.replies[i].answer};
		size_t length = sizeof(message.answer) - line.replies[i].cut + line.replies[i].more;
		message.answer.serial += line.request.serial;
		if (send(line.its, &message, length, MSG_NOSIGNAL) != (ssize_t)length)
			return "an answer cannot be sent";
	}
	if (line.count == 0) {
		close(line.its);
		line.its = -1;
	}
	return NULL;
}

static int ask(struct control_answer *ret_answer)
{
	pthread_t monitor;
	void *wrong;

	assert_int_equal(pthread_create(&monitor, NULL, be_monitor, NULL), 0);
	int result = control_line_ask(
		line.ours, CONTROL_PORT_REMOVE, 7, "text", ret_answer, error, sizeof(error));
	assert_int_equal(pthread_join(monitor, &wrong), 0);
	if (wrong)
		fail_msg("%s", (const char *)wrong);
	return result;
}

static struct reply *reply(int32_t code, uint32_t number, const char *text)
{
	struct reply *next = &line.replies[line.count++];

	next->answer.error = code;
	next->answer.number = number;
	strcpy(next->answer.text, text);
	return next;
}

static void test_an_answer(void **state)
{
	struct control_answer answer;

	reply(0, 3, "yes");
	assert_int_equal(ask(&answer), 0);
	assert_int_equal(line.request.kind, CONTROL_PORT_REMOVE);
	assert_int_equal(line.request.number, 7);
	assert_string_equal(line.request.text, "text");
	assert_int_equal(answer.number, 3);
	assert_string_equal(answer.text, "yes");
}

static void test_a_refusal(void **state)
{
	struct control_answer answer = {.number = 99};

	reply(-ENOENT, 3, "there is no port 7");
	assert_int_equal(ask(&answer), -ENOENT);
	assert_string_equal(error, "there is no port 7");
	assert_int_equal(answer.number, 99);
}

/* The request before was given up; what the monitor said to it is not for this one. */
static void test_late_answers_are_passed_over(void **state)
{
	struct control_answer answer;

	reply(-EBUSY, 1, "late")->answer.serial = (uint32_t)-2;
	reply(0, 2, "late too")->answer.serial = (uint32_t)-1;
	reply(0, 3, "yes");
	assert_int_equal(ask(&answer), 0);
	assert_int_equal(answer.number, 3);
}

static void test_serial_numbers_differ(void **state)
{
	reply(0, 0, "");
	assert_int_equal(ask(NULL), 0);
	uint32_t first = line.request.serial;
	assert_int_equal(ask(NULL), 0);
	assert_int_not_equal(line.request.serial, first);
}

static void test_answers_of_another_size(void **state)
{
	struct control_answer answer = {.number = 99};

	reply(0, 3, "yes")->cut = 1;
	assert_int_equal(ask(&answer), -EPIPE);
	line.replies[0].cut = 0;
	line.replies[0].more = 1;
	assert_int_equal(ask(&answer), -EPIPE);
	assert_string_equal(error, "the monitor does not answer: Broken pipe");
	assert_int_equal(answer.number, 99);
}

static void test_a_text_without_end(void **state)
{
	struct control_answer answer;

	memset(reply(0, 3, "")->answer.text, 'x', CONTROL_ANSWER_TEXT);
	assert_int_equal(ask(&answer), 0);
	assert_int_equal(strlen(answer.text), CONTROL_ANSWER_TEXT - 1);
}

static void test_no_monitor(void **state)
{
	/* It hangs up in place of an answer, and then is not there. */
	assert_int_equal(ask(NULL), -EPIPE);
	assert_int_equal(
		control_line_ask(line.ours, CONTROL_EGRESS, 0, NULL, NULL, error, sizeof(error)),
		-EPIPE);
	assert_string_equal(error, "the monitor does not answer: Broken pipe");
}

/* It is there, but takes nothing: nobody waits for room. */
static void test_a_full_line(void **state)
{
	static const struct control_request request;

	while (send(line.ours, &request, sizeof(request), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(
		control_line_ask(line.ours, CONTROL_EGRESS, 0, NULL, NULL, error, sizeof(error)),
		-EAGAIN);
}

static void test_what_is_too_long(void **state)
{
	char text[CONTROL_REQUEST_TEXT + 1];
	char byte;

	memset(text, 'a', CONTROL_REQUEST_TEXT);
	text[CONTROL_REQUEST_TEXT] = 0;
	assert_int_equal(
		control_line_ask(line.ours, CONTROL_PORT_ADD, 0, text, NULL, error, sizeof(error)),
		-EINVAL);
	assert_string_equal(error, "that is too long");
	assert_int_equal(recv(line.its, &byte, 1, MSG_DONTWAIT), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_refusal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_answers_are_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_serial_numbers_differ, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers_of_another_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_text_without_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_monitor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_full_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_too_long, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
