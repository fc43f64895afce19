/* SPDX-License-Identifier: BSD-3-Clause */
/* The first serial port (a 16550 at 0x3f8), which is all that the probe says. */
#pragma once

/* Writes a zero-terminated text; a newline goes as carriage return and newline. */
void serial_write(const char *text);
