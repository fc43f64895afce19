/* SPDX-License-Identifier: BSD-3-Clause */
#include "options_case.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/forward_check.h"
#include "tests/unit/host/namespace.h"

#define ARGUMENTS(...) ((const char *const[]){"--socket", "/run/a.sock", __VA_ARGS__, NULL})

static int listen_at(const char *text, uint16_t port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(text), .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void good(const char *const arguments[])
{
	struct options options = options_good(arguments);
	char error[OPTIONS_ERROR_CAPACITY] = "";

	if (forward_check(&options, error, sizeof(error)) != 0)
		fail_msg("refused: %s", error);
	assert_string_equal(error, "");
}

static void bad(const char *const arguments[], int result, const char *says)
{
	struct options options = options_good(arguments);
	char error[OPTIONS_ERROR_CAPACITY] = "";

	assert_int_equal(forward_check(&options, error, sizeof(error)), result);
	assert_string_equal(error, says);
}

static void free_ports(void **state)
{
	good(ARGUMENTS("--name=x"));
	good(ARGUMENTS("--forward=tcp:8080-8090=172.16.0.2:80-90", "--forward",
		"udp:127.0.0.1:53=172.16.0.3:53"));
}

static void a_busy_port_is_named(void **state)
{
	int fd = listen_at("127.0.0.1", 8085);

	bad(ARGUMENTS(
		    "--forward=udp:8085=172.16.0.2:85", "--forward=tcp:8080-8090=172.16.0.2:80-90"),
		-EADDRINUSE,
		"--forward tcp:8080: port 8085 is in use by a program of the host: stop that, or "
		"forward another port");
	good(ARGUMENTS("--forward=tcp:8080-8084=172.16.0.2:80-84",
		"--forward=tcp:127.0.0.2:8085=172.16.0.2:85"));
	close(fd);
}

static void an_address_of_others(void **state)
{
	bad(ARGUMENTS("--forward=tcp:192.0.2.1:8080=172.16.0.2:80"), -EADDRNOTAVAIL,
		"--forward tcp:192.0.2.1:8080: the host has no address 192.0.2.1: take one of its "
		"own, or leave the address out");
}

/* It comes with the TAP, after this look. */
static void the_gateways_address(void **state)
{
	int fd;

	good(ARGUMENTS("--forward=tcp:172.16.0.1:8080=172.16.0.2:80"));
	fd = listen_at("0.0.0.0", 8080);
	bad(ARGUMENTS("--forward=tcp:172.16.0.1:8080=172.16.0.2:80"), -EADDRINUSE,
		"--forward tcp:8080: port 8080 is in use by a program of the host: stop that, or "
		"forward another port");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_ports),
		cmocka_unit_test(a_busy_port_is_named),
		cmocka_unit_test(an_address_of_others),
		cmocka_unit_test(the_gateways_address),
	};

	options_clear_environment();
	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
