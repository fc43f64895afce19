/* SPDX-License-Identifier: BSD-3-Clause */
/* With libmnl: libnl does not know the attributes of TAPs. */
#include "control/host/tap_owner.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Bytes of an answer about one link, without its statistics of each virtual function. */
#define ANSWER_SIZE 16384

/* What an answer says. */
struct answer {
	bool tap;   /* it is of the kind "tun" */
	bool owned; /* it has an owner: */
	uid_t owner;
};

static int read_data(const struct nlattr *attribute, void *context)
{
	struct answer *answer = context;

	if (mnl_attr_get_type(attribute) == IFLA_TUN_OWNER &&
		mnl_attr_validate(attribute, MNL_TYPE_U32) == 0) {
		answer->owned = true;
		answer->owner = mnl_attr_get_u32(attribute);
	}
	return MNL_CB_OK;
}

static int read_info(const struct nlattr *attribute, void *context)
{
	struct answer *answer = context;

	if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND &&
		mnl_attr_validate(attribute, MNL_TYPE_STRING) == 0)
		answer->tap = strcmp(mnl_attr_get_str(attribute), "tun") == 0;
	/* It follows the kind. */
	if (mnl_attr_get_type(attribute) == IFLA_INFO_DATA && answer->tap)
		return mnl_attr_parse_nested(attribute, read_data, context);
	return MNL_CB_OK;
}

static int read_link(const struct nlattr *attribute, void *context)
{
	if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
		return mnl_attr_parse_nested(attribute, read_info, context);
	return MNL_CB_OK;
}

static int read_message(const struct nlmsghdr *message, void *context)
{
	return mnl_attr_parse(message, sizeof(struct ifinfomsg), read_link, context);
}

/* Asks the kernel about the interface. */
static int ask(struct mnl_socket *socket, int index, struct answer *answer)
{
	_Alignas(struct nlmsghdr) char buffer[ANSWER_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *link;
	ssize_t length;

	message->nlmsg_type = RTM_GETLINK;
	message->nlmsg_flags = NLM_F_REQUEST;
	message->nlmsg_seq = 1;
	link = mnl_nlmsg_put_extra_header(message, sizeof(*link));
	link->ifi_family = AF_UNSPEC;
	link->ifi_index = index;
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (length < 0)
		return -errno;
	if (mnl_cb_run(buffer, (size_t)length, 1, mnl_socket_get_portid(socket), read_message,
		    answer) < 0)
		return -errno;
	return 0;
}

int tap_owner(int index, uid_t *ret_owner)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	struct answer answer = {0};
	int r;

	if (!socket)
		return -errno;
	r = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno
							       : ask(socket, index, &answer);
	mnl_socket_close(socket);
	if (r < 0)
		return r;
	if (!answer.tap)
		return -ENOTTY;
	if (!answer.owned)
		return -ENOENT;
	*ret_owner = answer.owner;
	return 0;
}
