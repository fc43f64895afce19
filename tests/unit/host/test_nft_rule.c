/* SPDX-License-Identifier: BSD-3-Clause */
/* Every expression, as nft prints it. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/ip_icmp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "control/host/nft_batch.h"
#include "control/host/nft_rule.h"
#include "tests/unit/host/namespace.h"

static struct mnl_socket *nft_socket;
static struct nft_batch batch;
static struct nft_rule rule;

static int set_up(void **state)
{
	namespace_new_network();
	namespace_run("nft 'table ip t { chain c { type nat hook postrouting priority 100; }; }'");
	nft_socket = mnl_socket_open(NETLINK_NETFILTER);
	assert_non_null(nft_socket);
	nft_batch_begin(&batch);
	nft_rule_begin(&rule, NFPROTO_IPV4, "t", "c");
	return mnl_socket_bind(nft_socket, 0, MNL_SOCKET_AUTOPID);
}

static int tear_down(void **state)
{
	/* the rule that the test began and did not use */
	nft_rule_add(&rule, &batch);
	nft_batch_fini(&batch);
	return mnl_socket_close(nft_socket);
}

static int commit(void)
{
	int r;

	nft_rule_add(&rule, &batch);
	r = nft_batch_commit(&batch, nft_socket);
	nft_batch_fini(&batch);
	nft_batch_begin(&batch);
	nft_rule_begin(&rule, NFPROTO_IPV4, "t", "c");
	return r;
}

/* Adds the rule, compares it with what nft lists, and begins a new one. */
static void assert_rule(const char *expected)
{
	assert_int_equal(commit(), 0);
	assert_string_equal(
		namespace_output("nft -s list chain ip t c | sed '1,3d' | tr -d '\\t}\\n'"),
		expected);
	namespace_run("nft flush chain ip t c");
}

static struct in_addr address_be(const char *text)
{
	return (struct in_addr){inet_addr(text)};
}

static void matches_interfaces(void **state)
{
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, "eth0");
	nft_rule_oifname(&rule, NFT_RULE_DIFFERENT, "fifteen-bytes-x");
	assert_rule("iifname \"eth0\" oifname != \"fifteen-bytes-x\"");
	nft_rule_iifname(&rule, NFT_RULE_EQUAL, "sixteen-bytes-xx");
	assert_int_equal(commit(), -ENAMETOOLONG);
}

static void matches_addresses(void **state)
{
	nft_rule_saddr(&rule, NFT_RULE_EQUAL, address_be("172.16.0.254"), 32);
	nft_rule_daddr(&rule, NFT_RULE_DIFFERENT, address_be("172.16.0.0"), 24);
	assert_rule("ip saddr 172.16.0.254 ip daddr != 172.16.0.0/24");
	/* an odd length, and host bits that do not count */
	nft_rule_saddr(&rule, NFT_RULE_DIFFERENT, address_be("10.255.255.255"), 11);
	nft_rule_daddr(&rule, NFT_RULE_EQUAL, address_be("192.0.2.1"), 1);
	assert_rule("ip saddr != 10.224.0.0/11 ip daddr 128.0.0.0/1");
}

static void matches_states(void **state)
{
	nft_rule_ct_state(&rule, NF_CT_STATE_INVALID_BIT);
	assert_rule("ct state invalid");
	nft_rule_ct_state(&rule, NF_CT_STATE_BIT(IP_CT_ESTABLISHED) |
					 NF_CT_STATE_BIT(IP_CT_RELATED) |
					 NF_CT_STATE_BIT(IP_CT_NEW));
	assert_rule("ct state established,related,new");
}

static void acts(void **state)
{
	nft_rule_counter(&rule);
	nft_rule_accept(&rule);
	assert_rule("counter accept");
	nft_rule_drop(&rule);
	assert_rule("drop");
	nft_rule_masquerade(&rule);
	assert_rule("masquerade");
}

static void matches_whose_address_it_is(void **state)
{
	nft_rule_saddr_local(&rule);
	nft_rule_daddr_local(&rule);
	nft_rule_ct_status(&rule, IPS_DST_NAT);
	assert_rule("fib saddr type local fib daddr type local ct status dnat");
}

