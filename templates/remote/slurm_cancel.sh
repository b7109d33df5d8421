#!/usr/bin/env bash
#
# Cancels jobs.
#
#   usage: bash slurm_cancel.sh [JOB]...
#
#     JOB   the id of a job
#
#   prints: what scancel complains of
#   exits with: 0 if all went well; 1 if scancel failed, be it because a job is over

complaint=
for job in "$@"; do
  timeout -k 5 30 scancel "$job" || complaint=yes
done 2>&1
[[ -z $complaint ]]
