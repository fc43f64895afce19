/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "control/host/nft_batch.h"
#include "tests/unit/host/namespace.h"

static struct mnl_socket *nft_socket;
static struct nft_batch batch;

static int set_up(void **state)
{
	namespace_new_network();
	nft_socket = mnl_socket_open(NETLINK_NETFILTER);
	assert_non_null(nft_socket);
	nft_batch_begin(&batch);
	return mnl_socket_bind(nft_socket, 0, MNL_SOCKET_AUTOPID);
}

static int tear_down(void **state)
{
	nft_batch_fini(&batch);
	return mnl_socket_close(nft_socket);
}

/* Adds or deletes a table. */
static void table(uint16_t type, uint16_t flags, const char *name)
{
	struct nftnl_table *object = nftnl_table_alloc();

	assert_non_null(object);
	assert_int_equal(nftnl_table_set_str(object, NFTNL_TABLE_NAME, name), 0);
	nftnl_table_nlmsg_build_payload(
		nft_batch_message(&batch, type, NFPROTO_IPV4, flags), object);
	nftnl_table_free(object);
}

static void does_all(void **state)
{
	table(NFT_MSG_NEWTABLE, NLM_F_CREATE, "one");
	table(NFT_MSG_NEWTABLE, NLM_F_CREATE, "two");
	assert_int_equal(nft_batch_commit(&batch, nft_socket), 0);
	assert_string_equal(namespace_output("nft list tables"), "table ip one\ntable ip two\n");
}

static void or_nothing(void **state)
{
	table(NFT_MSG_NEWTABLE, NLM_F_CREATE, "one");
	table(NFT_MSG_DELTABLE, 0, "missing");
	table(NFT_MSG_NEWTABLE, NLM_F_CREATE, "two");
	assert_int_equal(nft_batch_commit(&batch, nft_socket), -ENOENT);
	assert_string_equal(namespace_output("nft list tables"), "");

	/* the socket has no old answers left for the next one */
	nft_batch_fini(&batch);
	nft_batch_begin(&batch);
	table(NFT_MSG_NEWTABLE, NLM_F_CREATE, "one");
	assert_int_equal(nft_batch_commit(&batch, nft_socket), 0);
	assert_string_equal(namespace_output("nft list tables"), "table ip one\n");
}

static void remembers_the_first_error(void **state)
{
	table(NFT_MSG_NEWTABLE, NLM_F_CREATE, "one");
	nft_batch_fail(&batch, -EDOM);
	nft_batch_fail(&batch, -ERANGE);
	table(NFT_MSG_NEWTABLE, NLM_F_CREATE, "two");
	assert_int_equal(nft_batch_commit(&batch, nft_socket), -EDOM);
	assert_string_equal(namespace_output("nft list tables"), "");
}

/* Thousands of messages: as many as fit work, and one more is an error, not an overrun. */
static void has_an_end(void **state)
{
	char name[200];
	int i;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "%0199d", i);
		table(NFT_MSG_NEWTABLE, NLM_F_CREATE, name);
	}
	assert_int_equal(nft_batch_commit(&batch, nft_socket), 0);
	assert_string_equal(namespace_output("nft list tables | wc -l"), "200\n");

	nft_batch_fini(&batch);
	nft_batch_begin(&batch);
	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "%0199d", i);
		table(NFT_MSG_DELTABLE, 0, name);
	}
	assert_int_equal(nft_batch_commit(&batch, nft_socket), -ENOBUFS);
	assert_string_equal(namespace_output("nft list tables | wc -l"), "200\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(does_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(or_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(remembers_the_first_error, set_up, tear_down),
		cmocka_unit_test_setup_teardown(has_an_end, set_up, tear_down),
	};

	namespace_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
