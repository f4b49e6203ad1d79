#!/bin/sh
# forbid.sh PATTERN COMMAND...: run a command and fail when its output has a line that matches PATTERN.
pattern=$1
shift
output=$("$@") || exit 1
if printf '%s\n' "$output" | grep -E "$pattern"; then
    echo "forbidden in the output of: $*" >&2
    exit 1
fi
