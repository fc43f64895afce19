/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of the generator. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/station.h"
#include "bench/workload.h"

enum generator_mode {
	GENERATOR_RATE,	   /* frames a second */
	GENERATOR_LATENCY, /* round trips */
	GENERATOR_DOWN,	   /* datagrams from the world */
	GENERATOR_IDLE,	   /* connect, and do nothing */
};

/* What stands at the other side of the rings. */
enum generator_device {
	GENERATOR_BACKEND,   /* a vhost-user back end, at the sockets given */
	GENERATOR_BARE_DROP, /* bare_device.h without the copy */
	GENERATOR_BARE_COPY, /* bare_device.h */
	GENERATOR_BARE_TAP,  /* bare_tap.h */
};

struct generator_options {
	enum generator_mode mode;
	enum generator_device device;
	struct workload workload;
	const char *sockets[STATIONS_MAX];
	unsigned int stations; /* even, unless they all send to one place */
	bool has_target;
	struct frames_end target; /* where all frames go, by the gateway's MAC address */
	const char *count;	  /* interface whose sent frames are counted, or NULL */
	const char *tap;	  /* of bare_tap.h, or NULL */
	const char *world;	  /* file of its network namespace, for GENERATOR_DOWN */
	bool gso;		  /* see struct world */
	bool load;		  /* see struct latency_options */
	bool unheard;		  /* do not wait until frames come through */
	bool both;
	unsigned int active; /* senders that send, the first ones; 0: all */
	double seconds;
	double warm_up;	       /* seconds */
	double warm_up_frames; /* and so many frames, at least */
	double pace;	       /* frames a second; 0: no limit */
	double interval_us;    /* between two round trips */
	bool hold;	       /* stay connected until standard input ends */
	int cpu;	       /* to run on; -1: anywhere */
	int device_cpu;	       /* of the bare device */
	int ready_fd; /* wait until something can be read here before connecting; -1: do not */
};

/* Reads the command line. On a mistake it says so on standard error and returns -EINVAL. */
int generator_options_parse(int argc, char *argv[], struct generator_options *ret_options);