static void matches_ports(void **state)
{
	nft_rule_protocol(&rule, IPPROTO_TCP);
	nft_rule_sport(&rule, 1, 65535);
	nft_rule_dport(&rule, 80, 80);
	assert_rule("tcp sport 1-65535 tcp dport 80");
	nft_rule_protocol(&rule, IPPROTO_UDP);
	nft_rule_dport(&rule, 50000, 59999);
	assert_rule("udp dport 50000-59999");
}

static void matches_icmp(void **state)
{
	nft_rule_protocol(&rule, IPPROTO_ICMP);
	nft_rule_icmp_type(&rule, ICMP_ECHOREPLY);
	nft_rule_icmp_id(&rule, 50000, 59999);
	assert_rule("icmp type echo-reply icmp id 50000-59999");
	/* the bits are those of RFC 792 and RFC 791: version, protocol, source, source port */
	nft_rule_protocol(&rule, IPPROTO_ICMP);
	nft_rule_icmp_about(&rule, address_be("192.0.2.1"), IPPROTO_UDP, 53, 53);
	assert_rule("meta l4proto icmp @th,64,8 0x45 @th,136,8 0x11 @th,160,32 0xc0000201 "
		    "@th,224,16 0x35");
	nft_rule_protocol(&rule, IPPROTO_ICMP);
	nft_rule_icmp_about(&rule, address_be("192.0.2.1"), IPPROTO_ICMP, 53, 53);
	assert_rule("meta l4proto icmp @th,64,8 0x45 @th,136,8 0x1 @th,160,32 0xc0000201 "
		    "@th,256,16 0x35");
	nft_rule_protocol(&rule, IPPROTO_ICMP);
	nft_rule_icmp_about_options(&rule, address_be("192.0.2.1"));
	assert_rule("meta l4proto icmp @th,64,8 != 0x45 @th,160,32 0xc0000201");
}

static void matches_sockets(void **state)
{
	namespace_run("nft 'flush table ip t; delete chain ip t c; table ip t { chain c { "
		      "type filter hook prerouting priority -300; }; }'");
	nft_rule_socket(&rule);
	nft_rule_accept(&rule);
	assert_rule("socket transparent >= 0 accept");
}

static void translates(void **state)
{
	namespace_run("nft 'flush table ip t; delete chain ip t c; table ip t { chain c { "
		      "type nat hook prerouting priority -100; }; }'");
	nft_rule_protocol(&rule, IPPROTO_TCP);
	nft_rule_dnat(&rule, address_be("172.16.0.2"), 80);
	assert_rule("meta l4proto tcp dnat to 172.16.0.2:80");
	nft_rule_dnat(&rule, address_be("172.16.0.2"), 0);
	assert_rule("dnat to 172.16.0.2");
}

static void changes_packets(void **state)
{
	namespace_run("nft 'flush table ip t; delete chain ip t c; table ip t { chain c { "
		      "type filter hook prerouting priority -300; }; }'");
	nft_rule_notrack(&rule);
	nft_rule_set_saddr(&rule, address_be("192.0.2.1"));
	nft_rule_set_daddr(&rule, address_be("192.0.2.2"));
	assert_rule("notrack ip saddr set 192.0.2.1 ip daddr set 192.0.2.2");
}

static void flushes(void **state)
{
	nft_rule_accept(&rule);
	assert_int_equal(commit(), 0);
	nft_rule_flush(&rule, &batch);
	nft_rule_begin(&rule, NFPROTO_IPV4, "t", "c");
	nft_rule_drop(&rule);
	assert_rule("drop");
}

static void says_what_is_missing(void **state)
{
	nft_rule_add(&rule, &batch);
	nft_batch_fini(&batch);
	nft_batch_begin(&batch);
	nft_rule_begin(&rule, NFPROTO_IPV4, "t", "missing");
	nft_rule_accept(&rule);
	assert_int_equal(commit(), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(matches_interfaces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(matches_addresses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(matches_states, set_up, tear_down),
		cmocka_unit_test_setup_teardown(acts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(matches_whose_address_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(matches_ports, set_up, tear_down),
		cmocka_unit_test_setup_teardown(matches_icmp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(matches_sockets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(translates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changes_packets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flushes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_what_is_missing, set_up, tear_down),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
