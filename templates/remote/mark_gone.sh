#!/usr/bin/env bash
#
# Ends what managers of this machine left running whose main process is gone, and marks them as having left, so that no
# manager waits for them. One whose main process is seen to be there is left alone.
#
#   usage: bash mark_gone.sh ENVIRONMENT ID [MANAGER]...
#
#     ENVIRONMENT   the folder of the swarm
#     ID            the id of the environment
#     MANAGER       the id of a manager; one that has written no record yet is passed over
#
#   exits with: 0; FOREIGN

readonly FOREIGN=6
environment=$1 id=$2
shift 2

# is_manager PROCESS STEM: succeed if a process is the manager, or a slot of it, whose command line has STEM, what its id
# begins with: the submission and the element.
is_manager() {
  [[ $(tr '\0' ' ' <"$1/cmdline") == *"$script $2 "* ]]
}

# end_rest STEM LEADER: kill what is left in the session of the process LEADER, which was the manager. Its slots go
# first, or they would take the end of their tasks for a failure. Tasks are the other processes whose folder is in this
# environment.
end_rest() {
  local process line session tasks=()
  for process in /proc/[0-9]*; do
    read -r line <"$process/stat" || continue
    read -r _ _ _ session _ <<<"${line##*) }"
    [[ $session == "$2" ]] || continue
    if is_manager "$process" "$1"; then
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
[[ ! -e exec || -e exec/id.$id ]] || exit "$FOREIGN"
exec 2>/dev/null # processes come and go while they are looked at
real=$(pwd -P) script=$PWD/exec/manager.sh
for manager in "$@"; do
  IFS=$'\t' read -r _ _ host leader _ <"exec/cache/$manager.tsv" || continue
  if [[ $host == "${HOSTNAME:-localhost}" ]]; then
    stem=${manager%-"$id"}
    stem=${stem%-r*}
    is_manager "/proc/$leader" "$stem" && continue
    end_rest "$stem" "$leader"
    remove_notes "$manager"
  fi
  : >"exec/beats/$manager.end"
done
exit 0
