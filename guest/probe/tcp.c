/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/tcp.h"

#include <string.h>

#include "backend/bytes.h"

/* Header, offsets. */
#define TCP_SOURCE 0
#define TCP_DESTINATION 2
#define TCP_SEQUENCE 4
#define TCP_ACKNOWLEDGEMENT 8
#define TCP_OFFSET 12
#define TCP_FLAGS 13
#define TCP_WINDOW 14

#define FLAG_FIN 0x01
#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_PSH 0x08
#define FLAG_ACK 0x10

#define OPTION_END 0
#define OPTION_PAD 1
#define OPTION_MSS 2
#define MSS_LEAST 64	/* a smaller one is taken for this */
#define MSS_DEFAULT 536 /* RFC 9293, 3.7.1 */
#define WINDOW 65535
#define TIMEOUT_LEAST_US 200000
#define TIMEOUT_MOST_US 1000000
#define DUPLICATES 3
#define CONGESTION_FIRST (10 * TCP_MSS)

/* A segment that came in. */
struct segment {
	uint32_t sequence;
	uint32_t acknowledgement;
	uint8_t flags;
	uint16_t window;
	const uint8_t *options;
	size_t options_length;
	const uint8_t *data;
	size_t length; /* of the data */
};

void tcp_open(struct tcp *tcp, const struct tcp_stream *stream, uint16_t port, uint16_t peer_port,
	uint32_t sequence, uint64_t now_us)
{
	*tcp = (struct tcp){
		.state = TCP_SYN_SENT,
		.stream = stream,
		.port = port,
		.peer_port = peer_port,
		.first = sequence + 1,
		.unacknowledged = sequence,
		.next = sequence,
		.highest = sequence,
		.peer_mss = MSS_DEFAULT,
		.congestion = CONGESTION_FIRST,
		.timeout_us = TIMEOUT_LEAST_US,
		.heard_us = now_us,
	};
}

uint32_t tcp_sent(const struct tcp *tcp)
{
	uint32_t sent = tcp->highest - tcp->first;

	if (tcp_before(tcp->highest, tcp->first))
		return 0;
	return sent < tcp->length ? sent : tcp->length;
}

uint32_t tcp_acknowledged(const struct tcp *tcp)
{
	uint32_t count = tcp->unacknowledged - tcp->first;

	if (tcp_before(tcp->unacknowledged, tcp->first))
		return 0;
	return count < tcp->length ? count : tcp->length;
}

uint32_t tcp_received(const struct tcp *tcp)
{
	if (tcp->state == TCP_SYN_SENT)
		return 0;
	return tcp->expected - tcp->peer_first - tcp->peer_closed;
}

/* ---- what comes in --------------------------------------------------------------------------- */

static bool read_segment(const uint8_t *bytes, size_t length, struct segment *ret_segment)
{
	size_t header;

	if (length < TCP_HEADER)
		return false;
	header = 4 * (bytes[TCP_OFFSET] >> 4);
	if (header < TCP_HEADER || header > length)
		return false;
	*ret_segment = (struct segment){
		.sequence = load32(bytes + TCP_SEQUENCE),
		.acknowledgement = load32(bytes + TCP_ACKNOWLEDGEMENT),
		.flags = bytes[TCP_FLAGS],
		.window = load16(bytes + TCP_WINDOW),
		.options = bytes + TCP_HEADER,
		.options_length = header - TCP_HEADER,
		.data = bytes + header,
		.length = length - header,
	};
	return true;
}

/* The peer's maximum segment size. */
static uint16_t read_mss(const struct segment *segment)
{
	const uint8_t *p = segment->options, *end = p + segment->options_length;

	while (p < end && *p != OPTION_END) {
		if (*p == OPTION_PAD) {
			p++;
			continue;
		}
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			break;
		if (p[0] == OPTION_MSS && p[1] == 4) {
			uint16_t mss = load16(p + 2);

			return mss < MSS_LEAST ? MSS_LEAST : mss;
		}
		p += p[1];
	}
	return MSS_DEFAULT;
}

/* The answer to our SYN, we hope. */
static void input_syn_sent(struct tcp *tcp, const struct segment *segment, uint64_t now_us)
{
	if (!(segment->flags & FLAG_ACK))
		return;
	if (segment->acknowledgement != tcp->first) {
		/* The peer still has a connection of a guest that was here before: RFC 9293,
		 * 3.10.7.3. */
		tcp->reset = !(segment->flags & FLAG_RST);
		tcp->reset_at = segment->acknowledgement;
		return;
	}
	if (segment->flags & FLAG_RST) {
		tcp->state = TCP_FAILED;
		return;
	}
	if (!(segment->flags & FLAG_SYN))
		return;
	tcp->state = TCP_OPEN;
	tcp->peer_mss = read_mss(segment);
	tcp->peer_window = segment->window;
	tcp->peer_first = tcp->expected = segment->sequence + 1;
	tcp->unacknowledged = tcp->next = tcp->highest = tcp->first;
	tcp->acknowledge = true;
	tcp->timeout_us = TIMEOUT_LEAST_US;
	tcp->heard_us = now_us;
}

