/* SPDX-License-Identifier: BSD-3-Clause */
/* Forwarded and outside ports of a host: what is refused, reserved and given up. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/host/namespace.h"
#include "tests/unit/host/traffic.h"

static int set_up(void **state)
{
	namespace_new_network();
	namespace_run("ip link add eth0 type veth peer name world0; ip link set eth0 up; "
		      "ip link set world0 up; ip addr add " TRAFFIC_HOST "/24 dev eth0; "
		      "ip route add default via " TRAFFIC_WORLD);
	return 0;
}

static void assert_refused(const struct host_config *config, int expected, const char *line)
{
	struct host *host = NULL;
	char error[512] = "";

	assert_int_equal(host_up(config, &host, error, sizeof(error)), expected);
	assert_string_equal(error, line);
	assert_null(host);
	assert_false(namespace_has_link("tap0"));
	assert_string_equal(namespace_output("nft list ruleset"), "");
}

static void refuses_bad_ports(void **state)
{
	struct host_config config = traffic_config();
	struct host_forward forwards[] = {
		{.to_be = {inet_addr("172.16.0.2")},
			.listen_port = 8080,
			.to_port = 80,
			.count = 2,
			.protocol = IPPROTO_TCP},
		{.to_be = {inet_addr("172.16.0.3")},
			.listen_be = {inet_addr("198.51.100.1")},
			.listen_port = 8081,
			.to_port = 80,
			.count = 1,
			.protocol = IPPROTO_TCP},
	};

	config.forwards = forwards;
	config.forward_count = 2;
	assert_refused(&config, -EEXIST,
		"the port forward tcp:198.51.100.1:8081=172.16.0.3:80 takes a port that another "
		"one "
		"takes");
	forwards[1].to_be = config.address_be;
	assert_refused(&config, -EINVAL,
		"the port forward tcp:198.51.100.1:8081=172.16.0.1:80 of 1 ports does not lead "
		"from "
		"ports 1 to 65535 to such ports of a guest");
	forwards[1].to_be.s_addr = inet_addr("172.16.0.3");
	forwards[1].listen_port = 50005;
	config.outside_low = 50000;
	config.outside_high = 59999;
	assert_refused(&config, -EINVAL,
		"port forward 2 listens on one address at port 50005, but the outside ports "
		"50000-59999 are reached at all of the way out: choose other ports");
	config.forward_count = HOST_FORWARDS_MAX + 1;
	assert_refused(&config, -ENOSPC,
		"there may be 128 port forwards, and with the kernel's NAT 512 ports that lead to "
		"ports with other numbers: leave some out");
	config.forward_count = 0;
	config.outside_low = 0;
	assert_refused(&config, -EINVAL,
		"the outside ports 0-59999 are no range of ports from 1 to 65535: choose another "
		"with --outside-ports");
	config.outside_low = 60000;
	assert_refused(&config, -EINVAL,
		"the outside ports 60000-59999 are no range of ports from 1 to 65535: choose "
		"another "
		"with --outside-ports");
	config.outside_low = 50000;
	config.nat = NFT_NAT_KERNEL;
	assert_refused(&config, -EINVAL,
		"outside ports belong to chnet's own NAT: leave out --outside-ports, or take --nat "
		"user");
}

static const char *reserved(void)
{
	return namespace_output("cat /proc/sys/net/ipv4/ip_local_reserved_ports");
}

/* The host's programs do not get ports that lead to guests; forwarded ones neither. */
static void reserves_outside_ports(void **state)
{
	struct host_config config = traffic_config();
	struct host_forward forward = {.to_be = {inet_addr("172.16.0.2")},
		.listen_port = 8080,
		.to_port = 80,
		.count = 2,
		.protocol = IPPROTO_TCP};
	struct host_forward loopback = forward;
	struct host *host;

	namespace_run("echo 9090 > /proc/sys/net/ipv4/ip_local_reserved_ports");
	config.outside_low = 50000;
	config.outside_high = 59999;
	config.forwards = &forward;
	config.forward_count = 1;
	host = traffic_build(&config);
	assert_true(host_is_stateless(host));
	assert_string_equal(reserved(), "8080-8081,9090,50000-59999\n");
	loopback.listen_be.s_addr = inet_addr("127.0.0.1");
	loopback.listen_port = 7000;
	assert_int_equal(host_forward_add(host, &loopback), 0);
	loopback.listen_port = 50000;
	assert_int_equal(host_forward_add(host, &loopback), -EINVAL);
	assert_int_equal(host_forward_remove(host, &forward), 0);
	assert_string_equal(reserved(), "9090,50000-59999\n");
	host_down(host);
	assert_string_equal(reserved(), "9090\n");
}

