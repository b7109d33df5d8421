#!/usr/bin/env bash
#
# Starts a manager where there is no scheduler; made by locusts_fab.
#
#   usage: bash start.sh MANAGER_ID

# what the config asks for as `setup`
module load openmpi
export TOOLS=~/tools

exec bash '/scratch/me/it'\''s/exec/manager.sh' "$1"
