#!/usr/bin/env bash
#
# Prints the plan of an environment, to rebuild a lost local state from it.
#
#   usage: bash read_plan.sh ENVIRONMENT
#
#     ENVIRONMENT   the folder of the swarm
#
#   prints: a line of the number of the latest submission, the number of the latest chunk, and the submission's job, if
#     it has one; then the lines of all chunks
#   exits with: NO_ENVIRONMENT

readonly NO_ENVIRONMENT=3
environment=$1

cd -- "$environment/exec" 2>/dev/null || exit "$NO_ENVIRONMENT"
submission=0
for token in started.*; do
  [[ -e $token ]] && ((${token#started.} > submission)) && submission=${token#started.}
done
chunk=0
for file in plan/*; do
  [[ -e $file ]] && chunk=${file#plan/}
done
job=
[[ -e started.$submission/job ]] && job=$(tail -n 1 -- "started.$submission/job")

printf '%d %d %s\n' "$submission" "$((10#$chunk))" "$job"
find plan -type f ! -name '.*' -print0 | sort -z | xargs -0 -r cat --
