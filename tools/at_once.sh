#!/bin/sh
# at_once.sh COMMAND...: runs all commands at the same time. Fails if one does, after all have ended.
set -u
running=
for command in "$@"; do
    sh -c "$command" &
    running="$running $!"
done
status=0
for process in $running; do
    wait "$process" || status=1
done
exit $status
