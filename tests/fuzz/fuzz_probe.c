/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The probe guest's readers, and the reader of what it says: frames, DHCP, a TCP peer that lies,
 * the command line, the report.
 *
 * The first byte of the input says which. A TCP peer's input is a list of segments: a byte for the
 * sequence and the acknowledgement number each, counted from where they should be, a byte for the
 * length of what follows the header, flags, and that. What must hold: nothing is read beyond its
 * end, the stream is taken whole, and what goes out fits.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/bytes.h"
#include "control/selftest/probe_report.h"
#include "guest/probe/arp.h"
#include "guest/probe/dhcp.h"
#include "guest/probe/echo.h"
#include "guest/probe/parameters.h"
#include "guest/probe/tcp.h"
#include "guest/probe/udp.h"
#include "tests/fuzz/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

/* ---- datagrams ------------------------------------------------------------------------------- */

/* What a check would do with it. */
static void use(const struct ip_datagram *datagram)
{
	uint8_t reply[FRAME_IP_PAYLOAD];
	struct udp_message message;
	struct dhcp_lease lease;

	CHECK(echo_reply(datagram, reply) <= sizeof(reply));
	echo_answers(datagram, 7, 300);
	if (udp_read(datagram, &message) < 0)
		return;
	CHECK(message.length <= datagram->length);
	dhcp_read(message.data, message.length, mac, htonl(0x01020304), &lease);
}

static void fuzz_frame(const uint8_t *data, size_t size)
{
	struct ip_tally tally = {0};
	struct ip_datagram datagram;
	struct arp_message arp;

	arp_read(data, size, &arp);
	if (ip_read(data, size, &tally, &datagram) < 0)
		return;
	CHECK(datagram.payload + datagram.length <= data + size);
	use(&datagram);
}

/* Behind a header that is right, so that no checksum has to be found. */
static void fuzz_payload(const uint8_t *data, size_t size)
{
	static const uint8_t protocols[] = {FRAME_UDP, FRAME_ICMP};
	struct ip_datagram datagram = {.payload = data + 1, .length = size - 1};

	if (size < 1 + FRAME_UDP_HEADER)
		return;
	datagram.protocol = protocols[data[0] & 1];
	use(&datagram);
}

static void fuzz_dhcp(const uint8_t *data, size_t size)
{
	struct dhcp_lease lease;

	dhcp_read(data, size, mac, htonl(0x01020304), &lease);
}

/* ---- TCP ------------------------------------------------------------------------------------- */

#define SEGMENT_MAX (TCP_HEADER + 40 + 64)

/* Which bytes of the stream were taken; an input is too short to need more. */
static bool taken[1 << 17];
static uint32_t complete; /* so many from the first on */

static void fill(void *context, uint32_t offset, uint8_t *bytes, size_t length)
{
	memset(bytes, (int)offset, length);
}

static void take(void *context, uint32_t offset, const uint8_t *bytes, size_t length)
{
	CHECK(offset < sizeof(taken) && length <= sizeof(taken) - offset);
	memset(taken + offset, true, length);
}

/* Hands one segment to the connection. */
static void hand_over(
	struct tcp *tcp, const uint8_t *step, const uint8_t *rest, size_t length, uint64_t now_us)
{
	uint8_t segment[SEGMENT_MAX] = {0}, *copy = malloc(TCP_HEADER + length);

	CHECK(copy);
	store32_be(segment + 4, htonl(tcp->expected + (uint32_t)(int8_t)step[0]));
	store32_be(segment + 8, htonl(tcp->highest + (uint32_t)(int8_t)step[1]));
	segment[12] = (uint8_t)((TCP_HEADER / 4 + (step[2] >> 4)) << 4);
	segment[13] = step[3];
	store16_be(segment + 14, htons((uint16_t)(step[4] << 8)));
	memcpy(segment + TCP_HEADER, rest, length);
	memcpy(copy, segment, TCP_HEADER + length);
	tcp_input(tcp, copy, TCP_HEADER + length, now_us);
	free(copy);
}

static void fuzz_tcp(const uint8_t *data, size_t size)
{
	const struct tcp_stream stream = {.fill = fill, .take = take};
	uint8_t out[TCP_HEADER + TCP_MSS];
	uint64_t now_us = 1;
	struct tcp tcp;

	memset(taken, 0, sizeof(taken));
	complete = 0;
	tcp_open(&tcp, &stream, 1, 2, 0xfffff000, now_us);
	tcp.length = 5000;
	while (size >= 5) {
		size_t length = data[2] & 63;

		length = length < size - 5 ? length : size - 5;
		for (int i = 0; i < 8; i++) {
			size_t written = tcp_output(&tcp, out, now_us);

			CHECK(written == 0 || (written >= TCP_HEADER && written <= sizeof(out)));
		}
		hand_over(&tcp, data, data + 5, length, now_us);
		CHECK(tcp_acknowledged(&tcp) <= tcp_sent(&tcp));
		CHECK(tcp_sent(&tcp) <= tcp.length);
		for (; complete < tcp_received(&tcp); complete++)
			CHECK(taken[complete]);
		/* The user's side: closes when the peer has, or half way. */
		if (!tcp.closing && tcp.state == TCP_OPEN && (tcp.peer_closed || data[4] == 1)) {
			tcp.length = tcp_sent(&tcp);
			tcp.closing = true;
		}
		now_us += (uint64_t)data[3] * 1000;
		data += 5 + length;
		size -= 5 + length;
	}
}

/* ---- text ------------------------------------------------------------------------------------ */

static void fuzz_line(const uint8_t *data, size_t size)
{
	struct parameters parameters;
	struct text complaint;

	if (parameters_read((const char *)data, size, &parameters, &complaint) == 0)
		CHECK(parameters.bytes > 0 && parameters.pings > 0 && parameters.time_ms > 0);
	else
		CHECK(strlen(complaint.bytes) == complaint.length);
}

static void fuzz_report(const uint8_t *data, size_t size)
{
	static struct probe_report report;

	memset(&report, 0, sizeof(report));
	probe_report_add(&report, (const char *)data, size);
	CHECK(report.count <= PROBE_REPORT_CHECKS_MAX);
	CHECK(!probe_report_is_good(&report) || report.count == report.planned);
	for (unsigned int i = 0; i < report.count; i++)
		for (const char *p = report.checks[i].found; *p; p++)
			CHECK(*p >= ' ' && *p <= '~');
	probe_report_value(&report, "ping_us");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const uint8_t *, size_t) = {
		fuzz_frame, fuzz_payload, fuzz_dhcp, fuzz_tcp, fuzz_line, fuzz_report};

	if (size > 0)
		targets[data[0] % (sizeof(targets) / sizeof(targets[0]))](data + 1, size - 1);
	return 0;
}
