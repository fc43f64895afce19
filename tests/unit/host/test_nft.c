/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/nft.h"
#include "tests/unit/host/namespace.h"

static struct nft_config config_user(void)
{
	return (struct nft_config){
		.tap = "tap0",
		.egress = "eth0",
		.network_be = {inet_addr("172.16.0.0")},
		.prefix_length = 24,
		.outside_be = {inet_addr("172.16.0.254")},
		.nat = NFT_NAT_USER,
	};
}

static const struct in_addr none_be; /* no address is known */

static int set_up(void **state)
{
	namespace_new_network();
	return 0;
}

/* The rules must be exactly these; the tabs and the owner's name that nft prints are left out. */
static void assert_ruleset(const char *expected)
{
	assert_string_equal(
		namespace_output("nft -s list ruleset | sed 's/\\t//g; s/ # progname .*//'"),
		expected);
}

/* What every test's rules have in common. */
#define TABLE(name, flags, nat, filter)                                                      \
	"table ip chnet-" name " {" flags "\nchain postrouting {\n"                          \
	"type nat hook postrouting priority srcnat; policy accept;\n" nat "}\n\n"            \
	"chain forward {\ntype filter hook forward priority filter; policy accept;\n" filter \
	"}\n}\n"
#define OWNER "\nflags owner\n"

#define INVALID "iifname \"tap0\" ct state invalid counter drop\n"
#define REST "iifname \"tap0\" counter drop\noifname \"tap0\" counter drop\n"

/* The rules for our own NAT with `out` and `in` as matches of the way out. */
#define USER_NAT(out) out " ip saddr 172.16.0.254 ip daddr != 172.16.0.0/24 counter masquerade\n"
#define USER_FILTER(out, in)                                                         \
	INVALID "iifname \"tap0\" " out " ip saddr 172.16.0.254 counter accept\n" in \
		" oifname \"tap0\" ct state established,related counter accept\n" REST
#define USER(flags, out, in) TABLE("tap0", flags, USER_NAT(out), USER_FILTER(out, in))

#define USER_ETH0 USER(OWNER, "oifname \"eth0\"", "iifname \"eth0\"")

static void makes_rules_for_our_nat(void **state)
{
	struct nft_config config = config_user();
	struct nft *nft;

	assert_int_equal(nft_open(&config, &nft), 0);
	assert_true(nft_is_owned(nft));
	assert_ruleset(USER_ETH0);
	nft_close(nft);
	assert_ruleset("");
	nft_close(NULL);
}

static void makes_rules_for_the_kernels_nat(void **state)
{
	struct nft_config config = config_user();
	struct nft *nft;

	config.nat = NFT_NAT_KERNEL;
	/* host bits do not matter */
	config.network_be.s_addr = inet_addr("172.16.0.1");
	assert_int_equal(nft_open(&config, &nft), 0);
	assert_ruleset(TABLE("tap0", OWNER,
		"oifname \"eth0\" ip saddr 172.16.0.0/24 ip daddr != 172.16.0.0/24 counter "
		"masquerade\n",
		INVALID "iifname \"tap0\" oifname \"eth0\" ip saddr 172.16.0.0/24 counter accept\n"
			"iifname \"eth0\" oifname \"tap0\" ct state established,related counter "
			"accept\n" REST));
	nft_close(nft);
}

static void any_way_out_will_do(void **state)
{
	struct nft_config config = config_user();
	struct nft *nft;

	config.egress[0] = '\0';
	assert_int_equal(nft_open(&config, &nft), 0);
	assert_ruleset(USER(OWNER, "oifname != \"tap0\"", "iifname != \"tap0\""));
	nft_close(nft);
}

static void changes_the_way_out(void **state)
{
	struct nft_config config = config_user();
	struct nft *nft;

	assert_int_equal(nft_open(&config, &nft), 0);
	assert_int_equal(nft_set_egress(nft, "wlan0", none_be), 0);
	assert_ruleset(USER(OWNER, "oifname \"wlan0\"", "iifname \"wlan0\""));
	assert_int_equal(nft_set_egress(nft, "", none_be), 0);
	assert_ruleset(USER(OWNER, "oifname != \"tap0\"", "iifname != \"tap0\""));
	assert_int_equal(nft_set_egress(nft, "eth0", none_be), 0);
	assert_ruleset(USER_ETH0);
	assert_int_equal(nft_set_egress(nft, "a-name-too-long!", none_be), -ENAMETOOLONG);
	assert_ruleset(USER_ETH0);
	nft_close(nft);
}

