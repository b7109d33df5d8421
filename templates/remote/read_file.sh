#!/usr/bin/env bash
#
# Prints a file of an environment, or the end of it.
#
#   usage: bash read_file.sh ENVIRONMENT NAME MOST
#
#     ENVIRONMENT   the folder of the swarm
#     NAME          the file, relative to ENVIRONMENT
#     MOST          print no more than so many bytes of its end, and before them a line with its size; empty: print all
#
#   prints: as MOST says
#   exits with: NO_FILE if no file stands there for certain; anything else if it cannot be read

readonly NO_FILE=10
environment=$1 name=$2 most=$3

# shellcheck source=lib/enter.sh
. "${BASH_SOURCE[0]%/*}/lib/enter.sh"

enter "$environment" || exit "$NO_FILE"
is_there "./$name" || exit "$NO_FILE"
kind=$(LC_ALL=C stat -c %F -- "./$name") || exit 1
[[ $kind == regular* ]] || exit "$NO_FILE" # a link, a pipe or the like, where we wrote none
if [[ -z $most ]]; then
  cat -- "./$name" || exit 1
else
  wc -c <"./$name" && tail -c "$most" -- "./$name" || exit 1
fi
