#!/usr/bin/env bash
#
# Prints what is new in an environment: the new bytes of the managers' cache files, whether each manager still runs, and
# the scheduler's answer about their jobs.
#
#   usage: bash poll.sh ENVIRONMENT ID SUBMISSIONS MARK MOST MANAGER_ID QUEUE JOBS [MANAGER OFFSET]...
#
#     ENVIRONMENT      the folder of the swarm
#     ID               the id of the environment
#     SUBMISSIONS      NUMBER:TOKEN of each submission that the client knows, with blanks around; of others nothing is told
#     MARK             a line to print between parts; no file holds it
#     MOST             print no more than so many bytes of all files together, but some of each
#     MANAGER_ID       the ids of managers, as a regular expression; other files are copies, or what an editor left
#     QUEUE            the text of the script that asks the scheduler for jobs; empty: there is no scheduler
#     JOBS             the jobs to ask for, with commas between; empty: do not ask
#     MANAGER OFFSET   the byte of this manager's file to begin with; -1: nothing more will come. Without it: 0
#
#   prints: "most BYTES", what is printed of one file at most; the numbers of submissions that the client does not know,
#     a line each; "told NUMBER" for each that it knows whose managers were told to take no more tasks; for each manager
#     MARK, the line
#     "MANAGER PROCESS BEAT", and the new bytes with a newline after them; at the end MARK, the exit status of QUEUE (a -
#     if nothing was asked), and what it printed.
#     PROCESS: alive, gone, or left; unknown where that cannot be seen from this machine
#     BEAT: the counter of its heartbeat
#     Where it is FOREIGN: for each id that is there a line of the id, and who made it
#     Where it is OPEN: the folder, its owner and its mode
#   exits with: NO_ENVIRONMENT if there is none for certain; FOREIGN; OPEN; 1 if that cannot be seen

readonly NO_ENVIRONMENT=3 FOREIGN=6 OPEN=8
environment=$1 id=$2 submissions=$3 mark=$4 most=$5 manager_id=$6 queue=$7 jobs=$8
shift 8
declare -A offset=()
while (($# > 0)); do
  offset[$1]=$2
  shift 2
done

# shellcheck source=lib/enter.sh
. "${BASH_SOURCE[0]%/*}/lib/enter.sh"

# shellcheck source=lib/tell_owner.sh
. "${BASH_SOURCE[0]%/*}/lib/tell_owner.sh"

# shellcheck source=lib/find_open.sh
. "${BASH_SOURCE[0]%/*}/lib/find_open.sh"

# find_strangers: print the submissions that the client does not know, and set STRANGE to them, with blanks around. They
# have another token: what others have done is not taken for ours because of a number.
find_strangers() {
  local folder number token
  STRANGE=' '
  for folder in started.*; do
    [[ -d $folder ]] || continue
    number=${folder#started.} token=
    read -r token 2>/dev/null <"$folder/token"
    if [[ $submissions != *" $number:$token "* ]]; then
      STRANGE+="$number "
      printf '%s\n' "$number"
    fi
  done
}

# find_told: print the submissions that the client knows and whose managers were told to take no more tasks.
find_told() {
  local word
  for word in $submissions; do
    [[ -e stop.${word%%:*} ]] && printf 'told %s\n' "${word%%:*}"
  done
}

# see_process MANAGER HOST PID: set PROCESS to what is seen of a manager from here. Its command line has what its id
# begins with: the submission and the element.
see_process() {
  local stem=${1%-"$id"}
  stem=${stem%-r*}
  PROCESS=unknown
  if [[ -e beats/$1.end ]]; then
    PROCESS=left
  elif [[ $2 == "${HOSTNAME:-localhost}" && -d /proc/self ]]; then
    PROCESS=gone
    if [[ -e /proc/$3/cmdline ]] && [[ $(tr '\0' ' ' <"/proc/$3/cmdline") == *manager.sh\ "$stem"\ * ]]; then
      PROCESS=alive
    elif [[ -e beats/$1.end ]]; then
      PROCESS=left # just now
    fi
  fi
}

# share_out: set MOST to what is printed of one file at most, and print it. A record is shorter than the least of it.
share_out() {
  local files=(cache/*.tsv) least=16384
  MOST=$((most / ${#files[@]}))
  ((MOST >= least || MOST >= most)) || MOST=$least
  printf 'most %s\n' "$MOST"
}

# print_news MANAGER OFFSET: print the part of one manager: what is new. Its file is opened and read, never judged by
# its size: on a network file system that may be old.
print_news() {
  local file=cache/$1.tsv host='' pid=0 beat=''
  IFS=$'\t' read -r -n 1000 _ _ host pid _ <"$file"
  [[ -e beats/$1 ]] && read -r -n 100 beat _ <"beats/$1"
  [[ $beat =~ ^[0-9]+$ ]] || beat=0
  see_process "$1" "$host" "$pid"
  printf '%s\n%s %s %s\n' "$mark" "$1" "$PROCESS" "$beat"
  tail -c "+$(($2 + 1))" -- "$file" | head -c "$MOST"
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

enter "$environment/exec" || exit "$NO_ENVIRONMENT"
cd ..
if find_open "$environment"; then
  printf '%s\n' "$OPENING"
  exit "$OPEN"
fi
[[ -e exec/id.$id ]] || tell_owner
cd -- ./exec || exit 1
share_out
find_strangers
find_told
for file in cache/*.tsv; do
  manager=${file#cache/}
  manager=${manager%.tsv}
  [[ -f $file && $manager =~ ^$manager_id$ && $STRANGE != *" ${manager%%-*} "* ]] || continue
  from=${offset[$manager]-0}
  ((from < 0)) || print_news "$manager" "$from"
done
print_queue
