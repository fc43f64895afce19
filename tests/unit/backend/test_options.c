/* SPDX-License-Identifier: BSD-3-Clause */
#include "options_case.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SOCKET "--socket", "/run/a.sock"

static int clear(void **state)
{
	options_clear_environment();
	return 0;
}

static void test_defaults(void **state)
{
	struct options options = options_good(ARGUMENTS(SOCKET));

	assert_int_equal(options.socket_count, 1);
	assert_string_equal(options.sockets[0].path, "/run/a.sock");
	assert_int_equal(options.uplink, OPTIONS_UPLINK_TAP);
	assert_int_equal(options.nat, OPTIONS_NAT_USER);
	assert_string_equal(options.tap, "tap0");
	assert_int_equal(options.host_ip_be, inet_addr("172.16.0.1"));
	assert_int_equal(options.lan_be, inet_addr("172.16.0.0"));
	assert_int_equal(options.outside_be, inet_addr("172.16.0.254"));
	assert_int_equal(options.prefix, 24);
	assert_int_equal(options.sessions, 262144);
	assert_string_equal(options.name, "default");
	assert_int_equal(options.ready_fd, -1);
	assert_int_equal(options.lifeline_fd, -1);
	assert_int_equal(options.log_level, LOG_LEVEL_INFO);
}

static void test_every_option(void **state)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD, 10);
	char number[16];
	snprintf(number, sizeof(number), "%d", fd);
	struct options options = options_good(ARGUMENTS("--uplink=none", "--tap=br.0", "--host-ip",
		"10.1.0.1/16", "--nat=kernel", "--sessions", "1024", "--name", "lab-1",
		"--ready-fd", number, "--lifeline-fd", number, "--log-level=debug", SOCKET));

	assert_int_equal(options.uplink, OPTIONS_UPLINK_NONE);
	assert_int_equal(options.nat, OPTIONS_NAT_KERNEL);
	assert_string_equal(options.tap, "br.0");
	assert_int_equal(options.host_ip_be, inet_addr("10.1.0.1"));
	assert_int_equal(options.lan_be, inet_addr("10.1.0.0"));
	assert_int_equal(options.outside_be, 0);
	assert_int_equal(options.prefix, 16);
	assert_int_equal(options.sessions, 1024);
	assert_string_equal(options.name, "lab-1");
	assert_int_equal(options.ready_fd, fd);
	assert_int_equal(options.lifeline_fd, fd);
	assert_int_equal(options.log_level, LOG_LEVEL_DEBUG);
	close(fd);
}

static void test_outside_address(void **state)
{
	/* The highest host address, whatever the prefix … */
	struct options options = options_good(ARGUMENTS(SOCKET, "--host-ip=10.0.0.9/29"));
	assert_int_equal(options.lan_be, inet_addr("10.0.0.8"));
	assert_int_equal(options.outside_be, inet_addr("10.0.0.14"));
	/* … unless the gateway has that one. */
	options = options_good(ARGUMENTS(SOCKET, "--host-ip=10.0.0.254"));
	assert_int_equal(options.outside_be, inet_addr("10.0.0.253"));
}

static void test_two_addresses_need_the_kernels_nat(void **state)
{
	struct options options = options_good(
		ARGUMENTS("--socket=/a,ip=10.0.0.2", "--host-ip=10.0.0.1/30", "--nat", "kernel"));
	assert_int_equal(options.sockets[0].ip_be, inet_addr("10.0.0.2"));
}

static void test_environment(void **state)
{
	setenv("TAP_NAME", "vmtap0", 1);
	setenv("HOST_IP", "10.0.0.1", 1);
	struct options options = options_good(ARGUMENTS(SOCKET));
	assert_string_equal(options.tap, "vmtap0");
	assert_int_equal(options.host_ip_be, inet_addr("10.0.0.1"));
	assert_int_equal(options.prefix, 24);

	/* Options win, even over values that would be refused. */
	setenv("TAP_NAME", "a-name-that-is-too-long", 1);
	options = options_good(ARGUMENTS(SOCKET, "--tap", "tap7", "--host-ip", "10.2.0.1/20"));
	assert_string_equal(options.tap, "tap7");
	assert_int_equal(options.host_ip_be, inet_addr("10.2.0.1"));
	assert_int_equal(options.prefix, 20);

	/* Empty is unset. */
	setenv("TAP_NAME", "", 1);
	setenv("HOST_IP", "", 1);
	options = options_good(ARGUMENTS(SOCKET));
	assert_string_equal(options.tap, "tap0");
	assert_int_equal(options.host_ip_be, inet_addr("172.16.0.1"));
}

static void test_bad_environment(void **state)
{
	const struct options_case tap = {{SOCKET},
		"TAP_NAME in the environment: the name is 16 bytes long and the kernel allows 15: "
		"take a shorter one"};
	const struct options_case host_ip = {{SOCKET},
		"HOST_IP in the environment: '1.2.3' is not an IPv4 address: write it as "
		"172.16.0.1/24"};

	setenv("TAP_NAME", "abcdefghijklmnop", 1);
	options_bad(&tap, 1);
	unsetenv("TAP_NAME");
	setenv("HOST_IP", "1.2.3", 1);
	options_bad(&host_ip, 1);
}

#define REST(where) where ": the default is 262144"
#define READY_REST " is not a descriptor of 3 or more: write as in '--ready-fd 3 3>FILE'"

