/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The changes that the API makes (control/api/network.h); `context` is a struct api_view. Each goes
 * to the monitor first, which keeps what the next data plane starts with, and is then made here;
 * when that fails, the monitor takes its part back.
 */
#pragma once

int api_change_port_add(void *context, const char *spec, unsigned int *ret_port, char *error);
int api_change_port_remove(void *context, unsigned int number, char *error);
int api_change_forward_add(void *context, const char *spec, char *error);
int api_change_forward_remove(void *context, const char *spec, char *error);
int api_change_log_level_set(void *context, const char *name, char *error);
