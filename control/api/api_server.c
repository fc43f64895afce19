/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libmicrohttpd calls answer_request() several times for one request: first with its headers, then
 * with each piece of the body, then at its end. `struct exchange` is what of it is kept meanwhile.
 * What is too long, or has no announced length, is refused when the headers are there.
 */
#include "control/api/api_server.h"

#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "control/api/request.h"
#include "control/number.h"

struct api_server {
	struct MHD_Daemon *daemon;
	struct api_network network;
	int fd; /* epoll, the library's */
};

struct exchange {
	struct api_request request;
	char *body;  /* API_BODY_MAX bytes once there is some */
	size_t size; /* of them in use */
	bool over;   /* it was longer than that */
};

/* Hands the answer to the library, which frees its body. */
static enum MHD_Result send_answer(struct MHD_Connection *connection, struct api_answer *answer)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(answer->size, answer->body, MHD_RESPMEM_MUST_FREE);

	if (!response) {
		api_answer_free(answer);
		return MHD_NO;
	}
	if (answer->type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	if (answer->allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
	enum MHD_Result result =
		MHD_queue_response(connection, (unsigned int)answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, int status, const char *sentence)
{
	struct api_answer answer = api_answer_error(status, "%s", sentence);

	return send_answer(connection, &answer);
}

/* Whether the headers announce a body that will not be read; it has been answered then. */
static bool refuse_body(struct MHD_Connection *connection, enum MHD_Result *ret_result)
{
	const char *length = MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint32_t bytes;

	if (MHD_lookup_connection_value(
		    connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
		*ret_result = refuse(connection, MHD_HTTP_LENGTH_REQUIRED,
			"the body has no Content-Length: bodies in chunks are not taken");
		return true;
	}
	if (!length || number_read(length, 0, API_BODY_MAX, &bytes) == 0)
		return false;
	*ret_result = refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE,
		"the body is too long: at most 65536 bytes are taken");
	return true;
}

static enum MHD_Result note_argument(
	void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct exchange *exchange = context;
	struct api_request *request = &exchange->request;

	if (request->argument_count == API_ARGUMENTS_MAX) {
		exchange->over = true;
		return MHD_NO;
	}
	request->arguments[request->argument_count++] =
		(struct api_argument){.name = name, .value = value ? value : ""};
	return MHD_YES;
}

static enum MHD_Result take_body(struct exchange *exchange, const char *data, size_t *size)
{
	if (!exchange->body)
		exchange->body = malloc(API_BODY_MAX);
	if (!exchange->body)
		return MHD_NO;
	/* The announced length was checked; this is for a library that reads more. */
	if (*size > API_BODY_MAX - exchange->size)
		return MHD_NO;
	memcpy(exchange->body + exchange->size, data, *size);
	exchange->size += *size;
	*size = 0;
	return MHD_YES;
}

static enum MHD_Result answer_request(void *context, struct MHD_Connection *connection,
	const char *url, const char *method, const char *version, const char *data, size_t *size,
	void **own)
{
	struct api_server *server = context;
	struct exchange *exchange = *own;
	struct api_answer answer = {0};
	enum MHD_Result result;

	if (!exchange) {
		if (refuse_body(connection, &result))
			return result;
		*own = calloc(1, sizeof(*exchange));
		return *own ? MHD_YES : MHD_NO;
	}
	if (*size)
		return take_body(exchange, data, size);
	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, note_argument, exchange);
	if (exchange->over)
		return refuse(connection, MHD_HTTP_BAD_REQUEST, "too many arguments after '?'");
	exchange->request.method = method;
	exchange->request.path = url;
	exchange->request.body = exchange->body;
	exchange->request.body_size = exchange->size;
	api_handle(&server->network, &exchange->request, &answer);
	return send_answer(connection, &answer);
}

static void forget(void *context, struct MHD_Connection *connection, void **own,
	enum MHD_RequestTerminationCode reason)
{
	struct exchange *exchange = *own;

	if (exchange)
		free(exchange->body);
	free(exchange);
	*own = NULL;
}

int api_server_new(int listen_fd, const struct api_network *network, struct api_server **ret_server)
{
	struct api_server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->network = *network;
	server->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_SUPPRESS_DATE_NO_CLOCK, 0, NULL,
		NULL, answer_request, server, MHD_OPTION_LISTEN_SOCKET, listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)API_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)API_IDLE_S,
		MHD_OPTION_NOTIFY_COMPLETED, forget, NULL, MHD_OPTION_END);
	const union MHD_DaemonInfo *info =
		server->daemon ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)
			       : NULL;
	if (!info) {
		api_server_free(server);
		return -EIO;
	}
	server->fd = info->epoll_fd;
	*ret_server = server;
	return 0;
}

void api_server_free(struct api_server *server)
{
	if (!server)
		return;
	if (server->daemon) {
		/* Or it would shut the socket down for everybody who has it. */
		MHD_quiesce_daemon(server->daemon);
		MHD_stop_daemon(server->daemon);
	}
	free(server);
}

int api_server_fd(const struct api_server *server)
{
	return server->fd;
}

int api_server_timeout_ms(const struct api_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	if (MHD_get_timeout(server->daemon, &timeout) != MHD_YES)
		return -1;
	return timeout > INT_MAX ? INT_MAX : (int)timeout;
}

void api_server_run(struct api_server *server)
{
	MHD_run(server->daemon);
}
