#!/usr/bin/env bash
#
# The manager of one swarm: runs its tasks on this machine, each in a sandbox of its own.
# Made by locusts_fab; read it, but do not edit it: the next submit writes it anew.
#
#   usage: bash manager.sh NAME [NUMBER HOW TEXT WORDS SCRIPT]
#
#     NAME   the submission and the number of this manager in it, such as 1-0; its id is made of this
#     NUMBER HOW TEXT WORDS SCRIPT
#            run nothing, but record that an entry of `setup` failed: its number and text, how, what was printed last, and
#            the script that it stood in
#
# How it works: SLOTS loops run side by side. Each takes a chunk of the plan by creating a hard link under claims/
# (only one process can), makes the sandboxes of the chunk, runs its tasks one after another, and appends a line to
# cache/ID.tsv when a task begins and when it ended. That line, complete, is what makes a task count.
# The main process only looks after them: heartbeat, time-outs, leaving in order.
#
# Needs bash 4.2 and coreutils; tar, if inputs came as archives; GNU tar, with PACK. To stop it: kill -TERM its process, or `locusts cancel`.

set -u # a misspelt variable is a fault, not an empty word

# …the whole of templates/manager/environment.sh…

# ==== the settings of this manager ==========================================================================
# the environment of the swarm
readonly ROOT=/scratch/me/locusts/grid
# its own random id: files that bear another are none of our business
readonly ENVIRONMENT_ID=0123abcd
# the submit that this manager belongs to, and its part of the plan
readonly SUBMISSION=3 FIRST_CHUNK=813 LAST_CHUNK=900
# the first chunk of tasks that were lost with their managers before, and run one at a time
readonly ALONE_FROM=1000000
# the chunk of the task that comes after all others, 0: there is none
readonly FINAL_CHUNK=901
# 1: it runs only if all others are done; 1: it finds them by links; its time as for all others, see below
readonly FINAL_NEEDS_DONE=1 FINAL_LINKS=1
readonly FINAL_TIMEOUT_US=0 FINAL_TIMEOUT_TEXT='0 s'
# the name of the swarm, and how many CPUs each of its tasks may use
readonly SWARM_NAME=pairs TASK_CPUS=1
# the GPUs that a node has for us, and how many each task has for itself; 0: they are nothing to us
readonly GPUS=8 GPUS_PER_TASK=2
# 1: what tasks leave is packed into a file for each lease, work/CLAIM.tar, as a piece for many of them
readonly PACK=1
# 1: each slot has CPUs of its own
readonly PIN=1
# tasks at a time; 0: as many as there are CPUs for
SLOTS=4
# 1: sandboxes start with what is in inputs/
HAS_INPUTS=0
# 1: some outputs are more than names, such as patterns
readonly HAS_PATTERNS=1
# a folder that all tasks share, in place of sandboxes; empty: there is none
readonly TREE=''
# the program, if each command is one plain call of it, which needs no shell of its own
readonly PROGRAM=python3
# 1: in the bash of a task, a command that fails ends the task, also within a pipe
readonly STRICT=1
# further attempts after a failure
readonly RETRIES=2
# time for one attempt, in microseconds and in words; 0: no limit
readonly TIMEOUT_US=600000000 TIMEOUT_TEXT='600 s'
# the sandboxes that stay: none, failed, all
readonly KEEP=all
# stop if so many tasks in a row all fail at once; 0: never
readonly BREAKER=20
# stop if so many tasks of this submit have failed in all; 0: never
readonly MAX_FAILURES=0
# seconds between two heartbeats, and after how many a heartbeat that stands still means a dead manager
readonly BEAT_S=1 STALE_S=300
# on TERM, running tasks have so many seconds to end by themselves
readonly GRACE_S=5
# on USR1, the word ahead of a time limit, they have so many
readonly LAST_CALL_S=90
# node-local folders for sandboxes, of which the first that is there is used; none: in the environment
readonly SCRATCHES=('$TMPDIR' /tmp)
# the variables that the config gives the tasks as `env`, each as it stands before a command; they are not for this script
readonly TASK_ENV=('GREETING='\''it'\''\'\'''\''s me'\''' 'OMP_NUM_THREADS=1')
# the command that each task is wrapped in
readonly CONTAINER=(apptainer exec --nv '/data/my tools.sif')

# …the whole of templates/remote/lib/remove.sh…

# …the whole of templates/manager/clock.sh…

# …the whole of templates/manager/records.sh…

# …the whole of templates/manager/notes.sh…

# …the whole of templates/manager/claims.sh…

# …the whole of templates/manager/history.sh…

# …the whole of templates/manager/usage.sh…

# …the whole of templates/manager/sandbox.sh…

# …the whole of templates/manager/words.sh…

# …the whole of templates/manager/outputs.sh…

# …the whole of templates/manager/pack.sh…

# …the whole of templates/manager/given.sh…

# …the whole of templates/manager/gpus.sh…

# …the whole of templates/manager/cpus.sh…

# …the whole of templates/manager/pin.sh…

# …the whole of templates/manager/task.sh…

# …the whole of templates/manager/health.sh…

# …the whole of templates/manager/turn.sh…

# …the whole of templates/manager/walk.sh…

# …the whole of templates/manager/slot.sh…

# …the whole of templates/manager/final.sh…

# …the whole of templates/manager/unpack.sh…

# …the whole of templates/manager/slurm.sh…

# …the whole of templates/manager/setup.sh…

# …the whole of templates/manager/folders.sh…

# …the whole of templates/manager/main.sh…

main "$@"
