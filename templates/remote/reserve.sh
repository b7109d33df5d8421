#!/usr/bin/env bash
#
# Reserves the number of a submission in an environment, before anything is put there; makes the environment if there is
# none. Whoever comes second, of two at the same time too, changes nothing.
#
#   usage: bash reserve.sh ENVIRONMENT ID NOTE SUBMISSIONS SUBMISSION CHUNKS TOKEN
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     NOTE          who makes it, a line; empty: it must be there
#     SUBMISSIONS   NUMBER:TOKEN of each submission that the client knows, with blanks around
#     SUBMISSION    the number of the submission
#     CHUNKS        the numbers of its first and its last chunk, with a blank between
#     TOKEN         a word that no other submission has
#
#   prints: where it is FOREIGN, what is known of who made it, as poll.sh does; where it is OPEN, the folder, its
#     owner and its mode; where it is TAKEN, the number of the submission that the client does not know; else why it failed
#   exits with: 0 if the number is reserved, now or before; NO_ENVIRONMENT; FOREIGN; OPEN; TAKEN
#
# Both the folder exec and the folder of the submission appear by rename(2), with all that they have to hold: it fails
# where a folder of this name holds something.

readonly NO_ENVIRONMENT=3 FOREIGN=6 TAKEN=7 OPEN=8
environment=$1 id=$2 note=$3 submissions=$4 submission=$5 chunks=$6 token=$7
place=exec/started.$submission

# make_environment: make the folder exec with the id in it, unless there is one.
make_environment() {
  local folder=.exec.$id.$$
  if [[ ! -d $environment ]]; then
    mkdir -p -- "$environment" && chmod -- 700 "$environment" # where folders have an access list for what is made in them
  fi
  cd -- "$environment" || return
  [[ -e exec/id.$id ]] && return
  { mkdir -- "$folder" && chmod -- 700 "$folder" && printf '%s\n' "$note" >"$folder/id.$id"; } || return
  mv -T -- "$folder" exec 2>/dev/null || rm -rf -- "$folder"
  [[ ! -e exec/id.$id ]] || rm -rf -- .removed.*
}

# shellcheck source=lib/tell_owner.sh
. "${BASH_SOURCE[0]%/*}/lib/tell_owner.sh"

# shellcheck source=lib/find_open.sh
. "${BASH_SOURCE[0]%/*}/lib/find_open.sh"

# find_strangers: end if there is a submission that the client does not know; what was reserved now is given up.
find_strangers() {
  local folder number word
  for folder in exec/started.*; do
    [[ -d $folder ]] || continue
    number=${folder#exec/started.} word=
    read -r word 2>/dev/null <"$folder/token"
    if [[ "$submissions$submission:$token " != *" $number:$word "* ]]; then
      printf '%s\n' "$number"
      ((IS_NEW)) && rm -rf -- "$place"
      exit "$TAKEN"
    fi
  done
}

# reserve: make the folder of the submission, with its token; set IS_NEW to 1 if that was done now. Another one may come
# first, and give it up again.
reserve() {
  local folder=exec/.started.$submission.$token word='' try
  IS_NEW=0
  for try in 1 2 3; do
    if [[ ! -e $place/token ]]; then
      mkdir -p -- "$folder" || exit "$NO_ENVIRONMENT"
      printf '%s\n' "$chunks" >"$folder/chunks" || exit "$NO_ENVIRONMENT"
      printf '%s\n' "$token" >"$folder/token" || exit "$NO_ENVIRONMENT"
      mv -T -- "$folder" "$place" 2>/dev/null && IS_NEW=1
      rm -rf -- "$folder"
    fi
    read -r word 2>/dev/null <"$place/token" && break
    ((try < 3)) || exit "$NO_ENVIRONMENT"
    sleep 0.2
  done
  if [[ $word != "$token" ]]; then
    printf '%s\n' "$submission"
    exit "$TAKEN"
  fi
}

exec 2>&1
umask 077
if [[ -n $note ]]; then
  make_environment || exit "$NO_ENVIRONMENT"
else
  cd -- "$environment/exec" || exit "$NO_ENVIRONMENT"
  cd ..
fi
if find_open "$environment"; then
  printf '%s\n' "$OPENING"
  exit "$OPEN"
fi
[[ -e exec/id.$id ]] || tell_owner
IS_NEW=0
find_strangers
reserve
find_strangers # one may have come just now, with another number
