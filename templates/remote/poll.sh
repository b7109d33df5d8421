#!/usr/bin/env bash
#
# Prints what is new in an environment: the new bytes of the managers' cache files, whether each manager still runs, and
# the scheduler's answer about their jobs.
#
#   usage: bash poll.sh ENVIRONMENT MARK MOST MANAGER_ID QUEUE JOBS [MANAGER OFFSET]...
#
#     ENVIRONMENT      the folder of the swarm
#     MARK             a line to print between parts; no file holds it
#     MOST             print no more than so many bytes of a file
#     MANAGER_ID       the ids of managers, as a regular expression; other files are copies, or what an editor left
#     QUEUE            the text of the script that asks the scheduler for jobs; empty: there is no scheduler
#     JOBS             the jobs to ask for, with commas between; empty: do not ask
#     MANAGER OFFSET   the byte of this manager's file to begin with; -1: nothing more will come. Without it: 0
#
#   prints: for each manager MARK, the line "MANAGER PROCESS BEAT", and the new bytes with a newline after them;
#     at the end MARK, the exit status of QUEUE (a - if nothing was asked), and what it printed.
#     PROCESS: alive, gone, or left; unknown where that cannot be seen from this machine
#     BEAT: the counter of its heartbeat
#   exits with: NO_ENVIRONMENT

readonly NO_ENVIRONMENT=3
environment=$1 mark=$2 most=$3 manager_id=$4 queue=$5 jobs=$6
shift 6
declare -A offset=()
while (($# > 0)); do
  offset[$1]=$2
  shift 2
done

# see_process MANAGER HOST PID: set PROCESS to what is seen of a manager from here.
see_process() {
  PROCESS=unknown
  if [[ -e beats/$1.end ]]; then
    PROCESS=left
  elif [[ $2 == "${HOSTNAME:-localhost}" && -d /proc/self ]]; then
    PROCESS=gone
    if [[ -e /proc/$3/cmdline ]] && [[ $(tr '\0' ' ' <"/proc/$3/cmdline") == *manager.sh\ "$1"\ * ]]; then
      PROCESS=alive
    elif [[ -e beats/$1.end ]]; then
      PROCESS=left # just now
    fi
  fi
}

# print_news MANAGER OFFSET: print the part of one manager: what is new. Its file is opened and read, never judged by
# its size: on a network file system that may be old.
print_news() {
  local file=cache/$1.tsv host='' pid=0 beat=''
  IFS=$'\t' read -r -n 1000 _ _ host pid _ <"$file"
  [[ -e beats/$1 ]] && read -r -n 20 beat <"beats/$1"
  [[ $beat =~ ^[0-9]+$ ]] || beat=0
  see_process "$1" "$host" "$pid"
  printf '%s\n%s %s %s\n' "$mark" "$1" "$PROCESS" "$beat"
  tail -c "+$(($2 + 1))" -- "$file" | head -c "$most"
  printf '\n'
}

# print_queue: print the part of the scheduler.
print_queue() {
  local said='' status=-
  if [[ -n $queue && -n $jobs ]]; then
    said=$(set -- "$jobs" && eval "$queue")
    status=$?
  fi
  printf '%s\n%s\n%s\n' "$mark" "$status" "$said"
}

cd -- "$environment/exec" 2>/dev/null || exit "$NO_ENVIRONMENT"
for file in cache/*.tsv; do
  manager=${file#cache/}
  manager=${manager%.tsv}
  [[ -f $file && $manager =~ ^$manager_id$ ]] || continue
  from=${offset[$manager]-0}
  ((from < 0)) || print_news "$manager" "$from"
done
print_queue
