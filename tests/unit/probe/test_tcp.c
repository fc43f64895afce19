/* SPDX-License-Identifier: BSD-3-Clause */
/* The connection against a peer that is this file: segments are made and taken apart by hand. */
#include "guest/probe/tcp.h"

#include "backend/bytes.h"
#include "tests/unit/probe/datagram.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define PEER_FIRST 0xfffffff0U /* so that its sequence numbers wrap soon */
#define OUR_FIRST 0x7ffffff0U  /* where a sign would change */

static struct tcp tcp;
static uint8_t out[TCP_HEADER + TCP_MSS];
static size_t out_length;
static uint64_t now_us;
static uint8_t taken[4096];

static void fill(void *context, uint32_t offset, uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)(offset + i);
}

static void take(void *context, uint32_t offset, const uint8_t *bytes, size_t length)
{
	assert_true(offset + length <= sizeof(taken));
	memcpy(taken + offset, bytes, length);
}

static const struct tcp_stream stream = {.fill = fill, .take = take};

/* Takes the next segment that is due; false: none. */
static bool next(void)
{
	memset(out, 0xee, sizeof(out));
	out_length = tcp_output(&tcp, out, now_us);
	assert_true(out_length == 0 || out_length >= TCP_HEADER);
	return out_length > 0;
}

static uint32_t sequence(void)
{
	return load32(out + 4);
}

static uint32_t acknowledged(void)
{
	return load32(out + 8);
}

/* The peer sends; numbers count from the first byte of each stream. */
static void input(uint8_t flags, uint32_t at, uint32_t ack, uint16_t window, size_t length)
{
	uint8_t *segment = calloc(1, TCP_HEADER + length);

	store32_be(segment + 4, htonl(PEER_FIRST + at));
	store32_be(segment + 8, htonl(OUR_FIRST + ack));
	segment[12] = TCP_HEADER / 4 << 4;
	segment[13] = flags;
	store16_be(segment + 14, htons(window));
	for (size_t i = 0; i < length; i++)
		segment[TCP_HEADER + i] = (uint8_t)(at + i);
	tcp_input(&tcp, segment, TCP_HEADER + length, now_us);
	free(segment);
}

/* The peer's SYN and ACK, with its largest segment. */
static void input_syn_ack(uint16_t mss)
{
	uint8_t segment[TCP_HEADER + 8] = {0};

	store32_be(segment + 4, htonl(PEER_FIRST - 1));
	store32_be(segment + 8, htonl(OUR_FIRST));
	segment[12] = (TCP_HEADER + 8) / 4 << 4;
	segment[13] = SYN | ACK;
	store16_be(segment + 14, htons(65535));
	memcpy(segment + TCP_HEADER, (const uint8_t[]){1, 2, 4, mss >> 8, mss & 255, 0, 0, 0}, 8);
	tcp_input(&tcp, segment, sizeof(segment), now_us);
}

static void begin(uint32_t length)
{
	now_us = 1000000;
	memset(taken, 0xee, sizeof(taken));
	tcp_open(&tcp, &stream, 1000, 2000, OUR_FIRST - 1, now_us);
	tcp.length = length;
}

static void open_connection(uint32_t length, uint16_t mss)
{
	begin(length);
	assert_true(next());
	input_syn_ack(mss);
	assert_int_equal(tcp.state, TCP_OPEN);
}

static void test_a_connection_opens(void **state)
{
	begin(0);
	assert_true(next());
	assert_int_equal(out[13], SYN);
	assert_int_equal(sequence(), OUR_FIRST - 1);
	assert_int_equal(load16(out), 1000);
	assert_int_equal(load16(out + 2), 2000);
	assert_memory_equal(out + TCP_HEADER, ((const uint8_t[]){2, 4, 5, 180}), 4);
	assert_false(next());
	input_syn_ack(1400);
	assert_int_equal(tcp.state, TCP_OPEN);
	assert_int_equal(tcp.peer_mss, 1400);
	assert_true(next());
	assert_int_equal(out[13], ACK);
	assert_int_equal(acknowledged(), PEER_FIRST);
	assert_int_equal(sequence(), OUR_FIRST);
	assert_false(next());
}