/* Nobody else can touch the table, or have one of the same name; another name is fine. */
static void is_ours_alone(void **state)
{
	struct nft_config config = config_user();
	struct nft *nft, *second;

	assert_int_equal(nft_open(&config, &nft), 0);
	namespace_run("! nft delete table ip chnet-tap0 2>/dev/null");
	namespace_run("! nft add chain ip chnet-tap0 x 2>/dev/null");
	namespace_run("nft flush ruleset");
	assert_ruleset(USER_ETH0);
	assert_int_equal(nft_open(&config, &second), -EBUSY);
	assert_ruleset(USER_ETH0);
	strcpy(config.tap, "tap1");
	assert_int_equal(nft_open(&config, &second), 0);
	nft_close(second);
	assert_ruleset(USER_ETH0);
	nft_close(nft);
	assert_ruleset("");
}

static void replaces_a_stale_table(void **state)
{
	struct nft_config config = config_user();
	struct nft *nft;

	namespace_run("nft 'table ip chnet-tap0 { chain forward { "
		      "type filter hook forward priority 10; policy drop; tcp dport 1 drop; }; "
		      "set s { type ipv4_addr; }; chain other { ip saddr @s drop; }; }'");
	assert_int_equal(nft_open(&config, &nft), 0);
	assert_ruleset(USER_ETH0);
	nft_close(nft);
	assert_ruleset("");
}

static void does_without_owner(void **state)
{
	struct nft_config config = config_user();
	struct nft *nft;

	config.no_owner = true;
	assert_int_equal(nft_open(&config, &nft), 0);
	assert_false(nft_is_owned(nft));
	assert_ruleset(USER("", "oifname \"eth0\"", "iifname \"eth0\""));
	assert_int_equal(nft_set_egress(nft, "wlan0", none_be), 0);
	assert_ruleset(USER("", "oifname \"wlan0\"", "iifname \"wlan0\""));
	nft_close(nft);
	assert_ruleset("");
}

/* Makes the table, says so through the pipe, and waits for its death. */
static int open_and_wait(void *argument)
{
	struct nft_config config = config_user();
	const int *ends = argument;
	struct nft *nft;

	if (nft_open(&config, &nft) < 0 || write(ends[1], "x", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static void dies_with_the_process(void **state)
{
	int ends[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = namespace_fork(open_and_wait, ends);
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	assert_non_null(strstr(namespace_output("nft list ruleset"), "chnet-tap0"));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_ruleset("");
}

static int close_in_child(void *argument)
{
	nft_close_in_child(argument);
	nft_close_in_child(NULL);
	return 0;
}

static void a_child_lets_go(void **state)
{
	struct nft_config config = config_user();
	struct nft *nft;

	assert_int_equal(nft_open(&config, &nft), 0);
	assert_int_equal(namespace_in_child(close_in_child, nft), 0);
	assert_ruleset(USER_ETH0);
	assert_int_equal(nft_set_egress(nft, "", none_be), 0);
	nft_close(nft);
}

static int open_as_nobody(void *argument)
{
	struct nft_config config = config_user();
	struct nft *nft;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	return -nft_open(&config, &nft);
}

static void needs_rights(void **state)
{
	assert_int_equal(namespace_in_child(open_as_nobody, NULL), EPERM);
	assert_ruleset("");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(makes_rules_for_our_nat, set_up),
		cmocka_unit_test_setup(makes_rules_for_the_kernels_nat, set_up),
		cmocka_unit_test_setup(any_way_out_will_do, set_up),
		cmocka_unit_test_setup(changes_the_way_out, set_up),
		cmocka_unit_test_setup(is_ours_alone, set_up),
		cmocka_unit_test_setup(replaces_a_stale_table, set_up),
		cmocka_unit_test_setup(does_without_owner, set_up),
		cmocka_unit_test_setup(dies_with_the_process, set_up),
		cmocka_unit_test_setup(a_child_lets_go, set_up),
		cmocka_unit_test_setup(needs_rights, set_up),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
