/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtual machine monitor and its guest, without either: a vhost-user front end that sends the
 * messages in Cloud Hypervisor's order, over a driver that drives the rings as a guest does.
 *
 * States, and what is legal in each:
 *
 *   made       frontend_connect
 *   connected  frontend_activate, frontend_disconnect
 *   active     driver_*(), frontend_reset, frontend_disconnect
 *   (the guest's rings outlive the connection: connect + resume after a disconnect is what Cloud
 *   Hypervisor does when the back end has died)
 */
#pragma once

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/frontend/client.h"
#include "tests/frontend/driver.h"
#include "tests/frontend/guest_ram.h"

#define FRONTEND_BIT(feature) (UINT64_C(1) << (feature))
#define FRONTEND_F_LOG_ALL 26
#define FRONTEND_F_PROTOCOL_FEATURES 30

/* Where SET_VRING_BASE comes from. */
enum frontend_base {
	FRONTEND_BASE_AVAIL, /* Cloud Hypervisor: the guest's avail.idx */
	FRONTEND_BASE_SAVED, /* QEMU: what GET_VRING_BASE said, 0 at first */
	FRONTEND_BASE_STALE, /* a number that means nothing */
};

struct frontend_options {
	uint64_t features; /* what the guest would ack (virtio and net bits); VERSION_1 is added */
	uint16_t queue_size; /* 1 to 32768 */
	bool polled;	     /* no interrupt vector: no SET_VRING_CALL at all */
	bool inflight;	     /* ask for and set the inflight area when it is offered */
	bool no_reply_ack;   /* do not negotiate REPLY_ACK */
	bool rarp;	     /* ack RARP, as QEMU does */
	bool listens;	     /* for the back end to connect, as with vhost_mode=server */
	enum frontend_base base;
	enum virtqueue_kick kick;
	enum virtqueue_interrupt interrupt; /* without `polled` */
	struct guest_ram_layout ram;	    /* regions 0: one that is large enough */
	struct driver_layout rx_layout;
	struct driver_layout tx_layout;
	uint32_t rx_buffer; /* bytes of one receive buffer, header included; 0: a large frame's */
	uint16_t rx_slots;  /* see struct driver_options */
	uint16_t tx_slots;
	bool post_singly; /* see struct driver_options */
};

struct frontend {
	struct frontend_options options;
	struct client client;
	int listener; /* made by frontend_listen(); 0: none */
	struct guest_ram ram;
	struct driver driver;
	uint64_t offered;	   /* the last GET_FEATURES */
	uint64_t offered_protocol; /* the last GET_PROTOCOL_FEATURES */
	uint64_t acked;		   /* the last SET_FEATURES */
	uint64_t acked_protocol;
	uint64_t queue_num;		    /* the last GET_QUEUE_NUM */
	uint32_t saved_base[DRIVER_QUEUES]; /* the last GET_VRING_BASE */
	bool active;
	bool logging; /* ack LOG_ALL, and have writes to used rings logged */
};

/*
 * Makes the guest's memory and driver; posts nothing and connects to nothing. 0 or negative errno;
 * frontend_fini() is due either way.
 */
int frontend_init(struct frontend *frontend, const struct frontend_options *options);
/* Bytes of memory that frontend_init() makes for these options when they name no size. */
uint64_t frontend_ram_needed(const struct frontend_options *options);
/* Another driver takes over, in the same memory, which has to have room. The device is not active.
 * Only what is about the driver is taken of `options`. 0 or negative errno. */
int frontend_change_driver(struct frontend *frontend, const struct frontend_options *options);
/* Disconnects and frees everything. */
void frontend_fini(struct frontend *frontend);

/* With `listens`: so from now on, instead of in frontend_connect() only. 0 or negative errno. */
int frontend_listen(struct frontend *frontend, const char *path);

/* Connects, or is connected to, and negotiates, up to GET_QUEUE_NUM. 0 or negative errno. */
int frontend_connect(struct frontend *frontend, const char *path);
void frontend_disconnect(struct frontend *frontend);

/* The guest's driver starts: it clears its rings, posts its buffers, and the rings are set up. */
int frontend_activate(struct frontend *frontend);

/* Sets the rings up as they are, as Cloud Hypervisor does after it had to connect again. */
int frontend_resume(struct frontend *frontend);

/*
 * What Cloud Hypervisor does when the back end has hung up: tries to connect every 100 ms, as long
 * as nobody listens, and resumes. 0, -ETIMEDOUT, or the error that ends it.
 */
int frontend_reconnect(struct frontend *frontend, const char *path);

/* The guest's driver stops: for each ring ENABLE(0), GET_VRING_BASE. */
int frontend_reset(struct frontend *frontend);

/* The parts of frontend_resume(), for tests that change the order or leave something out. */
int frontend_set_features(struct frontend *frontend);
int frontend_set_mem_table(struct frontend *frontend);
int frontend_set_vring_addr(struct frontend *frontend, uint32_t index);
int frontend_set_vring_base(struct frontend *frontend, uint32_t index);
/* ADDR, BASE, CALL and KICK of one ring. */
int frontend_set_vring(struct frontend *frontend, uint32_t index);
int frontend_set_inflight(struct frontend *frontend);

/*
 * SET_LOG_BASE: the dirty log is the `size` bytes at `offset` of the file (none with -1). 0,
 * -EREMOTEIO when the back end refused it, or -EPROTO when the answer is not the one that this
 * front end waits for: the payload again for Cloud Hypervisor's, an empty one for QEMU's.
 */
int frontend_set_log_base(struct frontend *frontend, int fd, uint64_t size, uint64_t offset);