static void test_a_lost_syn_goes_again(void **state)
{
	begin(0);
	assert_true(next());
	now_us += 100000;
	assert_false(next());
	now_us += 2000000;
	assert_true(next());
	assert_int_equal(out[13], SYN);
	assert_int_equal(sequence(), OUR_FIRST - 1);
}

static void test_a_refusal_is_one(void **state)
{
	begin(0);
	assert_true(next());
	/* Not for this SYN. */
	input(RST | ACK, 0, 5, 0, 0);
	assert_int_equal(tcp.state, TCP_SYN_SENT);
	input(RST | ACK, 0, 0, 0, 0);
	assert_int_equal(tcp.state, TCP_FAILED);
	assert_false(next());
}

static void test_an_older_connection_is_reset(void **state)
{
	begin(0);
	assert_true(next());
	input(ACK, 7, 12345, 100, 0);
	assert_true(next());
	assert_int_equal(out[13], RST);
	assert_int_equal(sequence(), OUR_FIRST + 12345);
	assert_false(next());
	/* Its reset is not answered by one, and the SYN goes again. */
	input(RST | ACK, 7, 12345, 100, 0);
	assert_false(next());
	now_us += 2000000;
	assert_true(next());
	assert_int_equal(out[13], SYN);
	assert_int_equal(sequence(), OUR_FIRST - 1);
	input_syn_ack(1460);
	assert_int_equal(tcp.state, TCP_OPEN);
}

static void test_only_a_reset_in_its_place_counts(void **state)
{
	open_connection(0, 1460);
	input(RST, 1, 0, 0, 0);
	assert_int_equal(tcp.state, TCP_OPEN);
	input(RST, 0, 0, 0, 0);
	assert_int_equal(tcp.state, TCP_FAILED);
}

static void test_data_go_in_segments_of_the_peers_size(void **state)
{
	open_connection(250, 100);
	assert_true(next());
	assert_int_equal(out_length, TCP_HEADER + 100);
	assert_int_equal(acknowledged(), PEER_FIRST);
	assert_int_equal(out[TCP_HEADER + 99], 99);
	assert_true(next());
	assert_true(next());
	assert_int_equal(out_length, TCP_HEADER + 50);
	assert_int_equal(sequence(), OUR_FIRST + 200);
	assert_false(next());
	assert_int_equal(tcp_sent(&tcp), 250);
	assert_int_equal(tcp_acknowledged(&tcp), 0);
	input(ACK, 0, 250, 65535, 0);
	assert_int_equal(tcp_acknowledged(&tcp), 250);
	assert_false(next());
}

static void test_the_peers_window_is_kept(void **state)
{
	open_connection(1000, 100);
	input(ACK, 0, 0, 150, 0);
	assert_true(next());
	assert_int_equal(out_length, TCP_HEADER + 100);
	/* A rest of 50 is not worth a segment. */
	assert_false(next());
	input(ACK, 0, 100, 0, 0);
	assert_false(next());
	/* Nothing comes from the peer: its window is asked for by one byte. */
	now_us += 2000000;
	assert_true(next());
	assert_int_equal(out_length, TCP_HEADER + 1);
	assert_int_equal(sequence(), OUR_FIRST + 100);
	input(ACK, 0, 101, 65535, 0);
	assert_true(next());
	assert_int_equal(sequence(), OUR_FIRST + 101);
}

static void test_what_is_lost_goes_again_after_a_while(void **state)
{
	open_connection(200, 100);
	assert_true(next() && next());
	assert_false(next());
	input(ACK, 0, 100, 65535, 0);
	assert_false(next());
	now_us += 1100000;
	assert_true(next());
	assert_int_equal(sequence(), OUR_FIRST + 100);
	assert_int_equal(out[TCP_HEADER], 100);
	assert_int_equal(tcp.retransmissions, 1);
	input(ACK, 0, 200, 65535, 0);
	assert_false(next());
}

