#!/usr/bin/env bash
#
# Cancels of a job array what still waits; what runs goes on.
#
#   usage: bash slurm_cancel_waiting.sh JOB
#
#     JOB   what SLURM calls the array
#
#   exits with: 0, also if scancel failed

job=$1

timeout 30 scancel --state=PENDING "$job"
exit 0
