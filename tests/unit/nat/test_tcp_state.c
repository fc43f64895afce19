/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every state, direction and event, driven through the NAT with packets. What must come of it is
 * stated here as rules in the words of the RFCs, not as a copy of the table.
 */
#include "fixture.h"

#include <string.h>

#include "nat/nat_private.h"

static const struct end inside = {GUEST, 40000};
static const struct end outside = {OUTSIDE, 40000};
static const struct end remote = {REMOTE, 80};

struct step {
	enum flow_direction direction;
	uint8_t flags;
};
#define OUT(flags)              \
	{                       \
		FLOW_OUT, flags \
	}
#define IN(flags)              \
	{                      \
		FLOW_IN, flags \
	}

/* How to get into each state. */
static const struct {
	enum session_state state;
	int steps;
	struct step path[5];
} paths[] = {
	{SESSION_SYN_OUT, 1, {OUT(SYN)}},
	{SESSION_SYN_IN, 1, {IN(SYN)}},
	{SESSION_OPENING, 2, {OUT(SYN), IN(SYN | ACK)}},
	{SESSION_SIMULTANEOUS, 2, {OUT(SYN), IN(SYN)}},
	{SESSION_PICKED_UP, 1, {OUT(ACK)}},
	{SESSION_ESTABLISHED, 3, {OUT(SYN), IN(SYN | ACK), OUT(ACK)}},
	{SESSION_FIN_OUT, 4, {OUT(SYN), IN(SYN | ACK), OUT(ACK), OUT(FIN | ACK)}},
	{SESSION_FIN_IN, 4, {OUT(SYN), IN(SYN | ACK), OUT(ACK), IN(FIN | ACK)}},
	{SESSION_FIN_BOTH, 5, {OUT(SYN), IN(SYN | ACK), OUT(ACK), IN(FIN | ACK), OUT(FIN | ACK)}},
	{SESSION_RESET, 4, {OUT(SYN), IN(SYN | ACK), OUT(ACK), IN(RST)}},
};
static_assert(sizeof(paths) / sizeof(paths[0]) == SESSION_STATE_TCP_COUNT, "all states");

static const struct {
	enum tcp_event event;
	uint8_t flags;
} segments[] = {
	{TCP_EVENT_DATA, ACK},
	{TCP_EVENT_DATA, ACK | PSH},
	{TCP_EVENT_DATA, 0},
	{TCP_EVENT_SYN, SYN},
	{TCP_EVENT_SYN_ACK, SYN | ACK},
	{TCP_EVENT_FIN, FIN | ACK},
	{TCP_EVENT_FIN, FIN | ACK | PSH},
	{TCP_EVENT_RST, RST},
	{TCP_EVENT_RST, RST | ACK},
	{TCP_EVENT_RST, RST | SYN | FIN | ACK},
};

static bool is_open(enum session_state s)
{
	return s == SESSION_ESTABLISHED || s == SESSION_FIN_OUT || s == SESSION_FIN_IN;
}

static bool is_handshake(enum session_state s)
{
	return s == SESSION_OPENING || s == SESSION_SIMULTANEOUS;
}

static enum session_state expected(
	enum session_state s, enum flow_direction direction, enum tcp_event event)
{
	bool out = direction == FLOW_OUT;

	/* RFC 7857, 2.2: a reset starts the closing time-out, whatever was before. */
	if (event == TCP_EVENT_RST)
		return SESSION_RESET;
	/* A SYN on a connection that is over begins a new one. */
	if (event == TCP_EVENT_SYN && (s == SESSION_FIN_BOTH || s == SESSION_RESET))
		return out ? SESSION_SYN_OUT : SESSION_SYN_IN;
	if (event == TCP_EVENT_SYN && s == SESSION_PICKED_UP && out)
		return SESSION_SYN_OUT;
	/* The second SYN, from the other side. */
	if (s == SESSION_SYN_OUT && !out)
		return event == TCP_EVENT_SYN	    ? SESSION_SIMULTANEOUS
		       : event == TCP_EVENT_SYN_ACK ? SESSION_OPENING
						    : s;
	if (s == SESSION_SYN_IN && out)
		return event == TCP_EVENT_SYN	    ? SESSION_SIMULTANEOUS
		       : event == TCP_EVENT_SYN_ACK ? SESSION_OPENING
						    : s;
	/* A handshake is complete with the segment behind it. */
	if (is_handshake(s) && event == TCP_EVENT_DATA)
		return SESSION_ESTABLISHED;
	if (s == SESSION_SIMULTANEOUS && event == TCP_EVENT_SYN_ACK)
		return SESSION_ESTABLISHED;
	/* RFC 6146, 3.5.2.2, TRANS: anything but a reset revives the connection. */
	if (s == SESSION_RESET && event != TCP_EVENT_FIN)
		return SESSION_ESTABLISHED;
	/* Picked up: believed once the remote answers. */
	if (s == SESSION_PICKED_UP && !out && event == TCP_EVENT_DATA)
		return SESSION_ESTABLISHED;
	if (event == TCP_EVENT_FIN) {
		if ((s == SESSION_FIN_OUT && !out) || (s == SESSION_FIN_IN && out))
			return SESSION_FIN_BOTH;
		if (s == SESSION_ESTABLISHED || is_handshake(s) || s == SESSION_RESET ||
			(s == SESSION_PICKED_UP && !out))
			return out ? SESSION_FIN_OUT : SESSION_FIN_IN;
	}
	return s;
}

