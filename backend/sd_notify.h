/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * systemd's readiness protocol (sd_notify(3)): one datagram to the socket that NOTIFY_SOCKET names.
 */
#pragma once

/*
 * Sends `state`, such as "READY=1" (several assignments are separated by newlines). 0 also when
 * NOTIFY_SOCKET is not set, for then nobody wants to know. Errors: -EINVAL when NOTIFY_SOCKET is
 * neither an absolute path nor an abstract name ('@' first); -ENAMETOOLONG; what socket(2) and
 * sendto(2) say.
 */
int sd_notify_send(const char *state);
