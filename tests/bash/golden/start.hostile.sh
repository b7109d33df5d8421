#!/usr/bin/env bash
#
# Starts a manager where there is no scheduler; made by locusts_fab.
#
#   usage: bash start.sh MANAGER_ID

# what the config asks for as `setup`
: what a user writes here is code

exec bash '/tmp/a b'\''c"d
$(touch x)`touch y`;touch z&\ -é	*' "$1"
