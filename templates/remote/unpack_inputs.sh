#!/usr/bin/env bash
#
# Unpacks the archives of inputs that the first submit sent, so that rsync finds what is in them.
#
#   usage: bash unpack_inputs.sh ENVIRONMENT ID
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#
#   exits with: 0, also if there are none; FOREIGN; anything else if one cannot be removed

readonly FOREIGN=6
environment=$1 id=$2

# shellcheck source=lib/remove.sh
. "${BASH_SOURCE[0]%/*}/lib/remove.sh"

cd -- "$environment" 2>/dev/null || exit 0
[[ -e exec/id.$id ]] || exit "$FOREIGN"
remove arriving.* # what came of an archive that was given up; if it still comes, it goes nowhere
cd -- ./inputs 2>/dev/null || exit 0
umask 077
for archive in *.tar; do
  [[ -e $archive ]] || continue
  tar -xpof "$archive" 2>/dev/null
  rm -- "$archive" || exit
done
