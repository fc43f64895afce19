/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/host.h"
#include "control/host/host_mac.h"
#include "tests/unit/host/namespace.h"
#include "tests/unit/host/traffic.h"

static struct host_config config_default(void)
{
	return (struct host_config){
		.tap = "tap0",
		.queues = 2,
		.address_be = {inet_addr("172.16.0.1")},
		.prefix_length = 24,
		.outside_be = {inet_addr("172.16.0.254")},
		.nat = NFT_NAT_USER,
		.run_directory = "/run/chnet",
	};
}

/* A host with one way out, eth0, 198.51.100.1; its far side is in the same namespace, down. */
static int set_up(void **state)
{
	namespace_new_network();
	namespace_run("ip link add eth0 type veth peer name world0; ip link set eth0 up; "
		      "ip link set world0 up; ip addr add 198.51.100.1/24 dev eth0; "
		      "ip route add default via 198.51.100.2");
	return 0;
}

/* How many descriptors are open? */
static int descriptors(void)
{
	int count = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void assert_nothing_left(void)
{
	assert_false(namespace_has_link("tap0"));
	assert_string_equal(namespace_output("nft list ruleset"), "");
	assert_string_equal(namespace_output("cat /proc/sys/net/ipv4/ip_forward"), "0\n");
	assert_string_equal(namespace_output("ls /run/chnet 2>/dev/null | wc -l"), "0\n");
}

static void assert_refused(const struct host_config *config, int expected, const char *line)
{
	struct host *host = NULL;
	char error[512] = "";
	int before = descriptors();

	assert_int_equal(host_up(config, &host, error, sizeof(error)), expected);
	assert_string_equal(error, line);
	assert_null(host);
	assert_int_equal(descriptors(), before);
}

static void builds_and_takes_down(void **state)
{
	struct host_config config = config_default();
	int before = descriptors();
	struct host *host = traffic_build(&config);
	uint8_t mac[LINK_MAC_LENGTH], stable[LINK_MAC_LENGTH];

	assert_int_equal(host_tap(host)->queues, 2);
	assert_string_equal(host_tap(host)->name, "tap0");
	assert_int_equal(host_index(host), if_nametoindex("tap0"));
	assert_string_equal(host_egress(host), "eth0");
	assert_int_equal(host_egress_address_be(host).s_addr, inet_addr("198.51.100.1"));
	assert_null(host_warning(host, 0));
	assert_non_null(strstr(namespace_output("ip -br -4 addr show tap0"), "172.16.0.1/24"));
	assert_non_null(strstr(namespace_output("ip link show tap0"), ",UP,LOWER_UP"));
	assert_string_equal(namespace_output("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
	assert_non_null(strstr(namespace_output("nft list ruleset"), "table ip chnet-tap0"));
	assert_string_equal(
		namespace_output("cat /proc/sys/net/ipv6/conf/tap0/disable_ipv6"), "1\n");
	memcpy(mac, host_mac(host), sizeof(mac));
	host_down(host);
	assert_nothing_left();
	assert_int_equal(descriptors(), before);

	/* the gateway is the same again, where the machine has an id */
	host = traffic_build(&config);
	if (host_mac_stable(HOST_MAC_ID_FILE, "tap0", stable) == 0) {
		assert_memory_equal(mac, stable, sizeof(mac));
		assert_memory_equal(host_mac(host), stable, sizeof(mac));
	}
	host_down(host);
	host_down(NULL);
}

static void obeys_the_configuration(void **state)
{
	static const uint8_t mac[] = {0x02, 1, 2, 3, 4, 5};
	struct host_config config = config_default();
	struct host *host;

	config.mac = mac;
	config.mtu = 9000;
	config.egress = "";
	host = traffic_build(&config);
	assert_memory_equal(host_mac(host), mac, sizeof(mac));
	assert_non_null(strstr(namespace_output("ip link show tap0"), "mtu 9000"));
	assert_string_equal(host_egress(host), "");
	assert_int_equal(host_refresh(host), 0);
	host_down(host);

	config.egress = "world0";
	host = traffic_build(&config);
	assert_string_equal(host_egress(host), "world0");
	assert_non_null(strstr(namespace_output("nft list ruleset"), "oifname \"world0\""));
	host_down(host);
	assert_nothing_left();
}

static void works_without_a_way_out(void **state)
{
	struct host_config config = config_default();
	struct pollfd watch = {.events = POLLIN};
	struct host *host;

	namespace_run("ip route del default");
	host = traffic_build(&config);
	watch.fd = host_watch_fd(host);
	assert_string_equal(host_egress(host), "");
	assert_string_equal(host_warning(host, 0),
		"the host has no default route: guests reach the host and each other, and the "
		"world when there is one");
	assert_non_null(strstr(namespace_output("nft list ruleset"), "oifname != \"tap0\""));

	/* it comes, it changes, it goes */
	assert_int_equal(host_refresh(host), 0);
	assert_int_equal(poll(&watch, 1, 0), 0);
	namespace_run("ip route add default via 198.51.100.2");
	assert_int_equal(poll(&watch, 1, 5000), 1);
	assert_int_equal(host_refresh(host), 1);
	assert_int_equal(poll(&watch, 1, 0), 0);
	assert_string_equal(host_egress(host), "eth0");
	assert_non_null(strstr(namespace_output("nft list ruleset"), "oifname \"eth0\""));
	namespace_run("ip addr add 203.0.113.1/24 dev world0; "
		      "ip route replace default via 203.0.113.2");
	assert_int_equal(host_refresh(host), 1);
	assert_string_equal(host_egress(host), "world0");
	assert_non_null(strstr(namespace_output("nft list ruleset"), "oifname \"world0\""));
	namespace_run("ip route del default");
	assert_int_equal(host_refresh(host), 1);
	assert_string_equal(host_egress(host), "");
	assert_int_equal(host_refresh(host), 0);
	host_down(host);
}

static void refuses_bad_configuration(void **state)
{
	struct host_config config = config_default();

	config.tap = "a-name-of-16-byt";
	assert_refused(&config, -ENAMETOOLONG,
		"TAP name 'a-name-of-16-byt' is longer than 15 bytes: choose another with --tap "
		"(of chnet: --tap-name)");
	config.tap = "tap/0";
	assert_refused(&config, -EINVAL,
		"TAP name 'tap/0' has other bytes than letters, digits, '.', '_' and '-': choose "
		"another with --tap (of chnet: --tap-name)");
	config = config_default();
	config.prefix_length = 31;
	assert_refused(&config, -EINVAL,
		"the guests' network 172.16.0.1/31 must have 1 to 30 bits of prefix: choose "
		"another with --host-ip");
	config.prefix_length = 0;
	assert_refused(&config, -EINVAL,
		"the guests' network 172.16.0.1/0 must have 1 to 30 bits of prefix: choose another "
		"with --host-ip");
	config = config_default();
	config.address_be.s_addr = inet_addr("172.16.0.0");
	assert_refused(&config, -EINVAL,
		"172.16.0.0 is not an address of a host in 172.16.0.0/24: choose another with "
		"--host-ip");
	config.address_be.s_addr = inet_addr("172.16.0.255");
	assert_refused(&config, -EINVAL,
		"172.16.0.255 is not an address of a host in 172.16.0.255/24: choose another with "
		"--host-ip");
	config = config_default();
	config.address_be.s_addr = inet_addr("172.16.0.254");
	assert_refused(&config, -EINVAL,
		"the outside address 172.16.0.254 must be an address of a host in the guests' "
		"network 172.16.0.254/24, and not the gateway's");
	config.address_be.s_addr = inet_addr("172.16.1.1");
	assert_refused(&config, -EINVAL,
		"the outside address 172.16.0.254 must be an address of a host in the guests' "
		"network 172.16.1.1/24, and not the gateway's");
	config = config_default();
	config.egress = "eth9";
	assert_refused(
		&config, -ENODEV, "cannot use eth9 as the way out: there is no such interface");
	config = config_default();
	config.mtu = 20;
	assert_refused(&config, -EINVAL, "cannot set the MTU of TAP tap0: Invalid argument");
	config = config_default();
	config.run_directory = "/run/missing/chnet";
	assert_refused(&config, -ENOENT,
		"cannot make directory /run/missing/chnet: No such file or directory");
	assert_nothing_left();
}

static void refuses_what_is_taken(void **state)
{
	struct host_config config = config_default();
	struct host *host;

	namespace_run("ip tuntap add dev tap0 mode tap multi_queue");
	assert_refused(&config, -EEXIST,
		"TAP tap0 exists already and belongs to someone else: choose another name with "
		"--tap (of chnet: --tap-name), or delete it with 'ip link del tap0'");
	/* nobody is told to delete his way out */
	config.tap = "eth0";
	assert_refused(&config, -EEXIST,
		"an interface named eth0 exists already, and is no TAP: choose another name with "
		"--tap (of chnet: --tap-name)");
	config.tap = "tap0";
	namespace_run("ip link del tap0; ip addr add 172.16.9.5/16 dev eth0");
	assert_refused(&config, -EADDRINUSE,
		"the guests' network 172.16.0.0/24 overlaps 172.16.9.5/16 on eth0: choose another "
		"with --host-ip");
	namespace_run("ip addr del 172.16.9.5/16 dev eth0; "
		      "ip route add 172.16.0.0/24 via 198.51.100.2");
	assert_refused(&config, -EADDRINUSE,
		"the guests' network 172.16.0.0/24 overlaps the route to 172.16.0.0/24 on eth0: "
		"choose another with --host-ip");
	namespace_run("ip route del 172.16.0.0/24");
	assert_nothing_left();

	/* a second network of the same name leaves the first alone */
	host = traffic_build(&config);
	/* whose TAP nobody is told to delete */
	assert_refused(&config, -EEXIST,
		"TAP tap0 is that of a network of chnet that runs or is set up: choose another "
		"name with --tap (of chnet: --tap-name), or end that network first");
	config.tap = "tap1";
	assert_refused(&config, -EADDRINUSE,
		"the guests' network 172.16.0.0/24 overlaps 172.16.0.1/24 on tap0: choose another "
		"with --host-ip");
	assert_true(namespace_has_link("tap0"));
	assert_string_equal(namespace_output("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
	assert_non_null(strstr(namespace_output("nft list ruleset"), "chnet-tap0"));
	host_down(host);
	assert_nothing_left();
}

static void refuses_without_the_device(void **state)
{
	struct host_config config = config_default();

	assert_int_equal(mount("tmpfs", "/dev/net", "tmpfs", 0, NULL), 0);
	assert_refused(&config, -ENOENT,
		"cannot create TAP tap0: /dev/net/tun is missing: run 'modprobe tun'");
	assert_int_equal(umount("/dev/net"), 0);
}

static void refuses_a_read_only_proc(void **state)
{
	struct host_config config = config_default();
	struct host *host;

	assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	assert_refused(&config, -EROFS,
		"cannot switch on forwarding, /proc/sys is read-only here: run 'sysctl -w "
		"net.ipv4.ip_forward=1' outside of the container");
	/* with forwarding on already it works, but cannot switch off IPv6 */
	assert_int_equal(umount("/proc/sys"), 0);
	assert_nothing_left();
	namespace_run("echo 1 > /proc/sys/net/ipv4/ip_forward");
	assert_int_equal(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	host = traffic_build(&config);
	assert_string_equal(host_warning(host, 0),
		"cannot switch off IPv6 on TAP tap0 (Read-only file system): a guest may announce "
		"itself to the host as a router");
	host_down(host);
	assert_int_equal(umount("/proc/sys"), 0);
}

static int up_as_nobody(void *argument)
{
	struct host_config config = config_default();
	struct host *host;
	char error[512];
	int r;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	r = host_up(&config, &host, error, sizeof(error));
	if (strcmp(error, "cannot create TAP tap0: not permitted: run as root or with "
			  "CAP_NET_ADMIN") != 0)
		return 2;
	return -r;
}

static void needs_rights(void **state)
{
	assert_int_equal(namespace_in_child(up_as_nobody, NULL), EPERM);
	assert_nothing_left();
}

static int up_and_die(void *argument)
{
	struct host_config config = config_default();

	traffic_build(&config);
	raise(SIGKILL);
	return 1;
}

/* No interface and no rule stays; the next start mends the sysctl. */
static void a_crash_leaves_nothing(void **state)
{
	struct host_config config = config_default();
	int status;

	assert_true(waitpid(namespace_fork(up_and_die, NULL), &status, 0) > 0);
	assert_true(WIFSIGNALED(status));
	assert_false(namespace_has_link("tap0"));
	assert_string_equal(namespace_output("nft list ruleset"), "");
	assert_string_equal(namespace_output("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
	host_down(traffic_build(&config));
	assert_nothing_left();
}

/* The child of a monitor that is about to die: keeps the TAP, and nothing else. */
struct orphan {
	struct host *host; /* the monitor's */
	int ready[2];	   /* pipe: the child says that it has let go */
	int finish[2];	   /* pipe: closed when the child may end */
};

static int data_plane(void *argument)
{
	struct orphan *orphan = argument;
	char byte;

	/* unlike other children it outlives its parent, and ends when the pipe does */
	prctl(PR_SET_PDEATHSIG, 0);
	close(orphan->finish[1]);
	host_close_in_child(orphan->host);
	/* what is left works: the TAP and the getters */
	if (host_tap(orphan->host)->queues != 2 ||
		(host_mac(orphan->host)[0] & 0x03) != 0x02 || /* local, of one station */
		fcntl(host_tap(orphan->host)->fds[1], F_GETFD) < 0)
		return 1;
	if (write(orphan->ready[1], "x", 1) != 1)
		return 2;
	return read(orphan->finish[0], &byte, 1) == 0 ? 0 : 3;
}

static int monitor(void *argument)
{
	struct host_config config = config_default();
	struct orphan *orphan = argument;

	orphan->host = traffic_build(&config);
	namespace_fork(data_plane, orphan);
	/* or nobody hears that it has failed */
	close(orphan->ready[1]);
	pause();
	return 1;
}

/* With the monitor gone its rules and locks are, although the child lives and holds the TAP. */
static void a_child_holds_only_the_tap(void **state)
{
	struct host_config config = config_default();
	struct orphan orphan;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(orphan.ready), 0);
	assert_int_equal(pipe(orphan.finish), 0);
	pid = namespace_fork(monitor, &orphan);
	close(orphan.ready[1]);
	assert_int_equal(read(orphan.ready[0], &byte, 1), 1);
	assert_non_null(strstr(namespace_output("nft list ruleset"), "chnet-tap0"));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_string_equal(namespace_output("nft list ruleset"), "");
	assert_true(namespace_has_link("tap0"));
	/* nobody has the lock of the state file any more */
	namespace_run("flock -xn /run/chnet/forwarding-* true");
	close(orphan.finish[1]);
	/* the child, which is not ours to wait for, closes this last of all */
	assert_int_equal(read(orphan.ready[0], &byte, 1), 0);
	close(orphan.ready[0]);
	close(orphan.finish[0]);
	host_down(traffic_build(&config));
	assert_nothing_left();
}

static void names_foreign_rules(void **state)
{
	struct host_config config = config_default();
	struct host *host;

	namespace_run("nft 'table inet guard { chain gate { type filter hook forward priority 0; "
		      "policy drop; }; }'");
	host = traffic_build(&config);
	assert_string_equal(host_warning(host, 0),
		"the policy in nftables chain inet guard gate drops packets of guests and their "
		"answers: run 'nft insert rule inet guard gate iifname tap0 accept; nft insert "
		"rule "
		"inet guard gate oifname tap0 ct state related,established accept'");
	assert_null(host_warning(host, 1));
	host_down(host);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(builds_and_takes_down, set_up),
		cmocka_unit_test_setup(obeys_the_configuration, set_up),
		cmocka_unit_test_setup(works_without_a_way_out, set_up),
		cmocka_unit_test_setup(refuses_bad_configuration, set_up),
		cmocka_unit_test_setup(refuses_what_is_taken, set_up),
		cmocka_unit_test_setup(refuses_without_the_device, set_up),
		cmocka_unit_test_setup(refuses_a_read_only_proc, set_up),
		cmocka_unit_test_setup(needs_rights, set_up),
		cmocka_unit_test_setup(a_crash_leaves_nothing, set_up),
		cmocka_unit_test_setup(a_child_holds_only_the_tap, set_up),
		cmocka_unit_test_setup(names_foreign_rules, set_up),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
