#!/usr/bin/env bash
#
# Prints why nobody was heard of a submission: what its managers, or their jobs, printed last; if they printed nothing, why
# nothing can be written there.
#
#   usage: bash last_words.sh ENVIRONMENT SUBMISSION
#
#     ENVIRONMENT   the folder of the swarm
#     SUBMISSION    the number of the submission
#
#   prints: the name of the first log that holds something, and its last lines; or an empty line and a complaint, if there
#     is one; nothing if there is no environment
#   exits with: 0

environment=$1 submission=$2

cd -- "$environment/exec" 2>/dev/null || exit 0
for file in "logs/$submission-"*.out; do
  if [[ -s $file ]]; then
    printf '%s\n' "${file#logs/}"
    tail -c 2000 -- "$file" | tail -n 5
    exit 0
  fi
done
printf '\n'
# a block of some size, for an empty file may find space where records do not
{ printf '%8192s' '' >logs/.try; } 2>&1
rm -f -- logs/.try 2>/dev/null
exit 0
