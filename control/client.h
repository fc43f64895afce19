/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's side of the API of a network (docs/api.md): HTTP on a local socket. One call, one
 * connection. Cloud Hypervisor's own API socket speaks the same way (client_call_path()).
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

/* The longest answer that is taken, bytes. */
#define CLIENT_ANSWER_MAX (64 << 20)
#define CLIENT_ERROR_CAPACITY 512

/* What a server answered; freed with client_answer_free(). */
struct client_answer {
	int status;  /* of HTTP, such as 200 */
	char *body;  /* terminated; never NULL */
	size_t size; /* bytes of body without its terminator */
};

/*
 * Sends one request to the network of that name and waits for the answer, at most 30 s. The socket
 * is NAME.sock in this user's run directory, or else in root's. `path` begins with '/'; `body` is
 * JSON or NULL. Returns 0 with *ret_answer for every answer, 4xx and 5xx ones too. Otherwise a
 * negative errno with one line in `error` (CLIENT_ERROR_CAPACITY bytes) for the user: -ENOENT when
 * no such network runs (also when a killed one has left its socket), -EACCES without the right to
 * speak with it, -EPROTO when what is there does not speak HTTP.
 */
int client_call(const char *network, const char *method, const char *path, const char *body,
	struct client_answer *ret_answer, char *error);

/* The same on the socket at `socket_path`. */
int client_call_path(const char *socket_path, const char *method, const char *path,
	const char *body, struct client_answer *ret_answer, char *error);

/* NULL and an empty answer are allowed. */
void client_answer_free(struct client_answer *answer);

/*
 * For verbs: client_call(), and an answer of 4xx or 5xx is an error too (-EREMOTEIO) with the
 * server's sentence in `error`. *ret_json is the answer as JSON, owned by the caller; NULL for an
 * answer without a body.
 */
int client_json(const char *network, const char *method, const char *path, const json_t *body,
	json_t **ret_json, char *error);

/* Whether `name` can be a network's name: letters, digits, '.', '_', '-', the first one a letter or
 * digit, at most 32. */
int client_check_name(const char *name, char *error);
