/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/host/host_record.h"
#include "control/host/run_path.h"

#define NAME_MAX_LENGTH 32
#define LIMIT_S 30L
#define PATH_CAPACITY 512

int client_check_name(const char *name, char *error)
{
	size_t length = strlen(name);
	bool good = length > 0 && length <= NAME_MAX_LENGTH && isalnum((unsigned char)*name);

	for (const char *c = name; *c; c++)
		good = good && (isalnum((unsigned char)*c) || strchr("._-", *c));
	if (good)
		return 0;
	snprintf(error, CLIENT_ERROR_CAPACITY,
		"--name %s: no name of a network: take up to %d letters, digits, '.', '_' and '-'",
		name, NAME_MAX_LENGTH);
	return -EINVAL;
}

/* Why nothing can be had from that socket; 0 when somebody listens there. */
static int probe(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, path, strlen(path));
	int error =
		connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	close(fd);
	return error;
}

static size_t collect(char *data, size_t size, size_t count, void *userdata)
{
	struct client_answer *answer = userdata;
	size_t more = size * count;

	if (more > CLIENT_ANSWER_MAX - answer->size)
		return 0;
	char *body = realloc(answer->body, answer->size + more + 1);
	if (!body)
		return 0;
	memcpy(body + answer->size, data, more);
	answer->body = body;
	answer->size += more;
	body[answer->size] = 0;
	return more;
}

static CURLcode perform(CURL *curl, const char *socket_path, const char *method, const char *path,
	const char *body, struct curl_slist *headers, struct client_answer *answer)
{
	char url[PATH_CAPACITY];
	long status = 0;

	if ((size_t)snprintf(url, sizeof(url), "http://localhost%s", path) >= sizeof(url))
		return CURLE_URL_MALFORMAT;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* not that of the environment */
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, LIMIT_S);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
	}
	CURLcode code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	answer->status = (int)status;
	return code;
}

static int complain(int result, const char *what, const char *socket_path, char *error)
{
	snprintf(error, CLIENT_ERROR_CAPACITY, "%s: %s", socket_path, what);
	return result;
}

/* Without "Expect: 100-continue": small bodies need no leave. */
static struct curl_slist *make_headers(void)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	struct curl_slist *more =
		headers ? curl_slist_append(headers, "Content-Type: application/json") : NULL;

	if (!more)
		curl_slist_free_all(headers);
	return more;
}

int client_call_path(const char *socket_path, const char *method, const char *path,
	const char *body, struct client_answer *ret_answer, char *error)
{
	struct client_answer answer = {.body = calloc(1, 1)};
	struct curl_slist *headers = make_headers();
	CURL *curl = curl_easy_init();
	int result = 0;

	if (!answer.body || !headers || !curl) {
		result = complain(-ENOMEM, "out of memory", socket_path, error);
		goto out;
	}
	result = probe(socket_path);
	if (result) {
		complain(result, strerror(-result), socket_path, error);
		goto out;
	}
	CURLcode code = perform(curl, socket_path, method, path, body, headers, &answer);
	if (code != CURLE_OK)
		result = complain(code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EPROTO,
			curl_easy_strerror(code), socket_path, error);
out:
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	if (result)
		client_answer_free(&answer);
	else
		*ret_answer = answer;
	return result;
}

static bool is_absent(int result)
{
	return result == -ENOENT || result == -ECONNREFUSED || result == -ENOTDIR;
}

/* Whether a network of that name is on a TAP: it has a record, and nobody to answer. */
static bool is_on_tap(const char *directory, const char *network)
{
	char path[2 * PATH_CAPACITY];

	snprintf(path, sizeof(path), "%s/%s" HOST_RECORD_SUFFIX, directory, network);
	return access(path, F_OK) == 0;
}

/* What to do about a network that nobody answers for. */
static void complain_absent(const char *directory, const char *network, char *error)
{
	bool named = strcmp(network, "default") != 0;

	if (is_on_tap(directory, network) || is_on_tap(RUN_PATH_ROOT, network))
		snprintf(error, CLIENT_ERROR_CAPACITY,
			"the network '%s' is on a TAP, which has no status, ports or flows: "
			"'chnet doctor' looks at it, 'chnet setup --forward' leads ports to its "
			"guest",
			network);
	else
		snprintf(error, CLIENT_ERROR_CAPACITY,
			"no network '%s' is running: 'chnet run%s%s' or chnet-vhost starts one",
			network, named ? " --name " : "", named ? network : "");
}

int client_call(const char *network, const char *method, const char *path, const char *body,
	struct client_answer *ret_answer, char *error)
{
	char directory[PATH_CAPACITY] = "", socket_path[2 * PATH_CAPACITY];
	char unused[CLIENT_ERROR_CAPACITY];

	int result = client_check_name(network, error);
	if (result)
		return result;
	/* Without a directory of this user's own there may still be root's. */
	if (run_path(directory, sizeof(directory), unused, sizeof(unused)) < 0)
		memcpy(directory, RUN_PATH_ROOT, sizeof(RUN_PATH_ROOT));
	snprintf(socket_path, sizeof(socket_path), "%s/%s.sock", directory, network);
	result = client_call_path(socket_path, method, path, body, ret_answer, error);
	if (is_absent(result) && strcmp(directory, RUN_PATH_ROOT) != 0) {
		snprintf(socket_path, sizeof(socket_path), RUN_PATH_ROOT "/%s.sock", network);
		result = client_call_path(socket_path, method, path, body, ret_answer, error);
	}
	if (is_absent(result)) {
		complain_absent(directory, network, error);
		return -ENOENT;
	}
	if (result == -EACCES)
		snprintf(error, CLIENT_ERROR_CAPACITY,
			"the network '%s' is another user's (%.200s): try again with sudo", network,
			socket_path);
	return result;
}

void client_answer_free(struct client_answer *answer)
{
	if (!answer)
		return;
	free(answer->body);
	*answer = (struct client_answer){0};
}

/* The sentence in {"error": "…"}. */
static int refused(const json_t *json, char *error)
{
	const char *sentence = json_string_value(json_object_get(json, "error"));

	snprintf(error, CLIENT_ERROR_CAPACITY, "%s",
		sentence ? sentence : "the network refuses that and does not say why");
	return -EREMOTEIO;
}

int client_json(const char *network, const char *method, const char *path, const json_t *body,
	json_t **ret_json, char *error)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct client_answer answer = {0};
	json_t *json = NULL;

	if (body && !text) {
		snprintf(error, CLIENT_ERROR_CAPACITY, "out of memory");
		return -ENOMEM;
	}
	int result = client_call(network, method, path, text, &answer, error);
	free(text);
	if (result)
		return result;
	if (answer.size)
		json = json_loadb(answer.body, answer.size, JSON_REJECT_DUPLICATES, NULL);
	if (answer.status >= 400) {
		result = refused(json, error);
	} else if (answer.size && !json) {
		snprintf(error, CLIENT_ERROR_CAPACITY, "the network's answer is no JSON");
		result = -EPROTO;
	}
	client_answer_free(&answer);
	if (result)
		json_decref(json);
	else
		*ret_json = json;
	return result;
}
