/* SPDX-License-Identifier: BSD-3-Clause */
#include "options_case.h"

#include <arpa/inet.h>

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SOCKET "--socket", "/run/a.sock"

static int clear(void **state)
{
	options_clear_environment();
	return 0;
}

static struct nat_config nat_of(const char *const arguments[])
{
	struct options options = options_good(arguments);
	return options_nat_config(&options);
}

/* nat/ must take whatever the options let through. */
static struct nat_config accepted(const char *const arguments[])
{
	struct nat_config config = nat_of(arguments);
	assert_true(nat_memory_size(&config) > 0);
	return config;
}

static void test_defaults(void **state)
{
	static const struct nat_timeouts none;
	struct options options = options_good(ARGUMENTS(SOCKET));
	struct nat_config config = accepted(ARGUMENTS(SOCKET));

	assert_int_equal(config.filter, NAT_FILTER_ADDRESS);
	assert_memory_equal(&config.timeouts, &none, sizeof(none));
	assert_int_equal(config.sessions, 262144);
	assert_int_equal(config.sessions_per_guest, 0);
	assert_int_equal(config.new_sessions_per_guest, 10000);
	assert_int_equal(config.port_low, 1);
	assert_int_equal(config.port_high, 65535);
	assert_int_equal(config.gateway_be, inet_addr("172.16.0.1"));
	assert_true(config.answer_syn);
	assert_false(options.log_sessions);
	assert_int_equal(options.outside_low, 0);
	assert_int_equal(options.outside_high, 0);
}

