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
#           TYPE is that of find, or "u" for a file or folder that cannot be read; what is in such a folder is not listed
#   exits with: NO_ENVIRONMENT if there is no such folder for certain; as find does if something fails

readonly NO_ENVIRONMENT=3
folder=$1
shift

# shellcheck source=lib/enter.sh
. "${BASH_SOURCE[0]%/*}/lib/enter.sh"

enter "$folder" || exit "$NO_ENVIRONMENT"
skip=()
for name in "$@"; do
  # find takes it for a pattern
  name=${name//\\/\\\\}
  name=${name//\*/\\*}
  name=${name//\?/\\?}
  name=${name//\[/\\[}
  skip+=(-path "./$name" -prune -o)
done
readonly REST=' %s %T@ %m\0%l\0%P\0'
LC_ALL=C find . -mindepth 1 -ignore_readdir_race ${skip[@]+"${skip[@]}"} \
  \( -type d ! \( -readable -executable \) -o -type f ! -readable \) -printf "u$REST" -prune -o -printf "%y$REST"
