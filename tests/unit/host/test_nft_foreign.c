/* SPDX-License-Identifier: BSD-3-Clause */
/* Also the test of nft_eval.c and nft_ruleset.c, whose input only nft can make. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/nft.h"
#include "control/host/nft_foreign.h"
#include "tests/unit/host/namespace.h"

static struct nft_foreign_query query = {
	.tap = "tap0",
	.tap_index = 7,
	.egress = "eth0",
	.egress_index = 2,
	.own_table = "chnet-tap0",
};

static struct nft_foreign_finding findings[8];
static size_t count;

static int set_up(void **state)
{
	query.stateless = false;
	query.forwards = false;
	namespace_new_network();
	return 0;
}

/* Adds rules, a whole table as nft's own language. */
static void have(const char *rules)
{
	namespace_run("nft '%s'", rules);
}

/* Puts `rules` into a chain of the forward hook with this policy, and looks. */
static void look(const char *policy, const char *rules)
{
	namespace_run("nft flush ruleset");
	namespace_run("nft 'table ip t { chain yes { accept; }; chain no { drop; }; "
		      "chain back { return; }; chain nothing { counter; }; "
		      "chain c { type filter hook forward priority 0; policy %s; %s }; }'",
		policy, rules);
	assert_int_equal(nft_foreign_find(&query, findings, 8, &count), 0);
}

static void assert_passes(const char *policy, const char *rules)
{
	look(policy, rules);
	if (count != 0)
		fail_msg("drops: %s", rules);
}

/* Which of our packets are dropped, for certain and by a rule? */
static void assert_drops(const char *rules, bool out, bool in)
{
	look("accept", rules);
	if (count != 1)
		fail_msg("%zu findings: %s", count, rules);
	if (findings[0].out != out || findings[0].in != in || !findings[0].certain)
		fail_msg("out %d in %d certain %d: %s", findings[0].out, findings[0].in,
			findings[0].certain, rules);
	assert_false(findings[0].policy);
}

static void finds_nothing(void **state)
{
	assert_int_equal(nft_foreign_find(&query, findings, 8, &count), 0);
	assert_int_equal(count, 0);
	assert_passes("accept", "");
	/* other hooks and other families have nothing to do with it */
	have("table ip i { chain input { type filter hook input priority 0; policy drop; }; }");
	have("table ip6 f { chain forward { type filter hook forward priority 0; policy drop; }; "
	     "}");
	have("table bridge b { chain forward { type filter hook forward priority 0; "
	     "policy drop; }; }");
	assert_int_equal(nft_foreign_find(&query, findings, 8, &count), 0);
	assert_int_equal(count, 0);
}

static void finds_policies(void **state)
{
	have("table ip filter { chain FORWARD { type filter hook forward priority 0; "
	     "policy drop; }; }");
	have("table inet guard { chain gate { type filter hook forward priority 5; "
	     "policy drop; iifname \"tap0\" accept; }; }");
	assert_int_equal(nft_foreign_find(&query, findings, 8, &count), 0);
	assert_int_equal(count, 2);
	assert_string_equal(findings[0].family, "ip");
	assert_string_equal(findings[0].table, "filter");
	assert_string_equal(findings[0].chain, "FORWARD");
	assert_true(findings[0].policy && findings[0].certain);
	assert_true(findings[0].out && findings[0].in);
	assert_string_equal(findings[1].family, "inet");
	assert_string_equal(findings[1].table, "guard");
	assert_true(findings[1].policy && findings[1].certain);
	assert_false(findings[1].out);
	assert_true(findings[1].in);
	/* no more than there is room for */
	assert_int_equal(nft_foreign_find(&query, findings, 1, &count), 0);
	assert_int_equal(count, 1);
}

static void leaves_our_own_out(void **state)
{
	struct nft_config config = {
		.tap = "tap0",
		.egress = "nowhere",
		.network_be = {inet_addr("172.16.0.0")},
		.prefix_length = 24,
		.outside_be = {inet_addr("172.16.0.254")},
	};
	struct nft_foreign_query other = query;
	struct nft *nft;

	assert_int_equal(nft_open(&config, &nft), 0);
	assert_int_equal(nft_foreign_find(&query, findings, 8, &count), 0);
	assert_int_equal(count, 0);
	/* seen from another network it would be in the way, if it were about its TAP */
	other.own_table = NULL;
	assert_int_equal(nft_foreign_find(&other, findings, 8, &count), 0);
	assert_int_equal(count, 1);
	strcpy(other.tap, "tap1");
	assert_int_equal(nft_foreign_find(&other, findings, 8, &count), 0);
	assert_int_equal(count, 0);
	nft_close(nft);
}

