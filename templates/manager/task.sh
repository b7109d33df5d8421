# ==== one task ==============================================================================================
# bash copies a function each time it is called, and after a fork it pays for every page of memory that it writes to. So
# what every task needs stands in run_task, and what only some need has functions of its own. For the same reason few
# variables are declared local; but a slot is a process of its own, and so are its variables.

# the reason of a task that was interrupted though it had most of its manager's time; see TaskReason in model/tasks.py
readonly OUT_OF_TIME_REASON="interrupted: out of time"

# the reason of one that SIGPIPE ended within a pipe; see TaskReason in model/tasks.py
# shellcheck disable=SC2016 # the user's `|| [[ $? == 141 ]]`
readonly PIPE_REASON='exit 141: a program in a pipe wrote to one that had ended (as with `| head`); end that pipe with `|| [[ $? == 141 ]]`, or set strict = false'

# how the bash of a task is started
STRICTLY=(+e)
((STRICT == 0)) || STRICTLY=(-e -o pipefail)
readonly STRICTLY

# lines longer than this are split in another way: what is done below by patterns takes the square of their length
readonly LONG=4000

# number_of LINE: set NUMBER to the task's in a line of the plan.
number_of() {
  NUMBER=${1:0:20}
  NUMBER=${NUMBER%%$'\t'*}
}

