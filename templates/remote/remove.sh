#!/usr/bin/env bash
#
# Removes an environment, or of it only what was planned and run; also where a task left folders that may not be written.
#
#   usage: bash remove.sh ENVIRONMENT ID [FOLDER]...
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     FOLDER        what to remove besides exec, relative to the environment; none: all
#
#   exits with: 0 if nothing is left of it; FOREIGN, and nothing was removed; 1 if something cannot be removed, or if
#     it cannot be seen whether something is left
#
# The id goes last, in one step: until then the environment is ours, and what was cut off can be repeated. What stays
# behind, the folder .removed.ID, says whose the rest is until somebody makes an environment of it again.

readonly FOREIGN=6
environment=$1 id=$2
shift 2

# shellcheck source=lib/enter.sh
. "${BASH_SOURCE[0]%/*}/lib/enter.sh"

# shellcheck source=lib/remove.sh
. "${BASH_SOURCE[0]%/*}/lib/remove.sh"

# list_all: set ALL to all that is in the environment, but for what says whose it is, and for what is of another swarm: the
# root of another target may be in here, and where root is the folder for the local state, so is the ledger.
list_all() {
  local name
  shopt -s dotglob nullglob
  ALL=()
  for name in *; do
    [[ $name == exec || $name == ".removed.$id" ]] || is_of_others "$name" || ALL+=("$name")
  done
}

# is_of_others NAME: succeed if it may be the environment of another swarm, or something of the local state.
is_of_others() {
  local marks
  [[ $1 != @(inputs|work|shared|tree|.*) ]] || return # these are ours, and no swarm's name begins with a dot
  marks=("$1"/exec/id.* "$1"/.removed.*)
  ((${#marks[@]} > 0)) || [[ -e ledger.sqlite ]]
}

enter "$environment" || exit 0
if is_there exec; then
  is_there "exec/id.$id" || exit "$FOREIGN"
elif ! is_there ".removed.$id"; then
  exit 0
fi

if (($# == 0)); then
  list_all
else
  ALL=("$@")
fi
((${#ALL[@]} == 0)) || remove ${ALL[@]+"${ALL[@]}"} || exit 1

if [[ -e exec ]]; then
  remove ".removed.$id" && mkdir -m 700 -- ".removed.$id" && mv -T -- exec ".removed.$id/exec" || exit 1
fi
remove ".removed.$id/exec" || exit 1
if (($# == 0)); then
  remove ".removed.$id" || exit 1
  cd / && rmdir -- "$environment" 2>/dev/null # unless somebody has made another one by now
fi
exit 0