static void judges_interfaces(void **state)
{
	assert_drops("drop;", true, true);
	assert_drops("counter log drop;", true, true);
	assert_drops("reject with icmp type admin-prohibited;", true, true);
	assert_drops("iifname \"tap0\" drop;", true, false);
	assert_drops("iifname \"tap*\" drop;", true, false);
	assert_drops("iifname != \"eth0\" drop;", true, false);
	assert_drops("oifname \"tap0\" drop;", false, true);
	assert_drops("iifname \"tap0\" oifname \"eth0\" reject;", true, false);
	assert_drops("iif 7 drop;", true, false);
	assert_drops("oif 7 drop;", false, true);
	assert_passes("accept", "iifname \"wlan0\" drop;");
	assert_passes("accept", "iifname \"tap0\" oifname \"wlan0\" drop;");
	assert_passes("accept", "iifname \"tap1*\" drop;");
	assert_passes("accept", "iif 9 drop;");
	namespace_run("nft flush ruleset");
	have("table inet t { chain c { type filter hook forward priority 0; meta nfproto ipv6 "
	     "drop; "
	     "meta nfproto ipv4 iifname \"tap0\" drop; }; }");
	assert_int_equal(nft_foreign_find(&query, findings, 8, &count), 0);
	assert_true(count == 1 && findings[0].out && !findings[0].in);
	/* "iifname" without a match on all of "tap0-x" */
	assert_passes("accept", "iifname \"tap\" drop;");
}

static void judges_states_and_addresses(void **state)
{
	assert_drops("ct state new drop;", true, false);
	assert_drops("ct state established,related drop;", false, true);
	assert_passes("accept", "ct state invalid drop;");
	assert_passes("drop", "iifname \"tap0\" accept; ct state established accept;");
	assert_passes("drop", "meta mark set 1 accept;");
	/* an address that we know only in user mode */
	assert_passes("accept", "ip saddr 172.16.0.254 iifname \"tap0\" drop;");
	{
		struct nft_foreign_query known = query;

		known.outside_be.s_addr = inet_addr("172.16.0.254");
		look("accept", "ip saddr 172.16.0.254 iifname \"tap0\" drop;");
		assert_int_equal(nft_foreign_find(&known, findings, 8, &count), 0);
		assert_int_equal(count, 1);
		assert_true(findings[0].certain);
		look("accept", "ip saddr 172.16.0.0/16 drop; ip saddr 172.16.0.254/31 drop;");
		assert_int_equal(nft_foreign_find(&known, findings, 8, &count), 0);
		assert_true(findings[0].out && findings[0].certain);
		look("accept", "ip saddr 10.0.0.0/8 drop; ip saddr 172.16.0.128/26 drop;");
		assert_int_equal(nft_foreign_find(&known, findings, 8, &count), 0);
		assert_false(findings[0].out);
	}
}

static void follows_chains(void **state)
{
	assert_drops("jump no;", true, true);
	assert_drops("goto no;", true, true);
	assert_drops("jump nothing; jump back; iifname \"tap0\" jump no;", true, false);
	assert_passes("accept", "iifname \"wlan0\" jump no;");
	assert_passes("drop", "jump nothing; jump yes;");
	assert_passes("drop", "goto yes;");
	assert_passes("accept", "return; drop;");
	/* goto does not come back: the policy decides */
	assert_passes("accept", "goto nothing; drop;");
	look("drop", "goto nothing; accept;");
	assert_int_equal(count, 1);
	assert_true(findings[0].policy);
}

/* What cannot be decided is never called certain. */
static void admits_what_it_cannot_know(void **state)
{
	look("drop", "tcp dport 80 accept;");
	assert_int_equal(count, 1);
	assert_false(findings[0].certain);
	look("drop", "iifname { \"tap0\", \"tap1\" } accept; oifname \"tap0\" accept;");
	assert_int_equal(count, 1);
	assert_true(findings[0].out);
	assert_false(findings[0].in || findings[0].certain);
	/* nor is it called a drop of both when only one is certain */
	look("drop", "iifname \"tap0\" drop; tcp dport 80 accept;");
	assert_int_equal(count, 1);
	assert_true(findings[0].out && findings[0].certain);
	assert_false(findings[0].in);
	look("drop", "ct state vmap { established : accept, new : jump yes };");
	assert_int_equal(count, 1);
	assert_false(findings[0].certain);
	look("drop", "limit rate 5/second accept;");
	assert_int_equal(count, 1);
	assert_false(findings[0].certain);
	assert_passes("accept", "tcp dport 25 drop; limit rate 5/second drop;");
	assert_passes("accept", "meta mark 5 drop; ip daddr 203.0.113.1 drop;");
	/* without a known way out */
	{
		struct nft_foreign_query unknown = query;

		unknown.egress[0] = '\0';
		unknown.egress_index = 0;
		look("accept", "oifname \"eth0\" drop;");
		assert_int_equal(nft_foreign_find(&unknown, findings, 8, &count), 0);
		assert_int_equal(count, 0);
	}
}

