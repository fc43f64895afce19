/* SPDX-License-Identifier: BSD-3-Clause */
/* Networks for a VMM that opens its TAP by name, and networks that stay. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/forwarding.h"
#include "control/host/host.h"
#include "control/host/host_record.h"
#include "tests/unit/host/namespace.h"
#include "tests/unit/host/traffic.h"

#define DIRECTORY "/run/chnet"
#define OWNER 65534

static struct host_config config_default(void)
{
	return (struct host_config){
		.tap = "tap0",
		.address_be = {inet_addr("172.16.0.1")},
		.prefix_length = 24,
		.outside_be = {inet_addr("172.16.0.254")},
		.nat = NFT_NAT_KERNEL,
		.run_directory = DIRECTORY,
		.for_vmm = true,
		.owner = OWNER,
		.network = "default",
	};
}

static int set_up(void **state)
{
	namespace_new_network();
	namespace_run("rm -rf " DIRECTORY);
	namespace_run("ip link add eth0 type veth peer name world0; ip link set eth0 up; "
		      "ip link set world0 up; ip addr add 198.51.100.1/24 dev eth0; "
		      "ip route add default via 198.51.100.2");
	return 0;
}

static void assert_nothing_left(void)
{
	assert_false(namespace_has_link("tap0"));
	assert_string_equal(namespace_output("nft list ruleset"), "");
	assert_string_equal(namespace_output("cat /proc/sys/net/ipv4/ip_forward"), "0\n");
	assert_string_equal(namespace_output("ls " DIRECTORY " 2>/dev/null | wc -l"), "0\n");
}

static void assert_stands(void)
{
	assert_non_null(strstr(namespace_output("ip -br -4 addr show tap0"), "172.16.0.1/24"));
	assert_non_null(strstr(namespace_output("nft list ruleset"), "masquerade"));
	assert_string_equal(namespace_output("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
}

/* Opens the TAP as Cloud Hypervisor does; a negative errno or the descriptor. */
static int open_tap(void)
{
	struct ifreq request = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, .ifr_name = "tap0"};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static int open_tap_as(void *uid)
{
	if (setgid(OWNER) < 0 || setuid(*(uid_t *)uid) < 0)
		return 2;
	return open_tap() >= 0 ? 0 : 1;
}

static void a_vmm_opens_it_by_name(void **state)
{
	struct host_config config = config_default();
	struct host *host = traffic_build(&config);
	uid_t owner = OWNER, other = OWNER - 1;

	assert_stands();
	assert_int_equal(host_tap(host)->queues, 0);
	assert_int_equal(namespace_in_child(open_tap_as, &owner), 0);
	assert_int_equal(namespace_in_child(open_tap_as, &other), 1);
	/* it is still there, and may be opened again */
	assert_int_equal(namespace_in_child(open_tap_as, &owner), 0);
	host_down(host);
	assert_nothing_left();
}

static void follows_the_way_out(void **state)
{
	struct host_config config = config_default();
	struct host *host = traffic_build(&config);

	assert_string_equal(host_egress(host), "eth0");
	namespace_run("ip addr add 203.0.113.1/24 dev world0; ip route replace default via "
		      "203.0.113.2");
	assert_int_equal(host_refresh(host), 1);
	assert_string_equal(host_egress(host), "world0");
	assert_non_null(strstr(namespace_output("nft list ruleset"), "oifname \"world0\""));
	host_down(host);
	assert_nothing_left();
}

static void one_vm_at_a_time(void **state)
{
	struct host_config config = config_default();
	struct host *host = traffic_build(&config), *second = NULL;
	char error[512] = "";

	assert_int_equal(host_up(&config, &second, error, sizeof(error)), -EBUSY);
	assert_non_null(strstr(error, "default has a VM"));
	assert_stands();
	host_down(host);
	assert_nothing_left();
}

static int build_and_die(void *config)
{
	traffic_build(config);
	raise(SIGKILL);
	return 0;
}

static void kill_child(struct host_config *config)
{
	int status;

	assert_true(waitpid(namespace_fork(build_and_die, config), &status, 0) > 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void what_a_killed_one_left_is_mended(void **state)
{
	struct host_config config = config_default();
	struct host *host;

	kill_child(&config);
	assert_true(namespace_has_link("tap0"));
	host = traffic_build(&config);
	assert_stands();
	host_down(host);
	assert_nothing_left();
}

static void a_record_is_undone_without_a_network(void **state)
{
	struct host_config config = config_default();
	struct host_record record;
	int fd;

	kill_child(&config);
	assert_int_equal(host_record_open(DIRECTORY, "default", false, &fd), 0);
	assert_int_equal(host_record_read(fd, &record), 0);
	assert_false(record.kept);
	assert_int_equal(host_record_undo(DIRECTORY, "default", &record), 0);
	host_record_remove(DIRECTORY, "default", fd);
	assert_nothing_left();
}

static void kept_until_undone(void **state)
{
	struct host_config config = config_default();
	struct host_record record;
	struct forwarding *forwarding;
	struct host *host, *second = NULL;
	char error[512] = "";
	int fd;

	config.keep = true;
	config.egress = "";
	host = traffic_build(&config);
	host_leave(host);
	assert_stands();
	/* a network that comes and goes leaves it alone */
	assert_int_equal(forwarding_hold(DIRECTORY, &forwarding), 0);
	assert_int_equal(forwarding_release(forwarding), 0);
	assert_int_equal(forwarding_drop(DIRECTORY, "other"), 0);
	assert_stands();
	assert_int_equal(host_up(&config, &second, error, sizeof(error)), -EEXIST);
	assert_non_null(strstr(error, "set up already"));
	assert_stands();

	assert_int_equal(host_record_open(DIRECTORY, "default", false, &fd), 0);
	assert_int_equal(host_record_read(fd, &record), 0);
	assert_true(record.kept);
	assert_int_equal(record.owner, OWNER);
	assert_int_equal(host_record_undo(DIRECTORY, "default", &record), 0);
	host_record_remove(DIRECTORY, "default", fd);
	assert_nothing_left();
}

static void a_failure_leaves_nothing(void **state)
{
	struct host_config config = config_default();
	struct host *host = NULL;
	char error[512] = "";

	config.keep = true;
	namespace_run("ip addr add 172.16.0.9/24 dev world0");
	assert_int_equal(host_up(&config, &host, error, sizeof(error)), -EADDRINUSE);
	assert_nothing_left();
	namespace_run("ip addr del 172.16.0.9/24 dev world0; ip link add tap0 type bridge");
	assert_int_equal(host_up(&config, &host, error, sizeof(error)), -EEXIST);
	assert_true(namespace_has_link("tap0"));
	namespace_run("ip link del tap0");
	assert_nothing_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_vmm_opens_it_by_name, set_up),
		cmocka_unit_test_setup(follows_the_way_out, set_up),
		cmocka_unit_test_setup(one_vm_at_a_time, set_up),
		cmocka_unit_test_setup(what_a_killed_one_left_is_mended, set_up),
		cmocka_unit_test_setup(a_record_is_undone_without_a_network, set_up),
		cmocka_unit_test_setup(kept_until_undone, set_up),
		cmocka_unit_test_setup(a_failure_leaves_nothing, set_up),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
