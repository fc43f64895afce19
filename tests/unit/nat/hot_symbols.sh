#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The files of the fast path allocate nothing, make no system call and do not log: what they call is
# on this list. And no file of nat/ has state of its own.
#
#   hot_symbols.sh NM ARCHIVE
set -eu

nm=$1 archive=$2
allowed='_GLOBAL_OFFSET_TABLE_ nat_in_one nat_slow_in nat_slow_out outbox_reclaim
	tcp_event_of_flags tcp_state_next memcpy memset'

# "MEMBER.c.o: SYMBOL" for each undefined symbol; what sanitizers add is not ours.
undefined=$("$nm" --undefined-only "$archive" | awk '
	/:$/ { member = $1; sub(/.*[\/\[]/, "", member); sub(/[\]:]*$/, "", member) }
	$1 == "U" && $2 !~ /^__(asan|ubsan|sanitizer|sancov|lsan|stack_chk)/ { print member, $2 }')
members=0 bad=0
for member in nat_out.c.o nat_in.c.o; do
	symbols=$(printf '%s\n' "$undefined" | awk -v m="$member" '$1 == m { print $2 }')
	[ -n "$symbols" ] && members=$((members + 1))
	for symbol in $symbols; do
		case " $(printf '%s' "$allowed" | tr '\n\t' '  ') " in
		*" $symbol "*) ;;
		*)
			echo "$member calls $symbol"
			bad=1
			;;
		esac
	done
done
if [ "$members" -ne 2 ]; then
	echo "nat_out and nat_in are not in $archive"
	exit 1
fi

# Initialised or zeroed data that can be written to: sections .data and .bss and common symbols.
# Relocated constants show up as data too, but lie in .data.rel.ro.
writable=$("${OBJDUMP:-objdump}" -t "$archive" | awk '
	/^[^ ].*:.*file format/ { member = $1 }
	$0 ~ / (\.data|\.bss|\*COM\*)(\.[a-zA-Z_]+)?\t/ && $0 !~ /\.data\.rel\.ro/ &&
		$0 ~ / O / && $NF !~ /^(__(asan|ubsan|sanc|sanitizer|odr)|\.L)/ { print member, $NF }')
if [ -n "$writable" ]; then
	printf 'state of its own: %s\n' "$writable"
	bad=1
fi
exit $bad
