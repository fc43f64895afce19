/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A transaction of nftables: messages are collected and take effect all at once or not at all.
 *
 *	nft_batch_begin(&batch);
 *	nftnl_..._nlmsg_build_payload(nft_batch_message(&batch, ...), object);
 *	...
 *	r = nft_batch_commit(&batch, socket);
 *	nft_batch_fini(&batch);
 *
 * Errors on the way are remembered and returned by nft_batch_commit().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mnl_nlmsg_batch;
struct mnl_socket;
struct nlmsghdr;

struct nft_batch {
	struct mnl_nlmsg_batch *messages; /* what is collected; NULL after a failed begin */
	void *buffer;			  /* that they lie in; owned */
	uint32_t first;			  /* sequence number of the first message with an answer */
	uint32_t next;			  /* sequence number of the next message */
	bool open;			  /* the current message is not closed yet */
	int error;			  /* first error, negative errno; 0 = none */
};

/* Starts a transaction. */
void nft_batch_begin(struct nft_batch *batch);

/*
 * Adds a message NFT_MSG_`type` with NLM_F_* `flags` for `family`, whose attributes the caller adds
 * before the next call. Each message may have up to NFT_BATCH_MESSAGE_MAX bytes. After an error it
 * points to scratch memory, so that callers need not check.
 */
struct nlmsghdr *nft_batch_message(
	struct nft_batch *batch, uint16_t type, uint16_t family, uint16_t flags);
#define NFT_BATCH_MESSAGE_MAX 4096

/* Remembers an error (negative errno) that the caller met while building a message. */
void nft_batch_fail(struct nft_batch *batch, int error);

/*
 * Sends the transaction and reads the kernel's answers, which are there when the send returns.
 * Returns 0; -EPERM without CAP_NET_ADMIN; -EBUSY when the table is owned by another socket; or the
 * first error.
 */
int nft_batch_commit(struct nft_batch *batch, struct mnl_socket *socket);

/* Frees what the batch holds. */
void nft_batch_fini(struct nft_batch *batch);
