/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values below /proc/sys. Names are paths such as "net/ipv4/ip_forward": with dots an interface
 * like eth0.5 would be ambiguous. Values under net/ are those of the caller's network namespace.
 */
#pragma once

#include <stddef.h>

/*
 * Reads a value without its final newline, terminated, into `value`. Returns 0, -ENOENT when there
 * is no such value, -EINVAL for a name that leaves /proc/sys, -ENOSPC when it does not fit, or a
 * negative errno.
 */
int sysctl_read(const char *name, char *value, size_t size);

/* Writes a value. Returns 0; -ENOENT; -EACCES without rights; -EROFS in a container; … */
int sysctl_write(const char *name, const char *value);
