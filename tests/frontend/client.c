/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/frontend/client.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/frontend/deadline.h"

/* SET_VRING_KICK and its like: no descriptor comes with the message. */
#define VRING_NO_FD 0x100u

/* A socket, and the address of `path`. */
static int open_socket(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	strcpy(address->sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int close_failed(int fd)
{
	int error = -errno;

	close(fd);
	return error;
}

int client_connect(struct client *client, const char *path)
{
	struct sockaddr_un address;
	int fd = open_socket(path, &address);

	*client = (struct client){.fd = -1};
	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return close_failed(fd);
	client->fd = fd;
	return 0;
}

int client_listen(const char *path)
{
	struct sockaddr_un address;
	int fd = open_socket(path, &address);

	if (fd < 0)
		return fd;
	if ((unlink(path) < 0 && errno != ENOENT) ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 1) < 0)
		return close_failed(fd);
	return fd;
}

int client_accept(struct client *client, int listener)
{
	struct pollfd wait = {.fd = listener, .events = POLLIN};

	*client = (struct client){.fd = -1};
	int ready = poll(&wait, 1, DEADLINE_STEP_MS);
	int fd = ready > 0 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
	if (ready == 0)
		errno = ETIMEDOUT;
	if (fd < 0)
		return close_failed(listener);
	close(listener);
	client->fd = fd;
	return 0;
}

void client_disconnect(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	client->reply_ack = false;
}

/* Puts descriptors into a message; `control` has room for CLIENT_FDS_MAX. */
static void attach_fds(struct msghdr *message, void *control, const int *fds, unsigned int count)
{
	message->msg_control = control;
	message->msg_controllen = CMSG_SPACE(count * sizeof(int));
	struct cmsghdr *entry = CMSG_FIRSTHDR(message);
	entry->cmsg_level = SOL_SOCKET;
	entry->cmsg_type = SCM_RIGHTS;
	entry->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(entry), fds, count * sizeof(int));
}

int client_send(struct client *client, uint32_t request, uint32_t flags, const void *payload,
	uint32_t size, const int *fds, unsigned int fd_count)
{
	uint8_t bytes[sizeof(struct client_header) + CLIENT_PAYLOAD_MAX];
	struct client_header header = {.request = request, .flags = flags, .size = size};
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(CLIENT_FDS_MAX * sizeof(int))] = {0};

	if (size > CLIENT_PAYLOAD_MAX || fd_count > CLIENT_FDS_MAX)
		return -EINVAL;
	memcpy(bytes, &header, sizeof(header));
	if (size > 0)
		memcpy(bytes + sizeof(header), payload, size);
	struct iovec part = {.iov_base = bytes, .iov_len = sizeof(header) + size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd_count > 0)
		attach_fds(&message, control, fds, fd_count);
	ssize_t sent = sendmsg(client->fd, &message, MSG_NOSIGNAL);
	if (sent < 0)
		return -errno;
	return (size_t)sent == part.iov_len ? 0 : -EIO;
}

/* Waits for something to read. */
static int wait_readable(struct client *client, uint64_t deadline_ns)
{
	struct pollfd wait = {.fd = client->fd, .events = POLLIN};
	int ready = poll(&wait, 1, deadline_left_ms(deadline_ns));
	if (ready < 0)
		return -errno;
	return ready == 0 ? -ETIMEDOUT : 0;
}

/* Keeps the first descriptor that came with a message and closes the rest. */
static void take_fds(struct msghdr *message, int *kept)
{
	struct cmsghdr *entry = CMSG_FIRSTHDR(message);
	if (!entry || entry->cmsg_level != SOL_SOCKET || entry->cmsg_type != SCM_RIGHTS)
		return;
	size_t count = (entry->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < count; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(entry) + i * sizeof(int), sizeof(fd));
		if (*kept < 0)
			*kept = fd;
		else
			close(fd);
	}
}