static void test_three_duplicates_send_again_at_once(void **state)
{
	open_connection(1000, 100);
	while (next())
		;
	for (int i = 0; i < 2; i++)
		input(ACK, 0, 0, 65535, 0);
	assert_false(next());
	input(ACK, 0, 0, 65535, 0);
	assert_true(next());
	assert_int_equal(sequence(), OUR_FIRST);
	assert_int_equal(tcp.retransmissions, 1);
	/* An acknowledgement of all that went before. */
	input(ACK, 0, 1000, 65535, 0);
	assert_false(next());
	assert_int_equal(tcp_acknowledged(&tcp), 1000);
}

static void test_an_acknowledgement_of_what_was_not_sent_is_none(void **state)
{
	open_connection(100, 100);
	assert_true(next());
	input(ACK, 0, 101, 65535, 0);
	assert_int_equal(tcp_acknowledged(&tcp), 0);
}

static void expect_received(uint32_t length)
{
	assert_int_equal(tcp_received(&tcp), length);
	for (uint32_t i = 0; i < length; i++)
		assert_int_equal(taken[i], i);
}

static void test_data_have_their_place(void **state)
{
	open_connection(0, 1460);
	assert_true(next());
	input(ACK, 0, 0, 65535, 30);
	expect_received(30);
	assert_true(next());
	assert_int_equal(acknowledged(), PEER_FIRST + 30);
	/* The same again, and one half of which is new. */
	input(ACK, 0, 0, 65535, 30);
	expect_received(30);
	input(ACK, 20, 0, 65535, 30);
	expect_received(50);
	assert_int_equal(tcp.disordered, 1);
	assert_true(next());
	/* Behind a hole, which is then filled. */
	input(ACK, 80, 0, 65535, 10);
	input(FIN | ACK, 60, 0, 65535, 20);
	expect_received(50);
	assert_int_equal(tcp.disordered, 3);
	input(ACK, 50, 0, 65535, 10);
	expect_received(90);
	assert_true(next());
	assert_int_equal(acknowledged(), PEER_FIRST + 90);
	/* Beyond the window. */
	input(ACK, 65620, 0, 65535, 10);
	input(ACK, 90, 0, 65535, 10);
	expect_received(100);
	assert_int_equal(tcp.state, TCP_OPEN);
	input(FIN | ACK, 100, 0, 65535, 0);
	assert_true(tcp.peer_closed);
	expect_received(100);
}

/* A peer that sends again at the third duplicate must get it, though all came in one burst. */
static void test_each_segment_behind_a_hole_is_answered(void **state)
{
	open_connection(0, 1460);
	assert_true(next());
	input(ACK, 0, 0, 65535, 10);
	for (uint32_t at = 20; at < 60; at += 10)
		input(ACK, at, 0, 65535, 10);
	for (int i = 0; i < 5; i++) {
		assert_true(next());
		assert_int_equal(out_length, TCP_HEADER);
		assert_int_equal(acknowledged(), PEER_FIRST + 10);
	}
	assert_false(next());
	/* The hole is filled before they went: they would be duplicates of another byte. */
	input(ACK, 60, 0, 65535, 10);
	input(ACK, 70, 0, 65535, 10);
	input(ACK, 10, 0, 65535, 10);
	assert_true(next());
	assert_int_equal(acknowledged(), PEER_FIRST + 80);
	assert_false(next());
	assert_int_equal(tcp_received(&tcp), 80);
	assert_int_equal(tcp.disordered, 6);
	/* What is known already is answered once. */
	input(ACK, 0, 0, 65535, 10);
	input(ACK, 10, 0, 65535, 10);
	assert_true(next());
	assert_false(next());
}