/* Begins anew at the oldest byte that is not acknowledged. */
static void go_back(struct tcp *tcp, uint32_t congestion)
{
	tcp->next = tcp->unacknowledged;
	tcp->congestion = congestion < 2U * TCP_MSS ? 2U * TCP_MSS : congestion;
	tcp->duplicates = 0;
	tcp->retransmissions++;
}

static void input_acknowledgement(struct tcp *tcp, const struct segment *segment, uint64_t now_us)
{
	uint32_t acknowledged = segment->acknowledgement - tcp->unacknowledged;

	if (tcp_before(tcp->unacknowledged, segment->acknowledgement) &&
		!tcp_before(tcp->highest, segment->acknowledgement)) {
		tcp->unacknowledged = segment->acknowledgement;
		if (tcp_before(tcp->next, tcp->unacknowledged))
			tcp->next = tcp->unacknowledged;
		if (tcp->congestion < WINDOW)
			tcp->congestion += acknowledged;
		tcp->duplicates = 0;
		tcp->timeout_us = TIMEOUT_LEAST_US;
		tcp->timer_us = now_us + tcp->timeout_us;
		tcp->heard_us = now_us;
	} else if (acknowledged == 0 && segment->length == 0 && tcp->next != tcp->unacknowledged &&
		   segment->window == tcp->peer_window && ++tcp->duplicates == DUPLICATES) {
		go_back(tcp, tcp->congestion / 2);
	}
	tcp->peer_window = segment->window;
}

/* Data behind a hole: a FIN there comes again. Each such segment is answered by itself. */
static void input_ahead(struct tcp *tcp, const struct segment *segment, uint64_t now_us)
{
	uint32_t end = segment->sequence + (uint32_t)segment->length;

	tcp->repeats++;
	tcp->disordered++;
	if (tcp->peer_closed || segment->length == 0 || end - tcp->expected > WINDOW ||
		!tcp_islands_add(&tcp->islands, segment->sequence, end))
		return;
	tcp->stream->take(tcp->stream->context, segment->sequence - tcp->peer_first, segment->data,
		segment->length);
	tcp->heard_us = now_us;
}

static void input_data(struct tcp *tcp, const struct segment *segment, uint64_t now_us)
{
	uint32_t known = tcp->expected - segment->sequence;
	bool fin = segment->flags & FLAG_FIN;

	if (segment->length == 0 && !fin)
		return;
	if (tcp_before(tcp->expected, segment->sequence)) {
		input_ahead(tcp, segment, now_us);
		return;
	}
	tcp->acknowledge = true;
	/* All of it must be new from some byte on; a FIN counts as one more byte. */
	if (known > segment->length || (known == segment->length && known > 0 && !fin) ||
		tcp->peer_closed) {
		tcp->disordered++;
		return;
	}
	if (segment->length > known)
		tcp->stream->take(tcp->stream->context, tcp->expected - tcp->peer_first,
			segment->data + known, segment->length - known);
	tcp->expected += (uint32_t)(segment->length - known);
	tcp->repeats = 0;
	if (fin) {
		tcp->expected++;
		tcp->peer_closed = true;
	} else {
		tcp->expected = tcp_islands_reach(&tcp->islands, tcp->expected);
	}
	tcp->heard_us = now_us;
}

void tcp_input(struct tcp *tcp, const uint8_t *bytes, size_t length, uint64_t now_us)
{
	struct segment segment;

	if (!read_segment(bytes, length, &segment))
		return;
	if (tcp->state == TCP_SYN_SENT) {
		input_syn_sent(tcp, &segment, now_us);
		return;
	}
	if (tcp->state != TCP_OPEN && tcp->state != TCP_DONE)
		return;
	if (segment.flags & FLAG_RST) {
		if (segment.sequence == tcp->expected && tcp->state == TCP_OPEN)
			tcp->state = TCP_FAILED;
		return;
	}
	if (segment.flags & FLAG_SYN) {
		/* Our acknowledgement was lost. */
		tcp->acknowledge = true;
		return;
	}
	if (segment.flags & FLAG_ACK)
		input_acknowledgement(tcp, &segment, now_us);
	input_data(tcp, &segment, now_us);
	if (tcp->peer_closed && tcp->closing && tcp->unacknowledged == tcp->first + tcp->length + 1)
		tcp->state = TCP_DONE;
}

/* ---- what goes out --------------------------------------------------------------------------- */

