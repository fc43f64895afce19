/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/change.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "backend/forward_check.h"
#include "backend/log.h"
#include "backend/options_change.h"
#include "control/host/host.h"

#define TEXT(answer) (answer)->text, sizeof((answer)->text)

static int refuse(struct control_answer *answer, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(struct control_answer *answer, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(answer->text, sizeof(answer->text), format, arguments);
	va_end(arguments);
	return error;
}

static bool is_same_directory(const struct stat *status, const char *path)
{
	struct stat other;

	return stat(path, &other) == 0 && other.st_dev == status->st_dev &&
	       other.st_ino == status->st_ino;
}

/* Whether the data plane's sandbox lets it make a socket there. It keeps to the same directories
 * with those of VMMs: who may use the API leads it to no other service's. */
static bool may_use(const struct foundation *foundation, const char *path)
{
	char directory[OPTIONS_PATH_CAPACITY];
	const char *slash = strrchr(path, '/');
	struct stat status;

	if (!slash || path[0] != '/')
		return false;
	snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path),
		path);
	if (stat(directory, &status) < 0)
		return false;
	for (unsigned int i = 0; i < foundation->directory_count; i++)
		if (is_same_directory(&status, foundation->directories[i]))
			return true;
	return false;
}

static bool is_port(const struct options *options, const char *path)
{
	for (unsigned int i = 0; i < options->socket_count; i++)
		if (strcmp(options->sockets[i].path, path) == 0)
			return true;
	return false;
}

/* Puts a path of our own in front of settings that have none. False when there is no room. */
static bool complete(struct change *change, const char *text, char spec[CONTROL_REQUEST_TEXT])
{
	const char *directory = change->foundation->ports_directory.path;

	if (text[0] != ',')
		return snprintf(spec, CONTROL_REQUEST_TEXT, "%s", text) < CONTROL_REQUEST_TEXT;
	/* A user may have taken such a path himself. */
	do
		snprintf(spec, CONTROL_REQUEST_TEXT, "%s/port%u.sock", directory, change->serial++);
	while (is_port(change->options, spec));
	size_t length = strlen(spec);
	return snprintf(spec + length, CONTROL_REQUEST_TEXT - length, "%s", text[1] ? text : "") <
	       (int)(CONTROL_REQUEST_TEXT - length);
}

static int claim_path(struct change *change, unsigned int index, struct control_answer *answer)
{
	const struct options_socket *socket = &change->options->sockets[index];

	if (socket->vmm_listens && !change->connects)
		return refuse(answer, -EPERM,
			"socket %s: the data plane of this network may connect to no VMM: start "
			"the network with a socket of mode=server, or let the VMM connect",
			socket->path);
	return socket_claim_add(
		change->foundation->claim, index, socket->path, socket->vmm_listens, TEXT(answer));
}

static int port_add(
	struct change *change, const struct control_request *request, struct control_answer *answer)
{
	struct foundation *foundation = change->foundation;
	char spec[CONTROL_REQUEST_TEXT];
	unsigned int index;

	if (!complete(change, request->text, spec))
		return refuse(answer, -EINVAL, "the settings of the port are too long");
	int error = options_change_add_socket(change->options, spec, &index, TEXT(answer));
	if (error)
		return error;
	const char *path = change->options->sockets[index].path;
	if (change->leaving[index])
		error = refuse(answer, -EBUSY, "port %u is still being taken away", index);
	else if (!may_use(foundation, path))
		error = refuse(answer, -EPERM,
			"socket %s: a running network has sockets only in %s and in the "
			"directories of the sockets that it was started with; write an absolute "
			"path",
			path, foundation->ports_directory.path);
	else
		error = claim_path(change, index, answer);
	if (error) {
		options_change_remove_socket(change->options, index);
		return error;
	}
	answer->number = index;
	snprintf(answer->text, sizeof(answer->text), "%s", spec);
	log_info("port %u added: socket %s", index, path);
	return 0;
}

static int port_remove(
	struct change *change, const struct control_request *request, struct control_answer *answer)
{
	if (!options_change_has_socket(change->options, request->number))
		return refuse(answer, -ENOENT, "there is no port %u", request->number);
	log_info("port %u removed: socket %s", request->number,
		change->options->sockets[request->number].path);
	options_change_remove_socket(change->options, request->number);
	change->leaving[request->number] = true;
	return 0;
}

