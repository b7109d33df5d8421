#!/usr/bin/env bash
#
# Lists everything below a folder. Needs GNU find.
#
#   usage: bash scan_tree.sh FOLDER [NAME]...
#
#     FOLDER   where to look
#     NAME     a path below FOLDER that does not count, such as our own state
#
#   prints: for each entry "TYPE SIZE TIME MODE", what it holds if it is a symlink, and its path; NUL ends each of these
#   exits with: NO_ENVIRONMENT if there is no such folder; as find does if not all of it can be read

readonly NO_ENVIRONMENT=3
folder=$1
shift

cd -- "$folder" || exit "$NO_ENVIRONMENT"
skip=()
for name in "$@"; do
  skip+=(-path "./$name" -prune -o)
done
LC_ALL=C find . -mindepth 1 ${skip[@]+"${skip[@]}"} -printf '%y %s %T@ %m\0%l\0%P\0'
