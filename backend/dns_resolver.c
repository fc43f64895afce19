/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/dns_resolver.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DNS_PORT 53

static bool read_ipv4(
	const struct dns_resolver *resolver, const char *text, struct dns_server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};

	if (inet_pton(AF_INET, text, &address.sin_addr) != 1 ||
		address.sin_addr.s_addr == resolver->own_be)
		return false;
	memcpy(&server->address, &address, sizeof(address));
	server->length = sizeof(address);
	return true;
}

/* An IPv6 address, with the interface of a link-local one behind a '%'. */
static bool read_ipv6(char *text, struct dns_server *server)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT)};
	char *scope = strchr(text, '%');

	if (scope) {
		*scope = '\0';
		address.sin6_scope_id = if_nametoindex(scope + 1);
	}
	if (inet_pton(AF_INET6, text, &address.sin6_addr) != 1)
		return false;
	memcpy(&server->address, &address, sizeof(address));
	server->length = sizeof(address);
	return true;
}

static void read_line(struct dns_resolver *resolver, char *line)
{
	struct dns_server server = {0};
	char *saved = NULL;
	const char *word = strtok_r(line, " \t\r\n", &saved);

	if (!word || strcmp(word, "nameserver") != 0 || resolver->count == DNS_SERVERS_MAX)
		return;
	char *address = strtok_r(NULL, " \t\r\n", &saved);
	if (address && (read_ipv4(resolver, address, &server) || read_ipv6(address, &server)))
		resolver->servers[resolver->count++] = server;
}

static bool is_same(const struct dns_resolver *resolver, const struct stat *status)
{
	return resolver->count && resolver->device == status->st_dev &&
	       resolver->inode == status->st_ino && resolver->size == status->st_size &&
	       resolver->changed.tv_sec == status->st_ctim.tv_sec &&
	       resolver->changed.tv_nsec == status->st_ctim.tv_nsec;
}

void dns_resolver_refresh(struct dns_resolver *resolver)
{
	char localhost[] = "nameserver 127.0.0.1";
	struct stat status = {0};
	char line[512];

	/* A file that is missing is one that does not change either. */
	if (stat(resolver->path, &status) < 0)
		memset(&status, 0, sizeof(status));
	if (is_same(resolver, &status))
		return;
	resolver->count = 0;
	resolver->device = status.st_dev;
	resolver->inode = status.st_ino;
	resolver->size = status.st_size;
	resolver->changed = status.st_ctim;
	FILE *file = fopen(resolver->path, "re");
	while (file && fgets(line, sizeof(line), file))
		read_line(resolver, line);
	if (file)
		fclose(file);
	if (!resolver->count)
		read_line(resolver, localhost);
}
