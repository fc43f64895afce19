/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary frames, in any order and at any time, through a small NAT; restarts, forwards and
 * damage to the flow memory in between. After each input all tables must agree.
 *
 * An input is a list of steps: struct step, then `length` bytes of a frame. Flags lend a hand with
 * what chance would take long to find (header checksum, our addresses).
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/parse.h"
#include "nat/check.h"
#include "nat/checksum.h"
#include "nat/nat.h"
#include "tests/fuzz/check.h"

#define LAN 0xac100000u
#define OUTSIDE (LAN + 254)
#define HOST 0xc0000207u
#define STEPS_MAX 64
#define LONG_FRAME 3000

enum kind {
	KIND_OUT,
	KIND_IN,
	KIND_OUT_AGAIN, /* so that frames are the most frequent */
	KIND_IN_AGAIN,
	KIND_TIME,
	KIND_RESTART,
	KIND_FORWARD,
	KIND_DAMAGE,
	KIND_WAY_OUT,
};
#define KIND_COUNT (KIND_WAY_OUT + 1)

enum flag {
	FLAG_HEADER = 1 << 0,	 /* make the IPv4 header consistent */
	FLAG_ADDRESSES = 1 << 1, /* from a guest, or for the outside address */
	FLAG_PARTIAL = 1 << 2,
	FLAG_GSO = 1 << 3,
	FLAG_LONG = 1 << 4, /* data behind the frame */
	FLAG_ALIAS = 1 << 5,
	FLAG_ICMP_CHECKSUM = 1 << 6, /* of the message and of an embedded header */
};

struct step {
	uint8_t kind;
	uint8_t flags; /* enum flag */
	uint8_t head;  /* bytes that the port copied */
	uint8_t guest; /* host part of the inside address */
	uint8_t length;
} __attribute__((packed));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct nat_config config;
static uint8_t *memory;
static size_t memory_size;
static struct nat *nat;
static uint64_t now_ns;

static void start(void)
{
	CHECK(nat_new(&config, memory, memory_size, now_ns, NULL, &nat) == 0);
}

static void check_tables(void)
{
	const char *error = nat_check(nat);

	if (error)
		fprintf(stderr, "fuzz_nat: %s\n", error);
	CHECK(error == NULL);
}

/* Behind a process that went: what is there is adopted. */
static void start_again(void)
{
	start();
	check_tables();
}

