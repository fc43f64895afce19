/* SPDX-License-Identifier: BSD-3-Clause */
/* What requests mean, and how wrong ones are refused, without a server. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/control/api_double.h"

static struct api_double twin;
static struct api_answer answer;
static json_t *json; /* of the answer; NULL when it has none */

static int fresh(void **state)
{
	twin = (struct api_double){.level = "info"};
	return 0;
}

static int forget(void **state)
{
	json_decref(json);
	json = NULL;
	api_answer_free(&answer);
	return 0;
}

/* Asks; the arguments are "name=value" words, ended by NULL. */
static int ask_with(const char *method, const char *path, const char *body, char *words[])
{
	const struct api_network network = api_double_network(&twin);
	struct api_request request = {
		.method = method, .path = path, .body = body, .body_size = body ? strlen(body) : 0};
	char copies[API_ARGUMENTS_MAX][64];

	for (; words && words[request.argument_count]; request.argument_count++) {
		char *copy = copies[request.argument_count];
		strcpy(copy, words[request.argument_count]);
		char *equals = strchr(copy, '=');
		*equals = 0;
		request.arguments[request.argument_count] =
			(struct api_argument){.name = copy, .value = equals + 1};
	}
	forget(NULL);
	api_handle(&network, &request, &answer);
	if (answer.type && strcmp(answer.type, "application/json") == 0)
		json = json_loadb(answer.body, answer.size, 0, NULL);
	return answer.status;
}

static int ask(const char *method, const char *path, const char *body)
{
	return ask_with(method, path, body, NULL);
}

#define GET(path, ...) ask_with("GET", path, NULL, (char *[]){__VA_ARGS__, NULL})

static const char *text(const char *member)
{
	return json_string_value(json_object_get(json, member));
}

