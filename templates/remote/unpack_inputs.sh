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
#
# An archive that is not whole, because sending it was cut off, may leave files that are cut off too; rsync sees that by
# their sizes.

readonly FOREIGN=6
environment=$1 id=$2

cd -- "$environment/inputs" 2>/dev/null || exit 0
[[ -e ../exec/id.$id ]] || exit "$FOREIGN"
umask 077
for archive in *.tar; do
  [[ -e $archive ]] || continue
  tar -xpof "$archive" 2>/dev/null
  rm -- "$archive" || exit
done