# read_task LINE: set task, LOCUSTS_TASK (its id), command and outputs from a line of the plan, as manager/planfile.py
# writes it.
read_task() {
  if ((${#1} > LONG)); then
    read_long_task "$1"
    return
  fi
  task=${1%%$'\t'*} rest=${1#*$'\t'} outputs=()
  LOCUSTS_TASK=${rest%%$'\t'*} rest=${rest#*$'\t'}
  [[ $LOCUSTS_TASK == *\\* ]] && unescape LOCUSTS_TASK
  command=${rest%%$'\t'*}
  [[ $command == *\\* ]] && unescape command
  while [[ $rest == *$'\t'* ]]; do
    rest=${rest#*$'\t'}
    output=${rest%%$'\t'*}
    [[ $output == *\\* ]] && unescape output
    outputs+=("$output")
  done
}

# read_long_task LINE: the same.
read_long_task() {
  local PARTS
  split "$1" $'\t'
  task=${PARTS[0]} LOCUSTS_TASK=${PARTS[1]} command=${PARTS[2]} outputs=()
  [[ $LOCUSTS_TASK == *\\* ]] && unescape LOCUSTS_TASK
  [[ $command == *\\* ]] && unescape command
  for output in "${PARTS[@]:3}"; do
    [[ $output == *\\* ]] && unescape output
    outputs+=("$output")
  done
}

# run_task: run the task that read_task has read, again if RETRIES allow; record each attempt.
# An attempt sets STATE, REASON and STATUS. Its command becomes a process group of its own.
run_task() {
  attempt=1 LOCUSTS_ATTEMPT=1 sandbox=$SANDBOXES/$task
  while :; do
    # shellcheck disable=SC2034 # FROM is for pack.sh
    FROM=${#STAYS[@]} log_file=$SANDBOXES/log.$LOG found='' absent=0 log=0 are_left=0 STATE="done" REASON='' STATUS=0 cpu='' peak=''
    begun=${EPOCHREALTIME:-$((EPOCH + SECONDS))}
    if ((${#HELD} > AT_ONCE_CHARACTERS)); then
      append_all
    else
      printf '%sbegan\t%s\t%s\t%s\t%s\t%s\t.\n' "$HELD" "$CLAIM" "$task" "$attempt" "$begun" "$LOG" >>"$CACHE"
    fi || {
      give_back
      return
    }

    [[ -n $SPENT ]] || count_cpu
    if cd ${TREE:+-P} -- "$sandbox"; then
      # a plain call of a program needs no shell but this one, and no fork costs bash less than that of such a line
      { ((IS_DIRECT)) && eval '>"$log_file" 2>&1 '"$ASSIGNMENTS$command &"; } || start_bash
      PID=$!
      printf '%-10s %20s %10s %10s %9s\n' "$PID" "$begun" "$DONE_COUNT" "$FAILED_COUNT" "$((PID + DONE_COUNT + FAILED_COUNT))" \
        1<>"$RUN/slot.$SLOT" || end_unnoted # as show_running does, sooner
      wait "$PID" || await
      disown "$PID" # or `kill` brings it back to bash's list of jobs, for ever, and all forks get slower
      kill -KILL -- "-$PID" && are_left=1
    else
      PID=0 STATUS=126
    fi
    ended=${EPOCHREALTIME:-$((EPOCH + SECONDS))}
    if [[ -n $USAGE ]]; then
      read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ user system _ <"$USAGE"
      ((cpu = user + system - SPENT, SPENT += cpu))
    fi
    ((${ended%%[^0-9]*} == ${begun%%[^0-9]*})) || find_peak

    if ((HAS_PATTERNS)); then
      unharmed find_outputs
      SPENT=''
    else
      for output in ${outputs[@]+"${outputs[@]}"}; do
        if [[ -e $sandbox/$output ]]; then
          found+='1'
          if ((PACK)); then STAYS+=("${sandbox##*/}/$output"); else STAYS+=("$WORK/${sandbox##*/}/${output%%/*}"); fi
        else
          found+='0'
          absent=1
        fi
      done
    fi
    if ((STATUS + absent + are_left + IS_FAILING + SETTLE_ALL > 0)) || [[ -z $found || -s $log_file || -e $RUN/kill.$SLOT ]]; then
      unharmed settle
    fi
    if ((PACK)); then
      hold
    else
      printf -v HELD '%sended\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t.\n' \
        "$MATCHED" "$CLAIM" "$task" "$attempt" "$STATE" "$STATUS" "$begun" "$ended" "$found" "$log" "$cpu:$peak" "$REASON"
    fi
    if [[ $STATE == "done" ]]; then
      ((++DONE_COUNT))
      return
    fi
    [[ $STATE != failed ]] || ((++FAILED_COUNT))
    if [[ $STATE != retry ]] || is_leaving; then
      return
    fi
    unharmed prepare_another
  done
}

# append_all: append what is held back and the beginning of the attempt of run_task, where that may be more than is written at once.
append_all() {
  local line
  printf -v line 'began\t%s\t%s\t%s\t%s\t%s\t.\n' "$CLAIM" "$task" "$attempt" "$begun" "$LOG"
  append "$HELD$line"
}

# give_back: the beginning of the task of run_task cannot be recorded, so it is not run. What is held back is tried once
# more later, on a line of its own, for some of it may have been written.
give_back() {
  leave "$NO_RECORDS"
  GOES+=("$sandbox")
  [[ -z $HELD ]] || HELD=$'\n'$HELD
}

# start_bash: start the command of run_task in a fresh bash, in the container if there is one, so that nothing of this
# script (variables, functions, $$) can be seen from it.
start_bash() {
  # the parentheses leave SHLVL alone: at 1 a bash that was reached over SSH would run the user's ~/.bashrc
  (eval "$ASSIGNMENTS"'exec "${SHELL_WORDS[@]}" "$command"') >"$log_file" 2>&1 &
}

# end_unnoted: the main process cannot be told that the task of run_task runs, so nobody would end it. It is interrupted.
end_unnoted() {
  leave_notes
  kill -KILL -- "-$PID"
}

# prepare_another: prepare another attempt of run_task.
prepare_another() {
  LOCUSTS_ATTEMPT=$((++attempt))
  sandbox=$SANDBOXES/$task.$attempt
  remake_sandbox 2>>"$COMPLAINTS"
}

# settle: finish an attempt of run_task that did more or less than to leave its outputs, or that must be looked at
# anyway.
settle() {
  SPENT='' # what is done here may need a program
  if [[ -s $log_file ]]; then
    log=$LOG
  fi
  if ((STATUS + absent > 0)) || [[ -e $RUN/kill.$SLOT ]]; then
    judge
  fi
  if ((PACK == 0)) && [[ $SANDBOXES != "$WORK" ]]; then
    bring_home
  fi
  if [[ $STATE != "done" ]] && is_disowned; then
    STATE=interrupted REASON=interrupted
  fi
  if ((log + are_left > 0)); then
    next_log
  fi
  ((PACK)) || tidy
  if [[ $STATE == failed ]]; then
    count_failure
  elif [[ $STATE == "done" ]] && ((IS_FAILING)); then
    end_streak
  fi
}

# await: set STATUS to what `wait` returned, which was not 0. With a status over 128 it also returns when the task was
# merely stopped, or a signal came for us; then wait once more for PID to end.
await() {
  STATUS=$?
  if ((STATUS <= 128)); then
    return
  fi
  while ((STATUS > 128)) && kill -0 "$PID"; do
    ((PACK)) && unharmed pack_meanwhile # it may be for this that we were called
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

# judge: from STATUS, what is absent and what the main process did to PID, set STATE and REASON. The first words of each
# reason are those of TaskReason in model/tasks.py, by which `collect` judges.
judge() {
  local pid='' start='' what='' is_told=0
  if [[ -e $RUN/kill.$SLOT ]]; then
    read -r pid start what <"$RUN/kill.$SLOT"
    [[ $pid != "$PID" || $start != "$begun" ]] || is_told=1
  fi
  if ((STATUS == 143 && ! is_told)); then
    sleep 1.5 # a scheduler sends TERM to all of us at once: let the main process say which
  fi
  if ((is_told)) && [[ $what == timeout ]]; then
    STATE=failed REASON="timeout after $LIMIT_TEXT"
  elif ((is_told)) || { ((STATUS > 128)) && is_leaving; }; then
    STATE=interrupted REASON=interrupted
    ((! is_told)) || [[ $what != "out of time" ]] || judge_time
  elif ((STATUS == 141 && STRICT)) && [[ ${command//"||"/} == *"|"* ]]; then
    STATE=failed REASON=$PIPE_REASON
  elif ((STATUS > 128 && STATUS < 193)); then
    STATE=failed REASON="signal $((STATUS - 128))"
    ((STATUS != 137)) || judge_memory
  elif ((STATUS == 126)) && [[ ! -d $sandbox ]]; then
    judge_sandbox
  elif ((STATUS != 0)); then
    STATE=failed REASON="exit $STATUS"
  elif ((absent)); then
    STATE=failed REASON="missing output"
    ((are_empty == 0)) || REASON="missing or empty output"
  fi
  if [[ $STATE == failed && -s $log_file ]]; then
    add_last_words
  fi
  may_retry
}

# judge_time: the task was ended because our time was up, though it had had most of it. After MOST_TRIES turns like that
# it never fits one.
judge_time() {
  if ((${OUT_OF_TIME[$task]:-0} + 1 >= MOST_TRIES)); then
    STATE=failed REASON="longer than the job's time limit ($MOST_TRIES tries)"
  else
    REASON=$OUT_OF_TIME_REASON
  fi
}

# judge_sandbox: the sandbox could not be made. If nothing can be made there at all, that is not for the task to answer
# for, and no other would fare better.
judge_sandbox() {
  if has_space; then
    STATE=failed REASON="the sandbox could not be made"
  else
    STATE=interrupted REASON=interrupted
    leave_sandboxes
  fi
}

# may_retry: turn a failure into a retry, if RETRIES allow.
may_retry() {
  if [[ $STATE == failed && $REASON != longer* ]] && ((attempt <= RETRIES)); then
    STATE=retry
  fi
}

# next_log: choose another file for what comes next, for this one is taken, or a process that was left may write to it.
next_log() {
  ((log)) || GOES+=("$SANDBOXES/log.$LOG")
  ((++LOG))
}
