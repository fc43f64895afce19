/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Prefix, message and newline; longer messages are cut. */
#define LINE_CAPACITY 2112
#define MESSAGE_MAX 2048

static const struct {
	const char *name;   /* for --log-level */
	const char *prefix; /* on the line */
	char priority;	    /* of syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", "", '3'},
	[LOG_LEVEL_WARNING] = {"warning", "warning: ", '4'},
	[LOG_LEVEL_INFO] = {"info", "", '6'},
	[LOG_LEVEL_DEBUG] = {"debug", "debug: ", '7'},
};
_Static_assert(sizeof(levels) / sizeof(levels[0]) == LOG_LEVEL_COUNT, "one entry for each level");

static enum log_level shown = LOG_LEVEL_INFO;
static bool journal;

void log_open(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	/* A child may have inherited the variable while its standard error goes elsewhere. */
	journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		  fstat(STDERR_FILENO, &status) == 0 &&
		  (unsigned long long)status.st_dev == device &&
		  (unsigned long long)status.st_ino == inode;
}

void log_set_level(enum log_level level)
{
	__atomic_store_n(&shown, level, __ATOMIC_RELAXED);
}

enum log_level log_get_level(void)
{
	return __atomic_load_n(&shown, __ATOMIC_RELAXED);
}

const char *log_level_name(enum log_level level)
{
	return levels[level].name;
}

int log_level_parse(const char *name, enum log_level *ret_level)
{
	for (unsigned int i = 0; i < LOG_LEVEL_COUNT; i++) {
		if (strcmp(name, levels[i].name) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_message_va(enum log_level level, const char *format, va_list arguments)
{
	char message[MESSAGE_MAX], line[LINE_CAPACITY];
	int saved_errno = errno;

	if (level > log_get_level())
		return;
	if (vsnprintf(message, sizeof(message), format, arguments) < 0)
		goto out;
	/* Paths and names come from the user: a line stays one line, whatever is in them. */
	for (unsigned char *c = (unsigned char *)message; *c; c++) {
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
	}

	char priority[4] = {'<', levels[level].priority, '>', 0};
	int length = snprintf(line, sizeof(line), "%schnet-vhost: %s%s\n", journal ? priority : "",
		levels[level].prefix, message);
	/* One write, so that lines of several threads and processes do not mix. */
	ssize_t written = write(STDERR_FILENO, line, (size_t)length);
	(void)written; /* nobody left to tell */
out:
	errno = saved_errno;
}

void log_message(enum log_level level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_message_va(level, format, arguments);
	va_end(arguments);
}
