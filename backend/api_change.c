/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/api_change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_log.h>

#include "backend/api_network.h"
#include "backend/control_line.h"
#include "backend/log.h"
#include "backend/nat_setup.h"
#include "backend/options_change.h"

static int no_monitor(char *error)
{
	snprintf(error, API_ERROR_CAPACITY, "this data plane has no monitor to change anything");
	return -EOPNOTSUPP;
}

/* The monitor forgets a port, and what it still holds for it. */
static void let_go(const struct dataplane_config *config, unsigned int number)
{
	char error[API_ERROR_CAPACITY];

	if (control_line_ask(config->control_fd, CONTROL_PORT_GONE, number, NULL, NULL, error,
		    sizeof(error)))
		log_warning("port %u: its socket cannot be given up: %s", number, error);
}

int api_change_port_add(void *context, const char *spec, unsigned int *ret_port, char *error)
{
	struct api_view *view = context;
	const struct dataplane_config *config = view->config;
	struct control_answer answer;
	char ignored[API_ERROR_CAPACITY];

	if (config->control_fd < 0)
		return no_monitor(error);
	int result = control_line_ask(
		config->control_fd, CONTROL_PORT_ADD, 0, spec, &answer, error, API_ERROR_CAPACITY);
	if (result)
		return result;
	result = guests_add(view->guests, answer.text, answer.number, error, API_ERROR_CAPACITY);
	if (!result) {
		*ret_port = answer.number;
		return 0;
	}
	if (control_line_ask(config->control_fd, CONTROL_PORT_REMOVE, answer.number, NULL, NULL,
		    ignored, sizeof(ignored)) == 0)
		let_go(config, answer.number);
	return result;
}

int api_change_port_remove(void *context, unsigned int number, char *error)
{
	struct api_view *view = context;
	const struct dataplane_config *config = view->config;

	if (config->control_fd < 0)
		return no_monitor(error);
	int result = control_line_ask(config->control_fd, CONTROL_PORT_REMOVE, number, NULL, NULL,
		error, API_ERROR_CAPACITY);
	if (result)
		return result;
	if (options_change_has_socket(&view->guests->options, number))
		guests_remove(view->guests, number);
	let_go(config, number);
	return 0;
}

/* What is done between two breaths. */
struct forward_turn {
	struct nat_forward forward;
	int error;
};

static void take_forward(struct worker *worker, void *argument)
{
	struct forward_turn *turn = argument;

	turn->error = nat_forward_add(worker->nat, &turn->forward);
}

static void drop_forward(struct worker *worker, void *argument)
{
	struct forward_turn *turn = argument;

	turn->error = nat_forward_remove(worker->nat, &turn->forward);
}

static int tell_nat(const struct api_view *view, const struct host_forward *forward,
	worker_call_run *run, char *error)
{
	struct forward_turn turn = {.forward = nat_setup_forward(forward)};

	if (!view->worker->nat)
		return 0;
	worker_call(view->worker, run, &turn);
	if (turn.error)
		snprintf(error, API_ERROR_CAPACITY, "the NAT refuses it: %s",
			turn.error == -EADDRINUSE ? "a session of another guest has a port of it"
						  : strerror(-turn.error));
	return turn.error;
}

static void take_back_forward(const struct api_view *view, const char *spec)
{
	char error[API_ERROR_CAPACITY];

	if (control_line_ask(view->config->control_fd, CONTROL_FORWARD_REMOVE, 0, spec, NULL, error,
		    sizeof(error)))
		log_warning("forward %s: cannot be taken back: %s", spec, error);
}

int api_change_forward_add(void *context, const char *spec, char *error)
{
	const struct api_view *view = context;
	struct options *options = &view->guests->options;

	if (view->config->control_fd < 0)
		return no_monitor(error);
	int result = control_line_ask(view->config->control_fd, CONTROL_FORWARD_ADD, 0, spec, NULL,
		error, API_ERROR_CAPACITY);
	if (result)
		return result;
	result = options_change_add_forward(options, spec, error, API_ERROR_CAPACITY);
	if (!result) {
		result = tell_nat(
			view, &options->forwards[options->forward_count - 1], take_forward, error);
		if (result)
			options_change_remove_forward(options, options->forward_count - 1);
	}
	if (result)
		take_back_forward(view, spec);
	return result;
}

int api_change_forward_remove(void *context, const char *spec, char *error)
{
	const struct api_view *view = context;
	struct options *options = &view->guests->options;
	char ignored[API_ERROR_CAPACITY];
	unsigned int index;

	if (view->config->control_fd < 0)
		return no_monitor(error);
	int result = control_line_ask(view->config->control_fd, CONTROL_FORWARD_REMOVE, 0, spec,
		NULL, error, API_ERROR_CAPACITY);
	if (result || options_change_find_forward(options, spec, &index, ignored, sizeof(ignored)))
		return result;
	/* One that the NAT never took (nat_setup.c) it need not give back. */
	tell_nat(view, &options->forwards[index], drop_forward, ignored);
	options_change_remove_forward(options, index);
	return 0;
}

int api_change_log_level_set(void *context, const char *name, char *error)
{
	const struct api_view *view = context;
	enum log_level level;

	if (view->config->control_fd < 0)
		return no_monitor(error);
	int result = control_line_ask(view->config->control_fd, CONTROL_LOG_LEVEL, 0, name, NULL,
		error, API_ERROR_CAPACITY);
	if (result || log_level_parse(name, &level) < 0)
		return result;
	log_set_level(level);
	rte_log_set_global_level(level >= LOG_LEVEL_DEBUG ? RTE_LOG_DEBUG : RTE_LOG_ERR);
	return 0;
}
