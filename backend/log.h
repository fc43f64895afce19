/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of the programs on standard error: one line and one write for each. Libraries (nat/,
 * guest/, control/host/) do not log; they return errors that a program explains here.
 */
#pragma once

#include <stdarg.h>

/* From the most to the least important; a message is shown when its level is at most the one set.
 */
enum log_level {
	LOG_LEVEL_ERROR,   /* the program, or a port of it, does not work */
	LOG_LEVEL_WARNING, /* something that the user should mend; the program goes on */
	LOG_LEVEL_INFO,	   /* the default: start, stop, guests that come and go */
	LOG_LEVEL_DEBUG,   /* for whoever works on chnet */
};
#define LOG_LEVEL_COUNT (LOG_LEVEL_DEBUG + 1)

/*
 * Looks where standard error goes: lines for systemd's journal (JOURNAL_STREAM in the environment
 * names the very file behind standard error) get its priority prefix, such as <3>. Without this
 * call they get none.
 */
void log_open(void);

/* Sets which messages are shown. Thread-safe. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* A level's name; static text. */
const char *log_level_name(enum log_level level);

/* 0 and *ret_level for a level's name ("error", "warning", "info", "debug"), or -EINVAL. */
int log_level_parse(const char *name, enum log_level *ret_level);

/*
 * Writes "chnet-vhost: [warning: |debug: ]message\n" with control characters shown as '?' and the
 * message cut at 2,047 bytes. errno is unchanged. Thread-safe, not for signal handlers.
 */
void log_message(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void log_message_va(enum log_level level, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)
