/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request and its answer, without a server around them: tests and the fuzzer call api_handle().
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "control/api/network.h"

/* Limits: a longer body is 413, more arguments are 400. */
#define API_BODY_MAX 65536
#define API_ARGUMENTS_MAX 16

struct api_argument {
	const char *name;
	const char *value; /* "" when there is none */
};

struct api_request {
	const char *method;
	const char *path;				  /* percent-decoded, without arguments */
	struct api_argument arguments[API_ARGUMENTS_MAX]; /* after the '?', decoded */
	unsigned int argument_count;
	const char *body; /* may be NULL when body_size is 0 */
	size_t body_size;
	const char *rest; /* set for handlers: what of the path follows its route */
};

struct api_answer {
	int status;	   /* of HTTP */
	const char *type;  /* of the body */
	const char *allow; /* methods that the path has, with 405; else NULL */
	char *body;	   /* from malloc(); NULL: none */
	size_t size;	   /* of the body */
};

/* Answers any request. Only out of memory it leaves an answer without a body (500). */
void api_handle(const struct api_network *network, const struct api_request *request,
	struct api_answer *ret_answer);

/* Frees its body. */
void api_answer_free(struct api_answer *answer);

/* ---- for handlers ---- */

/* An answer of JSON; takes `json` over, NULL is out of memory. */
struct api_answer api_answer_json(int status, json_t *json);

/* {"error": sentence} */
struct api_answer api_answer_error(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for what a function of the network returned. */
struct api_answer api_answer_errno(int error, const char *sentence);

/* The body as a JSON object; NULL with *ret_answer set when it is none. */
json_t *api_request_object(const struct api_request *request, struct api_answer *ret_answer);

/* Refuses members of `object` that are not among `names` (NULL ends them). 0, or -EINVAL with
 * *ret_answer set. */
int api_request_members(
	const json_t *object, const char *const names[], struct api_answer *ret_answer);

/* JSON of a text that may be no UTF-8, such as a path: what JSON cannot hold becomes '?'. */
json_t *api_json_text(const char *text);

/* JSON of an IPv4 address; null for 0.0.0.0. */
json_t *api_json_ipv4(uint32_t address_be);
