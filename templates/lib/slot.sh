# ==== one slot ==============================================================================================
# A slot runs one task at a time. It walks through its part of the plan, takes what nobody has taken, and at the end
# looks for what managers that died or left have not finished.

# is_leaving: no more tasks shall be taken: the main process says so, a newer submit or a cancel does, or the main
# process is no more.
is_leaving() {
  [[ -e $RUN/leave || -e $ROOT/exec/stop.$SUBMISSION ]] || ! kill -0 "$MAIN_PID" 2>/dev/null
}

# leave REASON: ask every slot of this manager to take no more tasks; the first reason stands.
leave() {
  if [[ ! -e $RUN/leave ]]; then
    printf '%s\n' "$1" >"$RUN/leave"
  fi
}

# trip_breaker MICROSECONDS: count failures from the start on; if the first BREAKER tasks all failed, each within
# about a second, then the node or the command is broken, and going on would only burn the swarm.
trip_breaker() {
  local failures
  if [[ $STATE == retry || $STATE == interrupted ]]; then
    return
  fi
  if [[ $STATE == "done" || -e $RUN/works ]] || (($1 > 1500000)); then
    BREAKER_OFF=1
    : >"$RUN/works"
    return
  fi
  printf x >>"$RUN/failures"
  read -r failures <"$RUN/failures"
  if ((${#failures} >= BREAKER)); then
    leave breaker
  fi
}

# read_chunk CHUNK: set TASKS, COMMANDS and OUTPUTS (tab-separated) from the plan; a line is TASK ID COMMAND OUTPUT...
# Fails if the plan cannot be read.
read_chunk() {
  local line rest file
  printf -v file '%s/exec/plan/%06d' "$ROOT" "$1"
  TASKS=() COMMANDS=() OUTPUTS=()
  while IFS= read -r line; do
    TASKS+=("${line%%$'\t'*}")
    rest=${line#*$'\t'}      # without the number
    rest=${rest#*$'\t'}$'\t' # without the id, and each field ended by a tab
    COMMANDS+=("${rest%%$'\t'*}")
    OUTPUTS+=("${rest#*$'\t'}")
  done <"$file"
}

# drop_ended CHUNK: take out of TASKS, COMMANDS and OUTPUTS what earlier owners of the chunk have brought to an end.
drop_ended() {
  local index ENDED
  ended_tasks "$1"
  for index in "${!TASKS[@]}"; do
    if [[ $ENDED == *" ${TASKS[index]} "* ]]; then
      unset "TASKS[index]" "COMMANDS[index]" "OUTPUTS[index]"
    fi
  done
}

# work_chunk CHUNK GENERATION: run the tasks of a chunk that we own.
work_chunk() {
  local index command output rest outputs
  printf -v CLAIM '%06d.%d' "$1" "$2"
  WORK=$ROOT/work/$CLAIM
  SANDBOXES=$WORK
  if ! read_chunk "$1"; then
    leave "the plan cannot be read"
    return
  fi
  if (($2 > 1)); then
    drop_ended "$1"
  fi
  mkdir -p -- "$WORK"
  if [[ -n $SCRATCH_DIR ]]; then
    SANDBOXES=$SCRATCH_DIR/$CLAIM
    mkdir -p -- "$SANDBOXES"
  fi
  if ((${#TASKS[@]} > 0)); then
    make_sandboxes "${TASKS[@]}"
  fi
  for index in "${!TASKS[@]}"; do
    if is_leaving; then
      sweep
      return
    fi
    command=${COMMANDS[index]}
    [[ $command == *\\* ]] && unescape command
    outputs=()
    rest=${OUTPUTS[index]}
    while [[ -n $rest ]]; do
      output=${rest%%$'\t'*}
      rest=${rest#*$'\t'}
      [[ $output == *\\* ]] && unescape output
      outputs+=("$output")
    done
    run_task "${TASKS[index]}" "$command" ${outputs[@]+"${outputs[@]}"}
  done
  sweep
  if ! is_leaving; then
    finish_chunk "$1"
  fi
}

# walk: from the slot's own starting point on, take every chunk that is free. Where somebody was quicker, leap ahead,
# further each time: the slots of many nodes spread out instead of running after each other.
walk() {
  local chunk=$((FIRST_CHUNK + OFFSET)) leap=1
  while ((chunk <= LAST_CHUNK)); do
    is_leaving && return
    if is_claimed "$chunk"; then
      ((chunk++))
    elif claim "$chunk" 1; then
      work_chunk "$chunk" 1
      leap=1
      ((chunk++))
    else
      ((chunk += leap, leap = leap < 16 ? leap * 2 : 16))
    fi
  done
}

# take_over: go through all chunks once more; run what was never taken or whose owner is gone.
# Set WATCHED to the chunks whose owners have to be watched a little longer before that is known.
take_over() {
  local chunk
  WATCHED=()
  for ((chunk = FIRST_CHUNK; chunk <= LAST_CHUNK; chunk++)); do
    is_leaving && return
    if ! is_claimed "$chunk"; then
      claim "$chunk" 1 && work_chunk "$chunk" 1
      continue
    fi
    find_lease "$chunk" || continue
    judge_holder "$HOLDER"
    if [[ $VERDICT == gone ]] && may_take_over; then
      claim "$chunk" "$((GENERATION + 1))" && work_chunk "$chunk" "$((GENERATION + 1))"
    elif [[ $VERDICT == unsure ]]; then
      WATCHED+=("$chunk")
    fi
  done
}

# pause: give the owners of WATCHED time to show that they live; no longer than until they are done, or we leave.
pause() {
  local until=$((SECONDS + BEAT_S)) chunk mark
  while ((SECONDS < until)) && ! is_leaving; do
    sleep 1
    for chunk in "${WATCHED[@]}"; do
      printf -v mark '%s/exec/claims/%06d.end' "$ROOT" "$chunk"
      [[ -e $mark ]] || continue 2
    done
    return
  done
}

# slot_main INDEX: the life of one slot, in a subshell of its own.
slot_main() {
  local GENERATION HOLDER VERDICT WATCHED=() BREAKER_OFF=$((BREAKER == 0))
  local TASKS COMMANDS OUTPUTS CLAIM WORK SANDBOXES RUBBISH=()
  local PID STATUS STATE REASON FOUND ABSENT NOW_US
  local -A BEAT_SEEN=() BEAT_SINCE=()
  SLOT=$1
  OFFSET=$((ELEMENT * SLOTS + SLOT))
  if ((OFFSET > LAST_CHUNK - FIRST_CHUNK)); then
    OFFSET=0
  fi
  OWNER=$ROOT/exec/claims/owner.$MANAGER.$SLOT
  printf '%s %s\n' "$MANAGER" "$SLOT" >"$OWNER"
  shopt -s dotglob nullglob      # in a sandbox, `*` is all that is in it
  set -m                         # every command in a process group of its own, which is what job control means here
  trap '' TERM HUP INT USR1 USR2 # the main process decides, and nothing that we do is cut short
  walk
  take_over
  while ((${#WATCHED[@]} > 0)) && ! is_leaving; do
    pause
    take_over
  done
  kill -0 "$MAIN_PID" 2>/dev/null || rm -rf -- "$RUN" # nobody else is left to do it
}