static json_int_t number(const char *member)
{
	json_t *value = json_object_get(json, member);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static void refused(int expected, const char *sentence, int status)
{
	assert_int_equal(status, expected);
	assert_non_null(json);
	assert_string_equal(text("error"), sentence);
	assert_int_equal(json_object_size(json), 1);
}

static void test_status(void **state)
{
	assert_int_equal(ask("GET", "/v1/status", NULL), 200);
	assert_string_equal(text("name"), "default");
	assert_string_equal(text("egress"), "eth0");
	assert_string_equal(text("gateway"), "172.16.0.1");
	assert_string_equal(text("outside"), "172.16.0.254");
	assert_int_equal(number("uptime_s"), 1234567890123);
	assert_int_equal(number("restarts"), 2);
	assert_string_equal(text("dns"), "1.1.1.1");
	assert_int_equal(number("dns_queries"), 7000000000);
	assert_int_equal(number("dns_drops"), 6000000000);
}

static void test_paths_and_methods(void **state)
{
	refused(404, "there is no path '/' here: docs/api.md lists all of them",
		ask("GET", "/", NULL));
	refused(404, "there is no path '/v1/ports/' here: docs/api.md lists all of them",
		ask("DELETE", "/v1/ports/", NULL));
	refused(404, "there is no path '/v1/statusx' here: docs/api.md lists all of them",
		ask("GET", "/v1/statusx", NULL));
	refused(405, "PUT is no method of this path: use GET, POST", ask("PUT", "/v1/ports", "{}"));
	assert_string_equal(answer.allow, "GET, POST");
	refused(405, "GET is no method of this path: use DELETE", ask("GET", "/v1/ports/3", NULL));
	assert_string_equal(answer.allow, "DELETE");
	refused(400, "/v1/status takes no arguments after '?'", GET("/v1/status", "x=1"));
}

/* What is quoted may be no UTF-8; the answer is JSON all the same. */
static void test_quotes_of_anything(void **state)
{
	refused(404, "there is no path '/v1/??\"' here: docs/api.md lists all of them",
		ask("GET", "/v1/\xff\xc3\"", NULL));
}

static void test_ports(void **state)
{
	assert_int_equal(ask("GET", "/v1/ports", NULL), 200);
	json_t *ports = json_object_get(json, "ports");
	assert_int_equal(json_array_size(ports), 2);
	json_t *first = json_array_get(ports, 0), *second = json_array_get(ports, 1);
	assert_string_equal(json_string_value(json_object_get(first, "mac")), "52:54:00:12:34:56");
	assert_string_equal(json_string_value(json_object_get(first, "ip")), "172.16.0.2");
	assert_true(json_is_true(json_object_get(first, "connected")));
	assert_int_equal(
		json_integer_value(json_object_get(first, "rx_packets")), UINT32_MAX + 1ULL);
	assert_int_equal(json_integer_value(json_object_get(second, "port")), 3);
	/* A path may be no UTF-8, and JSON must be. */
	assert_string_equal(json_string_value(json_object_get(second, "socket")), "/run/b?.sock");
	assert_true(json_is_null(json_object_get(second, "mac")));
	assert_true(json_is_null(json_object_get(second, "ip")));
	assert_string_equal(json_string_value(json_object_get(first, "hostname")), "web");
	assert_true(json_is_null(json_object_get(second, "hostname")));
}

static void test_leases(void **state)
{
	assert_int_equal(ask("GET", "/v1/ports", NULL), 200);
	json_t *ports = json_object_get(json, "ports");
	json_t *none = json_object_get(json_array_get(ports, 0), "leases");
	json_t *leases = json_object_get(json_array_get(ports, 1), "leases");
	assert_true(json_is_array(none));
	assert_int_equal(json_array_size(none), 0);
	assert_int_equal(json_array_size(leases), 2);
	json_t *first = json_array_get(leases, 0), *second = json_array_get(leases, 1);
	assert_string_equal(json_string_value(json_object_get(first, "ip")), "172.16.0.5");
	assert_string_equal(json_string_value(json_object_get(first, "mac")), "02:00:00:00:00:ff");
	assert_string_equal(json_string_value(json_object_get(first, "hostname")), "db");
	assert_int_equal(json_integer_value(json_object_get(first, "expires_s")), UINT32_MAX);
	assert_true(json_is_null(json_object_get(second, "hostname")));
}

static void added(const char *spec, const char *body)
{
	char expected[API_SPEC_CAPACITY + 64];

	assert_int_equal(ask("POST", "/v1/ports", body), 201);
	assert_int_equal(number("port"), 3);
	snprintf(expected, sizeof(expected), "port_add %s", spec);
	assert_string_equal(twin.asked, expected);
}

static void test_port_add(void **state)
{
	added(",", "{}");
	added(",mac=52:54:00:12:34:57", "{\"mac\": \"52:54:00:12:34:57\", \"ip\": null}");
	added("/run/x.sock,mac=m,ip=i,profile=p,ctrl-vq=on",
		"{\"ctrl_vq\": true, \"profile\": \"p\", \"ip\": \"i\", \"mac\": \"m\", "
		"\"socket\": \"/run/x.sock\"}");
	added(",ip=i,hostname=web", "{\"hostname\": \"web\", \"ip\": \"i\"}");
	added("/run/x.sock,mode=server", "{\"mode\": \"server\", \"socket\": \"/run/x.sock\"}");
	added("/run/x.sock,ctrl-vq=off", "{\"ctrl_vq\": false, \"socket\": \"/run/x.sock\"}");
}

static void not_added(const char *sentence, const char *body)
{
	twin.asked[0] = 0;
	refused(400, sentence, ask("POST", "/v1/ports", body));
	assert_string_equal(twin.asked, "");
}

static void test_port_add_refused(void **state)
{
	static const char wrong_socket[] =
		"'socket' must be a text that is not empty and without commas";
	char body[1024], path[600];

	not_added("the request has no body: send a JSON object", NULL);
	not_added("the body is JSON, but no object: write {...}", "[]");
	not_added("'sokcet' is no member that is known here", "{\"sokcet\": \"/run/x\"}");
	not_added(wrong_socket, "{\"socket\": \"/run/x,mac=52:54:00:12:34:57\"}");
	not_added(wrong_socket, "{\"socket\": \"\"}");
	not_added(wrong_socket, "{\"socket\": 7}");
	not_added("'ctrl_vq' must be true or false", "{\"ctrl_vq\": \"on\"}");
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	snprintf(body, sizeof(body), "{\"socket\": \"%s\"}", path);
	not_added("'socket' is too long", body);
	assert_int_equal(ask("POST", "/v1/ports", "{\"mac\": \"a\", \"mac\": \"b\"}"), 400);
	assert_non_null(strstr(text("error"), "duplicate"));
	assert_int_equal(ask("POST", "/v1/ports", "{\"socket\": \"a\\u0000b\"}"), 400);
}

static void test_what_the_network_refuses(void **state)
{
	static const struct {
		int error;
		int status;
	} table[] = {{-EINVAL, 400}, {-EPERM, 403}, {-ENOENT, 404}, {-EEXIST, 409},
		{-EADDRINUSE, 409}, {-ENOSPC, 409}, {-EOPNOTSUPP, 409}, {-ETIMEDOUT, 503},
		{-EIO, 500}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		twin.refuse = table[i].error;
		refused(table[i].status, "the double refuses", ask("POST", "/v1/ports", "{}"));
	}
}

static void test_port_delete(void **state)
{
	assert_int_equal(ask("DELETE", "/v1/ports/3", NULL), 204);
	assert_null(answer.body);
	assert_string_equal(twin.asked, "port_remove 3");
	refused(400, "'3x' is no port: write its number, as /v1/ports/0",
		ask("DELETE", "/v1/ports/3x", NULL));
	refused(400, "'-1' is no port: write its number, as /v1/ports/0",
		ask("DELETE", "/v1/ports/-1", NULL));
	refused(400, "'99999999999' is no port: write its number, as /v1/ports/0",
		ask("DELETE", "/v1/ports/99999999999", NULL));
}

/* The page that begins at `after`; returns where the next one does, or -1. */
static json_int_t page(json_int_t after, const char *filter, size_t limit, size_t *shown)
{
	char from[32], most[32];

	snprintf(from, sizeof(from), "after=%d", (int)after);
	snprintf(most, sizeof(most), "limit=%zu", limit);
	assert_int_equal(GET("/v1/flows", from, most, (char *)filter), 200);
	json_t *list = json_object_get(json, "flows"), *next = json_object_get(json, "next"), *flow;
	size_t index;
	json_int_t last = after - 1;
	json_array_foreach(list, index, flow)
	{
		json_int_t port = json_integer_value(json_object_get(flow, "guest_port"));
		assert_true(port > last);
		last = port;
	}
	assert_true(json_array_size(list) <= limit);
	*shown += json_array_size(list);
	return json_is_null(next) ? -1 : json_integer_value(next);
}

/* Whatever the size of a page, all flows are on one of them, once. */
static void test_flows_in_pages(void **state)
{
	static const size_t limits[] = {1, 2, 7, 100, 1000};

	twin.flow_count = 450; /* of them a third is free */
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		size_t shown = 0, pages = 0;
		for (json_int_t at = 0; at >= 0; pages++)
			at = page(at, "remote=198.51.100.2", limits[i], &shown);
		assert_int_equal(shown, 300);
		assert_int_equal(pages, (300 + limits[i] - 1) / limits[i]);
	}
}

