#!/usr/bin/env bash
#
# Marks managers as having left, so that others take over what they held.
#
#   usage: bash mark_left.sh ENVIRONMENT ID [MANAGER]...
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     MANAGER       the id of a manager
#
#   exits with: 0, also where there is no environment; FOREIGN; 1 if the last mark cannot be made

readonly FOREIGN=6
environment=$1 id=$2
shift 2

cd -- "$environment" 2>/dev/null || exit 0
[[ ! -e exec || -e exec/id.$id ]] || exit "$FOREIGN"
for manager in "$@"; do
  : >"exec/beats/$manager.end"
done
