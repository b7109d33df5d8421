#!/usr/bin/env bash
#
# Keeps the managers of submissions from taking more tasks; what they run may end.
#
#   usage: bash fence.sh ENVIRONMENT [SUBMISSION]...
#
#     ENVIRONMENT   the folder of the swarm
#     SUBMISSION    the number of a submission
#
#   exits with: 0 if that is so, also where there is no environment; 1 if the environment cannot be written

environment=$1
shift

cd -- "$environment/exec" 2>/dev/null || exit 0
for submission in "$@"; do
  : >"stop.$submission" || exit 1
done
