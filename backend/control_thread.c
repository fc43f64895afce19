/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/control_thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/api/api_server.h"

struct control_thread {
	pthread_t thread;
	int stop_fd; /* eventfd: come to an end */
	struct api_server *server;
	struct guests *guests; /* whose owner this thread is */
};

/* The sooner of two timeouts of poll(). */
static int sooner(int left_ms, int right_ms)
{
	if (left_ms < 0 || right_ms < 0)
		return left_ms < 0 ? right_ms : left_ms;
	return left_ms < right_ms ? left_ms : right_ms;
}

static void *serve(void *argument)
{
	struct control_thread *control = argument;
	struct pollfd events[] = {
		{.fd = control->stop_fd, .events = POLLIN},
		{.fd = api_server_fd(control->server), .events = POLLIN},
		{.fd = guests_dial_fd(control->guests), .events = POLLIN},
	};

	pthread_setname_np(pthread_self(), "chnet-control");
	while (!events[0].revents) {
		int dial_ms = guests_dial(control->guests);
		int timeout_ms = sooner(dial_ms, api_server_timeout_ms(control->server));
		if (poll(events, sizeof(events) / sizeof(events[0]), timeout_ms) < 0)
			continue;
		api_server_run(control->server);
	}
	return NULL;
}

static void free_thread(struct control_thread *control)
{
	api_server_free(control->server);
	if (control->stop_fd >= 0)
		close(control->stop_fd);
	free(control);
}

int control_thread_start(struct api_view *view, struct control_thread **ret_thread)
{
	const struct api_network network = api_network_of(view);
	struct control_thread *control = calloc(1, sizeof(*control));

	if (!control)
		return -ENOMEM;
	control->guests = view->guests;
	control->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int error = control->stop_fd < 0 ? -errno : 0;
	if (!error)
		error = api_server_new(view->config->api_fd, &network, &control->server);
	if (!error)
		error = -pthread_create(&control->thread, NULL, serve, control);
	if (error)
		free_thread(control);
	else
		*ret_thread = control;
	return error;
}

void control_thread_stop(struct control_thread *control)
{
	if (!control)
		return;
	eventfd_write(control->stop_fd, 1);
	pthread_join(control->thread, NULL);
	free_thread(control);
}
