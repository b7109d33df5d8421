#!/usr/bin/env bash
#
# Starts a manager where there is no scheduler; made by locusts_fab.
#
#   usage: bash start.sh NAME
#
#     NAME   the submission and the number of the manager in it, such as 1-0

my_name=$1 my_manager=/scratch/me/locusts/pairs/exec/manager.sh

exec bash "$my_manager" "$my_name"
