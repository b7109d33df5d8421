#!/usr/bin/env bash
#
# Makes the folder that an archive for an environment is unpacked into, if the environment has been made and nothing was
# put into it yet. take_in.sh puts what came in place, when all of it did: a stream that was given up may go on by itself,
# and is not to write over what came in another way.
#
#   usage: bash new_folder.sh ENVIRONMENT ID FOLDER
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     FOLDER        a new name, which begins with `.arriving.`, so that no swarm can have it
#
#   exits with: 0 if it was made; anything else if not, or if there is no tar

environment=$1 id=$2 folder=$3

umask 077
command -v tar >/dev/null || exit 1
cd -- "$environment" || exit 1
[[ -e exec/id.$id && ! -e exec/plan && ! -e inputs && ! -e shared ]] && mkdir -- "$folder"
