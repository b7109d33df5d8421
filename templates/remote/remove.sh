#!/usr/bin/env bash
#
# Removes folders, also where a task left folders in them that may not be written.
#
#   usage: bash remove.sh FOLDER...
#
#     FOLDER   what to remove; it need not be there
#
#   exits with: 0 if nothing is left of them

if ! rm -rf -- "$@" 2>/dev/null; then
  chmod -R u+rwX -- "$@"
  rm -rf -- "$@"
fi
