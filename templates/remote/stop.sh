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

# shellcheck source=lib/is_manager.sh
. "${BASH_SOURCE[0]%/*}/lib/is_manager.sh"

# ask_to_leave MANAGER: send TERM to its processes.
ask_to_leave() {
  local process stem=${1%-"$id"}
  stem=${stem%-r*}
  for process in /proc/[0-9]*; do
    if is_manager "$process" "$stem"; then
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
