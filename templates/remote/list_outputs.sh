#!/usr/bin/env bash
#
# Lists what there is of outputs that may not have come, or not whole. Needs GNU find.
#
#   usage: bash list_outputs.sh ENVIRONMENT ABSENT [NAME]...
#
#     ENVIRONMENT   the folder of the swarm
#     ABSENT        so many names, the first ones, did not come at all
#     NAME          a file or folder, relative to ENVIRONMENT
#
#   prints: records of four fields, NUL ends each
#             real           REAL   NAME  .     the real path of each of the first ABSENT that is there
#             "TYPE SIZE"    LINK   NAME  PATH  of each NAME that is there (PATH is empty) and of all that is in it
#             fault          TEXT   NAME  .     why a NAME cannot be listed
#           TYPE is that of find, or "u" for what cannot be read; LINK is what a symlink holds; a NAME that is a symlink
#           is listed as what it leads to
#   exits with: NO_ENVIRONMENT if there is no such folder; anything else if there is no GNU find

readonly NO_ENVIRONMENT=3

environment=$1
absent=$2
shift 2

# resolve NAME...: the real path of each.
resolve() {
  local name real reals=() at
  while IFS= read -r -d '' real; do
    reals+=("$real")
  done < <(readlink -ze -- "$@")
  if ((${#reals[@]} == $#)); then
    for ((at = 0; at < $#; ++at)); do
      printf 'real\0%s\0%s\0.\0' "${reals[at]}" "${@:at+1:1}"
    done
  elif (($# > 1)); then # one of them went just now
    for name in "$@"; do
      resolve "$name"
    done
  fi
}

# list NAME...: what there is of each, and in it.
list() {
  local rest=' %s\0%l\0%H\0%P\0' complaint name
  if complaint=$(find -H "$@" -ignore_readdir_race \
    \( -type d ! \( -readable -executable \) -o ! -type d ! -type l ! -readable \) -printf "u$rest" -prune -o \
    -printf "%y$rest" 2>&1 >&3); then
    return
  elif (($# > 1)); then # see which it is
    for name in "$@"; do
      list "$name"
    done
  else
    printf 'fault\0%s\0%s\0.\0' "$complaint" "$1"
  fi
}

cd -- "$environment" || exit "$NO_ENVIRONMENT"
command -v find >/dev/null || exit
export LC_ALL=C
exec 3>&1
there=() missed=() count=0
for name in "$@"; do
  ((++count))
  if [[ -e ./$name ]] && ((count <= absent)); then
    missed+=("./$name")
  fi
  if [[ -e ./$name || -L ./$name ]]; then
    there+=("./$name")
  fi
done
# a command line does not hold any number
while ((${#missed[@]} > 0)); do
  resolve "${missed[@]:0:400}"
  missed=("${missed[@]:400}")
done
while ((${#there[@]} > 0)); do
  list "${there[@]:0:400}"
  there=("${there[@]:400}")
done
