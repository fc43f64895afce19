/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/parse_vnet.h"

#include <errno.h>

#include "backend/parse.h"
#include "tests/unit/backend/offload_frames.h"

#define NEEDS_CSUM VIRTIO_NET_HDR_F_NEEDS_CSUM
#define DATA_VALID VIRTIO_NET_HDR_F_DATA_VALID
#define TCPV4 VIRTIO_NET_HDR_GSO_TCPV4
#define TCPV6 VIRTIO_NET_HDR_GSO_TCPV6
#define ECN VIRTIO_NET_HDR_GSO_ECN
#define USO VIRTIO_NET_HDR_GSO_UDP_L4

static struct frame *load(int index, struct virtio_net_hdr_v1 vnet)
{
	uint8_t whole[256], partial[256];
	uint32_t length = offload_frame_load(&offload_frames[index], whole, partial, sizeof(whole));
	struct frame *f = frame_new(partial, length, 40, 33);

	f->packet.vnet = vnet;
	parse_packet(&f->packet);
	return f;
}

static void assert_vnet(const struct packet *p, struct virtio_net_hdr_v1 expected)
{
	assert_memory_equal(&p->vnet, &expected, sizeof(expected));
}

/* Without an offload everything else in the header is noise. */
static void test_no_offload(void **state)
{
	struct frame *f = load(OFFLOAD_TCP4, (struct virtio_net_hdr_v1){
						     .hdr_len = 7,
						     .gso_size = 8,
						     .csum_start = 9,
						     .csum_offset = 10,
						     .num_buffers = 11,
					     });

	assert_int_equal(parse_vnet(&f->packet), 0);
	assert_vnet(&f->packet, (struct virtio_net_hdr_v1){0});

	f->packet.vnet = (struct virtio_net_hdr_v1){.flags = 0xfe, .csum_start = 9, .gso_size = 1};
	assert_int_equal(parse_vnet(&f->packet), 0);
	assert_vnet(&f->packet, (struct virtio_net_hdr_v1){0});

	f->packet.vnet = (struct virtio_net_hdr_v1){.flags = DATA_VALID | 0x80};
	assert_int_equal(parse_vnet_host(&f->packet), 0);
	assert_vnet(&f->packet, (struct virtio_net_hdr_v1){.flags = DATA_VALID});

	f->packet.vnet = (struct virtio_net_hdr_v1){.flags = 0x80};
	assert_int_equal(parse_vnet_host(&f->packet), 0);
	assert_vnet(&f->packet, (struct virtio_net_hdr_v1){0});
	frame_free(f);
}

/* TCP and UDP over both families stay partial. */
static void test_partial_checksum_stays(void **state)
{
	uint8_t whole[256], partial[256], bytes[256];

	for (int i = 0; i < OFFLOAD_VXLAN; i++) {
		const struct offload_frame *o = &offload_frames[i];
		uint32_t length = offload_frame_load(o, whole, partial, sizeof(whole));
		struct virtio_net_hdr_v1 vnet = offload_frame_vnet(o);
		struct frame *f;

		vnet.flags |= 0xf0 | DATA_VALID;
		vnet.hdr_len = 65535;
		vnet.gso_size = 1;
		vnet.num_buffers = 3;
		f = load(i, vnet);
		assert_int_equal(parse_vnet(&f->packet), 0);
		assert_vnet(&f->packet, offload_frame_vnet(o));
		frame_bytes(&f->packet, bytes, sizeof(bytes));
		assert_memory_equal(bytes, partial, length);
		assert_true(o->csum_start + o->csum_offset + 2 <= f->packet.head_length);
		frame_free(f);
	}
}

/* The checksum of a packet in a tunnel is completed. */
static void test_tunnel(void **state)
{
	const struct offload_frame *o = &offload_frames[OFFLOAD_VXLAN];
	uint8_t whole[256], partial[256], bytes[256];
	uint32_t length = offload_frame_load(o, whole, partial, sizeof(whole));
	struct virtio_net_hdr_v1 vnet = offload_frame_vnet(o);
	struct frame *f = load(OFFLOAD_VXLAN, vnet);

	assert_int_equal(parse_vnet(&f->packet), 0);
	assert_vnet(&f->packet, (struct virtio_net_hdr_v1){0});
	frame_bytes(&f->packet, bytes, sizeof(bytes));
	assert_memory_equal(bytes, whole, length);
	assert_int_equal(f->packet.flags, PACKET_IPV4 | PACKET_L4);
	frame_free(f);

	vnet.gso_type = TCPV4;
	vnet.gso_size = 100;
	f = load(OFFLOAD_VXLAN, vnet);
	assert_int_equal(parse_vnet(&f->packet), -EINVAL);
	frame_free(f);
}

