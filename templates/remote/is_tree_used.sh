#!/usr/bin/env bash
#
# Tells whether tasks may have changed the tree of an environment: there is something in it, and managers were started.
#
#   usage: bash is_tree_used.sh ENVIRONMENT TREE
#
#     ENVIRONMENT   the folder of the swarm
#     TREE          the folder of the tree, relative to ENVIRONMENT
#
#   prints: yes or no
#   exits with: 0; anything else if that cannot be seen

environment=$1 tree=$2

# shellcheck source=lib/enter.sh
. "${BASH_SOURCE[0]%/*}/lib/enter.sh"

# is_empty FOLDER: succeed if nothing is in a folder, or if there is none.
is_empty() {
  local content
  is_there "$1" || return 0
  content=$(ls -A -- "$1") || exit 1
  [[ -z $content ]]
}

# has_started: succeed if managers of any submission were started.
has_started() {
  local folder
  ls exec >/dev/null || exit 1 # what cannot be listed is not empty
  for folder in exec/started.*; do
    is_there "$folder/once" && return
  done
  return 1
}

cd -- "$environment" || exit 1
if ! is_empty "$tree" && has_started; then
  printf 'yes\n'
else
  printf 'no\n'
fi
