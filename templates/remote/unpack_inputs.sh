#!/usr/bin/env bash
#
# Unpacks the archives of inputs that the first submit sent, so that rsync finds what is in them.
#
#   usage: bash unpack_inputs.sh ENVIRONMENT ID
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#
#   exits with: 0, also if there are none for certain; FOREIGN; anything else if one cannot be seen or removed

readonly FOREIGN=6
environment=$1 id=$2

# shellcheck source=lib/enter.sh
. "${BASH_SOURCE[0]%/*}/lib/enter.sh"

# shellcheck source=lib/remove.sh
. "${BASH_SOURCE[0]%/*}/lib/remove.sh"

enter "$environment" || exit 0
[[ -e exec/id.$id ]] || exit "$FOREIGN"
remove .arriving.*                  # what came of an archive that was given up; if it still comes, it goes nowhere
for folder in arriving.????????; do # as older versions called it, unless a swarm of this name has its environment in ours
  [[ ! -d $folder || -n $(compgen -G "$folder/exec/id.*") ]] || remove "$folder"
done
enter ./inputs || exit 0
umask 077
for archive in *.tar; do
  [[ -e $archive ]] || continue
  tar -xpof "$archive" 2>/dev/null
  rm -- "$archive" || exit
done
