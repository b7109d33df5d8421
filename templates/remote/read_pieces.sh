#!/usr/bin/env bash
#
# Prints pieces of the archives that managers pack, one behind the other.
#
#   usage: bash read_pieces.sh ENVIRONMENT
#
#     ENVIRONMENT   the folder of the swarm
#
#   reads: for each piece a line: the claim whose archive it is in, where it begins there, and how many bytes it has
#   prints: for each piece a y, and as many bytes as it has; or an n, if there is no such file, or it ends before that
#   exits with: 0; NO_ENVIRONMENT

readonly NO_ENVIRONMENT=3
environment=$1

cd -- "$environment/work" || exit "$NO_ENVIRONMENT"
while read -r claim offset size; do
  file=./$claim.tar
  if [[ $claim != */* && -f $file && ! -L $file && -r $file ]] && (($(wc -c <"$file") >= offset + size)); then
    printf y
    tail -c "+$((offset + 1))" -- "$file" | head -c "$size"
  else
    printf n
  fi
done
