#!/usr/bin/env bash
#
# Sees that an archive can be unpacked into an environment: it has been made, and nothing was put into it yet.
#
#   usage: bash new_folder.sh ENVIRONMENT ID
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#
#   exits with: 0 if that is so; anything else if not, or if there is no tar

environment=$1 id=$2

command -v tar >/dev/null || exit 1
cd -- "$environment" || exit 1
[[ -e exec/id.$id && ! -e exec/plan && ! -e inputs && ! -e shared ]]
