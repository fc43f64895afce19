/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench/station.h"

#include <string.h>

#define OFFLOADS                                                                              \
	(FRONTEND_BIT(VIRTIO_NET_F_CSUM) | FRONTEND_BIT(VIRTIO_NET_F_GUEST_CSUM) |            \
		FRONTEND_BIT(VIRTIO_NET_F_HOST_TSO4) | FRONTEND_BIT(VIRTIO_NET_F_HOST_TSO6) | \
		FRONTEND_BIT(VIRTIO_NET_F_GUEST_TSO4) | FRONTEND_BIT(VIRTIO_NET_F_GUEST_TSO6))

static uint64_t wanted_features(const struct workload *workload)
{
	uint64_t features = OFFLOADS | FRONTEND_BIT(VIRTIO_RING_F_INDIRECT_DESC);
	if (workload->mergeable)
		features |= FRONTEND_BIT(VIRTIO_NET_F_MRG_RXBUF);
	if (workload->event_idx)
		features |= FRONTEND_BIT(VIRTIO_RING_F_EVENT_IDX);
	return features;
}

int station_init(struct station *station, const struct workload *workload, unsigned int index,
	const struct frames_end *target)
{
	struct frames_end self = workload_end(index);
	struct frames_end partner = workload_end(index ^ 1u);
	uint64_t bytes = sender_memory(workload) + sink_memory(workload) +
			 workload->queue_size * UINT64_C(64) + (4u << 20);
	struct frontend_options options = {
		.features = wanted_features(workload),
		.queue_size = workload->queue_size,
		/* Rings that begin: some back ends take the driver's index at its word. */
		.base = FRONTEND_BASE_SAVED,
		/* The front end's driver is not used: as little for it as it takes. */
		.rx_buffer = 2048,
		.rx_slots = 1,
		.tx_slots = 1,
		.ram = {.regions = 1, .region_size = (bytes + 0x1fffff) & ~UINT64_C(0x1fffff)},
	};

	*station = (struct station){
		.index = index,
		/* Those who send no indirect table can do without them. */
		.optional = OFFLOADS | (workload->layout == WORKLOAD_INDIRECT
						       ? 0
						       : FRONTEND_BIT(VIRTIO_RING_F_INDIRECT_DESC)),
	};
	int error = frontend_init(&station->frontend, &options);
	if (error)
		return error;
	struct driver *driver = &station->frontend.driver;
	error = sender_init(&station->sender, &driver->queues[DRIVER_TX], workload, &self,
		target ? target : &partner);
	if (!error)
		error = sink_init(&station->sink, &driver->queues[DRIVER_RX], workload, index);
	return error;
}

void station_fini(struct station *station)
{
	sender_fini(&station->sender);
	sink_fini(&station->sink);
	frontend_fini(&station->frontend);
}

void station_start_bare(struct station *station)
{
	driver_clear(&station->frontend.driver);
	sink_post_all(&station->sink);
}

int station_connect(struct station *station, const char *path)
{
	struct frontend *frontend = &station->frontend;
	int error = frontend_connect(frontend, path);
	if (error)
		return error;
	frontend->options.features &= frontend->offered | ~station->optional;
	station_start_bare(station);
	return frontend_resume(frontend);
}
