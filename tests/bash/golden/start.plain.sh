#!/usr/bin/env bash
#
# Starts a manager where there is no scheduler; made by locusts_fab.
#
#   usage: bash start.sh MANAGER_ID

exec bash /scratch/me/locusts/pairs/exec/manager.sh "$1"