static enum nat_verdict send_step(struct fixture *f, struct step step)
{
	struct packet p;

	if (step.direction == FLOW_OUT)
		return tcp_out(f, &p, inside, remote, step.flags);
	return tcp_in(f, &p, remote, outside, step.flags);
}

static struct session *session_of(struct fixture *f)
{
	struct flow_key key = flow_key(ip(GUEST), htons(40000), ip(REMOTE), htons(80), IPPROTO_TCP);
	uint32_t record = session_find(
		&f->nat->sessions, &key, flow_hash(&key, f->nat->sessions.seed), FLOW_OUT);

	return record == SESSION_NONE ? NULL : &f->nat->sessions.records[record];
}

static void go_to(struct fixture *f, int path)
{
	struct nat_config config = fixture_config();
	struct packet p;

	config.filter = NAT_FILTER_ENDPOINT_INDEPENDENT;
	fixture_init(f, &config);
	/* A mapping for those that come from outside. */
	tcp_out(f, &p, inside, END(REMOTE2, 1), SYN);
	for (int i = 0; i < paths[path].steps; i++)
		assert_true(send_step(f, paths[path].path[i]) != NAT_VERDICT_DROP);
	assert_int_equal(session_of(f)->state, paths[path].state);
}

static void every_state_and_event(void **state)
{
	for (int path = 0; path < SESSION_STATE_TCP_COUNT; path++) {
		for (int direction = 0; direction < FLOW_DIRECTION_COUNT; direction++) {
			for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
				struct step step = {
					(enum flow_direction)direction, segments[i].flags};
				enum session_state want = expected(
					paths[path].state, step.direction, segments[i].event);
				struct fixture f;

				go_to(&f, path);
				assert_true(send_step(&f, step) != NAT_VERDICT_DROP);
				if (session_of(&f)->state != want)
					fail_msg("%s, %s, flags %02x: %s instead of %s",
						session_state_name(paths[path].state),
						direction == FLOW_OUT ? "out" : "in", step.flags,
						session_state_name(session_of(&f)->state),
						session_state_name(want));
				fixture_fini(&f);
			}
		}
	}
}

/* RFC 5382 REQ-5, RFC 7857 2.1: how long each state lasts, to the second. */
static void every_state_has_its_time(void **state)
{
	for (int path = 0; path < SESSION_STATE_TCP_COUNT; path++) {
		unsigned int seconds = is_open(paths[path].state) ? 7440 : 240;
		struct fixture f;

		go_to(&f, path);
		fixture_advance(&f, seconds - 1);
		nat_tick(f.nat, f.now_ns);
		/* Both directions keep it alive; DATA does not leave the states that matter. */
		assert_true(send_step(&f, (struct step)IN(RST)) == NAT_VERDICT_INSIDE);
		fixture_fini(&f);

		go_to(&f, path);
		fixture_advance(&f, seconds + 1);
		assert_true(send_step(&f, (struct step)IN(RST)) == NAT_VERDICT_DROP);
		fixture_fini(&f);
	}
}

/* RFC 7857 2.2: a reset, forged or not, cuts no connection that goes on. */
static void reset_is_not_the_end(void **state)
{
	struct fixture f;

	go_to(&f, SESSION_ESTABLISHED);
	assert_int_equal(send_step(&f, (struct step)IN(RST)), NAT_VERDICT_INSIDE);
	fixture_advance(&f, 200);
	assert_int_equal(send_step(&f, (struct step)OUT(ACK)), NAT_VERDICT_WORLD);
	assert_int_equal(send_step(&f, (struct step)IN(ACK)), NAT_VERDICT_INSIDE);
	fixture_advance(&f, 7000);
	assert_int_equal(send_step(&f, (struct step)IN(ACK)), NAT_VERDICT_INSIDE);
	fixture_fini(&f);
}

static void states_without_tcp_stay(void **state)
{
	static const enum session_state states[] = {
		SESSION_UDP, SESSION_UDP_WELL_KNOWN, SESSION_ICMP, SESSION_OTHER};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		for (int d = 0; d < FLOW_DIRECTION_COUNT; d++)
			assert_int_equal(tcp_state_next[d][states[i]][TCP_EVENT_DATA], states[i]);
	assert_int_equal(tcp_state_next[FLOW_IN][SESSION_UDP_UNANSWERED][TCP_EVENT_DATA],
		SESSION_UDP_UNANSWERED);
	assert_int_equal(
		tcp_state_next[FLOW_OUT][SESSION_UDP_UNANSWERED][TCP_EVENT_DATA], SESSION_UDP);
}

static void names(void **state)
{
	for (int a = 0; a < SESSION_STATE_COUNT; a++)
		for (int b = 0; b < a; b++)
			assert_string_not_equal(session_state_name((enum session_state)a),
				session_state_name((enum session_state)b));
	assert_string_equal(session_state_name((enum session_state)SESSION_STATE_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_and_event),
		cmocka_unit_test(every_state_has_its_time),
		cmocka_unit_test(reset_is_not_the_end),
		cmocka_unit_test(states_without_tcp_stay),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("tcp_state", tests, NULL, NULL);
}
