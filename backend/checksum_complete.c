/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/checksum_complete.h"

#include <errno.h>
#include <string.h>

#include "nat/checksum.h"

int checksum_complete(struct packet *p)
{
	uint32_t start = p->vnet.csum_start;
	uint32_t field = start + p->vnet.csum_offset;
	uint16_t checksum;
	uint64_t sum;
	size_t offset;

	if ((p->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0)
		return 0;
	if (p->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return -EINVAL;
	if (packet_pull(p, field + (uint32_t)sizeof(checksum)) != 0)
		return -EINVAL;

	offset = p->head_length - start;
	sum = checksum_add(0, p->head + start, offset);
	for (uint16_t i = 0; i < p->segment_count; i++) {
		const struct iovec *segment = &p->segments[i];

		sum = checksum_add_at(sum, segment->iov_base, segment->iov_len, offset);
		offset += segment->iov_len;
	}
	checksum = checksum_finish_udp(sum);
	memcpy(p->head + field, &checksum, sizeof(checksum));
	p->vnet.flags &= (uint8_t)~VIRTIO_NET_HDR_F_NEEDS_CSUM;
	p->vnet.csum_start = 0;
	p->vnet.csum_offset = 0;
	return 0;
}
