#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Measures chnet-vhost side by side with others, in one run: `bench/throughput.sh --help`.
#
# Everything runs in a network and process namespace of its own, which ends with this script however
# it ends; nothing is sent anywhere.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

die() {
	printf 'throughput.sh: %s\n' "$*" >&2
	exit 1
}

# bench/throughput.sh [BUILD] [OPTION…]: where it was built; else it is built now.
if [ -d "${1:-}" ]; then
	build=$1
	shift
else
	case " $* " in
	*" --help "* | *" -h "*) build=/nonexistent ;;
	*)
		build=$("$top/dev" build | tee /dev/stderr | sed -n 's/^built in //p')
		[ -n "$build" ] || die "cannot build"
		;;
	esac
fi
[ "$(id -u)" -eq 0 ] || die "needs root, for namespaces and for fixed processors"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/chnet-bench.XXXXXX") || die "cannot make a scratch directory"
trap 'rm -rf -- "$scratch"' EXIT
# /run is empty inside: namespaces get their names there, and back ends their directories.
# shellcheck disable=SC2016 # expanded inside
unshare --net --mount --pid --ipc --fork --kill-child --mount-proc \
	sh -c 'mount -t tmpfs -o mode=755 tmpfs /run && ip link set lo up && exec "$@"' sh \
	/usr/bin/python3 "$top/bench/throughput.py" --build "$build" --scratch "$scratch" "$@" &
# All that runs inside ends with this one.
child=$!
trap 'kill -KILL "$child"' INT TERM
wait "$child"