static void test_flows_by_filter(void **state)
{
	size_t shown = 0;

	twin.flow_count = 90;
	assert_int_equal(page(0, "guest=172.16.0.3", 1000, &shown), -1);
	assert_int_equal(shown, 30);
	assert_int_equal(GET("/v1/flows", "protocol=tcp", "count=true"), 200);
	assert_int_equal(number("count"), 12);
	assert_int_equal(GET("/v1/flows", "protocol=17", "count=true"), 200);
	assert_int_equal(number("count"), 48);
	assert_int_equal(
		GET("/v1/flows", "guest_port=31", "outside_port=7", "remote_port=53"), 200);
	assert_int_equal(json_array_size(json_object_get(json, "flows")), 1);
	assert_int_equal(GET("/v1/flows", "guest_port=32"), 200);
	assert_int_equal(json_array_size(json_object_get(json, "flows")), 0);
	assert_true(json_is_null(json_object_get(json, "next")));
}

static void test_flows_refused(void **state)
{
	refused(400, "guest=172.16.0: must be an IPv4 address", GET("/v1/flows", "guest=172.16.0"));
	refused(400, "limit=0: must be a number from 1 to 1000", GET("/v1/flows", "limit=0"));
	refused(400, "limit=1001: must be a number from 1 to 1000", GET("/v1/flows", "limit=1001"));
	refused(400, "protocol=256: must be tcp, udp, icmp or a number up to 255",
		GET("/v1/flows", "protocol=256"));
	refused(400, "remote_port=65536: must be a number up to 65535",
		GET("/v1/flows", "remote_port=65536"));
	refused(400, "after=: must be the 'next' of an earlier answer", GET("/v1/flows", "after="));
	refused(400, "count=yes: must be true or false", GET("/v1/flows", "count=yes"));
	refused(400, "'guset' is no argument of flows", GET("/v1/flows", "guset=1"));
	twin.no_nat = true;
	refused(409, "no NAT", ask("GET", "/v1/flows", NULL));
}

