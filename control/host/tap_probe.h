/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finds out whether the kernel takes large (GSO) frames that are written to a TAP.
 *
 * The TAP must be down, with a virtio-net header of TAP_HEADER_LENGTH bytes; the probe then reaches
 * nobody. Both return false only when the kernel called a well-formed frame invalid; large frames
 * must then be segmented before they are written. The frames count as drops of the interface.
 */
#pragma once

#include <stdbool.h>

/* TCP over IPv4. */
bool tap_probe_tso(int fd);

/* UDP over IPv4 (VIRTIO_NET_HDR_GSO_UDP_L4). */
bool tap_probe_uso(int fd);