static int up_and_die(void *argument)
{
	struct host_config config = traffic_config();

	config.outside_low = 50000;
	config.outside_high = 59999;
	traffic_build(&config);
	raise(SIGKILL);
	return 1;
}

/* The next start mends what stays behind, whether or not it needs ports itself. */
static void a_crash_leaves_nothing(void **state)
{
	struct host_config config = traffic_config();
	int status;

	assert_true(waitpid(namespace_fork(up_and_die, NULL), &status, 0) > 0);
	assert_true(WIFSIGNALED(status));
	assert_string_equal(reserved(), "50000-59999\n");
	host_down(traffic_build(&config));
	assert_string_equal(reserved(), "\n");
	assert_string_equal(namespace_output("ls /run/chnet | wc -l"), "0\n");
}

/* The kernel masquerades where it cannot do the other, and a line says so. */
static void gives_outside_ports_up(void **state)
{
	struct host_config config = traffic_config();
	struct host *host;

	config.outside_low = 50000;
	config.outside_high = 59999;
	namespace_run("echo 1 > /proc/sys/net/ipv4/ip_forward");
	assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	host = traffic_build(&config);
	assert_int_equal(umount("/proc/sys"), 0);
	assert_false(host_is_stateless(host));
	/* the first one is about IPv6 */
	assert_string_equal(host_warning(host, 1),
		"the outside ports 50000-59999 cannot be had (net.ipv4.ip_local_reserved_ports: "
		"Read-only file system): the kernel masquerades, and its filtering and its limit "
		"of "
		"connections hold for guests too");
	assert_null(strstr(namespace_output("nft list ruleset"), "notrack"));
	assert_int_equal(host_refresh(host), 0);
	host_down(host);
}

/* Rules of others that let guests out and answers in, and no more. */
static void names_rules_against_ports(void **state)
{
	struct host_config config = traffic_config();
	struct host_forward forward = {.to_be = {inet_addr(TRAFFIC_GUEST)},
		.listen_port = 8080,
		.to_port = 80,
		.count = 1,
		.protocol = IPPROTO_TCP};
	struct host *host;

	namespace_run("nft 'table inet guard { chain gate { type filter hook forward priority 0; "
		      "policy drop; iifname tap0 accept; ct state established accept; }; }'");
	host = traffic_build(&config);
	assert_null(host_warning(host, 0));
	host_down(host);
	config.forwards = &forward;
	config.forward_count = 1;
	host = traffic_build(&config);
	assert_non_null(host_warning(host, 0));
	assert_non_null(strstr(host_warning(host, 0),
		"the policy in nftables chain inet guard gate drops connections to forwarded "
		"ports: "));
	host_down(host);
	config.forward_count = 0;
	config.outside_low = 50000;
	config.outside_high = 59999;
	host = traffic_build(&config);
	assert_non_null(host_warning(host, 0));
	assert_non_null(strstr(host_warning(host, 0),
		"the policy in nftables chain inet guard gate drops answers to guests: "));
	host_down(host);
}

static void warns_of_another_nat(void **state)
{
	struct host_config config = traffic_config();
	struct host *host;

	namespace_run("nft 'table ip nat { chain POSTROUTING { type nat hook postrouting "
		      "priority srcnat; ip saddr 172.17.0.0/16 masquerade; }; }'");
	config.outside_low = 50000;
	config.outside_high = 59999;
	host = traffic_build(&config);
	assert_string_equal(host_warning(host, 0),
		"nftables table nat translates too, and may give connections of others the outside "
		"ports 50000-59999, whose answers then go to guests: choose --outside-ports "
		"61000-65535, which are rarely chosen");
	host_down(host);
	config.outside_low = 61000;
	config.outside_high = 65535;
	host = traffic_build(&config);
	assert_null(host_warning(host, 0));
	host_down(host);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refuses_bad_ports, set_up),
		cmocka_unit_test_setup(reserves_outside_ports, set_up),
		cmocka_unit_test_setup(a_crash_leaves_nothing, set_up),
		cmocka_unit_test_setup(gives_outside_ports_up, set_up),
		cmocka_unit_test_setup(names_rules_against_ports, set_up),
		cmocka_unit_test_setup(warns_of_another_nat, set_up),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
