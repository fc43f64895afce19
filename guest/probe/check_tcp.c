/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP to a server that understands two requests, each a line of a connection of its own:
 *
 *   GET BYTES MS   it sends the pattern, so many bytes or so long, and closes
 *   PUT            it takes the pattern until we close, answers "OK BYTES" or "BAD OFFSET", closes
 */
#include <string.h>

#include "backend/bytes.h"
#include "guest/probe/check.h"
#include "guest/probe/clock.h"
#include "guest/probe/number.h"
#include "guest/probe/pattern.h"
#include "guest/probe/tap_output.h"
#include "guest/probe/tcp.h"

/* Ports of ours (RFC 6335, 6). */
#define PORT_FIRST 49152
#define PORT_MASK 0x3fff

/* One request. */
struct transfer {
	struct probe *probe;
	struct tcp tcp;
	struct text request; /* what we send first */
	struct text answer;  /* what a PUT is answered */
	bool upload;
	uint64_t start_us;
	uint32_t wrong; /* pieces that are not the pattern */
};

/* What we send: the request, and then the pattern. */
static void fill(void *context, uint32_t offset, uint8_t *bytes, size_t length)
{
	const struct transfer *transfer = context;
	uint32_t request = (uint32_t)transfer->request.length;
	size_t part = 0;

	if (offset < request) {
		part = request - offset < length ? request - offset : length;
		memcpy(bytes, transfer->request.bytes + offset, part);
		offset = request;
	}
	pattern_fill(offset - request, bytes + part, length - part);
}

static void take(void *context, uint32_t offset, const uint8_t *bytes, size_t length)
{
	struct transfer *transfer = context;
	struct text *answer = &transfer->answer;

	if (!transfer->upload) {
		if (!pattern_matches(offset, bytes, length))
			transfer->wrong++;
		return;
	}
	if (offset >= sizeof(answer->bytes) || length >= sizeof(answer->bytes) - offset)
		return;
	memcpy(answer->bytes + offset, bytes, length);
	if (answer->length < offset + length)
		answer->length = offset + length;
}

static void take_segment(void *context, const struct ip_datagram *datagram)
{
	struct transfer *transfer = context;
	const struct parameters *parameters = &transfer->probe->parameters;

	if (datagram->protocol != FRAME_TCP || datagram->source_be != parameters->server_be ||
		load16(datagram->payload) != transfer->tcp.peer_port ||
		load16(datagram->payload + 2) != transfer->tcp.port)
		return;
	tcp_input(&transfer->tcp, datagram->payload, datagram->length, clock_us());
}

/* Sends all that may be sent now. */
static void push(struct transfer *transfer)
{
	struct net *net = &transfer->probe->net;
	uint8_t *room = net_room(net);

	while (room) {
		size_t length = tcp_output(&transfer->tcp, room, clock_us());

		if (length == 0)
			break;
		net_send(net, transfer->probe->parameters.server_be, FRAME_TCP, length);
		room = net_room(net);
	}
	virtio_net_flush(&net->device);
}

/* Whether our side of the stream is at its end. */
static bool is_over(const struct transfer *transfer)
{
	const struct parameters *parameters = &transfer->probe->parameters;
	const struct tcp *tcp = &transfer->tcp;

	if (!transfer->upload)
		return tcp->peer_closed;
	return tcp_sent(tcp) == tcp->length ||
	       clock_us() - transfer->start_us >= (uint64_t)parameters->time_ms * 1000;
}

/* Runs it to its end. Returns how long that took, microseconds. */
static uint32_t run(struct transfer *transfer, const struct tcp_stream *stream)
{
	struct probe *probe = transfer->probe;
	uint64_t patience_us = (uint64_t)probe->parameters.patience_ms * 1000;
	struct tcp *tcp = &transfer->tcp;
	uint64_t now_us = clock_us();

	tcp_open(tcp, stream, (uint16_t)(PORT_FIRST | (clock_seed() & PORT_MASK)),
		probe->parameters.server_port, clock_seed(), now_us);
	tcp->length = (uint32_t)transfer->request.length;
	if (transfer->upload)
		tcp->length += probe->parameters.bytes;
	transfer->start_us = now_us;
	probe->net.listener = take_segment;
	probe->net.context = transfer;
	do {
		push(transfer);
		net_poll(&probe->net);
		if (!tcp->closing && tcp->state == TCP_OPEN && is_over(transfer)) {
			tcp->length = tcp_sent(tcp);
			tcp->closing = true;
		}
		now_us = clock_us();
	} while (tcp->state != TCP_DONE && tcp->state != TCP_FAILED &&
		 now_us - tcp->heard_us < patience_us);
	push(transfer);
	probe->net.listener = NULL;
	return (uint32_t)(now_us - transfer->start_us);
}

/* Prints how it went, and how fast. */
static void show(
	const struct transfer *transfer, const char *name, bool good, uint32_t bytes, uint32_t us)
{
	const struct tcp *tcp = &transfer->tcp;
	struct text detail;

	text_clear(&detail);
	text_number(&detail, bytes);
	text_add(&detail, " bytes in ");
	text_number(&detail, us / 1000);
	text_add(&detail, " ms, ");
	text_number(&detail, tcp->retransmissions + tcp->disordered);
	text_add(&detail, " repeated");
	if (tcp->state == TCP_FAILED)
		text_add(&detail, ", refused or reset");
	else if (tcp->state != TCP_DONE)
		text_add(&detail, ", then silence");
	else if (!good)
		text_add(&detail, ", not what was sent");
	tap_output_result(good, name, &detail);
	if (bytes > 0)
		tap_output_tenths(transfer->upload ? "upload_mbit_s" : "download_mbit_s",
			number_divide((uint64_t)bytes * 80, us ? us : 1));
}

bool check_download(struct probe *probe)
{
	static const char name[] = "TCP brings a stream unchanged";
	static struct transfer transfer;
	const struct tcp_stream stream = {.context = &transfer, .fill = fill, .take = take};
	uint32_t us, bytes;

	if (!check_can(probe, name, true))
		return true;
	transfer = (struct transfer){.probe = probe};
	text_add(&transfer.request, "GET ");
	text_number(&transfer.request, probe->parameters.bytes);
	text_add(&transfer.request, " ");
	text_number(&transfer.request, probe->parameters.time_ms);
	text_add(&transfer.request, "\n");
	us = run(&transfer, &stream);
	bytes = tcp_received(&transfer.tcp);
	show(&transfer, name, transfer.tcp.state == TCP_DONE && transfer.wrong == 0 && bytes > 0,
		bytes, us);
	return true;
}

bool check_upload(struct probe *probe)
{
	static const char name[] = "TCP takes a stream unchanged";
	static struct transfer transfer;
	const struct tcp_stream stream = {.context = &transfer, .fill = fill, .take = take};
	struct text wanted;
	uint32_t us, bytes;

	if (!check_can(probe, name, true))
		return true;
	transfer = (struct transfer){.probe = probe, .upload = true};
	text_add(&transfer.request, "PUT\n");
	us = run(&transfer, &stream);
	bytes = tcp_acknowledged(&transfer.tcp);
	bytes -= bytes < transfer.request.length ? bytes : (uint32_t)transfer.request.length;
	text_clear(&wanted);
	text_add(&wanted, "OK ");
	text_number(&wanted, bytes);
	text_add(&wanted, "\n");
	show(&transfer, name,
		transfer.tcp.state == TCP_DONE && bytes > 0 &&
			wanted.length == transfer.answer.length &&
			memcmp(wanted.bytes, transfer.answer.bytes, wanted.length) == 0,
		bytes, us);
	return true;
}
