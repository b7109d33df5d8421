#!/usr/bin/env bash
#
# Prints why nobody was heard of a submission: what its managers, or their jobs, printed themselves at first; if they
# printed nothing, why nothing can be written there.
#
#   usage: bash first_words.sh ENVIRONMENT SUBMISSION
#
#     ENVIRONMENT   the folder of the swarm
#     SUBMISSION    the number of the submission
#
#   prints: a few lines; nothing if there is nothing to say
#   exits with: 0

environment=$1 submission=$2

cd -- "$environment/exec" 2>/dev/null || exit 0
for file in "logs/$submission-"*.out; do
  if [[ -s $file ]]; then
    head -c 2000 -- "$file" | head -n 5
    exit 0
  fi
done
# a block of some size, for an empty file may find space where records do not
{ printf '%8192s' '' >logs/.try; } 2>&1
rm -f -- logs/.try 2>/dev/null
exit 0
