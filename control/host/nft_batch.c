/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/host/nft_batch.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* Bytes of all messages together; a rule needs a few hundred, and ours are a dozen without port
 * forwards. */
#define NFT_BATCH_SIZE (1 << 20)

void nft_batch_fail(struct nft_batch *batch, int error)
{
	if (batch->error == 0)
		batch->error = error;
}

/* Closes the message that is being built, if there is one. */
static void nft_batch_close(struct nft_batch *batch)
{
	if (!batch->open)
		return;
	batch->open = false;
	/* After an error the message is thrown away; the place is used again. */
	if (batch->error == 0 && !mnl_nlmsg_batch_next(batch->messages))
		nft_batch_fail(batch, -ENOBUFS);
}

void nft_batch_begin(struct nft_batch *batch)
{
	*batch = (struct nft_batch){.next = (uint32_t)time(NULL)};
	/* libmnl lets the last message overrun the limit; there is room for a whole one. */
	batch->buffer = malloc(NFT_BATCH_SIZE + 2 * NFT_BATCH_MESSAGE_MAX);
	if (batch->buffer)
		batch->messages = mnl_nlmsg_batch_start(batch->buffer, NFT_BATCH_SIZE);
	if (!batch->messages) {
		nft_batch_fail(batch, -ENOMEM);
		return;
	}
	nftnl_batch_begin(mnl_nlmsg_batch_current(batch->messages), batch->next++);
	mnl_nlmsg_batch_next(batch->messages);
	batch->first = batch->next;
}

struct nlmsghdr *nft_batch_message(
	struct nft_batch *batch, uint16_t type, uint16_t family, uint16_t flags)
{
	/* Where messages go that cannot be sent any more. */
	static _Alignas(struct nlmsghdr) char scratch[2 * NFT_BATCH_MESSAGE_MAX];

	if (batch->messages)
		nft_batch_close(batch);
	if (batch->error < 0)
		return nftnl_nlmsg_build_hdr(scratch, type, family, 0, 0);
	batch->open = true;
	return nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch->messages), type, family,
		(uint16_t)(flags | NLM_F_ACK), batch->next++);
}

/* Is this the sequence number of one of the messages, rather than that of the frame around them? */
static bool nft_batch_is_ours(const struct nft_batch *batch, uint32_t sequence)
{
	return sequence - batch->first < batch->next - batch->first;
}

/*
 * Without CAP_NET_ADMIN the kernel refuses the transaction as such (EPERM for its begin); EPERM for
 * a message means that the table is owned by another socket.
 */
static int nft_batch_error(const struct nft_batch *batch, uint32_t sequence, int error)
{
	return error == -EPERM && nft_batch_is_ours(batch, sequence) ? -EBUSY : error;
}

/* Reads the answers that wait in the socket. Returns 0 when every message was acknowledged. */
static int nft_batch_answers(const struct nft_batch *batch, struct mnl_socket *socket)
{
	_Alignas(struct nlmsghdr) char buffer[16384];
	uint32_t missing = batch->next - batch->first;
	int error = 0;

	for (;;) {
		ssize_t length =
			recv(mnl_socket_get_fd(socket), buffer, sizeof(buffer), MSG_DONTWAIT);
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
		int left = (int)length;

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (length < 0)
			return -errno;
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

			if (message->nlmsg_type != NLMSG_ERROR ||
				mnl_nlmsg_get_payload_len(message) < sizeof(*answer))
				continue;
			if (answer->error != 0 && error == 0)
				error = nft_batch_error(batch, message->nlmsg_seq, answer->error);
			if (nft_batch_is_ours(batch, message->nlmsg_seq) && missing > 0)
				missing--;
		}
	}
	if (error == 0 && missing > 0)
		error = -EPROTO;
	return error;
}

int nft_batch_commit(struct nft_batch *batch, struct mnl_socket *socket)
{
	uint32_t end = batch->next;

	if (batch->messages)
		nft_batch_close(batch);
	if (batch->error < 0)
		return batch->error;
	nftnl_batch_end(mnl_nlmsg_batch_current(batch->messages), end);
	if (!mnl_nlmsg_batch_next(batch->messages))
		return -ENOBUFS;
	if (mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch->messages),
		    mnl_nlmsg_batch_size(batch->messages)) < 0)
		return -errno;
	return nft_batch_answers(batch, socket);
}

void nft_batch_fini(struct nft_batch *batch)
{
	if (batch->messages)
		mnl_nlmsg_batch_stop(batch->messages);
	free(batch->buffer);
	*batch = (struct nft_batch){0};
}
