#!/usr/bin/env bash
#
# Takes results of other swarms of the same target as staged inputs, where they are: hard links, or copies where the file
# system makes none.
#
#   usage: bash link_inputs.sh ENVIRONMENT ID LIST WHAT
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     LIST          a file in there: a result, and where it shall be, relative to the environment, each with a NUL at its
#                   end; and so on. The last parts of both paths are the same
#     WHAT          look: whether they are there; link: take them
#
#   prints: look: for each that is no plain file that can be read, and no folder of nothing but such files and folders, its
#           number, from 0 on, a line each
#   exits with: 0; NO_ENVIRONMENT; FOREIGN; anything else if something could not be taken
#
# Files cost one process in all where there is perl, which nobody needs. Else, and for folders, cp takes hundreds at once
# where both tasks have the same number, and those of one task where not.

readonly NO_ENVIRONMENT=3 FOREIGN=6
environment=$1 id=$2 list=$3 what=$4
most=500 # that go together
LC_ALL=C

# shellcheck source=lib/remove.sh
. "${BASH_SOURCE[0]%/*}/lib/remove.sh"

# look: print the numbers of those that are not there.
look() {
  local from to number=0
  while IFS= read -r -d '' from && IFS= read -r -d '' to; do
    is_there "$from" || printf '%s\n' "$number"
    ((number += 1))
  done <"$list"
}

# is_there RESULT: succeed if it can be taken.
is_there() {
  [[ ! -L $1 && -r $1 ]] && { [[ -f $1 ]] || is_plain_folder "$1"; }
}

# is_plain_folder FOLDER: succeed if it holds nothing but folders and plain files, all of which can be read.
is_plain_folder() {
  local other
  [[ -d $1 ]] && other=$(find "$1/" \( ! -type f ! -type d -o ! -readable \) -print -quit) && [[ -z $other ]]
}

# link_files: link what is a plain file, if there is perl, and print the list of all others.
link_files() {
  # shellcheck disable=SC2016 # these are variables of perl
  type -P perl >/dev/null && PERL5OPT='' perl -C0 -0 -ne \
    'chomp; if ($. % 2) { $from = $_ } elsif (! -f $from || ! link($from, $_)) { print "$from\0$_\0" }' <"$list"
}

# take: link the WAITING to their FOLDER; if there is an ABOVE, with their paths below that. Copies serve where no link can
# be made: on another file system, or where a file has as many links as it may.
take() {
  if ((${#WAITING[@]} > 0)); then
    put -l 2>/dev/null || put -p --remove-destination
  fi
}

# put OPTION…: do that by cp with these options.
put() {
  if [[ -n $ABOVE ]]; then
    (cd -- "$ABOVE" && cp -r "$@" --parents -- "${WAITING[@]}" "$TOP/$FOLDER")
  else
    cp -r "$@" -t "$FOLDER" -- "${WAITING[@]}"
  fi
}

# link_rest: take all that link_files has left, those that go together at once.
link_rest() {
  local from to above folder known=
  while IFS= read -r -d '' from && IFS= read -r -d '' to; do
    above='' folder=${to%/*}
    if [[ ${from%/*/*} != "$from" && ${from#"${from%/*/*}/"} == "${to#"${to%/*/*}/"}" ]]; then
      above=${from%/*/*} folder=${to%/*/*} from=${from#"$above/"}
    fi
    if [[ $above/$folder != "$known" ]] || ((${#WAITING[@]} >= most)); then
      take || return
      ABOVE=$above FOLDER=$folder WAITING=() known=$above/$folder
    fi
    WAITING+=("$from")
  done
  take
}

# prepare: make the folders, and remove what is in the places, from an earlier submit, so that nothing is written through
# a link.
prepare() {
  local from to places=() folders=()
  while IFS= read -r -d '' from && IFS= read -r -d '' to; do
    folders+=("${to%/*}")
    [[ -e $to || -L $to ]] && places+=("$to")
    if ((${#folders[@]} >= most)); then
      make_way || return
    fi
  done <"$list"
  make_way
}

# make_way: do that for those that prepare has gathered.
make_way() {
  if ((${#places[@]} > 0)); then
    remove "${places[@]}" || return
  fi
  if ((${#folders[@]} > 0)); then
    mkdir -p -- "${folders[@]}" || return
  fi
  places=() folders=()
}

cd -- "$environment" || exit "$NO_ENVIRONMENT"
[[ -e exec/id.$id ]] || exit "$FOREIGN"
umask 077
trap 'rm -f -- "$list.rest"' EXIT
TOP=$PWD ABOVE='' FOLDER='' WAITING=()
if [[ $what == look ]]; then
  look
else
  prepare || exit
  if link_files >"$list.rest"; then
    link_rest <"$list.rest"
  else
    link_rest <"$list"
  fi
fi
