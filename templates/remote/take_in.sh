#!/usr/bin/env bash
#
# Puts in place what an archive brought, after all of it came.
#
#   usage: bash take_in.sh ENVIRONMENT ID FOLDER
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     FOLDER        where new_folder.sh let it be unpacked
#
#   exits with: 0 if that was done; FOREIGN; anything else if something is in the way

readonly FOREIGN=6
environment=$1 id=$2 folder=$3

cd -- "$environment" || exit
[[ -e exec/id.$id ]] || exit "$FOREIGN"
shopt -s nullglob dotglob
for part in "$folder"/exec/* "$folder"/*; do
  name=${part#"$folder/"}
  if [[ $name == exec ]]; then
    rmdir -- "$part" || exit
  elif [[ -d $name && ! -L $name ]]; then # such as an empty `work`
    rmdir -- "$name" && mv -T -- "$part" "$name" || exit
  else
    mv -T -- "$part" "$name" || exit
  fi
done
rmdir -- "$folder"
