/* SPDX-License-Identifier: BSD-3-Clause */
/* The error numbers that the probe uses, as everywhere else. */
#pragma once

#define ENOENT 2
#define EIO 5
#define ENXIO 6
#define EAGAIN 11
#define EINVAL 22
#define ENOSPC 28
#define EBADMSG 74
#define EPROTONOSUPPORT 93
#define EOPNOTSUPP 95
#define ECONNRESET 104
#define ETIMEDOUT 110
#define ECONNREFUSED 111
