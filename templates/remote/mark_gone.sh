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

# shellcheck source=lib/is_manager.sh
. "${BASH_SOURCE[0]%/*}/lib/is_manager.sh"

# shellcheck source=lib/remove.sh
. "${BASH_SOURCE[0]%/*}/lib/remove.sh"

# end_rest STEM LEADER: kill what is left in the session of the process LEADER, which was the manager. Its slots go
# first, or they would take the end of their tasks for a failure, and begin others meanwhile. Tasks are the other processes
# whose folder is in this environment, or in the scratch folder of that manager.
end_rest() {
  local process session what
  for what in slots tasks; do
    for process in /proc/[0-9]*; do
      find_session "$process" && [[ $session == "$2" ]] || continue
      if [[ $what == slots ]]; then
        is_manager "$process" "$1" && kill -KILL "${process#/proc/}"
      elif is_at_home "$process"; then
        kill -KILL "${process#/proc/}"
      fi
    done
  done
}

# find_session PROCESS: set session to that of a process.
find_session() {
  local line
  read -r line <"$1/stat" || return
  line=${line##*) } line=${line#* * * } # after the state, the parent and the group
  session=${line%% *}
}

# is_at_home PROCESS: succeed if its folder is in this environment, or in one of notes.
is_at_home() {
  local folder home
  folder=$(readlink "$1/cwd")
  for home in "$real" ${notes[@]+"${notes[@]}"}; do
    [[ $folder == "$home"/* ]] && return
  done
  return 1
}

# find_notes MANAGER: set notes to the folder of its own notes, and to its scratch folder, if they are ours.
find_notes() {
  local folder folders=()
  notes=()
  mapfile -t folders <"exec/beats/$1.run"
  for folder in ${folders[@]+"${folders[@]}"}; do
    [[ $folder == */locusts.?????? && -O $folder && ! -L $folder ]] && notes+=("$(cd -- "$folder" && pwd -P)")
  done
}

cd -- "$environment" 2>/dev/null || exit 0
[[ ! -e exec || -e exec/id.$id ]] || exit "$FOREIGN"
exec 2>/dev/null # processes come and go while they are looked at
real=$(pwd -P)
for manager in "$@"; do
  IFS=$'\t' read -r _ _ host leader _ <"exec/cache/$manager.tsv" || continue
  if [[ $host == "${HOSTNAME:-localhost}" ]]; then
    stem=${manager%-"$id"}
    stem=${stem%-r*}
    is_manager "/proc/$leader" "$stem" && continue
    find_notes "$manager"
    end_rest "$stem" "$leader"
    remove ${notes[@]+"${notes[@]}"}
  fi
  : >"exec/beats/$manager.end"
done
exit 0
