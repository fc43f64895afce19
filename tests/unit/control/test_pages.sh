#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_pages.sh CHNET CHNET-VHOST CHNET.1 CHNET-VHOST.1 COMPLETION: manual pages and completion know
# every verb and option that the programs have, and no other, and the pages say what --help says.
set -uo pipefail
chnet=$1 vhost=$2 page=$3 vhost_page=$4 completion=$5
number=0 failed=0

check() { # WHAT EXPECTED GOT
	number=$((number + 1))
	if [ "$2" = "$3" ] && [ -n "$2" ]; then
		printf 'ok %d - %s\n' $number "$1"
	else
		printf 'not ok %d - %s\n' $number "$1"
		diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") | sed 's/^/# /'
		failed=1
	fi
}

listed() { # HEADING PROGRAM WORDS…
	local heading=$1
	shift
	"$@" --help | sed -n "/^$heading:/,/^\$/s/^  \\([-a-z][^ ]*\\).*/\\1/p" | sort
}

# Every verb, groups resolved.
verbs() {
	local verb inner
	for verb in $(listed Verbs "$chnet"); do
		inner=$(listed Verbs "$chnet" "$verb")
		if [ -z "$inner" ]; then
			printf '%s\n' "$verb"
		else
			for inner in $inner; do printf '%s %s\n' "$verb" "$inner"; done
		fi
	done
}

# Options below a heading of the page, or of the whole page.
in_page() { # PAGE [VERB]
	sed 's/\\-/-/g' "$1" |
		awk -v verb="${2:-}" '
			/^\.S[SH] / { here = verb == "" || $0 ~ "^\\.SS chnet " verb " \\[OPTION" || $0 == ".SS chnet " verb }
			here && /^\.B --/ { print $2 }' | sort
}

# The text of a page on one line.
flat() {
	sed 's/^\.[A-Z]* *//; s/\\-/-/g; s/\\&//g; s/\\e/\\/g' "$1" | tr '\n' ' ' | tr -s ' '
}

# What of the text on standard input (--help) is not in the flat text: descriptions, arguments and
# defaults of options, examples. An option and its text are two columns, or two lines.
not_in() { # FLAT
	local line part
	while IFS= read -r line; do
		case $line in
		*: | '' | Usage:*) continue ;;
		"  "-*) set -- "$1" "${line:0:26}" "${line:26}" ;;
		*) set -- "$1" "$line" ;;
		esac
		for part in "${@:2}"; do
			part=$(tr -s ' ' <<<"$part" | sed 's/^ //; s/ $//')
			[[ $1 == *"$part"* ]] || printf '%s\n' "$part"
		done
	done
}

flat_page=$(flat "$page")
while read -r verb; do
	# shellcheck disable=SC2086 # two words
	check "chnet.1: options of $verb" "$(listed Options "$chnet" $verb)" "$(in_page "$page" "$verb")"
	# shellcheck disable=SC2086
	check "chnet.1: text of $verb" "all of it" \
		"$("$chnet" $verb --help | not_in "$flat_page")all of it"
done < <(verbs)
for words in "" run port "port add"; do
	# shellcheck disable=SC2086
	check "chnet help $words" "$("$chnet" $words --help)" "$("$chnet" help $words)"
done
check "no line of a help is wider than a terminal" "0" \
	"$({ "$chnet" --help; verbs | while read -r verb; do
		# shellcheck disable=SC2086
		"$chnet" $verb --help
	done; } | grep -cE '^.{81}')"
check "chnet-vhost.1: text of its options" "all of it" \
	"$("$vhost" --help | sed -n '/^  --/,/^$/p' | not_in "$(flat "$vhost_page")")all of it"
check "chnet.1: verbs" "$(verbs | sort)" \
	"$(sed -n 's/\\-/-/g; s/^\.SS chnet \([a-z ]*[a-z]\).*/\1/p' "$page" | sort)"
check "chnet-vhost.1: options" \
	"$("$vhost" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | sort -u)" "$(in_page "$vhost_page")"
check "no line of a page is a request that was text" "0" \
	"$(grep -cE '^\.(--|/|\.)' "$page" "$vhost_page" | awk -F: '{ n += $2 } END { print n }')"

# shellcheck source=/dev/null
source "$completion"
complete_words() { # WORDS…, the last one to be completed
	COMP_WORDS=("$chnet" "$@")
	COMP_CWORD=$#
	_chnet
	printf '%s\n' "${COMPREPLY[@]}" | sort
}
check "completion: verbs" "$(listed Verbs "$chnet")" "$(complete_words "")"
check "completion: verbs that begin so" "$(printf 'port\nports')" "$(complete_words "po")"
check "completion: verbs of a group" "$(listed Verbs "$chnet" port)" "$(complete_words port "")"
check "completion: options" "$(listed Options "$chnet" run)" "$(complete_words run --)"
check "completion: options of a verb of a group" "$(listed Options "$chnet" port add)" \
	"$(complete_words port add --)"
check "completion: options begun" "--dry-run" "$(complete_words run --tap --dr)"
printf '1..%d\n' $number
exit $failed
