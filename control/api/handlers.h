/* SPDX-License-Identifier: BSD-3-Clause */
/* One function for each method of each path; docs/api.yaml describes them. */
#pragma once

#include "control/api/request.h"

struct api_answer api_status_get(
	const struct api_network *network, const struct api_request *request);
struct api_answer api_ports_get(
	const struct api_network *network, const struct api_request *request);
struct api_answer api_ports_post(
	const struct api_network *network, const struct api_request *request);
struct api_answer api_ports_delete(
	const struct api_network *network, const struct api_request *request);
struct api_answer api_flows_get(
	const struct api_network *network, const struct api_request *request);
struct api_answer api_forwards_get(
	const struct api_network *network, const struct api_request *request);
struct api_answer api_forwards_post(
	const struct api_network *network, const struct api_request *request);
struct api_answer api_forwards_delete(
	const struct api_network *network, const struct api_request *request);
struct api_answer api_counters_get(
	const struct api_network *network, const struct api_request *request);
struct api_answer api_metrics_get(
	const struct api_network *network, const struct api_request *request);
struct api_answer api_log_level_get(
	const struct api_network *network, const struct api_request *request);
struct api_answer api_log_level_put(
	const struct api_network *network, const struct api_request *request);