/* No sum is ever written over what the switch decides by. */
static void test_sum_over_headers(void **state)
{
	for (uint16_t start = 0; start < 34; start++) {
		for (uint16_t offset = 0; offset < 80; offset++) {
			struct frame *f = load(OFFLOAD_TCP4, (struct virtio_net_hdr_v1){
								     .flags = NEEDS_CSUM,
								     .csum_start = start,
								     .csum_offset = offset,
							     });

			assert_int_equal(parse_vnet(&f->packet), -EINVAL);
			frame_free(f);
		}
	}
}

/* A sum that hits the TCP header's own length makes that header unparsed. */
static void test_sum_over_data_offset(void **state)
{
	int with = 0, without = 0;

	for (uint16_t start = 34; start < 46; start++) {
		struct frame *f = load(OFFLOAD_TCP4, (struct virtio_net_hdr_v1){
							     .flags = NEEDS_CSUM,
							     .csum_start = start,
							     .csum_offset = 46 - start,
						     });
		uint8_t words;

		assert_int_equal(parse_vnet(&f->packet), 0);
		words = f->packet.head[46] >> 4;
		assert_int_equal((f->packet.flags & PACKET_L4) != 0, words >= 5);
		with += words >= 5;
		without += words < 5;
		frame_free(f);
	}
	assert_true(with > 0 && without > 0);
}

struct gso_case {
	const char *name;
	int frame;
	uint8_t flags;
	uint8_t gso_type;
	uint16_t gso_size;
	int result;
	uint8_t type_after; /* with result 0 */
	uint16_t hdr_len;   /* with result 0 */
	bool host;	    /* the frame comes from the host */
};

/* The payload has 61 bytes. */
static const struct gso_case gso_cases[] = {
	{"TSO4", OFFLOAD_TCP4, NEEDS_CSUM, TCPV4, 20, 0, TCPV4, 66, false},
	{"TSO4 with ECN", OFFLOAD_TCP4, NEEDS_CSUM, TCPV4 | ECN, 60, 0, TCPV4 | ECN, 66, false},
	{"TSO6", OFFLOAD_TCP6, NEEDS_CSUM, TCPV6, 60, 0, TCPV6, 74, false},
	{"TSO6 with ECN", OFFLOAD_TCP6, NEEDS_CSUM, TCPV6 | ECN, 8, 0, TCPV6 | ECN, 74, false},
	{"one segment", OFFLOAD_TCP4, NEEDS_CSUM, TCPV4 | ECN, 61, 0, 0, 0, false},
	{"one segment", OFFLOAD_TCP6, NEEDS_CSUM, TCPV6, 65535, 0, 0, 0, false},
	{"no checksum offload", OFFLOAD_TCP4, 0, TCPV4, 20, -EINVAL, 0, 0, false},
	{"no checksum offload", OFFLOAD_TCP4, DATA_VALID, TCPV4, 20, -EINVAL, 0, 0, false},
	{"other family", OFFLOAD_TCP4, NEEDS_CSUM, TCPV6, 20, -EINVAL, 0, 0, false},
	{"other family", OFFLOAD_TCP6, NEEDS_CSUM, TCPV4, 20, -EINVAL, 0, 0, false},
	{"UDP as TCP", OFFLOAD_UDP4, NEEDS_CSUM, TCPV4, 20, -EINVAL, 0, 0, false},
	{"UDP as TCP", OFFLOAD_UDP6, NEEDS_CSUM, TCPV6, 20, -EINVAL, 0, 0, false},
	{"UFO", OFFLOAD_UDP4, NEEDS_CSUM, VIRTIO_NET_HDR_GSO_UDP, 24, -EINVAL, 0, 0, false},
	{"USO", OFFLOAD_UDP4, NEEDS_CSUM, USO, 24, -EINVAL, 0, 0, false},
	{"USO of the host", OFFLOAD_UDP4, NEEDS_CSUM, USO, 24, 0, USO, 42, true},
	{"USO of the host", OFFLOAD_UDP6, NEEDS_CSUM, USO, 24, 0, USO, 86, true},
	{"one datagram of the host", OFFLOAD_UDP4, NEEDS_CSUM, USO, 61, 0, 0, 0, true},
	{"USO without checksum", OFFLOAD_UDP4, 0, USO, 24, -EINVAL, 0, 0, true},
	{"USO with ECN", OFFLOAD_UDP4, NEEDS_CSUM, USO | ECN, 24, -EINVAL, 0, 0, true},
	{"TCP as USO", OFFLOAD_TCP4, NEEDS_CSUM, USO, 20, -EINVAL, 0, 0, true},
	{"UDP as TCP of the host", OFFLOAD_UDP4, NEEDS_CSUM, TCPV4, 20, -EINVAL, 0, 0, true},
	{"ECN alone", OFFLOAD_TCP4, NEEDS_CSUM, ECN, 24, -EINVAL, 0, 0, false},
	{"unknown bit", OFFLOAD_TCP4, NEEDS_CSUM, TCPV4 | 0x40, 24, -EINVAL, 0, 0, false},
	{"unknown type", OFFLOAD_TCP4, NEEDS_CSUM, 2, 24, -EINVAL, 0, 0, false},
	{"size 0", OFFLOAD_TCP4, NEEDS_CSUM, TCPV4, 0, -EINVAL, 0, 0, false},
	{"size 7", OFFLOAD_TCP4, NEEDS_CSUM, TCPV4, 7, -EINVAL, 0, 0, false},
};

