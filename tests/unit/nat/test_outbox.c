/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <string.h>

#include "nat/outbox.h"

static void frames_come_back(void **state)
{
	struct packet *packets[OUTBOX_FRAMES];
	enum nat_verdict verdicts[OUTBOX_FRAMES];
	struct outbox outbox;
	uint16_t frames[OUTBOX_FRAMES];

	assert_int_equal(outbox_init(&outbox), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < OUTBOX_FRAMES; i++) {
			frames[i] = outbox_new(&outbox);
			assert_int_not_equal(frames[i], OUTBOX_NONE);
			for (int k = 0; k < i; k++)
				assert_int_not_equal(frames[i], frames[k]);
		}
		assert_int_equal(outbox_new(&outbox), OUTBOX_NONE);
		/* Sent ones come in order, each once, and are ours until reclaimed. */
		for (int i = 0; i < OUTBOX_FRAMES; i++)
			outbox_send(
				&outbox, frames[i], i % 2 ? NAT_VERDICT_WORLD : NAT_VERDICT_INSIDE);
		assert_int_equal(outbox_take(&outbox, packets, verdicts, 100), 100);
		assert_int_equal(outbox_take(&outbox, packets + 100, verdicts + 100, OUTBOX_FRAMES),
			OUTBOX_FRAMES - 100);
		assert_int_equal(outbox_take(&outbox, packets, verdicts, 1), 0);
		for (int i = 0; i < OUTBOX_FRAMES; i++) {
			assert_ptr_equal(packets[i], &outbox.frames[frames[i]].packet);
			assert_int_equal(
				verdicts[i], i % 2 ? NAT_VERDICT_WORLD : NAT_VERDICT_INSIDE);
		}
		assert_int_equal(outbox_new(&outbox), OUTBOX_NONE);
		outbox_reclaim(&outbox);
	}
	outbox_fini(&outbox);
}

static void copies_are_our_own(void **state)
{
	static uint8_t data[OUTBOX_DATA + 1];
	struct iovec segments[2] = {{data, 100}, {data + 100, OUTBOX_DATA - 100}};
	struct outbox outbox;
	struct packet p;
	uint16_t frame;

	assert_int_equal(outbox_init(&outbox), 0);
	make_udp(&p, END(GUEST, 1), END(REMOTE, 2), 20);
	memset(data, 0x5a, sizeof(data));
	p.segments = segments;
	p.segment_count = 2;
	p.length += OUTBOX_DATA;
	frame = outbox_copy(&outbox, &p);
	assert_int_not_equal(frame, OUTBOX_NONE);
	memset(data, 0, sizeof(data));
	assert_int_equal(outbox.frames[frame].packet.length, p.length);
	assert_int_equal(outbox.frames[frame].packet.segment_count, 1);
	assert_int_equal(outbox.frames[frame].data[OUTBOX_DATA - 1], 0x5a);
	outbox_free(&outbox, frame);
	/* One byte too many, and nothing is lost. */
	p.length++;
	segments[1].iov_len++;
	assert_int_equal(outbox_copy(&outbox, &p), OUTBOX_NONE);
	assert_int_equal(outbox_new(&outbox), frame);
	outbox_fini(&outbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_back),
		cmocka_unit_test(copies_are_our_own),
	};

	return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