static void test_both_sides_close(void **state)
{
	open_connection(10, 1460);
	tcp.closing = true;
	assert_true(next());
	assert_int_equal(out_length, TCP_HEADER + 10);
	assert_true(next());
	assert_int_equal(out[13], FIN | ACK);
	assert_false(next());
	/* The FIN is lost. */
	now_us += 2000000;
	input(ACK, 0, 10, 65535, 0);
	now_us += 2000000;
	assert_true(next());
	assert_int_equal(out[13], FIN | ACK);
	assert_int_equal(sequence(), OUR_FIRST + 10);
	input(ACK, 0, 11, 65535, 5);
	assert_int_equal(tcp.state, TCP_OPEN);
	input(FIN | ACK, 5, 11, 65535, 0);
	assert_int_equal(tcp.state, TCP_DONE);
	assert_int_equal(tcp_received(&tcp), 5);
	assert_int_equal(tcp_sent(&tcp), 10);
	assert_true(next());
	assert_int_equal(acknowledged(), PEER_FIRST + 6);
	/* Its FIN once more: our acknowledgement was lost. */
	input(FIN | ACK, 5, 11, 65535, 0);
	assert_true(next());
	assert_int_equal(acknowledged(), PEER_FIRST + 6);
	assert_int_equal(tcp_received(&tcp), 5);
}

static void test_headers_that_lie_are_left_out(void **state)
{
	uint8_t segment[TCP_HEADER + 4] = {0};

	open_connection(0, 1460);
	assert_true(next());
	store32_be(segment + 4, htonl(PEER_FIRST));
	segment[13] = RST;
	for (size_t length = 0; length < sizeof(segment); length++) {
		uint8_t *copy = datagram_copy(segment, length);

		/* A header of 60 bytes that is not there, and one that is too short. */
		copy[length > 12 ? 12 : 0] = 0xf0;
		tcp_input(&tcp, copy, length, now_us);
		copy[length > 12 ? 12 : 0] = 0x40;
		tcp_input(&tcp, copy, length, now_us);
		free(copy);
	}
	assert_int_equal(tcp.state, TCP_OPEN);
}

static void test_options_that_lie_are_left_out(void **state)
{
	static const uint8_t options[][4] = {
		{2, 4, 0, 0}, {2, 5, 5, 5}, {2, 0, 5, 5}, {1, 1, 1, 2}, {1, 1, 2, 4}, {3, 1, 2, 4}};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		uint8_t segment[TCP_HEADER + 4] = {0}, *copy;

		begin(0);
		assert_true(next());
		store32_be(segment + 8, htonl(OUR_FIRST));
		segment[12] = (TCP_HEADER + 4) / 4 << 4;
		segment[13] = SYN | ACK;
		memcpy(segment + TCP_HEADER, options[i], 4);
		copy = datagram_copy(segment, sizeof(segment));
		tcp_input(&tcp, copy, sizeof(segment), now_us);
		free(copy);
		assert_int_equal(tcp.state, TCP_OPEN);
		assert_int_equal(tcp.peer_mss, i == 0 ? 64 : 536);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_connection_opens),
		cmocka_unit_test(test_a_lost_syn_goes_again),
		cmocka_unit_test(test_a_refusal_is_one),
		cmocka_unit_test(test_an_older_connection_is_reset),
		cmocka_unit_test(test_only_a_reset_in_its_place_counts),
		cmocka_unit_test(test_data_go_in_segments_of_the_peers_size),
		cmocka_unit_test(test_the_peers_window_is_kept),
		cmocka_unit_test(test_what_is_lost_goes_again_after_a_while),
		cmocka_unit_test(test_three_duplicates_send_again_at_once),
		cmocka_unit_test(test_an_acknowledgement_of_what_was_not_sent_is_none),
		cmocka_unit_test(test_data_have_their_place),
		cmocka_unit_test(test_each_segment_behind_a_hole_is_answered),
		cmocka_unit_test(test_both_sides_close),
		cmocka_unit_test(test_headers_that_lie_are_left_out),
		cmocka_unit_test(test_options_that_lie_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
