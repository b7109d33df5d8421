#!/usr/bin/env bash
#
# Asks managers on this machine to leave: they take no more tasks, and after a grace they end those that still run.
#
#   usage: bash stop.sh ENVIRONMENT ID [MANAGER]...
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     MANAGER       the id of a manager
#
#   exits with: 0, also if a manager is not there; FOREIGN

readonly FOREIGN=6
environment=$1 id=$2
shift 2

# ask_to_leave MANAGER: send TERM to its processes, which are known by their command line: it has what the id begins
# with, the submission and the element.
ask_to_leave() {
  local process line stem=${1%-"$id"}
  stem=${stem%-r*}
  for process in /proc/[0-9]*; do
    line=$(tr '\0' ' ' 2>/dev/null <"$process/cmdline")
    if [[ $line == *"/exec/manager.sh $stem "* && $line == *"$PWD/exec/"* ]]; then
      kill -TERM "${process#/proc/}" 2>/dev/null
    fi
  done
}

cd -- "$environment" 2>/dev/null || exit 0
[[ ! -e exec || -e exec/id.$id ]] || exit "$FOREIGN"
for manager in "$@"; do
  ask_to_leave "$manager"
done
exit 0
