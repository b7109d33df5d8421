# ==== one task ==============================================================================================
# launch SANDBOX COMMAND: start the command in its sandbox, in a process group of its own; set PID.
# A plain program call replaces the forked shell itself; anything else gets a fresh bash, so that nothing of this
# script (variables, functions, $$) can be seen from it.
launch() {
  (
    trap - TERM HUP INT USR1 USR2
    cd -P -- "$1" || exit 126
    if ((IS_DIRECT)); then
      shopt -u dotglob nullglob # as a fresh bash has it
      eval "exec $2"
    fi
    exec ${HIDDEN[@]+env "${HIDDEN[@]}"} ${CONTAINER[@]+"${CONTAINER[@]}"} bash -c -- "$2"
  ) </dev/null >"$1.log" 2>&1 {TICK}>&- &
  PID=$!
}

# await: wait for PID to end; set STATUS. What it left running is killed.
# `wait` also returns, with a status over 128, while the task is stopped.
await() {
  wait "$PID"
  STATUS=$?
  while ((STATUS > 128)) && kill -0 "$PID" 2>/dev/null; do
    sleep 0.1
    wait "$PID"
    STATUS=$?
  done
  if ((STATUS > 128)); then
    wait "$PID" # it ended in the meantime: bash remembers how
    STATUS=$?
  fi
  kill -KILL -- "-$PID" 2>/dev/null
}

# look_for_outputs SANDBOX OUTPUT...: set FOUND to a 1 or 0 for each, ABSENT to the number of those that are not there.
look_for_outputs() {
  local sandbox=$1 output
  FOUND=
  ABSENT=0
  shift
  for output in "$@"; do
    if [[ -e $sandbox/$output ]]; then
      FOUND+="1"
    else
      FOUND+="0"
      ((ABSENT++))
    fi
  done
}

# judge: from STATUS, ABSENT and what the main process did to PID, set STATE and REASON.
judge() {
  local what='' pid=''
  if [[ -e $RUN/kill.$SLOT ]]; then
    read -r what pid <"$RUN/kill.$SLOT"
  elif ((STATUS + ABSENT == 0)); then
    STATE="done" REASON="" # as most do
    return
  fi
  if ((STATUS == 143)) && [[ $pid != "$PID" ]]; then
    sleep 1.5 # SLURM sends TERM to all of us at once: let the main process tell
  fi
  STATE=failed
  if [[ $pid == "$PID" && $what == timeout ]]; then
    REASON="timeout after $TIMEOUT_TEXT"
  elif [[ $pid == "$PID" ]] || { ((STATUS > 128)) && is_leaving; }; then
    STATE=interrupted REASON=interrupted
  elif ((STATUS > 128 && STATUS < 193)); then
    REASON="signal $((STATUS - 128))"
  elif ((STATUS != 0)); then
    REASON="exit $STATUS"
  elif ((ABSENT > 0)); then
    REASON="missing output"
  else
    STATE="done" REASON=""
  fi
}

# run_task TASK COMMAND OUTPUT...: run it, again if RETRIES allow, and record each attempt.
run_task() {
  local task=$1 command=$2 attempt=1 name start begun seconds log
  shift 2
  while :; do
    name=$task
    if ((attempt > 1)); then
      name=$task.$attempt
      remake_sandbox "$task" "$attempt"
    fi
    clock
    start=$NOW_US
    format_us begun "$start"
    record began "$CLAIM" "$task" "$attempt" "$begun"
    attempt_in "$SANDBOXES/$name" "$command" "$@"
    if [[ $STATE == failed ]] && ((attempt <= RETRIES)); then
      STATE=retry
    fi
    log=0
    if [[ -s $SANDBOXES/$name.log ]]; then
      log=1
    fi
    finish_attempt "$@"
    if [[ $STATE != retry ]] || is_leaving; then
      break
    fi
    ((attempt++))
  done
}

# attempt_in SANDBOX COMMAND OUTPUT...: run the command once; set STATE, REASON, STATUS, FOUND and NOW_US.
attempt_in() {
  local sandbox=$1 command=$2
  shift 2
  if [[ ! -d $sandbox ]]; then
    look_for_outputs "$sandbox" "$@"
    STATE=failed STATUS=126 REASON="the sandbox could not be made"
    return
  fi
  launch "$sandbox" "$command"
  # written over in place, for many a file system waits for the disk when a file is emptied
  printf '%-10s %s %-10s\n' "$PID" "$start" "$PID" 1<>"$RUN/slot.$SLOT"
  await
  clock
  look_for_outputs "$sandbox" "$@"
  judge
}

# finish_attempt OUTPUT...: bring home what shall stay and record the end; works on the variables of run_task.
finish_attempt() {
  if [[ $SANDBOXES != "$WORK" ]] && ! bring_home "$name"; then
    STATE=failed REASON="results could not be copied from scratch"
  fi
  format_us seconds "$((NOW_US - start))"
  record ended "$CLAIM" "$task" "$attempt" "$STATE" "$STATUS" "$begun" "$seconds" "$FOUND" "$log" "$REASON"
  tidy "$WORK/$name" "$STATE" "$log" "$@"
  ((BREAKER_OFF)) || trip_breaker "$((NOW_US - start))"
}