static const struct options_case errors[] = {
	{{NULL}, "--socket: missing: give one for each guest, as --socket /run/guest1.sock"},
	{{"--socket"}, "--socket: needs a value: write --socket PATH[,KEY=VALUE...]"},
	{{SOCKET, "--tap", "--nat", "user"}, "--tap: needs a value: write --tap NAME"},
	{{SOCKET, "--sockt=/x"}, "--sockt: unknown option: 'chnet-vhost --help' lists all of them"},
	{{SOCKET, "-v"}, "-v: unknown option: 'chnet-vhost --help' lists all of them"},
	{{SOCKET, "/run/b.sock"},
		"/run/b.sock: not an option: write as in 'chnet-vhost --socket PATH'"},
	{{"--help=yes"}, "--help: takes no value: leave '=yes' out"},
	{{SOCKET, "--host-ip", "10.0.0.1/30"},
		"--host-ip 10.0.0.1/30: leaves no address for a guest beside the gateway's and the "
		"NAT's: take a prefix length from 16 to 29, or --nat kernel"},
	{{SOCKET, "--sessions", "1023"},
		REST("--sessions 1023: '1023' is not a number from 1024 to 16777216")},
	{{SOCKET, "--sessions", "99999999999999999999999"},
		REST("--sessions 99999999999999999999999: '99999999999999999999999' is not a "
		     "number "
		     "from 1024 to 16777216")},
	{{SOCKET, "--sessions", "-5"},
		REST("--sessions -5: '-5' is not a number from 1024 to 16777216")},
	{{SOCKET, "--sessions", "1k"},
		REST("--sessions 1k: '1k' is not a number from 1024 to 16777216")},
	{{SOCKET, "--ready-fd", "2"}, "--ready-fd 2: '2'" READY_REST},
	{{SOCKET, "--ready-fd", "x"}, "--ready-fd x: 'x'" READY_REST},
	{{SOCKET, "--ready-fd", "987654"},
		"--ready-fd 987654: is not open: write as in '--ready-fd 987654 987654>FILE'"},
	{{SOCKET, "--lifeline-fd", "987654"},
		"--lifeline-fd 987654: is not open: write as in '--lifeline-fd 987654 "
		"987654<FIFO'"},
	{{SOCKET, "--log-level", "loud"},
		"--log-level loud: 'loud' is no level: take error, warning, info or debug"},
};

static void test_errors(void **state)
{
	options_bad(errors, sizeof(errors) / sizeof(errors[0]));
}

static void test_help_and_version(void **state)
{
	struct options options;
	enum options_action action;
	char error[OPTIONS_ERROR_CAPACITY], *text;
	size_t size;

	/* A bad variable must not hide the help. */
	setenv("TAP_NAME", "a/b", 1);
	assert_int_equal(options_try(ARGUMENTS("--help", "--nonsense"), &options, &action, error,
				 sizeof(error)),
		0);
	assert_int_equal(action, OPTIONS_HELP);
	assert_int_equal(
		options_try(ARGUMENTS("--version"), &options, &action, error, sizeof(error)), 0);
	assert_int_equal(action, OPTIONS_VERSION);

	FILE *file = open_memstream(&text, &size);
	options_help(file);
	fclose(file);
	static const char *const names[] = {"--socket PATH[,KEY=VALUE...]", "mac=MAC",
		"hostname=NAME", "--dhcp on|off", "--dns on|off", "--uplink tap|none", "--tap NAME",
		"--host-ip ADDRESS[/LEN]", "--nat user|kernel", "--sessions N",
		"--nat-filter endpoint-independent|address|address-and-port",
		"--nat-timeout NAME=SECONDS", "udp-well-known [300]", "udp-unanswered [30]",
		"tcp-established [7440]", "icmp [60]", "tcp-partial [240]", "tcp-closing [240]",
		"other [600]", "syn-hold [6]", "--sessions-per-guest N",
		"--new-sessions-per-guest N", "[10000]", "--log-sessions ",
		"--outside-ports LOW-HIGH", "--forward tcp|udp:[ADDRESS:]PORT", "--name NET",
		"--api PATH", "--ready-fd N", "--lifeline-fd N", "--log-level LEVEL", "--help",
		"--version", "TAP_NAME", "HOST_IP", "GUEST_IP", "GUEST_MAC", "Examples:"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(strstr(text, names[i]));
	/* 80 columns. */
	unsigned int lines = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++)
		assert_in_range(strlen(line), 1, 79);
	assert_in_range(lines, 20, 60);
	free(text);
}

static void test_small_error_buffer(void **state)
{
	struct options options;
	enum options_action action;
	char error[8];

	memset(error, 'x', sizeof(error));
	assert_int_equal(
		options_try(ARGUMENTS("--nonsense"), &options, &action, error, 7), -EINVAL);
	assert_string_equal(error, "--nons");
	assert_int_equal(error[7], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, clear),
		cmocka_unit_test_setup(test_every_option, clear),
		cmocka_unit_test_setup(test_outside_address, clear),
		cmocka_unit_test_setup(test_two_addresses_need_the_kernels_nat, clear),
		cmocka_unit_test_setup(test_environment, clear),
		cmocka_unit_test_setup(test_bad_environment, clear),
		cmocka_unit_test_setup(test_errors, clear),
		cmocka_unit_test_setup(test_help_and_version, clear),
		cmocka_unit_test_setup(test_small_error_buffer, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
