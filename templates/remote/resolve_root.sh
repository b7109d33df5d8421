#!/usr/bin/env bash
#
# Makes the root of a target absolute, as this machine has it.
#
#   usage: bash resolve_root.sh ROOT
#
#     ROOT   as the config has it: absolute, or relative to home, or beginning with ~ or a variable such as $SCRATCH
#
#   prints: the absolute root, without a newline; or what is wrong
#   exits with: 0; 1 if ROOT begins with a variable that is not set

root=$1

if [[ $root == "~" || $root == "~"/* ]]; then
  root=$HOME${root#"~"}
elif [[ $root =~ ^\$\{?([A-Za-z_][A-Za-z_0-9]*)\}?(.*)$ ]]; then
  base=${BASH_REMATCH[1]}
  if [[ -z ${!base-} ]]; then
    printf '%s is not set there' "$base"
    exit 1
  fi
  root=${!base}${BASH_REMATCH[2]}
elif [[ $root != /* ]]; then
  root=$HOME/$root
fi
printf '%s' "$root"
