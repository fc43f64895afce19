/* SPDX-License-Identifier: BSD-3-Clause */
/* What the program says of the NAT's sessions: the log of them, and that some were refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/frontend/fixture.h"

#include <string.h>
#include <unistd.h>

#define REMOTE_IP 0xc6336402u /* 198.51.100.2, which nobody has */

static struct driver_frame frame;
static struct driver_frame got;
static uint8_t gateway_mac[6];

/* One guest with a TAP and these further options; learns the gateway's MAC. */
static void start(struct fixture *fixture, const char *const *arguments)
{
	static const char *const suffixes[] = {",mac=52:54:00:12:34:56,ip=172.16.0.2"};
	struct frontend_options options = fixture_options();
	struct frames_end self = fixture_end(0, 0), gateway = {.ip = FIXTURE_GATEWAY_IP};
	struct frames_view view;

	fixture_start(fixture, 1, suffixes, arguments);
	fixture_plug(fixture, 0, &options);
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_arp(frame.bytes, FRAMES_ARP_REQUEST, &self, &gateway);
	fixture_send(fixture, 0, &frame);
	do {
		fixture_receive(fixture, 0, &got);
		assert_int_equal(frames_parse(got.bytes, got.length, &view), 0);
	} while (view.type != FRAMES_TYPE_ARP || view.operation != FRAMES_ARP_REPLY);
	memcpy(gateway_mac, view.arp_source, sizeof(gateway_mac));
}

static void send_udp(struct fixture *fixture, uint16_t from, uint16_t to)
{
	struct frames_end self = fixture_end(0, from), remote = {.ip = REMOTE_IP, .port = to};

	memcpy(remote.mac, gateway_mac, sizeof(gateway_mac));
	memset(&frame.vnet, 0, sizeof(frame.vnet));
	frame.length = frames_udp(frame.bytes, &self, &remote, "question", 8);
	fixture_send(fixture, 0, &frame);
}

/* Waits for a line that begins so; checks that it also says `says`. */
static void expect_line(
	struct fixture *fixture, size_t mark, const char *start_of_line, const char *says)
{
	char line[512] = "";

	assert_int_equal(backend_process_wait_line(
				 &fixture->backend, mark, start_of_line, line, sizeof(line)),
		0);
	if (!strstr(line, says))
		fail_msg("'%s' does not say '%s'", line, says);
}

#define FLOW                                                                      \
	"proto=udp from=inside inside=172.16.0.2:5000 outside=172.16.0.254:5000 " \
	"remote=198.51.100.2:53"

static void sessions_are_logged(void **state)
{
	static const char *const arguments[] = {
		"--uplink", "tap", "--log-sessions", "--nat-timeout", "udp-well-known=1", NULL};
	struct fixture *fixture = *state;

	start(fixture, arguments);
	size_t mark = backend_process_mark(&fixture->backend);
	send_udp(fixture, 5000, 53);
	expect_line(fixture, mark, "chnet-vhost: session create time=", FLOW);
	/* 20 + 8 + 8 bytes. */
	expect_line(fixture, mark,
		"chnet-vhost: session delete time=", FLOW " bytes_out=36 bytes_in=0 seconds=");
}

/* What waits to be written is written at the end; so the file is whole then. */
static void check_file(struct fixture *fixture, bool logged)
{
	static char text[65536];
	int status = -1;

	send_udp(fixture, 5000, 53);
	/* What was given back has been through the NAT. */
	assert_int_equal(driver_drain(&fixture->ports[0].driver, deadline_in(DEADLINE_STEP_MS)), 0);
	assert_int_equal(fixture_counter(fixture, "nat.sessions_created"), 1);
	assert_int_equal(backend_process_stop(&fixture->backend, &status), 0);
	assert_int_equal(status, 0);
	ssize_t length = pread(fixture->backend.error_fd, text, sizeof(text) - 1, 0);
	assert_true(length > 0);
	text[length] = 0;
	assert_int_equal(strstr(text, "session create") != NULL, logged);
	assert_null(strstr(text, "session delete"));
}

static void everything_is_written_at_the_end(void **state)
{
	static const char *const arguments[] = {"--uplink", "tap", "--log-sessions", NULL};

	start(*state, arguments);
	check_file(*state, true);
}

static void nothing_is_logged_unasked(void **state)
{
	static const char *const arguments[] = {"--uplink", "tap", NULL};

	start(*state, arguments);
	check_file(*state, false);
}

static void refusals_are_told(void **state)
{
	static const char *const arguments[] = {
		"--uplink", "tap", "--new-sessions-per-guest", "1", NULL};
	struct fixture *fixture = *state;

	start(fixture, arguments);
	size_t mark = backend_process_mark(&fixture->backend);
	for (uint16_t i = 0; i < 100; i++)
		send_udp(fixture, (uint16_t)(5000 + i), 53);
	expect_line(fixture, mark,
		"chnet-vhost: warning: the NAT refused packets of new sessions: ",
		": a guest opens too many a second (--new-sessions-per-guest)");
}

static const struct CMUnitTest tests[] = {
	FIXTURE_TEST(sessions_are_logged),
	FIXTURE_TEST(everything_is_written_at_the_end),
	FIXTURE_TEST(nothing_is_logged_unasked),
	FIXTURE_TEST(refusals_are_told),
};

FIXTURE_MAIN(tests)
