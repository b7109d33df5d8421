#!/usr/bin/env bash
#
# Prints the job of a submission, also if the command that started it was killed before the answer came.
#
#   usage: bash slurm_find.sh ENVIRONMENT SUBMISSION NAME
#
#     ENVIRONMENT   the folder of the swarm
#     SUBMISSION    the number of the submission
#     NAME          the job's name
#
#   prints: the id of the job; nothing if there is none
#   exits with: 0; anything else if the scheduler does not answer

environment=$1 submission=$2 name=$3
folder=$environment/exec/started.$submission token=

read -r token 2>/dev/null <"$folder/token"
if [[ $token == "$name" && -s $folder/job ]]; then
  cat -- "$folder/job"
else
  timeout -k 5 30 squeue -h -a -t all -n "$name" -o %F
fi
