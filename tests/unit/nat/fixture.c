/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/parse.h"
#include "nat/checksum.h"

uint32_t ip(const char *address)
{
	struct in_addr in;

	assert_int_equal(inet_pton(AF_INET, address, &in), 1);
	return in.s_addr;
}

struct nat_config fixture_config(void)
{
	return (struct nat_config){
		.inside_be = ip(LAN),
		.inside_prefix = 24,
		.outside_be = ip(OUTSIDE),
		.gateway_be = ip(GATEWAY),
		.port_low = 1,
		.port_high = 65535,
		.sessions = 4096,
	};
}

void fixture_init(struct fixture *f, const struct nat_config *config)
{
	*f = (struct fixture){.config = *config, .now_ns = 12345 * SECOND};
	f->size = nat_memory_size(config);
	assert_true(f->size > 0 && f->size % 4096 == 0);
	f->memory = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(f->memory, MAP_FAILED);
	assert_int_equal(
		nat_new(&f->config, f->memory, f->size, f->now_ns, &f->adopted, &f->nat), 0);
	assert_null(nat_check(f->nat));
}

void fixture_fini(struct fixture *f)
{
	nat_free(f->nat);
	munmap(f->memory, f->size);
}

int fixture_set_up(void **state)
{
	static struct fixture f;
	struct nat_config config = fixture_config();

	fixture_init(&f, &config);
	*state = &f;
	return 0;
}

int fixture_tear_down(void **state)
{
	fixture_fini(*state);
	return 0;
}

void fixture_restart(struct fixture *f)
{
	nat_free(f->nat);
	f->nat = NULL;
	assert_int_equal(
		nat_new(&f->config, f->memory, f->size, f->now_ns, &f->adopted, &f->nat), 0);
	assert_null(nat_check(f->nat));
}

