# ==== broken nodes, broken commands =========================================================================
# A node on which everything fails would eat the swarm. If the last BREAKER tasks of a manager all failed within about a
# second each, or if far more fail here than elsewhere, the manager takes no more. If others are there, its failures are
# recorded as suspect, which makes them count for nothing, and the others run those tasks again.

# the reason to leave where the disk is full, or has no inodes left; and which disk, if it is not the environment's
readonly NO_SPACE="no space is left"
IN_SCRATCH=''

# leave_full REASON: leave, for something cannot be written to the environment. If it takes no more files, say so instead, and
# what helps.
leave_full() {
  local all='' free=''
  read -r all free < <(stat -f -c '%c %d' -- "$ROOT" 2>/dev/null)
  if [[ $all == *[1-9]* && $free == 0 ]]; then
    leave "$NO_SPACE for more files (inodes); with pack = true a swarm makes few"
  else
    leave "$1"
  fi
}

# leave_sandboxes: leave, for nothing can be written where sandboxes are.
leave_sandboxes() {
  if [[ -n $IN_SCRATCH ]]; then
    leave "$NO_SPACE$IN_SCRATCH"
  else
    leave_full "$NO_SPACE"
  fi
}

# has_space [FOLDER]: succeed if a new folder with something in it can be made there; not given: where sandboxes are.
has_space() {
  local probe=${1-$SANDBOXES}/probe.$SLOT
  {
    mkdir -p -- "$probe" && printf '%4096s' '' >"$probe/file"
    set -- "$?"
    rm -rf -- "$probe"
  } 2>/dev/null
  return "$1"
}

# count_failure: count a failure of run_task, and leave if there were too many.
count_failure() {
  local failures
  if ((MAX_FAILURES > 0)); then
    printf x >>"$RUN/failed" || leave_notes
    read -r failures <"$RUN/failed"
    if ((${#failures} + $(failed_elsewhere) >= MAX_FAILURES)); then
      leave "too many failures"
    fi
  fi
  ((BREAKER > 0)) && trip_breaker
}

# failed_elsewhere: print how many tasks have failed with other managers of this submit, as the main process saw last.
failed_elsewhere() {
  local failed_there=0
  read -r _ failed_there 2>/dev/null <"$RUN/others"
  printf '%d' "$failed_there"
}

# trip_breaker: count failures in a row; leave if they are too many.
trip_breaker() {
  local failures begun_us ended_us
  to_us begun_us "$begun"
  to_us ended_us "$ended"
  if ((ended_us - begun_us > 1500000)); then
    end_streak # something ran, whatever became of it
    return
  fi
  IS_FAILING=1
  printf x >>"$RUN/streak" || leave_notes
  read -r failures <"$RUN/streak"
  if ((${#failures} == 3 || ${#failures} == 0)) && ! has_space; then
    leave_sandboxes
  elif ((${#failures} >= BREAKER)); then
    if are_last_failed; then
      leave breaker
    else
      : >"$RUN/streak"
    fi
  fi
}

# end_streak: forget the failures so far.
end_streak() {
  IS_FAILING=0
  : >"$RUN/streak"
}

# are_last_failed: succeed if no task went well here since the last BREAKER failures, in any slot.
are_last_failed() {
  local failures=0 lines at PARTS
  mapfile -t lines < <(tail -c 65536 -- "$CACHE")
  for ((at = ${#lines[@]} - 1; at >= 0; at--)); do
    [[ ${lines[at]} == ended$'\t'* ]] || continue
    split "${lines[at]:0:120}" $'\t' # the state is the fifth of short fields
    [[ ${PARTS[4]-} == "done" ]] && return 1
    [[ ${PARTS[4]-} == failed ]] && ((++failures >= BREAKER - SLOTS)) && return 0 # each slot holds back its latest
  done
  return 0
}

# is_bad_node: succeed if, with the main process's counts, far more fails here than elsewhere: at least 8 tasks have
# ended here since the window began, three in four failed, and elsewhere not one in eight.
is_bad_node() {
  local ended=$((DONE_HERE + FAILED_HERE - WINDOW_DONE - WINDOW_FAILED)) failed=$((FAILED_HERE - WINDOW_FAILED))
  ((BREAKER > 0 && ended >= 8)) || return
  if ((failed * 4 >= ended * 3)); then
    count_others
    ((DONE_THERE >= 8 && FAILED_THERE * 8 <= DONE_THERE))
    return
  fi
  # what was long ago says nothing of now
  WINDOW_DONE=$DONE_HERE WINDOW_FAILED=$FAILED_HERE
  return 1
}

# count_others: set DONE_THERE and FAILED_THERE to what other managers of this submit have published with their
# heartbeats, and ARE_OTHERS to 1 if some of them have not left.
count_others() {
  local file beat done_count failed_count
  DONE_THERE=0 FAILED_THERE=0 ARE_OTHERS=0
  for file in "$ROOT/exec/beats/$SUBMISSION"-*-"$ENVIRONMENT_ID"; do
    [[ $file == */"$MANAGER" || ! -e $file ]] && continue
    read -r beat done_count failed_count _ 2>/dev/null <"$file"
    [[ $beat$done_count$failed_count =~ ^[0-9]+$ ]] || continue
    ((DONE_THERE += done_count, FAILED_THERE += failed_count))
    [[ -e $file.end ]] || ARE_OTHERS=1
  done
  note_others "$DONE_THERE" "$FAILED_THERE"
}

# mark_suspects: if it was not for the tasks, and others can run them again, record that the failures of this manager
# count for nothing, and take the marks of what has ended from their chunks. Where there was no space, they are the latest.
mark_suspects() {
  local line kind claim task attempt state END START PAST suspects=() reason=''
  read -r reason 2>/dev/null <"$RUN/leave"
  [[ $reason == breaker || $reason == "bad node" || $reason == "$NO_SPACE"* ]] || return
  count_others
  ((ARE_OTHERS || DONE_THERE > 0)) || [[ $reason == "$NO_SPACE"* ]] || return
  while IFS=$'\t' read -r kind claim task attempt state _; do
    [[ $kind.$state != ended.done || $reason != "$NO_SPACE"* ]] || suspects=()
    [[ $kind.$state == ended.failed ]] || continue
    printf -v line 'suspect\t%s\t%s\t%s\t.\n' "$claim" "$task" "$attempt"
    suspects+=("$line")
  done <"$CACHE"
  for line in ${suspects[@]+"${suspects[@]}"}; do
    claim=${line#*$'\t'}
    name_end "$((10#${claim%%.*}))"
    name_past "$((10#${claim%%.*}))"
    [[ ! -e $END ]] || rm -f -- "$END" "$PAST"
    printf '%s' "$line" >>"$CACHE"
  done
}
