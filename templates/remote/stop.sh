#!/usr/bin/env bash
#
# Asks managers on this machine to leave: they take no more tasks, and after a grace they end those that still run.
#
#   usage: bash stop.sh ENVIRONMENT [MANAGER]...
#
#     ENVIRONMENT   the folder of the swarm
#     MANAGER       the id of a manager
#
#   exits with: 0, also if a manager is not there

environment=$1
shift

# ask_to_leave MANAGER: send TERM to its processes, which are known by their command line.
ask_to_leave() {
  local process line
  for process in /proc/[0-9]*; do
    line=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline")
    if [[ $line == *"/exec/manager.sh $1 "* && $line == *"$PWD/exec/"* ]]; then
      kill -TERM "${process#/proc/}" 2>/dev/null
    fi
  done
}

cd -- "$environment" 2>/dev/null || exit 0
for manager in "$@"; do
  ask_to_leave "$manager"
done
exit 0
