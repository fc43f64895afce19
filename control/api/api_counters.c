/* SPDX-License-Identifier: BSD-3-Clause */
/* The counters twice: as JSON, one object for each thing that counts, and in Prometheus' text
 * exposition format 0.0.4, in which all samples of a metric stand together. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/handlers.h"

/* All counters; freed by the caller. NULL: out of memory. */
static struct api_counter *read_counters(const struct api_network *network, size_t *ret_count)
{
	size_t count = network->ops->counters(network->context, NULL, 0);
	struct api_counter *counters = calloc(count + 1, sizeof(*counters));

	/* Ports change on this thread only, so there are as many the second time. */
	if (counters)
		network->ops->counters(network->context, counters, count);
	*ret_count = count;
	return counters;
}

/* The member `name` of `object`, made when it is not there; borrowed. */
static json_t *member(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	if (value)
		return value;
	json_object_set_new(object, name, json_object());
	return json_object_get(object, name);
}

/* The object of the port, which is the last one of `ports` or comes behind it; borrowed. */
static json_t *port_member(json_t *ports, int port)
{
	size_t count = json_array_size(ports);
	json_t *last = count ? json_array_get(ports, count - 1) : NULL;

	if (last && json_integer_value(json_object_get(last, "port")) == port)
		return last;
	json_array_append_new(ports, json_pack("{s:i}", "port", port));
	return json_array_get(ports, count);
}

struct api_answer api_counters_get(
	const struct api_network *network, const struct api_request *request)
{
	size_t count;
	struct api_counter *counters = read_counters(network, &count);
	json_t *root = json_object(), *ports = json_array();

	for (size_t i = 0; counters && i < count; i++) {
		const struct api_counter *c = &counters[i];
		json_t *object =
			c->port >= 0 ? port_member(ports, c->port) : member(root, c->group);
		if (c->drop)
			object = member(object, c->name);
		json_object_set_new(
			object, c->drop ? c->drop : c->name, json_integer((json_int_t)c->value));
	}
	json_object_set_new(root, "ports", ports);
	if (!counters) {
		json_decref(root);
		root = NULL;
	}
	free(counters);
	return api_answer_json(200, root);
}

/* The metric's name without "chnet_": the uplink's are those of a port. */
static const char *metric_group(const struct api_counter *c)
{
	return strcmp(c->group, "uplink") == 0 ? "port" : c->group;
}

static int compare(const void *left, const void *right)
{
	const struct api_counter *a = left, *b = right;
	int order = strcmp(metric_group(a), metric_group(b));

	if (!order)
		order = strcmp(a->name, b->name);
	/* The uplink, -1, comes first. */
	if (!order)
		order = a->port - b->port;
	if (!order)
		order = strcmp(a->drop ? a->drop : "", b->drop ? b->drop : "");
	return order;
}

static void write_sample(FILE *file, const struct api_counter *c)
{
	const char *group = metric_group(c), *end = c->gauge ? "" : "_total";

	fprintf(file, "chnet_%s_%s%s", group, c->name, end);
	const char *open = "{";
	if (strcmp(group, "port") == 0 && c->port >= 0) {
		fprintf(file, "{port=\"%d\"", c->port);
		open = ",";
	} else if (strcmp(group, "port") == 0) {
		fprintf(file, "{port=\"uplink\"");
		open = ",";
	}
	if (c->drop)
		fprintf(file, "%sreason=\"%s\"", open, c->drop);
	if (c->drop || *open == ',')
		fputc('}', file);
	fprintf(file, " %" PRIu64 "\n", c->value);
}

static void write_metrics(FILE *file, const struct api_counter *counters, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct api_counter *c = &counters[i], *before = i ? c - 1 : NULL;
		if (!before || strcmp(metric_group(before), metric_group(c)) != 0 ||
			strcmp(before->name, c->name) != 0)
			fprintf(file, "# TYPE chnet_%s_%s%s %s\n", metric_group(c), c->name,
				c->gauge ? "" : "_total", c->gauge ? "gauge" : "counter");
		write_sample(file, c);
	}
}

struct api_answer api_metrics_get(
	const struct api_network *network, const struct api_request *request)
{
	struct api_answer answer = {.status = 200, .type = "text/plain; version=0.0.4"};
	size_t count;
	struct api_counter *counters = read_counters(network, &count);
	FILE *file = open_memstream(&answer.body, &answer.size);

	if (counters && file) {
		qsort(counters, count, sizeof(*counters), compare);
		write_metrics(file, counters, count);
	}
	if (!counters || !file || ferror(file))
		answer.status = 500;
	if (file && fclose(file))
		answer.status = 500;
	free(counters);
	if (answer.status == 500)
		api_answer_free(&answer);
	return answer;
}
