# ==== one slot ==============================================================================================
# A slot runs one task at a time. It walks through its part of the plan, takes what is not taken yet, and at the end
# looks for what managers that died or left have not finished.

# is_leaving: succeed if no more tasks shall be taken: the main process asked for that, a newer submit or a cancel did,
# or the main process has ended.
is_leaving() {
  [[ -e $RUN/leave || -e $ROOT/exec/stop.$SUBMISSION ]] || ! kill -0 "$MAIN_PID"
}

# leave REASON: ask every slot of this manager to take no more tasks; the first reason stands. Those that more than
# people read are in LeaveReason in model.py.
leave() {
  if [[ ! -e $RUN/leave ]]; then
    printf '%s\n' "$1" >"$RUN/leave"
  fi
}

# trip_breaker: count failures of run_task from the start on; if the first BREAKER tasks all failed, each within about a
# second, then the node or the command is broken, and going on would only burn the swarm.
trip_breaker() {
  local failures begun_us ended_us
  if [[ $STATE == retry || $STATE == interrupted ]]; then
    return
  fi
  to_us begun_us "$begun"
  to_us ended_us "$ended"
  if [[ $STATE == "done" || -e $RUN/works ]] || ((ended_us - begun_us > 1500000)); then
    BREAKER_ON=0
    : >"$RUN/works"
    return
  fi
  printf x >>"$RUN/failures"
  read -r failures <"$RUN/failures"
  if ((${#failures} >= BREAKER)); then
    leave breaker
  fi
}

# read_chunk CHUNK: set LINES from the plan; a line is TASK ID COMMAND OUTPUT..., with tabs between, as `plan_text` in
# manager/planfile.py writes it. Fail if the plan cannot be read.
read_chunk() {
  local file
  printf -v file '%s/exec/plan/%06d' "$ROOT" "$1"
  mapfile -t LINES <"$file"
}

# drop_ended CHUNK: take out of LINES what earlier owners of the chunk have brought to an end.
drop_ended() {
  local line left=() ENDED
  ended_tasks "$1"
  for line in "${LINES[@]}"; do
    [[ $ENDED == *" ${line%%$'\t'*} "* ]] || left+=("$line")
  done
  LINES=(${left[@]+"${left[@]}"})
}

# work_chunk CHUNK GENERATION: run the tasks of a chunk that we own.
work_chunk() {
  tasks=() ran=0 STAYS=() GOES=()
  printf -v CLAIM '%06d.%d' "$1" "$2"
  WORK=$ROOT/work/$CLAIM
  SANDBOXES=${SCRATCH_DIR:-"$ROOT/work"}/$CLAIM
  LOG=1
  if ! read_chunk "$1"; then
    leave "the plan cannot be read"
    return
  fi
  if (($2 > 1)); then
    drop_ended "$1"
  fi
  if ((${#LINES[@]} > 0)); then
    tasks=("${LINES[@]%%$'\t'*}")
    make_sandboxes "${tasks[@]}" 2>>"$COMPLAINTS"
    for line in "${LINES[@]}"; do
      is_leaving && break
      read_task "$line"
      run_task
      ((++ran))
    done
    write_held
    for task in "${tasks[@]:ran}"; do # those that have not run
      GOES+=("$SANDBOXES/$task")
    done
  fi
  GOES+=("$SANDBOXES/log.$LOG") # nothing was printed to it
  sweep 2>>"$COMPLAINTS"
  printf '%-10s %20s\n' 0 0 # nothing is running
  if ! is_leaving; then
    finish_chunk "$1"
  fi
}

# walk: from the slot's own starting point on, take every chunk that is free. Where another was quicker, leap ahead,
# further each time: the slots of many nodes spread out instead of running after each other.
walk() {
  chunk=$((FIRST_CHUNK + OFFSET)) leap=1
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

# take_over: go through all chunks once more, and run those that were never taken or whose owner is gone.
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

# slot_main INDEX: run one slot from start to end, in a subshell of its own.
slot_main() {
  SLOT=$1 WATCHED=() HELD='' BREAKER_ON=$((BREAKER > 0)) SETTLE_ALL=0
  if [[ $KEEP == all || -n $SCRATCH_DIR ]]; then
    SETTLE_ALL=1
  fi
  declare -gA BEAT_SEEN=() BEAT_SINCE=()
  OFFSET=$((ELEMENT * SLOTS + SLOT))
  if ((OFFSET > LAST_CHUNK - FIRST_CHUNK)); then
    OFFSET=0
  fi
  OWNER=$ROOT/exec/claims/owner.$MANAGER.$SLOT
  printf '%s %s\n' "$MANAGER" "$SLOT" >"$OWNER"
  exec </dev/null >"$RUN/slot.$SLOT" 2>/dev/null
  export -n OLDPWD              # the slot goes from sandbox to sandbox, which the tasks need not know
  set -m                        # every command in a process group of its own, which is what job control means here
  trap : TERM HUP INT USR1 USR2 # the main process decides; tasks get them as usual, for they are not ignored
  walk
  take_over
  while ((${#WATCHED[@]} > 0)) && ! is_leaving; do
    pause
    take_over
  done
  kill -0 "$MAIN_PID" || rm -rf -- "$RUN" # no other process is left to do it
}