/* Reads exactly `length` bytes. */
static int read_whole(struct client *client, void *bytes, size_t length, int *fd, uint64_t deadline)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(CLIENT_FDS_MAX * sizeof(int))];
	uint8_t *to = bytes;

	while (length > 0) {
		int error = wait_readable(client, deadline);
		if (error)
			return error;
		struct iovec part = {.iov_base = to, .iov_len = length};
		struct msghdr message = {
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		ssize_t got = recvmsg(client->fd, &message, MSG_CMSG_CLOEXEC);
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ECONNRESET;
		take_fds(&message, fd);
		to += got;
		length -= (size_t)got;
	}
	return 0;
}

int client_receive(struct client *client, uint32_t request, void *payload, uint32_t size,
	uint32_t *ret_size, int *ret_fd)
{
	struct client_header header;
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
	int fd = -1;

	int error = read_whole(client, &header, sizeof(header), &fd, deadline);
	if (!error && (header.request != request || !(header.flags & CLIENT_FLAG_REPLY) ||
			      header.size > size))
		error = -EPROTO;
	if (!error)
		error = read_whole(client, payload, header.size, &fd, deadline);
	if (!error && ret_size)
		*ret_size = header.size;
	if (!error && ret_fd)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return error;
}

int client_set(struct client *client, uint32_t request, const void *payload, uint32_t size,
	const int *fds, unsigned int fd_count)
{
	uint32_t flags = CLIENT_FLAG_VERSION | (client->reply_ack ? CLIENT_FLAG_NEED_REPLY : 0);
	int error = client_send(client, request, flags, payload, size, fds, fd_count);
	if (error || !client->reply_ack)
		return error;
	uint64_t refused = 0;
	error = client_receive(client, request, &refused, sizeof(refused), NULL, NULL);
	if (error)
		return error;
	return refused ? -EREMOTEIO : 0;
}

int client_set_u64(struct client *client, uint32_t request, uint64_t value)
{
	return client_set(client, request, &value, sizeof(value), NULL, 0);
}

int client_set_vring(struct client *client, uint32_t request, uint32_t index, uint32_t value)
{
	struct client_vring_state state = {.index = index, .value = value};
	return client_set(client, request, &state, sizeof(state), NULL, 0);
}

int client_set_vring_fd(struct client *client, uint32_t request, uint32_t index, int fd)
{
	uint64_t value = index | (fd < 0 ? VRING_NO_FD : 0);
	return client_set(client, request, &value, sizeof(value), &fd, fd < 0 ? 0 : 1);
}

int client_get_u64(struct client *client, uint32_t request, uint64_t *ret_value)
{
	uint64_t value = 0;
	uint32_t size = 0;
	int error = client_send(client, request, CLIENT_FLAG_VERSION, NULL, 0, NULL, 0);
	if (!error)
		error = client_receive(client, request, &value, sizeof(value), &size, NULL);
	if (!error && size != sizeof(value))
		error = -EPROTO;
	if (!error)
		*ret_value = value;
	return error;
}

int client_get_vring_base(struct client *client, uint32_t index, uint32_t *ret_base)
{
	struct client_vring_state state = {.index = index};
	int error = client_send(
		client, CLIENT_GET_VRING_BASE, CLIENT_FLAG_VERSION, &state, sizeof(state), NULL, 0);
	if (!error)
		error = client_receive(
			client, CLIENT_GET_VRING_BASE, &state, sizeof(state), NULL, NULL);
	if (!error && state.index != index)
		error = -EPROTO;
	if (!error)
		*ret_base = state.value;
	return error;
}

int client_wait_hangup(struct client *client)
{
	uint8_t bytes[512];
	int fd = -1;
	uint64_t deadline = deadline_in(DEADLINE_STEP_MS);
	int error = 0;

	while (!error)
		error = read_whole(client, bytes, 1, &fd, deadline);
	if (fd >= 0)
		close(fd);
	return error == -ETIMEDOUT ? error : 0;
}
