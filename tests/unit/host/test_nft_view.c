/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/host/nft.h"
#include "control/host/nft_view.h"
#include "tests/unit/host/namespace.h"

/* As of `chnet setup`, so that others may change them. */
static struct nft_config config_kept(void)
{
	return (struct nft_config){
		.tap = "tap0",
		.network_be = {inet_addr("172.16.0.0")},
		.prefix_length = 24,
		.outside_be = {inet_addr("172.16.0.254")},
		.nat = NFT_NAT_KERNEL,
		.no_owner = true,
	};
}

static int set_up(void **state)
{
	namespace_new_network();
	return 0;
}

static struct nft_view view_of(const char *tap)
{
	struct nft_view view;

	assert_int_equal(nft_view_read(tap, &view), 0);
	return view;
}

static void assert_sound(const struct nft_view *view, const char *egress)
{
	assert_true(view->exists);
	assert_true(view->masquerades);
	assert_true(view->accepts);
	assert_string_equal(view->egress, egress);
}

static void there_is_none(void **state)
{
	struct nft_view view = view_of("tap0");

	assert_false(view.exists);
	assert_false(view.masquerades);
	assert_false(view.accepts);
	assert_string_equal(view.egress, "");
	assert_int_equal(view.packets, 0);
}

static void reads_what_was_written(void **state)
{
	struct nft_config config = config_kept();
	struct nft_view view;
	struct nft *nft;

	assert_int_equal(nft_open(&config, &nft), 0);
	view = view_of("tap0");
	assert_sound(&view, "");
	view = view_of("tap1");
	assert_false(view.exists);
	assert_int_equal(nft_set_egress(nft, "eth0", (struct in_addr){0}), 0);
	view = view_of("tap0");
	assert_sound(&view, "eth0");
	nft_close(nft);
}

/* The rules of forwards, of outside ports and of our own NAT are no way out. */
static void is_not_misled_by_other_rules_of_ours(void **state)
{
	struct nft_config config = config_kept();
	struct nft_view view;
	struct nft *nft;

	config.nat = NFT_NAT_USER;
	memcpy(config.egress, "eth0", sizeof("eth0"));
	config.egress_be.s_addr = inet_addr("203.0.113.2");
	config.forward_count = 1;
	config.forwards[0] = (struct host_forward){.to_be = {inet_addr("172.16.0.2")},
		.listen_port = 8080,
		.to_port = 80,
		.count = 1,
		.protocol = IPPROTO_TCP};
	assert_int_equal(nft_open(&config, &nft), 0);
	view = view_of("tap0");
	assert_sound(&view, "eth0");
	nft_close(nft);
	config.outside_low = 40000;
	config.outside_high = 40999;
	assert_int_equal(nft_open(&config, &nft), 0);
	view = view_of("tap0");
	assert_sound(&view, "eth0");
	nft_close(nft);
}

static void sees_what_is_missing(void **state)
{
	struct nft_config config = config_kept();
	struct nft_view view;
	struct nft *nft;

	config.forward_count = 1;
	config.forwards[0] = (struct host_forward){.to_be = {inet_addr("172.16.0.2")},
		.listen_port = 8080,
		.to_port = 80,
		.count = 1,
		.protocol = IPPROTO_TCP};
	assert_int_equal(nft_open(&config, &nft), 0);
	namespace_run("nft flush chain ip chnet-tap0 forward");
	view = view_of("tap0");
	assert_true(view.exists && view.masquerades);
	assert_false(view.accepts);
	namespace_run("nft add rule ip chnet-tap0 forward iifname tap0 ct state new accept");
	namespace_run("nft add rule ip chnet-tap0 forward oifname tap0 accept");
	namespace_run("nft add rule ip chnet-tap0 forward iifname eth1 accept");
	namespace_run("nft add rule ip chnet-tap0 forward iifname tap0 drop");
	assert_false(view_of("tap0").accepts);
	namespace_run("nft add rule ip chnet-tap0 forward iifname tap0 accept");
	assert_true(view_of("tap0").accepts);
	/* What goes to a guest is masqueraded still. */
	namespace_run("nft delete rule ip chnet-tap0 postrouting handle "
		      "$(nft -a list chain ip chnet-tap0 postrouting | "
		      "sed -n '/oifname !=/s/.*handle //p')");
	view = view_of("tap0");
	assert_true(view.exists);
	assert_false(view.masquerades);
	nft_close(nft);
}

static void adds_up_what_passed(void **state)
{
	struct nft_config config = config_kept();
	struct nft *nft;

	assert_int_equal(nft_open(&config, &nft), 0);
	assert_int_equal(view_of("tap0").packets, 0);
	namespace_run("nft add rule ip chnet-tap0 forward counter packets 5 bytes 300");
	namespace_run("nft add rule ip chnet-tap0 forward counter packets 7 bytes 700 drop");
	namespace_run("nft add rule ip chnet-tap0 postrouting counter packets 9 bytes 900");
	assert_int_equal(view_of("tap0").packets, 12);
	nft_close(nft);
}

static int read_without_rights(void *argument)
{
	struct nft_view view;

	return setuid(65534) == 0 && nft_view_read("tap0", &view) == -EPERM ? 0 : 1;
}

static void needs_rights(void **state)
{
	assert_int_equal(namespace_in_child(read_without_rights, NULL), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(there_is_none),
		TEST(reads_what_was_written),
		TEST(is_not_misled_by_other_rules_of_ours),
		TEST(sees_what_is_missing),
		TEST(adds_up_what_passed),
		TEST(needs_rights),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