static void test_forwards(void **state)
{
	static const char spec[] = "tcp:8080=172.16.0.2:80";

	assert_int_equal(ask("GET", "/v1/forwards", NULL), 200);
	assert_int_equal(json_array_size(json_object_get(json, "forwards")), 0);
	strcpy(twin.forward, spec);
	assert_int_equal(ask("GET", "/v1/forwards", NULL), 200);
	json_t *first = json_array_get(json_object_get(json, "forwards"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "forward")), spec);
	assert_int_equal(
		ask("POST", "/v1/forwards", "{\"forward\": \"tcp:8080=172.16.0.2:80\"}"), 201);
	assert_string_equal(text("forward"), spec);
	assert_string_equal(twin.asked, "forward_add tcp:8080=172.16.0.2:80");
	assert_int_equal(ask("DELETE", "/v1/forwards/tcp:8080=172.16.0.2:80", NULL), 204);
	assert_string_equal(twin.asked, "forward_remove tcp:8080=172.16.0.2:80");
	twin.asked[0] = 0;
	refused(400, "'forward' must be a text such as \"tcp:8080=172.16.0.2:80\"",
		ask("POST", "/v1/forwards", "{\"forward\": 8080}"));
	refused(400, "'forwards' is no member that is known here",
		ask("POST", "/v1/forwards", "{\"forwards\": \"\"}"));
	assert_string_equal(twin.asked, "");
	twin.refuse = -EADDRINUSE;
	refused(409, "the double refuses",
		ask("POST", "/v1/forwards", "{\"forward\": \"tcp:8080=172.16.0.2:80\"}"));
}

static json_int_t counter(const char *path)
{
	char copy[64], *saved = NULL;
	json_t *at = json;

	strcpy(copy, path);
	for (char *name = strtok_r(copy, ".", &saved); name; name = strtok_r(NULL, ".", &saved))
		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(name))
				       : json_object_get(at, name);
	assert_true(json_is_integer(at));
	return json_integer_value(at);
}

static void test_counters(void **state)
{
	assert_int_equal(ask("GET", "/v1/counters", NULL), 200);
	assert_int_equal(counter("worker.breaths"), 1);
	assert_int_equal(counter("nat.drops.nat_filtered"), 3);
	assert_int_equal(counter("ports.0.port"), 0);
	assert_int_equal(counter("ports.0.drops.checksum"), 5);
	assert_int_equal(counter("ports.1.port"), 3);
	assert_int_equal(counter("ports.1.rx_packets"), 6);
	assert_int_equal(counter("uplink.drops.checksum"), INT64_C(1) << 62);
	assert_int_equal(json_array_size(json_object_get(json, "ports")), 2);
}

/* Prometheus' text format: all samples of a metric together, behind one line with its type. */
static void test_metrics(void **state)
{
	assert_int_equal(ask("GET", "/metrics", NULL), 200);
	assert_string_equal(answer.type, "text/plain; version=0.0.4");
	assert_string_equal(answer.body,
		"# TYPE chnet_nat_drops_total counter\n"
		"chnet_nat_drops_total{reason=\"nat_filtered\"} 3\n"
		"# TYPE chnet_nat_sessions_live gauge\n"
		"chnet_nat_sessions_live 2\n"
		"# TYPE chnet_port_drops_total counter\n"
		"chnet_port_drops_total{port=\"uplink\",reason=\"checksum\"} 4611686018427387904\n"
		"chnet_port_drops_total{port=\"0\",reason=\"checksum\"} 5\n"
		"chnet_port_drops_total{port=\"3\",reason=\"checksum\"} 7\n"
		"# TYPE chnet_port_rx_packets_total counter\n"
		"chnet_port_rx_packets_total{port=\"uplink\"} 8\n"
		"chnet_port_rx_packets_total{port=\"0\"} 4\n"
		"chnet_port_rx_packets_total{port=\"3\"} 6\n"
		"# TYPE chnet_worker_breaths_total counter\n"
		"chnet_worker_breaths_total 1\n");
}

static void test_log_level(void **state)
{
	assert_int_equal(ask("GET", "/v1/log-level", NULL), 200);
	assert_string_equal(text("log_level"), "info");
	assert_int_equal(ask("PUT", "/v1/log-level", "{\"log_level\": \"debug\"}"), 200);
	assert_string_equal(text("log_level"), "debug");
	refused(400, "'log_level' must be \"error\", \"warning\", \"info\" or \"debug\"",
		ask("PUT", "/v1/log-level", "{}"));
	refused(400, "'level' is no member that is known here",
		ask("PUT", "/v1/log-level", "{\"level\": \"debug\"}"));
	twin.refuse = -EINVAL;
	refused(400, "the double refuses", ask("PUT", "/v1/log-level", "{\"log_level\": \"x\"}"));
	assert_string_equal(twin.level, "debug");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fresh, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_status),
		TEST(test_paths_and_methods),
		TEST(test_quotes_of_anything),
		TEST(test_ports),
		TEST(test_leases),
		TEST(test_port_add),
		TEST(test_port_add_refused),
		TEST(test_what_the_network_refuses),
		TEST(test_port_delete),
		TEST(test_flows_in_pages),
		TEST(test_flows_by_filter),
		TEST(test_flows_refused),
		TEST(test_forwards),
		TEST(test_counters),
		TEST(test_metrics),
		TEST(test_log_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