/* Writes a segment whose data are there already, and takes note that it went. */
static size_t write_segment(struct tcp *tcp, uint8_t *bytes, uint8_t flags, size_t length)
{
	uint32_t counted = (uint32_t)length + ((flags & (FLAG_SYN | FLAG_FIN)) != 0);

	memset(bytes, 0, TCP_HEADER);
	store16_be(bytes + TCP_SOURCE, htons(tcp->port));
	store16_be(bytes + TCP_DESTINATION, htons(tcp->peer_port));
	store32_be(bytes + TCP_SEQUENCE, htonl(tcp->next));
	if (flags & FLAG_ACK)
		store32_be(bytes + TCP_ACKNOWLEDGEMENT, htonl(tcp->expected));
	bytes[TCP_OFFSET] = TCP_HEADER / 4 << 4;
	bytes[TCP_FLAGS] = flags;
	store16_be(bytes + TCP_WINDOW, htons(WINDOW));
	tcp->next += counted;
	if (tcp_before(tcp->highest, tcp->next))
		tcp->highest = tcp->next;
	if (flags & FLAG_ACK)
		tcp->acknowledge = false;
	return TCP_HEADER + length;
}

/* Ends what the peer takes this connection for; then our SYN is new to it. */
static size_t write_reset(struct tcp *tcp, uint8_t *bytes)
{
	uint32_t next = tcp->next, highest = tcp->highest;
	size_t length;

	tcp->next = tcp->reset_at;
	length = write_segment(tcp, bytes, FLAG_RST, 0);
	tcp->next = next;
	tcp->highest = highest;
	tcp->reset = false;
	return length;
}

static size_t write_syn(struct tcp *tcp, uint8_t *bytes)
{
	static const uint8_t mss[] = {OPTION_MSS, 4, TCP_MSS >> 8, TCP_MSS & UINT8_MAX};
	size_t length = write_segment(tcp, bytes, FLAG_SYN, 0);

	memcpy(bytes + length, mss, sizeof(mss));
	length += sizeof(mss);
	bytes[TCP_OFFSET] = (uint8_t)(length / 4 << 4);
	return length;
}

/* How many bytes of data may go now. */
static size_t sendable(const struct tcp *tcp, bool probe)
{
	uint32_t under_way = tcp->next - tcp->unacknowledged, sent = tcp->next - tcp->first;
	uint32_t window = tcp->peer_window, count, segment = TCP_MSS;

	if (window > tcp->congestion)
		window = tcp->congestion;
	/* A window of zero is asked again by one byte (RFC 9293, 3.8.6.1). */
	if (window == 0 && probe)
		window = 1;
	if (under_way >= window || sent >= tcp->length)
		return 0;
	count = window - under_way;
	if (count > tcp->length - sent)
		count = tcp->length - sent;
	if (segment > tcp->peer_mss)
		segment = tcp->peer_mss;
	/* A rest of the window is not worth a segment (RFC 9293, 3.8.6.2.1). */
	if (count < segment && count < tcp->length - sent && under_way > 0)
		return 0;
	return count < segment ? count : segment;
}

/* The time-out of retransmission. */
static bool time_out(struct tcp *tcp, uint64_t now_us)
{
	if (now_us < tcp->timer_us)
		return false;
	tcp->timer_us = now_us + tcp->timeout_us;
	if (tcp->timeout_us < TIMEOUT_MOST_US)
		tcp->timeout_us *= 2;
	if (tcp->next != tcp->unacknowledged)
		go_back(tcp, 0);
	return true;
}

size_t tcp_output(struct tcp *tcp, uint8_t *bytes, uint64_t now_us)
{
	bool idle = tcp->next == tcp->unacknowledged, expired = false;
	uint32_t end = tcp->first + tcp->length;
	size_t count;

	if (tcp->state == TCP_FAILED)
		return 0;
	if (tcp->reset)
		return write_reset(tcp, bytes);
	if (!idle || tcp->peer_window == 0)
		expired = time_out(tcp, now_us);
	else
		tcp->timer_us = now_us + tcp->timeout_us;
	if (tcp->state == TCP_SYN_SENT)
		return tcp->next == tcp->unacknowledged ? write_syn(tcp, bytes) : 0;
	count = sendable(tcp, expired);
	if (count > 0) {
		tcp->stream->fill(
			tcp->stream->context, tcp->next - tcp->first, bytes + TCP_HEADER, count);
		return write_segment(tcp, bytes, FLAG_ACK | FLAG_PSH, count);
	}
	if (tcp->closing && tcp->next == end && tcp->state == TCP_OPEN)
		return write_segment(tcp, bytes, FLAG_ACK | FLAG_FIN, 0);
	if (tcp->acknowledge)
		return write_segment(tcp, bytes, FLAG_ACK, 0);
	if (tcp->repeats == 0)
		return 0;
	tcp->repeats--;
	return write_segment(tcp, bytes, FLAG_ACK, 0);
}