void fixture_advance(struct fixture *f, uint64_t seconds)
{
	f->now_ns += seconds * SECOND;
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* RFC 1071 word by word; `sum` in host byte order, folded. */
static uint16_t slow_sum(const uint8_t *data, size_t length, uint32_t sum)
{
	for (size_t i = 0; i < length; i++) {
		sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static uint16_t pseudo_sum(const uint8_t *ip_header, uint16_t l4_length)
{
	const uint8_t tail[4] = {0, ip_header[9], (uint8_t)(l4_length >> 8), (uint8_t)l4_length};

	return slow_sum(tail, sizeof(tail), slow_sum(ip_header + 12, 8, 0));
}

static int checksum_offset(const struct packet *p)
{
	switch (p->l4_protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return 6;
	case IPPROTO_ICMP:
		return 2;
	default:
		return -1;
	}
}

static uint16_t l4_length(const struct packet *p)
{
	return (uint16_t)(p->l3_length - (uint32_t)(p->l4_offset - p->l3_offset));
}

/* What the sum over L4 (and pseudo-header) is; 0xffff when the checksum is right. */
static uint16_t l4_sum(const struct packet *p)
{
	static uint8_t frame[PACKET_LENGTH_MAX];
	size_t length = p->head_length;
	uint16_t start = p->l4_protocol == IPPROTO_ICMP
				 ? 0
				 : pseudo_sum(p->head + p->l3_offset, l4_length(p));

	memcpy(frame, p->head, length);
	for (uint16_t i = 0; i < p->segment_count; i++) {
		memcpy(frame + length, p->segments[i].iov_base, p->segments[i].iov_len);
		length += p->segments[i].iov_len;
	}
	assert_int_equal(length, p->length);
	return slow_sum(frame + p->l4_offset, l4_length(p), start);
}

void fill_checksum(struct packet *p)
{
	uint8_t *field = p->head + p->l4_offset + checksum_offset(p);
	uint16_t checksum;

	put16(field, 0);
	checksum = (uint16_t)~l4_sum(p);
	put16(field, checksum == 0 ? 0xffff : checksum);
}

void assert_checksums(const struct packet *p)
{
	const uint8_t *ip_header = p->head + p->l3_offset;

	assert_int_equal(slow_sum(ip_header, (size_t)(p->l4_offset - p->l3_offset), 0), 0xffff);
	if (!(p->flags & PACKET_L4) || (p->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return;
	if (p->flags & PACKET_FRAGMENT)
		return; /* the rest is elsewhere */
	if (p->l4_protocol == IPPROTO_UDP && get16(p->head + p->l4_offset + 6) == 0)
		return;
	assert_int_equal(l4_sum(p), 0xffff);
}

/* Ethernet and IPv4 around `l4_length` bytes that are zero yet; returns where they start. */
static uint8_t *make_ipv4(
	struct packet *p, uint8_t protocol, const char *from, const char *to, uint16_t length)
{
	uint32_t addresses[2] = {ip(from), ip(to)};
	uint8_t *header = p->head + ETHERNET_HEADER_LENGTH;

	memset(p, 0, sizeof(*p));
	put16(p->head + 12, 0x0800);
	header[0] = 0x45;
	put16(header + 2, (uint16_t)(20 + length));
	put16(header + 4, (uint16_t)random());
	header[8] = 64;
	header[9] = protocol;
	memcpy(header + 12, addresses, 8);
	put16(header + 10, (uint16_t)~slow_sum(header, 20, 0));
	p->length = (uint32_t)(ETHERNET_HEADER_LENGTH + 20 + length);
	assert_in_range(p->length, 0, PACKET_HEAD_CAPACITY);
	p->head_length = (uint16_t)p->length;
	for (uint16_t i = 0; i < length; i++)
		header[20 + i] = (uint8_t)random();
	return header + 20;
}

void make_udp(struct packet *p, struct end from, struct end to, uint16_t payload)
{
	uint8_t *udp = make_ipv4(p, IPPROTO_UDP, from.address, to.address, (uint16_t)(8 + payload));

	put16(udp, from.port);
	put16(udp + 2, to.port);
	put16(udp + 4, (uint16_t)(8 + payload));
	parse_packet(p);
	assert_true(p->flags & PACKET_L4);
	fill_checksum(p);
}

void make_tcp(struct packet *p, struct end from, struct end to, uint8_t flags, uint16_t payload)
{
	uint8_t *tcp =
		make_ipv4(p, IPPROTO_TCP, from.address, to.address, (uint16_t)(20 + payload));

	put16(tcp, from.port);
	put16(tcp + 2, to.port);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	parse_packet(p);
	assert_true(p->flags & PACKET_L4);
	fill_checksum(p);
}

void make_icmp(struct packet *p, uint8_t type, struct end from, const char *to, uint16_t payload)
{
	uint8_t *icmp = make_ipv4(p, IPPROTO_ICMP, from.address, to, (uint16_t)(8 + payload));

	icmp[0] = type;
	icmp[1] = 0;
	put16(icmp + 4, from.port);
	parse_packet(p);
	assert_true(p->flags & PACKET_L4);
	fill_checksum(p);
}

void make_icmp_error(struct packet *p, uint8_t type, uint8_t code, const char *from, const char *to,
	const struct packet *about, uint16_t quote)
{
	uint8_t *icmp = make_ipv4(p, IPPROTO_ICMP, from, to, (uint16_t)(8 + quote));

	memset(icmp, 0, 8);
	icmp[0] = type;
	icmp[1] = code;
	memcpy(icmp + 8, about->head + about->l3_offset, quote);
	parse_packet(p);
	fill_checksum(p);
}

void make_other(
	struct packet *p, uint8_t protocol, const char *from, const char *to, uint16_t payload)
{
	make_ipv4(p, protocol, from, to, payload);
	parse_packet(p);
}

void make_partial(struct packet *p)
{
	uint8_t *field = p->head + p->l4_offset + checksum_offset(p);

	p->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	p->vnet.csum_start = p->l4_offset;
	p->vnet.csum_offset = (uint16_t)checksum_offset(p);
	put16(field, pseudo_sum(p->head + p->l3_offset, l4_length(p)));
}

void complete_partial(struct packet *p)
{
	uint8_t *field = p->head + p->vnet.csum_start + p->vnet.csum_offset;
	uint16_t sum = slow_sum(
		p->head + p->vnet.csum_start, p->head_length - (size_t)p->vnet.csum_start, 0);

	assert_true(p->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	put16(field, (uint16_t)~sum);
	p->vnet.flags = 0;
}

static enum nat_verdict check_sent(
	struct fixture *f, const struct packet *p, enum nat_verdict verdict)
{
	const char *error = nat_check(f->nat);

	if (error != NULL)
		fail_msg("%s", error);
	if (verdict == NAT_VERDICT_WORLD || verdict == NAT_VERDICT_INSIDE)
		assert_checksums(p);
	return verdict;
}

enum nat_verdict send_out(struct fixture *f, struct packet *p)
{
	enum nat_verdict verdict;

	nat_out_burst(f->nat, &p, &verdict, 1, f->now_ns);
	return check_sent(f, p, verdict);
}

enum nat_verdict send_in(struct fixture *f, struct packet *p)
{
	enum nat_verdict verdict;

	nat_in_burst(f->nat, &p, &verdict, 1, f->now_ns);
	return check_sent(f, p, verdict);
}

/* cmocka runs one test after the other: the text of an address lives long enough for a few. */
static const char *address_text(const uint8_t *address)
{
	static char texts[8][INET_ADDRSTRLEN];
	static unsigned int next;
	char *text = texts[next++ % 8];

	return inet_ntop(AF_INET, address, text, INET_ADDRSTRLEN);
}

static uint16_t port_at(const struct packet *p, int offset)
{
	if (!(p->flags & PACKET_L4))
		return 0;
	return get16(p->head + p->l4_offset + (p->l4_protocol == IPPROTO_ICMP ? 4 : offset));
}

struct end source_of(const struct packet *p)
{
	return END(address_text(p->head + p->l3_offset + 12), port_at(p, 0));
}

struct end destination_of(const struct packet *p)
{
	return END(address_text(p->head + p->l3_offset + 16), port_at(p, 2));
}

void assert_end(struct end end, const char *address, uint16_t port)
{
	assert_string_equal(end.address, address);
	assert_int_equal(end.port, port);
}

void assert_dropped(
	struct fixture *f, enum nat_verdict verdict, const struct packet *p, enum nat_drop reason)
{
	assert_int_equal(verdict, NAT_VERDICT_DROP);
	assert_string_equal(nat_drop_name((enum nat_drop)p->reason), nat_drop_name(reason));
	assert_true(nat_counters(f->nat)->drops[reason] > 0);
}

enum nat_verdict udp_out(struct fixture *f, struct packet *p, struct end from, struct end to)
{
	make_udp(p, from, to, 11);
	return send_out(f, p);
}

enum nat_verdict udp_in(struct fixture *f, struct packet *p, struct end from, struct end to)
{
	make_udp(p, from, to, 11);
	return send_in(f, p);
}

enum nat_verdict tcp_out(
	struct fixture *f, struct packet *p, struct end from, struct end to, uint8_t flags)
{
	make_tcp(p, from, to, flags, 0);
	return send_out(f, p);
}

enum nat_verdict tcp_in(
	struct fixture *f, struct packet *p, struct end from, struct end to, uint8_t flags)
{
	make_tcp(p, from, to, flags, 0);
	return send_in(f, p);
}