static void forget(struct change *change, unsigned int index)
{
	socket_claim_drop(change->foundation->claim, index);
	change->leaving[index] = false;
}

static int port_gone(
	struct change *change, const struct control_request *request, struct control_answer *answer)
{
	if (request->number >= OPTIONS_SOCKETS_MAX || !change->leaving[request->number])
		return refuse(answer, -ENOENT, "port %u is not leaving", request->number);
	forget(change, request->number);
	return 0;
}

static int refuse_forward(struct control_answer *answer, int error, const char *what)
{
	switch (error) {
	case -EEXIST:
		return refuse(answer, error, "a port of it is forwarded already");
	case -EADDRINUSE:
		return refuse(answer, error, "another network has a port of it");
	case -ENOSPC:
		return refuse(answer, error, "the host's rules take no more forwards");
	default:
		return refuse(
			answer, error, "the host's rules cannot be %s: %s", what, strerror(-error));
	}
}

static int forward_add(
	struct change *change, const struct control_request *request, struct control_answer *answer)
{
	struct options *options = change->options;
	struct host *host = change->foundation->host;

	if (!host)
		return refuse(answer, -EOPNOTSUPP,
			"this network has no uplink: nothing of the host leads to its guests");
	int error = options_change_add_forward(options, request->text, TEXT(answer));
	if (error)
		return error;
	const struct host_forward *forward = &options->forwards[options->forward_count - 1];
	error = forward_check_one(forward, true, TEXT(answer));
	if (!error) {
		error = host_forward_add(host, forward);
		if (error)
			refuse_forward(answer, error, "extended");
	}
	if (error)
		options_change_remove_forward(options, options->forward_count - 1);
	else
		log_info("forward added: %s", request->text);
	return error;
}

static int forward_remove(
	struct change *change, const struct control_request *request, struct control_answer *answer)
{
	struct options *options = change->options;
	unsigned int index;

	int error = options_change_find_forward(options, request->text, &index, TEXT(answer));
	if (error)
		return error;
	error = host_forward_remove(change->foundation->host, &options->forwards[index]);
	if (error && error != -ENOENT)
		return refuse_forward(answer, error, "changed");
	options_change_remove_forward(options, index);
	log_info("forward removed: %s", request->text);
	return 0;
}

static int log_level(
	struct change *change, const struct control_request *request, struct control_answer *answer)
{
	enum log_level level;

	if (log_level_parse(request->text, &level) < 0)
		return refuse(answer, -EINVAL,
			"'%s' is no level: take error, warning, info or debug", request->text);
	change->options->log_level = level;
	log_set_level(level);
	return 0;
}

static int egress(
	struct change *change, const struct control_request *request, struct control_answer *answer)
{
	const struct host *host = change->foundation->host;

	snprintf(answer->text, sizeof(answer->text), "%s", host ? host_egress(host) : "");
	return 0;
}

static int (*const kinds[])(struct change *change, const struct control_request *request,
	struct control_answer *answer) = {
	[CONTROL_PORT_ADD] = port_add,
	[CONTROL_PORT_REMOVE] = port_remove,
	[CONTROL_PORT_GONE] = port_gone,
	[CONTROL_FORWARD_ADD] = forward_add,
	[CONTROL_FORWARD_REMOVE] = forward_remove,
	[CONTROL_LOG_LEVEL] = log_level,
	[CONTROL_EGRESS] = egress,
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == CONTROL_KIND_COUNT, "all kinds are answered");

void change_answer(
	struct change *change, const struct control_request *request, struct control_answer *answer)
{
	*answer = (struct control_answer){.serial = request->serial};
	if (request->kind >= CONTROL_KIND_COUNT ||
		memchr(request->text, 0, sizeof(request->text)) == NULL)
		answer->error = refuse(answer, -EINVAL, "the monitor does not know such a request");
	else
		answer->error = kinds[request->kind](change, request, answer);
}

int change_serve(struct change *change, int fd)
{
	struct control_request request;
	struct control_answer answer;

	/* The true length, also of a message that is longer. */
	ssize_t length = recv(fd, &request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (length <= 0)
		return -EPIPE;
	if (length != sizeof(request))
		request = (struct control_request){.kind = CONTROL_KIND_COUNT};
	change_answer(change, &request, &answer);
	if (send(fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

void change_forget_leaving(struct change *change)
{
	for (unsigned int i = 0; i < OPTIONS_SOCKETS_MAX; i++)
		if (change->leaving[i])
			forget(change, i);
}