static void configure(uint8_t choice)
{
	config = (struct nat_config){
		.inside_be = htonl(LAN),
		.inside_prefix = 24,
		.outside_be = htonl(OUTSIDE),
		.gateway_be = htonl(LAN + 1),
		.alias_be = choice & 1 ? htonl(HOST) : 0,
		.alias_owns_range = (choice & 2) != 0,
		.port_low = choice & 4 ? 50000 : 1,
		.port_high = choice & 4 ? 50007 : 65535,
		.mtu_out = choice & 8 ? 600 : 0,
		.mtu_in = choice & 8 ? 700 : 0,
		.filter = (enum nat_filter)((choice >> 4) % 3),
		.answer_syn = (choice & 64) != 0,
		.sessions = 64,
		.sessions_per_guest = choice & 128 ? 9 : 0,
		.new_sessions_per_guest = choice & 128 ? 20 : 0,
	};
	if (memory == NULL) {
		config.sessions = 64;
		memory_size = nat_memory_size(&config);
		memory = mmap(NULL, memory_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(memory != MAP_FAILED);
	}
	memset(memory, 0, memory_size);
	now_ns = UINT64_C(1000000000000);
}

static void put32(uint8_t *p, uint32_t value_be)
{
	memcpy(p, &value_be, sizeof(value_be));
}

static void put16(uint8_t *p, uint16_t value_be)
{
	memcpy(p, &value_be, sizeof(value_be));
}

static void fix_header(uint8_t *ip, uint32_t length)
{
	size_t header = (size_t)(ip[0] & 0xf) * 4;

	ip[0] = (uint8_t)(0x40 | (header < 20 || header > length ? 5 : ip[0] & 0xf));
	put16(ip + 2, htons((uint16_t)length));
	header = (size_t)(ip[0] & 0xf) * 4;
	put16(ip + 10, checksum_ipv4_header(ip, header));
}

/* Makes the checksums of an ICMP error right, as far as they lie in the first bytes. */
static void fix_icmp(uint8_t *ip, uint32_t length)
{
	size_t header = (size_t)(ip[0] & 0xf) * 4;
	uint8_t *icmp = ip + header;

	if (length < header + 28 || ip[9] != IPPROTO_ICMP)
		return;
	fix_header(icmp + 8, length - (uint32_t)header - 8);
	put16(icmp + 2, 0);
	put16(icmp + 2, checksum_finish(checksum_add(0, icmp, length - header)));
}

static void make_frame(struct packet *p, uint8_t *frame, const struct step *step,
	const uint8_t *bytes, struct iovec segments[2])
{
	static const uint8_t ethernet[14] = {[12] = 8};
	bool out = step->kind % KIND_COUNT == KIND_OUT || step->kind % KIND_COUNT == KIND_OUT_AGAIN;
	uint32_t length = step->length, head;
	uint8_t *ip = frame + sizeof(ethernet);

	memset(frame, 0x61, sizeof(ethernet) + LONG_FRAME);
	memcpy(frame, ethernet, sizeof(ethernet));
	memcpy(ip, bytes, length);
	if (step->flags & FLAG_LONG)
		length = LONG_FRAME;
	if ((step->flags & FLAG_ADDRESSES) && length >= 20) {
		put32(ip + (out ? 12 : 16), htonl(out ? LAN + step->guest : OUTSIDE));
		if ((step->flags & FLAG_ALIAS) || (out && step->guest % 16 == 15))
			put32(ip + 16, step->flags & FLAG_ALIAS ? htonl(HOST) : htonl(OUTSIDE));
	}
	if ((step->flags & FLAG_HEADER) && length >= 20)
		fix_header(ip, length);
	if ((step->flags & FLAG_ICMP_CHECKSUM) && length >= 20)
		fix_icmp(ip, length);

	memset(p, 0, sizeof(*p));
	p->length = (uint32_t)sizeof(ethernet) + length;
	head = step->head < p->length ? step->head : p->length;
	p->head_length = (uint16_t)head;
	memcpy(p->head, frame, head);
	segments[0] = (struct iovec){frame + head, (p->length - head) / 2};
	segments[1] = (struct iovec){
		frame + head + segments[0].iov_len, p->length - head - segments[0].iov_len};
	p->segments = segments;
	p->segment_count = 2;
	parse_packet(p);
	if (step->flags & FLAG_PARTIAL) {
		p->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		p->vnet.csum_start = p->l4_offset;
		p->vnet.csum_offset = p->l4_protocol == IPPROTO_TCP ? 16 : 6;
	}
	if (step->flags & FLAG_GSO) {
		p->vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		p->vnet.gso_size = (uint16_t)(step->guest * 4);
	}
}

/* What leaves the NAT must be what it says. */
static void check_sent(const struct packet *sent, enum nat_verdict verdict, bool header_was_right)
{
	static struct packet p;
	const uint8_t *ip = sent->head + sent->l3_offset;
	uint32_t source, destination, all = sent->head_length;

	p = *sent;
	for (uint16_t i = 0; i < p.segment_count; i++)
		all += (uint32_t)p.segments[i].iov_len;
	CHECK(all == p.length);
	CHECK(p.head_length <= PACKET_HEAD_CAPACITY);
	CHECK(sent->flags & PACKET_IPV4);
	memcpy(&source, ip + 12, 4);
	memcpy(&destination, ip + 16, 4);
	if (header_was_right)
		CHECK(parse_ipv4_checksum_ok(sent));
	if (verdict == NAT_VERDICT_WORLD) {
		CHECK(source == config.outside_be);
		CHECK((destination & htonl(0xffffff00)) != config.inside_be);
	} else {
		CHECK((destination & htonl(0xffffff00)) == config.inside_be);
	}
}

static void take_all(void)
{
	struct packet *packets[7];
	enum nat_verdict verdicts[7];
	uint16_t n;

	while ((n = nat_take(nat, packets, verdicts, 7)) > 0)
		for (uint16_t i = 0; i < n; i++)
			check_sent(packets[i], verdicts[i], false);
}

static void send_frame(const struct step *step, const uint8_t *bytes, bool out)
{
	uint8_t *frame = malloc(14 + LONG_FRAME);
	struct iovec segments[2];
	struct packet *p = malloc(sizeof(*p));
	enum nat_verdict verdict = NAT_VERDICT_KEPT;
	bool was_right;

	make_frame(p, frame, step, bytes, segments);
	was_right = (p->flags & PACKET_IPV4) && parse_ipv4_checksum_ok(p);
	if (out)
		nat_out_burst(nat, &p, &verdict, 1, now_ns);
	else
		nat_in_burst(nat, &p, &verdict, 1, now_ns);
	if (verdict == NAT_VERDICT_DROP)
		CHECK(p->reason < NAT_DROP_COUNT);
	else if (verdict != NAT_VERDICT_KEPT)
		check_sent(p, verdict, was_right);
	free(p);
	free(frame);
	take_all();
}

static void change_forward(const struct step *step, const uint8_t *bytes)
{
	struct nat_forward forward = {
		.inside_be = htonl(LAN + step->guest),
		.protocol = step->flags & 1 ? IPPROTO_TCP : IPPROTO_UDP,
	};

	if (step->length < 6)
		return;
	memcpy(&forward.inside_port, bytes, 2);
	memcpy(&forward.outside_port, bytes + 2, 2);
	memcpy(&forward.count, bytes + 4, 2);
	if (step->flags & 2)
		(void)nat_forward_remove(nat, &forward);
	else
		(void)nat_forward_add(nat, &forward);
}

/* Restarts on a memory that was written over behind its header. */
static void damage(const struct step *step, const uint8_t *bytes)
{
	size_t at = 4096 + (size_t)(step->guest << 8 | step->head) % (memory_size - 4096 - 256);

	nat_free(nat);
	memcpy(memory + at, bytes, step->length);
	start_again();
}

/* The host moves; the next process finds it where it is. */
static void change_way_out(const struct step *step)
{
	config.alias_be = step->flags & 1 ? htonl(HOST + (step->flags >> 1 & 1)) : 0;
	config.alias_owns_range = step->flags & 4;
	config.mtu_path = step->flags & 8 ? (uint16_t)(576 + step->head) : 0;
	nat_set_way_out(nat, config.alias_be, config.alias_owns_range, config.mtu_path);
}

static void run(const struct step *step, const uint8_t *bytes)
{
	switch ((enum kind)(step->kind % KIND_COUNT)) {
	case KIND_OUT:
	case KIND_OUT_AGAIN:
		send_frame(step, bytes, true);
		break;
	case KIND_IN:
	case KIND_IN_AGAIN:
		send_frame(step, bytes, false);
		break;
	case KIND_TIME:
		now_ns += UINT64_C(1000000) << step->guest % 24;
		nat_tick(nat, now_ns);
		take_all();
		break;
	case KIND_RESTART:
		nat_free(nat);
		start_again();
		break;
	case KIND_FORWARD:
		change_forward(step, bytes);
		break;
	case KIND_DAMAGE:
		damage(step, bytes);
		break;
	case KIND_WAY_OUT:
		change_way_out(step);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	if (size == 0)
		return 0;
	configure(data[0]);
	start();
	data++;
	size--;
	for (int i = 0; i < STEPS_MAX && size >= sizeof(step); i++) {
		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		size -= sizeof(step);
		if (step.length > size)
			step.length = (uint8_t)size;
		run(&step, data);
		data += step.length;
		size -= step.length;
	}
	check_tables();
	nat_free(nat);
	nat = NULL;
	return 0;
}
