/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A NAT that starts on the memory of another one: that ended well, was killed at any instruction,
 * was of another kind, or wrote nonsense.
 */
#include "fixture.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nat/nat_private.h"

static void zero_memory_is_fresh(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->adopted, 0);
	fixture_restart(f);
	assert_int_equal(f->adopted, 1);
	assert_int_equal(nat_counters(f->nat)->sessions_live, 0);
}

static void sessions_survive(void **state)
{
	struct fixture *f = *state;
	struct packet p;
	uint16_t port, id;

	udp_out(f, &p, END(GUEST2, 5000), END(REMOTE, 53));
	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 53));
	port = source_of(&p).port;
	assert_int_not_equal(port, 5000);
	tcp_out(f, &p, END(GUEST, 40000), END(REMOTE, 80), SYN);
	tcp_in(f, &p, END(REMOTE, 80), END(OUTSIDE, 40000), SYN | ACK);
	tcp_out(f, &p, END(GUEST, 40000), END(REMOTE, 80), ACK);
	make_icmp(&p, 8, END(GUEST, 3), REMOTE, 8);
	send_out(f, &p);
	make_icmp(&p, 8, END(GUEST2, 3), REMOTE, 8);
	send_out(f, &p);
	id = source_of(&p).port;
	udp_in(f, &p, END(REMOTE, 54), END(OUTSIDE, 5000)); /* without a permission of its own */
	make_other(&p, 47, GUEST, REMOTE, 20);
	send_out(f, &p);

	for (int i = 0; i < 3; i++) {
		fixture_advance(f, 10);
		fixture_restart(f);
		assert_int_equal(f->adopted, 1);
		assert_int_equal(nat_counters(f->nat)->sessions_live, 7);
		assert_int_equal(nat_counters(f->nat)->sessions_adopted, 7);
		assert_int_equal(
			udp_in(f, &p, END(REMOTE, 53), END(OUTSIDE, port)), NAT_VERDICT_INSIDE);
		assert_end(destination_of(&p), GUEST, 5000);
		assert_int_equal(
			udp_in(f, &p, END(REMOTE, 53), END(OUTSIDE, 5000)), NAT_VERDICT_INSIDE);
		assert_end(destination_of(&p), GUEST2, 5000);
		assert_int_equal(tcp_in(f, &p, END(REMOTE, 80), END(OUTSIDE, 40000), ACK),
			NAT_VERDICT_INSIDE);
		make_icmp(&p, 0, END(REMOTE, id), OUTSIDE, 8);
		assert_int_equal(send_in(f, &p), NAT_VERDICT_INSIDE);
		assert_end(destination_of(&p), GUEST2, 3);
		make_other(&p, 47, REMOTE, OUTSIDE, 20);
		assert_int_equal(send_in(f, &p), NAT_VERDICT_INSIDE);
		assert_int_equal(nat_counters(f->nat)->misses, 0);
		/* Permissions too, and they are no wider than before. */
		assert_int_equal(udp_in(f, &p, END(REMOTE, (uint16_t)(60 + i)), END(OUTSIDE, port)),
			NAT_VERDICT_INSIDE);
		fixture_restart(f);
		assert_dropped(f, udp_in(f, &p, END(REMOTE2, 53), END(OUTSIDE, port)), &p,
			NAT_DROP_FILTERED);
		fixture_advance(f, 31); /* the unanswered ones go */
		fixture_restart(f);
		udp_in(f, &p, END(REMOTE, 54), END(OUTSIDE, 5000));
		make_icmp(&p, 8, END(GUEST, 3), REMOTE, 8);
		send_out(f, &p);
		make_icmp(&p, 8, END(GUEST2, 3), REMOTE, 8);
		send_out(f, &p);
	}
	/* The established connection still has its long time-out. */
	fixture_advance(f, 7000);
	fixture_restart(f);
	assert_int_equal(
		tcp_in(f, &p, END(REMOTE, 80), END(OUTSIDE, 40000), ACK), NAT_VERDICT_INSIDE);
}

static void counters_of_the_caller_go_on(void **state)
{
	struct nat_counters counters = {0};
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;

	config.counters = &counters;
	fixture_init(&f, &config);
	udp_out(&f, &p, END(GUEST, 5000), END(REMOTE, 53));
	fixture_restart(&f);
	udp_out(&f, &p, END(GUEST, 5001), END(REMOTE, 53));
	assert_ptr_equal(nat_counters(f.nat), &counters);
	assert_int_equal(counters.sessions_created, 2);
	assert_int_equal(counters.sessions_live, 2);
	assert_int_equal(counters.mappings_live, 2);
	assert_int_equal(counters.sessions_adopted, 1);
	fixture_fini(&f);
}

