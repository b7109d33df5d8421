#!/usr/bin/env bash
#
# Prints the states of jobs in SLURM.
#
#   usage: bash slurm_queue.sh JOBS
#
#     JOBS   their ids, with commas between
#
#   prints: a line for each job or element of an array: ID|ARRAY|INDEX|STATE|NODES|REASON; the reason is free text
#   exits with: what squeue does

jobs=$1
timeout 30 squeue -h -r -t all -j "$jobs" -o '%i|%F|%K|%T|%N|%r'
