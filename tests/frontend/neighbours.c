/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/neighbours.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/frontend/deadline.h"
#include "tests/frontend/frames.h"

#define LENGTH_MIN 60
#define LENGTH_MAX 1514

/* Ends the transfer; the first fault is kept. */
static void fail(struct neighbours *n, const char *what, int error)
{
	pthread_mutex_lock(&n->lock);
	if (!n->fault[0])
		snprintf(n->fault, sizeof(n->fault), "round %llu, frame %u: %s (%s)",
			(unsigned long long)n->rounds, n->serial, what, strerror(-error));
	pthread_mutex_unlock(&n->lock);
}

static void make(struct neighbours *n, struct driver_frame *frame, unsigned int from)
{
	uint32_t number = ++n->serial;
	uint32_t length = LENGTH_MIN + number * 37 % (LENGTH_MAX - LENGTH_MIN + 1);

	memset(&frame->vnet, 0, sizeof(frame->vnet));
	frames_ethernet(frame->bytes, n->macs[!from], n->macs[from], FRAMES_TYPE_EXPERIMENT,
		&number, sizeof(number));
	for (uint32_t i = FRAMES_ETHERNET + sizeof(number); i < length; i++)
		frame->bytes[i] = (uint8_t)(i * number);
	frame->length = length;
}

/* The next frame that end `to` gets from the other end must be this one. */
static int expect(struct neighbours *n, unsigned int to, const struct driver_frame *frame)
{
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);

	for (;;) {
		int error = driver_receive(&n->ends[to]->driver, &n->got, deadline);
		if (error) {
			fail(n, to ? "a frame is lost" : "an answer is lost", error);
			return error;
		}
		if (n->got.length >= FRAMES_ETHERNET &&
			memcmp(n->got.bytes + 6, n->macs[!to], 6) == 0)
			break;
		n->skipped++;
	}
	if (n->got.length == frame->length &&
		memcmp(n->got.bytes, frame->bytes, frame->length) == 0)
		return 0;
	fail(n, "another frame came", -EBADMSG);
	return -EBADMSG;
}

static int exchange(struct neighbours *n)
{
	struct driver *driver = &n->ends[0]->driver;
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
	int error = 0;

	for (unsigned int i = 0; i < NEIGHBOURS_BURST && !error; i++) {
		make(n, &n->burst[i], 0);
		error = driver_queue(driver, &n->burst[i], deadline);
	}
	driver_publish(driver);
	if (error)
		fail(n, "cannot send", error);
	for (unsigned int i = 0; i < NEIGHBOURS_BURST && !error; i++)
		error = expect(n, 1, &n->burst[i]);
	if (error)
		return error;
	make(n, &n->burst[0], 1);
	error = driver_send(&n->ends[1]->driver, &n->burst[0], deadline);
	if (error)
		fail(n, "cannot answer", error);
	return error ? error : expect(n, 0, &n->burst[0]);
}

static void *run(void *argument)
{
	struct neighbours *n = argument;
	bool stop = false;

	while (!stop) {
		int error = exchange(n);
		pthread_mutex_lock(&n->lock);
		n->rounds += !error;
		stop = n->ended = n->stop || error;
		pthread_cond_broadcast(&n->change);
		pthread_mutex_unlock(&n->lock);
	}
	return NULL;
}

int neighbours_start(struct neighbours *n, struct frontend *first, const uint8_t mac[6],
	struct frontend *second, const uint8_t second_mac[6])
{
	pthread_condattr_t attributes;

	memset(n, 0, sizeof(*n));
	n->ends[0] = first;
	n->ends[1] = second;
	memcpy(n->macs[0], mac, 6);
	memcpy(n->macs[1], second_mac, 6);
	pthread_mutex_init(&n->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&n->change, &attributes);
	pthread_condattr_destroy(&attributes);
	int error = -pthread_create(&n->thread, NULL, run, n);
	n->running = !error;
	return error;
}

int neighbours_stop(struct neighbours *n)
{
	if (!n->running)
		return 0;
	pthread_mutex_lock(&n->lock);
	n->stop = true;
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);
	n->running = false;
	pthread_cond_destroy(&n->change);
	pthread_mutex_destroy(&n->lock);
	return n->fault[0] ? -EIO : 0;
}

uint64_t neighbours_rounds(struct neighbours *n)
{
	pthread_mutex_lock(&n->lock);
	uint64_t rounds = n->rounds;
	pthread_mutex_unlock(&n->lock);
	return rounds;
}

int neighbours_wait(struct neighbours *n, uint64_t rounds, uint64_t deadline_ns)
{
	const struct timespec deadline = {
		.tv_sec = (time_t)(deadline_ns / 1000000000u),
		.tv_nsec = (long)(deadline_ns % 1000000000u),
	};
	int error = 0;

	pthread_mutex_lock(&n->lock);
	while (n->rounds < rounds && !n->ended && !error)
		error = -pthread_cond_timedwait(&n->change, &n->lock, &deadline);
	if (n->rounds >= rounds)
		error = 0;
	else if (n->ended)
		error = -EIO;
	pthread_mutex_unlock(&n->lock);
	return error;
}