/* The records behind a refused header are gone, and the memory works. */
static void assert_refused(struct fixture *f)
{
	struct packet p;

	fixture_restart(f);
	assert_int_equal(f->adopted, -EPROTO);
	assert_int_equal(nat_counters(f->nat)->sessions_live, 0);
	assert_int_equal(udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 53)), NAT_VERDICT_WORLD);
	fixture_restart(f);
	assert_int_equal(f->adopted, 1);
	assert_int_equal(nat_counters(f->nat)->sessions_live, 1);
}

static void other_headers_are_refused(void **state)
{
	struct fixture *f = *state;
	struct flow_memory_header *header = f->memory;
	struct packet p;

	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 53));
	header->version++;
	assert_refused(f);
	header->layout_hash ^= 1;
	assert_refused(f);
	header->magic = 0;
	assert_refused(f);
	header->session_high = header->session_capacity + 1;
	assert_refused(f);
	header->mapping_high = UINT32_MAX;
	assert_refused(f);
	f->config.port_high = 60000;
	assert_refused(f);
	f->config.outside_be = ip("172.16.0.253");
	assert_refused(f);
	f->config.sessions = 2048;
	assert_refused(f);
	memset(f->memory, 0xff, f->size);
	assert_refused(f);
}

static void new_timeouts_apply(void **state)
{
	struct fixture *f = *state;
	struct packet p;

	udp_out(f, &p, END(GUEST, 5000), END(REMOTE, 5300));
	f->config.timeouts.udp_s = 130;
	fixture_restart(f);
	fixture_advance(f, 131);
	assert_int_equal(udp_in(f, &p, END(REMOTE, 5300), END(OUTSIDE, 5000)), NAT_VERDICT_DROP);
}

/* Whatever lies behind a right header, the tables agree afterwards. */
static void nonsense_is_sorted_out(void **state)
{
	struct nat_config config = fixture_config();
	struct fixture f;
	struct packet p;

	config.sessions = 64;
	fixture_init(&f, &config);
	srandom(4);
	for (int round = 0; round < 400; round++) {
		uint8_t *bytes = f.memory;
		int hits = 1 + (int)(random() % 60);

		for (uint16_t i = 0; i < 40; i++) {
			struct end from = END(i % 2 ? GUEST : GUEST2, (uint16_t)(i / 4));

			if (i % 4 < 2)
				udp_out(&f, &p, from, END(REMOTE, i));
			else
				tcp_out(&f, &p, from, END(REMOTE2, i), SYN);
		}
		for (int i = 0; i < hits; i++) {
			size_t at = 4096 + (size_t)random() % (f.size - 4096);

			/* Single bits, bytes, and records written over each other. */
			if (i % 3 == 0)
				bytes[at] ^= (uint8_t)(1 << random() % 8);
			else if (i % 3 == 1)
				bytes[at] = (uint8_t)random();
			else
				memmove(bytes + at / 64 * 64,
					bytes + 8192 + (size_t)random() % 96 * 64, 64);
		}
		fixture_restart(&f); /* checks */
		assert_int_equal(f.adopted, 1);
	}
	fixture_fini(&f);
}

/* Opens and expires sessions for ever; counts in shared memory. */
static void churn(struct fixture *f, uint32_t *progress)
{
	struct packet p, *packet = &p;
	enum nat_verdict verdict;

	for (uint32_t i = 0;; i++) {
		struct end from = END(i % 3 ? GUEST : GUEST2, (uint16_t)(i * 7 % 50));

		make_udp(&p, from, END(REMOTE, (uint16_t)(i % 97)), 0);
		nat_out_burst(f->nat, &packet, &verdict, 1, f->now_ns);
		make_tcp(&p, from, END(REMOTE2, (uint16_t)(i % 31)), i % 2 ? SYN : ACK, 0);
		nat_out_burst(f->nat, &packet, &verdict, 1, f->now_ns);
		f->now_ns += SECOND;
		nat_tick(f->nat, f->now_ns);
		__atomic_store_n(progress, i, __ATOMIC_RELAXED);
	}
}

static void killed_at_random(void **state)
{
	struct nat_config config = fixture_config();
	uint32_t *progress =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct fixture f;
	struct packet p;
	uint64_t survived = 0;

	config.sessions = 2048;
	fixture_init(&f, &config);
	for (int round = 0; round < 50; round++) {
		uint32_t until = 1 + (uint32_t)random() % 2000;
		int status;
		pid_t child;

		*progress = 0;
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			churn(&f, progress);
		while (__atomic_load_n(progress, __ATOMIC_RELAXED) < until)
			sched_yield();
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(WTERMSIG(status), SIGKILL);
		/* The child's clock went on. */
		f.now_ns += until * SECOND;
		fixture_restart(&f);
		assert_int_equal(f.adopted, 1);
		survived += nat_counters(f.nat)->sessions_live;
		assert_true(
			udp_out(&f, &p, END("172.16.0.9", 1), END(REMOTE, 1)) == NAT_VERDICT_WORLD);
	}
	assert_true(survived > 50);
	fixture_fini(&f);
	munmap(progress, 4096);
}

