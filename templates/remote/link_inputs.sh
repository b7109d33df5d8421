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
#   prints: look: for each that is no plain file that can be read, its number, from 0 on, a line each
#   exits with: 0; NO_ENVIRONMENT; FOREIGN; anything else if something could not be taken
#
# It costs a process for each task. Where both tasks have the same number it costs one for hundreds of them.

readonly NO_ENVIRONMENT=3 FOREIGN=6
environment=$1 id=$2 list=$3 what=$4
most=500 # that go together
LC_ALL=C

# look: print the numbers of those that are not there.
look() {
  local from to number=0
  while IFS= read -r -d '' from && IFS= read -r -d '' to; do
    [[ -f $from && ! -L $from && -r $from ]] || printf '%s\n' "$number"
    ((number += 1))
  done <"$list"
}

# take: link or copy the WAITING to their FOLDER; if there is an ABOVE, with their paths below that.
take() {
  ((${#WAITING[@]} > 0)) || return 0
  if [[ -n $ABOVE ]]; then
    (cd -- "$ABOVE" && cp "$HOW" --parents -- "${WAITING[@]}" "$TOP/$FOLDER")
  else
    cp "$HOW" -t "$FOLDER" -- "${WAITING[@]}"
  fi
}

# link: take all of them, those that go together at once.
link() {
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
  done <"$list"
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
    rm -rf -- "${places[@]}" || return
  fi
  if ((${#folders[@]} > 0)); then
    mkdir -p -- "${folders[@]}" || return
  fi
  places=() folders=()
}

cd -- "$environment" || exit "$NO_ENVIRONMENT"
[[ -e exec/id.$id ]] || exit "$FOREIGN"
umask 077
TOP=$PWD ABOVE='' FOLDER='' WAITING=() HOW=-l
if [[ $what == look ]]; then
  look
else
  prepare || exit
  IFS= read -r -d '' first <"$list"
  ln -- "$first" "$list.try" 2>/dev/null || HOW=-p
  rm -f -- "$list.try"
  link
fi