static void test_gso(void **state)
{
	for (size_t i = 0; i < sizeof(gso_cases) / sizeof(gso_cases[0]); i++) {
		const struct gso_case *c = &gso_cases[i];
		struct virtio_net_hdr_v1 vnet = offload_frame_vnet(&offload_frames[c->frame]);
		struct frame *f;
		int result;

		vnet.flags = c->flags;
		vnet.gso_type = c->gso_type;
		vnet.gso_size = c->gso_size;
		vnet.hdr_len = 65000;
		f = load(c->frame, vnet);
		result = c->host ? parse_vnet_host(&f->packet) : parse_vnet(&f->packet);
		if (result != c->result)
			print_message("%s: %d\n", c->name, result);
		assert_int_equal(result, c->result);
		if (result == 0) {
			vnet.gso_type = c->type_after;
			vnet.gso_size = c->type_after != 0 ? c->gso_size : 0;
			vnet.hdr_len = c->hdr_len;
			assert_vnet(&f->packet, vnet);
			assert_true(f->packet.head_length >= c->hdr_len);
		}
		frame_free(f);
	}
}

/* One byte of a frame changed that makes its offload a lie. */
static void test_lying_frames(void **state)
{
	static const struct {
		const char *name;
		int frame;
		uint16_t offset;
		uint8_t value;
	} lies[] = {
		{"fragment", OFFLOAD_TCP4, 14 + 6, 0x20},
		{"malformed", OFFLOAD_TCP4, 14, 0x46 + 0x10},
		{"datagram longer than the frame", OFFLOAD_TCP6, 14 + 5, 82},
		{"datagram without a whole TCP header", OFFLOAD_TCP6, 14 + 5, 17},
		{"IPv6 version", OFFLOAD_TCP6, 14, 0x40},
		{"IPv6 fragment", OFFLOAD_TCP6, 14 + 6, 44},
		{"IPv6 fragment behind options", OFFLOAD_UDP6, 14 + 40 + 8, 44},
		{"extension longer than the datagram", OFFLOAD_UDP6, 14 + 40 + 1, 200},
		{"ARP", OFFLOAD_TCP4, 13, 6},
	};
	uint8_t whole[256], partial[256];

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		const struct offload_frame *o = &offload_frames[lies[i].frame];
		uint32_t length = offload_frame_load(o, whole, partial, sizeof(whole));
		struct frame *f;

		partial[lies[i].offset] = lies[i].value;
		f = frame_new(partial, length, 60, 33);
		f->packet.vnet = offload_frame_vnet(o);
		parse_packet(&f->packet);
		if (parse_vnet(&f->packet) != -EINVAL)
			fail_msg("%s is taken", lies[i].name);
		frame_free(f);
	}
}