/* What the traced child does: opens a session of a mapping of its own, which needs no system call,
 * and lets it expire. Sessions of the other time-out stay. */
static void open_and_close(struct fixture *f)
{
	struct packet p, *packet = &p;
	enum nat_verdict verdict;

	make_icmp(&p, 8, END(GUEST2, 9), REMOTE2, 8);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	nat_out_burst(f->nat, &packet, &verdict, 1, f->now_ns);
	nat_tick(f->nat, f->now_ns + 100 * SECOND);
	_exit(verdict == NAT_VERDICT_WORLD ? 0 : 1);
}

/* Adopts a copy of the memory as it is at this instruction; returns its number of sessions. */
static uint64_t adopt_copy(const struct fixture *f, void *copy)
{
	struct nat_config config = f->config;
	uint64_t live;
	struct nat *nat;
	int adopted;

	memcpy(copy, f->memory, f->size);
	assert_int_equal(nat_new(&config, copy, f->size, f->now_ns, &adopted, &nat), 0);
	assert_int_equal(adopted, 1);
	assert_null(nat_check(nat));
	live = nat_counters(nat)->sessions_live;
	nat_free(nat);
	return live;
}

static void killed_at_every_instruction(void **state)
{
	struct nat_config config = fixture_config();
	uint64_t live, steps = 0, images = 0, most = 0;
	void *copy, *last;
	struct fixture f;
	struct packet p;
	int status;
	pid_t child;

	config.sessions = 64;
	fixture_init(&f, &config);
	copy = mmap(NULL, f.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	last = mmap(NULL, f.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	udp_out(&f, &p, END(GUEST, 5), END(REMOTE, 6));
	udp_out(&f, &p, END(GUEST2, 5), END(REMOTE, 6));

	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		open_and_close(&f);
	assert_int_equal(waitpid(child, &status, 0), child);
	for (;; steps++) {
		if (memcmp(last, f.memory, f.size) != 0) {
			memcpy(last, f.memory, f.size);
			live = adopt_copy(&f, copy);
			assert_in_range(live, 2, 3);
			most = live > most ? live : most;
			images++;
		}
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status))
			break;
		assert_true(WIFSTOPPED(status));
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(most, 3);
	assert_int_equal(adopt_copy(&f, copy), 2);
	assert_in_range(images, 10, 1000);
	assert_true(steps > 500);
	munmap(copy, f.size);
	munmap(last, f.size);
	fixture_fini(&f);
}

static void bad_arguments(void **state)
{
	struct fixture *f = *state;
	struct nat_config config;
	struct nat *nat = NULL;

	assert_int_equal(nat_new(&f->config, f->memory, f->size - 1, 0, NULL, &nat), -EINVAL);
	assert_int_equal(
		nat_new(&f->config, (char *)f->memory + 64, f->size, 0, NULL, &nat), -EINVAL);
#define REFUSED(field, value)                          \
	config = f->config;                            \
	config.field = (value);                        \
	assert_int_equal(nat_memory_size(&config), 0); \
	assert_int_equal(nat_new(&config, f->memory, f->size, 0, NULL, &nat), -EINVAL)
	REFUSED(inside_prefix, 15);
	REFUSED(inside_prefix, 31);
	REFUSED(inside_be, ip(GUEST));
	REFUSED(outside_be, 0);
	REFUSED(port_high, 0);
	REFUSED(sessions, 63);
	REFUSED(sessions, (16u << 20) + 1);
	REFUSED(timeouts.udp_s, 119); /* RFC 4787 REQ-5 */
	REFUSED(timeouts.tcp_established_s, UINT32_MAX);
	REFUSED(filter, (enum nat_filter)3);
	assert_null(nat);
	nat_free(NULL);
}

/* What docs/nat.md says. */
static void bytes_a_session(void **state)
{
	struct nat_config config = fixture_config();

	config.sessions = 1 << 20;
	assert_in_range(nat_memory_size(&config), 64 << 20, (64 << 20) + (7 << 20));
	config.sessions = 1 << 18;
	assert_in_range(nat_memory_size(&config), 64 << 18, (64 << 18) + (7 << 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			zero_memory_is_fresh, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			sessions_survive, fixture_set_up, fixture_tear_down),
		cmocka_unit_test(counters_of_the_caller_go_on),
		cmocka_unit_test_setup_teardown(
			other_headers_are_refused, fixture_set_up, fixture_tear_down),
		cmocka_unit_test_setup_teardown(
			new_timeouts_apply, fixture_set_up, fixture_tear_down),
		cmocka_unit_test(nonsense_is_sorted_out),
		cmocka_unit_test(killed_at_random),
		cmocka_unit_test(killed_at_every_instruction),
		cmocka_unit_test_setup_teardown(bad_arguments, fixture_set_up, fixture_tear_down),
		cmocka_unit_test(bytes_a_session),
	};

	return cmocka_run_group_tests_name("flow_memory", tests, NULL, NULL);
}
