#!/usr/bin/env bash
#
# Checks whether the process that start_detached.sh started for a submission is still there.
#
#   usage: bash is_alive.sh ENVIRONMENT ID SUBMISSION
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     SUBMISSION    the number of the submission
#
#   exits with: 0 if it is there; 1 if not

environment=$1 id=$2 submission=$3

cd -- "$environment" 2>/dev/null || exit 1
[[ -e exec/id.$id ]] || exit 1
read -r pid 2>/dev/null <"exec/started.$submission/pid" || exit 1
# it is start.sh at first, which then becomes the manager
[[ $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *"/"@(start|manager)".sh $submission-0 "* ]]
