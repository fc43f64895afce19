/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest/probe/serial.h"

#include "guest/probe/io.h"

#define PORT_DATA 0x3f8
#define PORT_LINE_STATUS 0x3fd
#define LINE_STATUS_EMPTY 0x20 /* the transmitter takes a byte */
/* A port that is not there reads as ones; one that never gets empty must not stop the probe. */
#define TRIES 100000

static void put(char byte)
{
	for (int i = 0; i < TRIES; i++)
		if (io_read8(PORT_LINE_STATUS) & LINE_STATUS_EMPTY)
			break;
	io_write8(PORT_DATA, (uint8_t)byte);
}

void serial_write(const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			put('\r');
		put(*text);
	}
}
