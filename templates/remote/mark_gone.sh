#!/usr/bin/env bash
#
# Ends what managers of this machine left running whose main process is gone, and marks them as having left, so that no
# manager waits for them.
#
#   usage: bash mark_gone.sh ENVIRONMENT [MANAGER]...
#
#     ENVIRONMENT   the folder of the swarm
#     MANAGER       the id of a manager; one that has written no record yet is passed over
#
#   exits with: 0

environment=$1
shift

# end_rest MANAGER LEADER: kill what is left in the session of the process LEADER, which was the manager. Its slots go
# first, or they would take the end of their tasks for a failure. Tasks are the other processes whose folder is in this
# environment.
end_rest() {
  local process line session tasks=()
  for process in /proc/[0-9]*; do
    read -r line <"$process/stat" || continue
    read -r _ _ _ session _ <<<"${line##*) }"
    [[ $session == "$2" ]] || continue
    if [[ $(tr '\0' ' ' <"$process/cmdline") == *"$script $1 "* ]]; then
      kill -KILL "${process#/proc/}"
    elif [[ $(readlink "$process/cwd") == "$real"/* ]]; then
      tasks+=("${process#/proc/}")
    fi
  done
  ((${#tasks[@]} > 0)) && kill -KILL "${tasks[@]}"
}

# remove_notes MANAGER: remove the folder of its own notes, if it is one of ours.
remove_notes() {
  local run=''
  read -r run <"exec/beats/$1.run"
  [[ $run == */locusts.?????? && -O $run ]] && rm -rf -- "$run"
}

cd -- "$environment" 2>/dev/null || exit 0
exec 2>/dev/null # processes come and go while they are looked at
real=$(pwd -P) script=$PWD/exec/manager.sh
for manager in "$@"; do
  IFS=$'\t' read -r _ _ _ leader _ <"exec/cache/$manager.tsv" || continue
  end_rest "$manager" "$leader"
  remove_notes "$manager"
  : >"exec/beats/$manager.end"
done
exit 0