static void assert_mend(const char *expected)
{
	assert_int_equal(nft_foreign_find(&query, findings, 8, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(findings[0].mend, expected);
}

static void knows_the_usual_suspects(void **state)
{
	/* docker */
	have("table ip filter { chain DOCKER-USER { return; }; chain FORWARD { "
	     "type filter hook forward priority 0; policy drop; jump DOCKER-USER; }; }");
	assert_mend("iptables -I DOCKER-USER -i tap0 -j ACCEPT; iptables -I DOCKER-USER -o tap0 "
		    "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
	have("flush ruleset");
	have("table ip filter { chain ufw-user-forward { }; chain FORWARD { "
	     "type filter hook forward priority 0; policy drop; jump ufw-user-forward; }; }");
	assert_mend("ufw route allow in on tap0");
	have("flush ruleset");
	have("table inet firewalld { chain filter_FORWARD { type filter hook forward priority 10; "
	     "ct state { established, related } accept; reject with icmpx admin-prohibited; }; }");
	assert_mend("firewall-cmd --zone=trusted --add-interface=tap0");
	assert_false(findings[0].certain);
}

/* The rules that it names do mend it. */
static void its_mending_mends(void **state)
{
	look("drop", "tcp dport 1 drop;");
	assert_int_equal(count, 1);
	namespace_run("%s", findings[0].mend);
	assert_int_equal(nft_foreign_find(&query, findings, 8, &count), 0);
	assert_int_equal(count, 0);
}

static void says_it_in_words(void **state)
{
	struct nft_foreign_finding finding = {.family = "ip",
		.table = "filter",
		.chain = "FORWARD",
		.out = true,
		.in = true,
		.certain = true,
		.policy = true,
		.mend = "mend"};
	char text[256];

	nft_foreign_text(&finding, text, sizeof(text));
	assert_string_equal(text, "the policy in nftables chain ip filter FORWARD drops packets of "
				  "guests and their answers: run 'mend'");
	finding.in = finding.certain = finding.policy = false;
	nft_foreign_text(&finding, text, sizeof(text));
	assert_string_equal(text, "a rule in nftables chain ip filter FORWARD may drop packets of "
				  "guests: run 'mend'");
	finding.in = true;
	finding.out = false;
	nft_foreign_text(&finding, text, sizeof(text));
	assert_string_equal(text, "a rule in nftables chain ip filter FORWARD may drop answers to "
				  "guests: run 'mend'");
}

static void reads_large_rule_sets(void **state)
{
	namespace_run("(echo 'table ip t { chain c { type filter hook forward priority 0;'; "
		      "seq 1 3000 | sed 's/.*/tcp dport & counter drop;/'; "
		      "echo 'oifname \"tap0\" drop; }; }') | nft -f -");
	assert_int_equal(nft_foreign_find(&query, findings, 8, &count), 0);
	assert_int_equal(count, 1);
	assert_true(findings[0].in && !findings[0].out);
}

static int find_as_nobody(void *argument)
{
	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	return -nft_foreign_find(&query, findings, 8, &count);
}

static void needs_rights(void **state)
{
	assert_int_equal(namespace_in_child(find_as_nobody, NULL), EPERM);
}

/* The kernel makes an old iptables' table when somebody asks for it, as iptables-legacy does. */
static void sees_old_iptables(void **state)
{
	struct ipt_getinfo info = {.name = "filter"};
	socklen_t length = sizeof(info);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	int r;

	assert_true(fd >= 0);
	assert_false(nft_foreign_has_legacy());
	r = getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &length);
	close(fd);
	if (r < 0)
		skip(); /* a kernel without it */
	assert_true(nft_foreign_has_legacy());
}

/* What is not tracked passes no rule for established connections. */
static void sees_untracked_packets(void **state)
{
	static const char *const rules =
		"iifname \"tap0\" accept; ct state established,related accept; drop;";
	char text[2048];

	assert_passes("accept", rules);
	query.stateless = true;
	assert_drops(rules, false, true);
	nft_foreign_text(&findings[0], text, sizeof(text));
	assert_string_equal(text,
		"a rule in nftables chain ip t c drops answers to guests: run 'nft insert rule ip "
		"t c "
		"iifname tap0 accept; nft insert rule ip t c oifname tap0 ct state "
		"related,established,untracked accept'");
	assert_passes("drop", "iifname \"tap0\" accept; ct state untracked accept;");
	assert_drops("ct state untracked drop;", true, true);
}

static void sees_forwarded_ports(void **state)
{
	static const char *const rules =
		"iifname \"tap0\" accept; ct state established,related accept;";
	char text[2048];

	assert_passes("drop", rules);
	query.forwards = true;
	look("drop", rules);
	assert_int_equal(count, 1);
	assert_true(findings[0].arrivals && findings[0].certain && findings[0].policy);
	assert_false(findings[0].out || findings[0].in);
	nft_foreign_text(&findings[0], text, sizeof(text));
	assert_string_equal(text,
		"the policy in nftables chain ip t c drops connections to forwarded ports: run "
		"'nft "
		"insert rule ip t c iifname tap0 accept; nft insert rule ip t c oifname tap0 ct "
		"state "
		"related,established accept; nft insert rule ip t c oifname tap0 ct status dnat "
		"accept'");
	/* as firewalld has it */
	assert_passes("drop", "iifname \"tap0\" accept; ct state established,related accept; ct "
			      "status dnat accept;");
	look("accept", "ct status snat accept; drop;");
	/* of the others it is not known whether they are translated so */
	assert_true(findings[0].arrivals && findings[0].certain);
	assert_false(findings[0].out || findings[0].in);
	nft_foreign_text(&findings[0], text, sizeof(text));
	assert_non_null(strstr(text, "drops connections to forwarded ports: "));
}

/* Docker's and ufw's own places for rules. */
static void knows_where_others_want_their_rules(void **state)
{
	query.forwards = true;
	query.stateless = true;
	have("table ip filter { chain DOCKER-USER { return; }; chain FORWARD { "
	     "type filter hook forward priority 0; policy drop; }; }");
	assert_int_equal(nft_foreign_find(&query, findings, 8, &count), 0);
	assert_string_equal(findings[0].mend,
		"iptables -I DOCKER-USER -i tap0 -j ACCEPT; iptables -I DOCKER-USER -o tap0 -m "
		"conntrack --ctstate RELATED,ESTABLISHED,UNTRACKED,DNAT -j ACCEPT");
	namespace_run("nft flush ruleset");
	have("table ip filter { chain ufw-user-forward { return; }; chain FORWARD { "
	     "type filter hook forward priority 0; policy drop; }; }");
	assert_int_equal(nft_foreign_find(&query, findings, 8, &count), 0);
	assert_string_equal(
		findings[0].mend, "ufw route allow in on tap0; ufw route allow out on tap0");
}

static void finds_another_nat(void **state)
{
	char table[NFT_FOREIGN_NAME_SIZE] = "";

	assert_int_equal(nft_foreign_find_nat("chnet-tap0", table), 0);
	have("table ip chnet-tap0 { chain c { type nat hook postrouting priority 100; masquerade; "
	     "}; }");
	have("table ip empty { chain c { type nat hook postrouting priority 100; }; }");
	have("table ip other { chain c { type nat hook prerouting priority -100; counter; }; }");
	have("table ip plain { chain c { type filter hook postrouting priority 0; counter; }; }");
	assert_int_equal(nft_foreign_find_nat("chnet-tap0", table), 0);
	assert_string_equal(table, "");
	have("table ip nat { chain POSTROUTING { type nat hook postrouting priority 100; "
	     "ip saddr 172.17.0.0/16 masquerade; }; }");
	assert_int_equal(nft_foreign_find_nat("chnet-tap0", table), 1);
	assert_string_equal(table, "nat");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_nothing, set_up),
		cmocka_unit_test_setup(finds_policies, set_up),
		cmocka_unit_test_setup(leaves_our_own_out, set_up),
		cmocka_unit_test_setup(judges_interfaces, set_up),
		cmocka_unit_test_setup(judges_states_and_addresses, set_up),
		cmocka_unit_test_setup(follows_chains, set_up),
		cmocka_unit_test_setup(admits_what_it_cannot_know, set_up),
		cmocka_unit_test_setup(knows_the_usual_suspects, set_up),
		cmocka_unit_test_setup(its_mending_mends, set_up),
		cmocka_unit_test_setup(says_it_in_words, set_up),
		cmocka_unit_test_setup(reads_large_rule_sets, set_up),
		cmocka_unit_test_setup(needs_rights, set_up),
		cmocka_unit_test_setup(sees_old_iptables, set_up),
		cmocka_unit_test_setup(sees_untracked_packets, set_up),
		cmocka_unit_test_setup(sees_forwarded_ports, set_up),
		cmocka_unit_test_setup(knows_where_others_want_their_rules, set_up),
		cmocka_unit_test_setup(finds_another_nat, set_up),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
