/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

struct nat;

/*
 * Proves that all tables agree: each session is found by both of its keys, its mapping lives and
 * tells the same, no outside port is owned twice, all counts (sessions of mappings, guests and
 * permissions, free and live records, overflow of buckets) are right. For tests and fuzzers: looks
 * at everything.
 * Returns NULL, or what is wrong (static text).
 */
const char *nat_check(const struct nat *nat);