static void test_filters(void **state)
{
	static const struct {
		const char *name;
		enum nat_filter filter;
	} cases[] = {
		{"endpoint-independent", NAT_FILTER_ENDPOINT_INDEPENDENT},
		{"address", NAT_FILTER_ADDRESS},
		{"address-and-port", NAT_FILTER_ADDRESS_AND_PORT},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(accepted(ARGUMENTS(SOCKET, "--nat-filter", cases[i].name)).filter,
			cases[i].filter);
}

static void test_each_timeout(void **state)
{
	static const char first[] =
		"udp=121,udp-well-known=2,udp-unanswered=3,tcp-established=7441,tcp-partial=241";
	static const char second[] =
		"--nat-timeout=tcp-closing=242,icmp=61,syn-hold=7,other=31536000";
	struct nat_timeouts timeouts =
		accepted(ARGUMENTS(SOCKET, "--nat-timeout", first, second)).timeouts;

	assert_int_equal(timeouts.udp_s, 121);
	assert_int_equal(timeouts.udp_well_known_s, 2);
	assert_int_equal(timeouts.udp_unanswered_s, 3);
	assert_int_equal(timeouts.tcp_established_s, 7441);
	assert_int_equal(timeouts.tcp_partial_s, 241);
	assert_int_equal(timeouts.tcp_closing_s, 242);
	assert_int_equal(timeouts.icmp_s, 61);
	assert_int_equal(timeouts.syn_hold_s, 7);
	assert_int_equal(timeouts.other_s, 31536000);
}

static void test_least_timeouts(void **state)
{
	static const char least[] =
		"udp=120,udp-well-known=1,udp-unanswered=1,tcp-established=7440,tcp-partial=240,"
		"tcp-closing=240,icmp=60,syn-hold=6,other=1";
	struct nat_timeouts timeouts = accepted(ARGUMENTS(SOCKET, "--nat-timeout", least)).timeouts;

	assert_int_equal(timeouts.udp_s, 120);
	assert_int_equal(timeouts.other_s, 1);
}

static void test_limits(void **state)
{
	struct nat_config config =
		accepted(ARGUMENTS(SOCKET, "--new-sessions-per-guest=5", "--sessions=2048"));
	assert_int_equal(config.sessions_per_guest, 0);
	assert_int_equal(config.new_sessions_per_guest, 5);
	config = accepted(
		ARGUMENTS(SOCKET, "--sessions-per-guest", "0", "--new-sessions-per-guest", "0"));
	assert_int_equal(config.sessions_per_guest, 0);
	assert_int_equal(config.new_sessions_per_guest, 0);
	config = accepted(ARGUMENTS(SOCKET, "--sessions-per-guest", "16777216",
		"--new-sessions-per-guest", "1000000", "--sessions", "16777216"));
	assert_int_equal(config.sessions_per_guest, 16777216);
	assert_int_equal(config.new_sessions_per_guest, 1000000);
}

static void test_outside_ports(void **state)
{
	struct options options = options_good(ARGUMENTS(SOCKET, "--outside-ports", "50000-50063"));
	struct nat_config config = accepted(ARGUMENTS(SOCKET, "--outside-ports", "50000-50063"));

	assert_int_equal(options.outside_low, 50000);
	assert_int_equal(options.outside_high, 50063);
	assert_int_equal(config.port_low, 50000);
	assert_int_equal(config.port_high, 50063);
	config = accepted(ARGUMENTS(SOCKET, "--outside-ports", "1024-65535"));
	assert_int_equal(config.port_low, 1024);
	assert_int_equal(config.port_high, 65535);
}

static void test_log_sessions(void **state)
{
	assert_true(options_good(ARGUMENTS(SOCKET, "--log-sessions")).log_sessions);
	assert_true(options_good(ARGUMENTS("--log-sessions", SOCKET, "--log-level=debug"))
			    .log_sessions);
}

#define TIMEOUT(value) SOCKET, "--nat-timeout", value
#define NO_TIMEOUT                                                                           \
	" is no time-out: write as udp=300; there are udp, udp-well-known, udp-unanswered, " \
	"tcp-established, tcp-partial, tcp-closing, icmp, syn-hold and other"
#define NO_SECONDS " is not a number of seconds up to 31536000: write as udp=300"
#define BLOCK(value) SOCKET, "--outside-ports", value

static const struct options_case errors[] = {
	{{SOCKET, "--nat-filter", "none"},
		"--nat-filter none: 'none' is no filter: take endpoint-independent, address or "
		"address-and-port"},
	{{TIMEOUT("udp=119")}, "--nat-timeout udp=119: 'udp=119' is too short: take 120 or more "
			       "(RFC 4787, REQ-5: no mapping may end within two minutes)"},
	{{TIMEOUT("tcp-established=7439")},
		"--nat-timeout tcp-established=7439: 'tcp-established=7439' is too short: take "
		"7440 or more (RFC 5382, REQ-5: a keep-alive comes every two hours)"},
	{{TIMEOUT("tcp-partial=239")},
		"--nat-timeout tcp-partial=239: 'tcp-partial=239' is too short: take 240 or more "
		"(RFC 5382, REQ-5: a handshake may take four minutes)"},
	{{TIMEOUT("tcp-closing=239")},
		"--nat-timeout tcp-closing=239: 'tcp-closing=239' is too short: take 240 or more "
		"(RFC 5382, REQ-5: the last segments may take four minutes)"},
	{{TIMEOUT("icmp=59")}, "--nat-timeout icmp=59: 'icmp=59' is too short: take 60 or more "
			       "(RFC 5508, REQ-2: a query's answer may take a minute)"},
	{{TIMEOUT("syn-hold=5")},
		"--nat-timeout syn-hold=5: 'syn-hold=5' is too short: take 6 or more (RFC 5382, "
		"REQ-4: both sides may be opening the connection)"},
	{{TIMEOUT("other=0")}, "--nat-timeout other=0: 'other=0' is too short: take 1 or more"},
	{{TIMEOUT("udp=120,icmp=0")}, "--nat-timeout udp=120,icmp=0: 'icmp=0' is too short: take "
				      "60 or more (RFC 5508, REQ-2: a query's answer may take a "
				      "minute)"},
	{{TIMEOUT("other=31536001")}, "--nat-timeout other=31536001: 'other=31536001'" NO_SECONDS},
	{{TIMEOUT("udp=")}, "--nat-timeout udp=: 'udp='" NO_SECONDS},
	{{TIMEOUT("udp=5m")}, "--nat-timeout udp=5m: 'udp=5m'" NO_SECONDS},
	{{TIMEOUT("udp=200,udp=200")},
		"--nat-timeout udp=200,udp=200: udp= is given twice: leave one out"},
	{{TIMEOUT("sctp=300")}, "--nat-timeout sctp=300: 'sctp=300'" NO_TIMEOUT},
	{{TIMEOUT("udp")}, "--nat-timeout udp: 'udp'" NO_TIMEOUT},
	{{TIMEOUT("")}, "--nat-timeout: ''" NO_TIMEOUT},
	{{TIMEOUT("udp=200,")}, "--nat-timeout udp=200,: ''" NO_TIMEOUT},
	{{TIMEOUT("=5")}, "--nat-timeout =5: '=5'" NO_TIMEOUT},
	{{SOCKET, "--sessions-per-guest", "16777217"},
		"--sessions-per-guest 16777217: '16777217' is not a number up to 16777216: the "
		"default is 0, a fair share"},
	{{SOCKET, "--new-sessions-per-guest", "1000001"},
		"--new-sessions-per-guest 1000001: '1000001' is not a number up to 1000000: the "
		"default is 10000 a second, and 0 is no limit"},
	{{BLOCK("50000")},
		"--outside-ports 50000: '50000' is no block of ports: write as 50000-59999"},
	{{BLOCK("50000-")}, "--outside-ports 50000-: '' is not a port from 1 to 65535"},
	{{BLOCK("-50000")}, "--outside-ports -50000: '' is not a port from 1 to 65535"},
	{{BLOCK("50000-65536")},
		"--outside-ports 50000-65536: '65536' is not a port from 1 to 65535"},
	{{BLOCK("0-50000")}, "--outside-ports 0-50000: '0' is not a port from 1 to 65535"},
	{{BLOCK("59999-50000")}, "--outside-ports 59999-50000: '59999-50000' ends before it "
				 "begins: write the lower port first"},
	{{BLOCK("1023-50000")},
		"--outside-ports 1023-50000: ports below 1024 belong to services of the host: take "
		"a block such as 50000-59999"},
	{{BLOCK("50000-50062")},
		"--outside-ports 50000-50062: 63 ports are too few for a network: take 64 or more, "
		"such as 50000-59999"},
	{{SOCKET, "--log-sessions=yes"}, "--log-sessions: takes no value: leave '=yes' out"},
	{{SOCKET, "--log-sessions", "--log-level", "warning"},
		"--log-sessions: writes lines of level info: take --log-level info or debug"},
	{{SOCKET, "--log-sessions", "--nat", "kernel"},
		"--log-sessions: is for the user-space NAT: leave '--nat kernel' out"},
	{{BLOCK("50000-59999"), "--nat=kernel"},
		"--outside-ports: is for the user-space NAT: leave '--nat kernel' out"},
	{{BLOCK("50000-59999"), "--uplink=none"},
		"--outside-ports: needs an uplink: leave '--uplink none' out"},
	{{"--nat=kernel", TIMEOUT("udp=200")},
		"--nat-timeout: is for the user-space NAT: leave '--nat kernel' out"},
	{{"--uplink=none", SOCKET, "--nat-filter=address"},
		"--nat-filter: needs an uplink: leave '--uplink none' out"},
};

static void test_errors(void **state)
{
	options_bad(errors, sizeof(errors) / sizeof(errors[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, clear),
		cmocka_unit_test_setup(test_filters, clear),
		cmocka_unit_test_setup(test_each_timeout, clear),
		cmocka_unit_test_setup(test_least_timeouts, clear),
		cmocka_unit_test_setup(test_limits, clear),
		cmocka_unit_test_setup(test_outside_ports, clear),
		cmocka_unit_test_setup(test_log_sessions, clear),
		cmocka_unit_test_setup(test_errors, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
