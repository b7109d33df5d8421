#!/usr/bin/env bash
#
# Marks managers as having left, so that others take over what they held.
#
#   usage: bash mark_left.sh ENVIRONMENT [MANAGER]...
#
#     ENVIRONMENT   the folder of the swarm
#     MANAGER       the id of a manager
#
#   exits with: 0, also where there is no environment; 1 if the last mark cannot be made

environment=$1
shift

cd -- "$environment" 2>/dev/null || exit 0
for manager in "$@"; do
  : >"exec/beats/$manager.end"
done