/* Ever more extension headers: followed as far as they are in the frame, and no further. */
static void test_extension_headers(void **state)
{
	static const struct {
		int count;
		int result;
	} cases[] = {{0, 0}, {1, 0}, {8, 0}, {9, -EINVAL}, {20, -EINVAL}};
	uint8_t bytes[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t extensions = (uint32_t)cases[i].count * 8;
		uint32_t length = 14 + 40 + extensions + 32 + 100;
		struct frame *f;

		memset(bytes, 0, sizeof(bytes));
		bytes[12] = 0x86;
		bytes[13] = 0xdd;
		bytes[14] = 0x60;
		bytes[14 + 4] = (uint8_t)((extensions + 132) >> 8);
		bytes[14 + 5] = (uint8_t)(extensions + 132);
		bytes[14 + 6] = extensions == 0 ? 6 : 60;
		for (uint32_t at = 54; at < 54 + extensions; at += 8)
			bytes[at] = at + 8 == 54 + extensions ? 6 : 60;
		bytes[54 + extensions + 12] = 0x80;
		f = frame_new(bytes, length, 60, 50);
		f->packet.vnet = (struct virtio_net_hdr_v1){
			.flags = NEEDS_CSUM,
			.gso_type = TCPV6,
			.gso_size = 10,
			.csum_start = (uint16_t)(54 + extensions),
			.csum_offset = 16,
		};
		parse_packet(&f->packet);
		assert_int_equal(parse_vnet(&f->packet), cases[i].result);
		if (cases[i].result == 0)
			assert_int_equal(f->packet.vnet.hdr_len, 54 + extensions + 32);
		if (cases[i].result == 0)
			assert_true(f->packet.head_length >= 54 + extensions + 32);
		frame_free(f);
	}
}

/* The authentication header counts its length otherwise (RFC 4302, 2.2). */
static void test_authentication_header(void **state)
{
	uint8_t whole[256], partial[256];
	const struct offload_frame *o = &offload_frames[OFFLOAD_UDP6];
	uint32_t length = offload_frame_load(o, whole, partial, sizeof(whole));

	/* 8 bytes and 16 bytes of options become one header of 24 bytes. */
	partial[14 + 6] = 51;
	partial[54] = 17;
	for (int units = 3; units <= 5; units++) {
		struct frame *f;

		partial[55] = (uint8_t)units;
		f = frame_new(partial, length, 60, 33);
		f->packet.vnet = offload_frame_vnet(o);
		parse_packet(&f->packet);
		if (units == 4) {
			assert_int_equal(parse_vnet(&f->packet), 0);
			assert_vnet(&f->packet, offload_frame_vnet(o));
		} else if (parse_vnet(&f->packet) == 0) {
			/* The sum is not where a UDP header has it: completed at best. */
			assert_vnet(&f->packet, (struct virtio_net_hdr_v1){0});
		}
		frame_free(f);
	}
}

/* No payload: a SYN, an empty UDP datagram. */
static void test_bare_headers(void **state)
{
	static const struct {
		int frame;
		uint16_t length_field; /* of IPv4 or IPv6, offset in the frame */
		uint8_t length_value;
		uint32_t length; /* of the frame */
	} bare[] = {
		{OFFLOAD_TCP4, 14 + 3, 20 + 32, 14 + 20 + 32},
		{OFFLOAD_UDP4, 14 + 3, 20 + 8, 14 + 20 + 8},
		{OFFLOAD_TCP6, 14 + 5, 20, 14 + 40 + 20},
		{OFFLOAD_UDP6, 14 + 5, 24 + 8, 14 + 40 + 24 + 8},
	};
	uint8_t whole[256], partial[256];

	for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
		const struct offload_frame *o = &offload_frames[bare[i].frame];
		struct frame *f;

		offload_frame_load(o, whole, partial, sizeof(whole));
		partial[bare[i].length_field] = bare[i].length_value;
		if (o->protocol == 17)
			partial[o->csum_start + 5] = 8;
		f = frame_new(partial, bare[i].length, 30, 33);
		f->packet.vnet = offload_frame_vnet(o);
		parse_packet(&f->packet);
		assert_int_equal(parse_vnet(&f->packet), 0);
		assert_vnet(&f->packet, offload_frame_vnet(o));
		frame_free(f);
	}
}

/* Bytes behind the datagram would be summed by whoever completes the checksum. */
static void test_cut_behind_datagram(void **state)
{
	uint8_t whole[256], partial[256];
	const struct offload_frame *o = &offload_frames[OFFLOAD_TCP4];
	uint32_t length = offload_frame_load(o, whole, partial, sizeof(whole));
	struct frame *f;

	memset(partial + length, 0xff, 10);
	f = frame_new(partial, length + 10, 60, 33);
	f->packet.vnet = offload_frame_vnet(o);
	parse_packet(&f->packet);
	assert_int_equal(parse_vnet(&f->packet), 0);
	assert_int_equal(f->packet.length, length);
	frame_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_offload),
		cmocka_unit_test(test_partial_checksum_stays),
		cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_sum_over_headers),
		cmocka_unit_test(test_sum_over_data_offset),
		cmocka_unit_test(test_gso),
		cmocka_unit_test(test_lying_frames),
		cmocka_unit_test(test_extension_headers),
		cmocka_unit_test(test_authentication_header),
		cmocka_unit_test(test_bare_headers),
		cmocka_unit_test(test_cut_behind_datagram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
