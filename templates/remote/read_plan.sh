#!/usr/bin/env bash
#
# Prints the plan of an environment, to rebuild a lost local state from it, a part at a time.
#
#   usage: bash read_plan.sh ENVIRONMENT AFTER MOST
#
#     ENVIRONMENT   the folder of the swarm
#     AFTER         print the chunks after this one only; empty: all, and before them what is known of the whole
#     MOST          print no more chunks after so many bytes
#
#   prints: "id", each id that is there, and who made it; "submission", the number, the token, the first and the last
#     chunk, and the job of each submission, empty where they are not known; then, of each chunk, "chunk", its number, and
#     the lines of its plan that are whole; at the end "more", if there are more. There are tabs between
#     Where it is OPEN: the folder, its owner and its mode
#   exits with: NO_ENVIRONMENT if there is none for certain; OPEN; 1 if it cannot be read

readonly NO_ENVIRONMENT=3 OPEN=8
environment=$1 after=$2 most=$3

# shellcheck source=lib/enter.sh
. "${BASH_SOURCE[0]%/*}/lib/enter.sh"

# shellcheck source=lib/find_open.sh
. "${BASH_SOURCE[0]%/*}/lib/find_open.sh"

# tell_submission FOLDER: print the line of a submission.
tell_submission() {
  local token='' first='' last='' job=''
  read -r token <"$1/token"
  read -r first last <"$1/chunks"
  [[ -e $1/job ]] && job=$(tail -n 1 -- "$1/job")
  printf 'submission\t%s\t%s\t%s\t%s\t%s\n' "${1#started.}" "$token" "$first" "$last" "$job"
} 2>/dev/null

# tell_chunk FILE: print a chunk, and add its length to SIZE. What stands after the last line end was cut off.
tell_chunk() {
  local lines=() last line
  mapfile lines <"$1"
  last=$((${#lines[@]} - 1))
  ((last < 0)) || [[ ${lines[last]} == *$'\n' ]] || unset "lines[last]"
  printf 'chunk\t%s\n' "${1#plan/}"
  printf '%s' ${lines[@]+"${lines[@]}"}
  for line in ${lines[@]+"${lines[@]}"}; do
    ((SIZE += ${#line}))
  done
}

LC_ALL=C # bytes
enter "$environment/exec" || exit "$NO_ENVIRONMENT"
if find_open "$environment"; then
  printf '%s\n' "$OPENING"
  exit "$OPEN"
fi
if [[ -z $after ]]; then
  for file in id.*; do
    [[ -f $file ]] && printf 'id\t%s\t%s\n' "${file#id.}" "$(head -n 1 -- "$file")"
  done
  for folder in started.*; do
    [[ -d $folder ]] && tell_submission "$folder"
  done
fi
is_there plan && { ls -- plan >/dev/null || exit 1; } # what cannot be listed is not empty
SIZE=0
for file in plan/*; do
  [[ -f $file && ${file#plan/} > $after ]] || continue
  if ((SIZE >= most)); then
    printf 'more\n'
    break
  fi
  tell_chunk "$file"
done
exit 0
