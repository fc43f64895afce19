/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's own DNS servers: the nameserver lines of resolv.conf (resolv.conf(5)), as the C
 * library has them; without any, 127.0.0.1. The file is looked at again before each query that is
 * forwarded, and read again when it is another one: that follows renames and symbolic links
 * wherever they lead, systemd-resolved's included.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* As many as the C library uses. */
#define DNS_SERVERS_MAX 3
#define DNS_RESOLVER_FILE "/etc/resolv.conf"

struct dns_server {
	struct sockaddr_storage address; /* with port 53 */
	socklen_t length;
};

struct dns_resolver {
	const char *path;
	uint32_t own_be; /* our own address, which is left out: it would be a loop */
	struct dns_server servers[DNS_SERVERS_MAX];
	unsigned int count; /* at least 1 after dns_resolver_refresh() */
	/* The file that was read. */
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

/* Reads the file if need be. */
void dns_resolver_refresh(struct dns_resolver *resolver);
