# ==== one task ==============================================================================================
# bash copies a function each time it is called, and after a fork it pays for every page of memory that it writes to. So
# what all tasks need stands in run_task and run_attempt; what only some need has functions of its own. For the same
# reason few variables are declared local; but a slot is a process of its own, and so are its variables.

# run_task LINE: run the task that a line of the plan describes, again if RETRIES allow.
run_task() {
  task=${1%%$'\t'*} rest=${1#*$'\t'*$'\t'} attempt=1 outputs=()
  command=${rest%%$'\t'*}
  [[ $command == *\\* ]] && unescape command
  while [[ $rest == *$'\t'* ]]; do
    rest=${rest#*$'\t'}
    output=${rest%%$'\t'*}
    [[ $output == *\\* ]] && unescape output
    outputs+=("$output")
  done
  sandbox=$SANDBOXES/$task
  run_attempt
  while [[ $STATE == retry ]] && ! is_leaving; do
    ((++attempt))
    sandbox=$SANDBOXES/$task.$attempt
    remake_sandbox 2>>"$COMPLAINTS"
    run_attempt
  done
}

# run_attempt: run the command of run_task in its sandbox, and record it; set STATE, REASON and STATUS.
# It becomes a process group of its own. A plain program call replaces the forked shell itself; anything else gets a
# fresh bash, so that nothing of this script (variables, functions, $$) can be seen from it.
run_attempt() {
  found='' absent=0 log=0 are_left=0
  begun=${EPOCHREALTIME:-$((EPOCH + SECONDS))}
  printf '%sbegan\t%s\t%s\t%s\t%s\t%s\t.\n' "$HELD" "$CLAIM" "$task" "$attempt" "$begun" "$LOG" >>"$CACHE" ||
    leave "$NO_RECORDS"
  (
    cd ${TREE:+-P} -- "$sandbox" || exit 126
    if ((IS_DIRECT)); then
      eval "exec $command"
    fi
    exec ${HIDDEN[@]+env "${HIDDEN[@]}"} ${CONTAINER[@]+"${CONTAINER[@]}"} bash -c -- "$command"
  ) >"$SANDBOXES/log.$LOG" 2>&1 &
  PID=$!
  printf '%-10s %20s\n' "$PID" "$begun" # for the main process; see look_after_tasks
  wait "$PID"
  STATUS=$?
  ((STATUS > 128)) && await
  disown "$PID" # or `kill` brings it back to bash's list of jobs, for ever, and all forks get slower
  kill -KILL -- "-$PID" && are_left=1
  ended=${EPOCHREALTIME:-$((EPOCH + SECONDS))}
  for output in ${outputs[@]+"${outputs[@]}"}; do
    if [[ -e $sandbox/$output ]]; then
      found+='1'
      STAYS+=("$WORK/${sandbox##*/}/${output%%/*}")
    else
      found+='0'
      absent=1
    fi
  done
  [[ -s $SANDBOXES/log.$LOG ]] && log=$LOG
  STATE="done" REASON=""
  if ((STATUS + absent > 0)) || [[ -e $RUN/kill.$SLOT ]]; then
    judge
  fi
  [[ $SANDBOXES == "$WORK" ]] || bring_home
  printf -v HELD 'ended\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t.\n' \
    "$CLAIM" "$task" "$attempt" "$STATE" "$STATUS" "$begun" "$ended" "$found" "$log" "$REASON"
  ((log + are_left == 0)) || next_log
  [[ $STATE == "done" && $KEEP != all && -n $found ]] || tidy
  ((BREAKER_OFF)) || trip_breaker
}

# await: wait for PID, once more, to end; set STATUS. `wait` also returns, with a status over 128, while it is stopped.
await() {
  while ((STATUS > 128)) && kill -0 "$PID"; do
    sleep 0.1
    wait "$PID"
    STATUS=$?
  done
  if ((STATUS > 128)); then
    wait "$PID" # it ended in the meantime: bash remembers how
    STATUS=$?
  fi
  if ((STATUS < 0 || STATUS == 127)); then
    STATUS=143 # or bash lost it: a signal for us came as the task ended, most likely of the same signal
  fi
}

# judge: from STATUS, what is absent and what the main process did to PID, set STATE and REASON.
judge() {
  local what='' pid=''
  if [[ -e $RUN/kill.$SLOT ]]; then
    read -r what pid <"$RUN/kill.$SLOT"
  fi
  if ((STATUS == 143)) && [[ $pid != "$PID" ]]; then
    sleep 1.5 # SLURM sends TERM to all of us at once: let the main process tell
  fi
  if [[ $pid == "$PID" && $what == timeout ]]; then
    STATE=failed REASON="timeout after $TIMEOUT_TEXT"
  elif [[ $pid == "$PID" ]] || { ((STATUS > 128)) && is_leaving; }; then
    STATE=interrupted REASON=interrupted
  elif ((STATUS > 128 && STATUS < 193)); then
    STATE=failed REASON="signal $((STATUS - 128))"
  elif ((STATUS == 126)) && [[ ! -d $sandbox ]]; then
    STATE=failed REASON="the sandbox could not be made"
  elif ((STATUS != 0)); then
    STATE=failed REASON="exit $STATUS"
  elif ((absent)); then
    STATE=failed REASON="missing output"
  fi
  may_retry
}

# may_retry: a failure may not be the last word.
may_retry() {
  if [[ $STATE == failed ]] && ((attempt <= RETRIES)); then
    STATE=retry
  fi
}

# next_log: what comes next prints to another file, for this one is taken, or somebody who was left may write to it.
next_log() {
  ((log)) || GOES+=("$SANDBOXES/log.$LOG")
  ((++LOG))
}
