#!/usr/bin/env bash
#
# Cancels what still waits of a job array; what runs goes on.
#
#   usage: bash slurm_cancel_waiting.sh JOB
#
#     JOB   the id of the array
#
#   exits with: 0, also if scancel failed

job=$1

timeout -k 5 30 scancel --state=PENDING "$job"
exit 0
