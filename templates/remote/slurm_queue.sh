#!/usr/bin/env bash
#
# Prints the states of jobs in SLURM.
#
#   usage: bash slurm_queue.sh JOBS
#
#     JOBS   their ids, with commas between
#
#   prints: a line for each job or element of an array: ID|ARRAY|INDEX|STATE|NODES|REASON; the reason is free text. Then
#     what squeue complains of, each line after "complaint "
#   exits with: what squeue does

jobs=$1

# ask: print the jobs. The two streams must not mix: a line of one may stand in the middle of a line of the other.
ask() {
  timeout -k 5 30 squeue -h -r -t all -j "$jobs" -o '%i|%F|%K|%T|%N|%r'
}

{
  complaint=$(ask 2>&1 >&3)
  status=$?
} 3>&1
[[ -z $complaint ]] || printf '%s\n' "$complaint" | sed 's/^/complaint /'
(exit "$status")
