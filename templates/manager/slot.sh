# ==== one slot ==============================================================================================
# A slot runs one task at a time. It takes chunks of its part of the plan that nobody has (`walk`), and at the end looks
# for what managers or slots that died or left have not finished.

# A scheduler, or a person, may send a signal to all processes of a job at once. That is for the main process to decide on,
# and for the task at hand. The programs that a slot starts for itself must not be cut short by it, or a task would answer
# for a sandbox that was not made, or be run again because its record was not found; and in a subshell `trap` comes too
# late, for it may be killed before. So a slot is deaf, and what it starts too, except while tasks start and run.

# deafen: hear no signals any more.
deafen() {
  IS_DEAF=1
  trap '' TERM HUP INT QUIT USR1 USR2
}

# hear: let `wait` be interrupted by signals, so that tasks, which inherit what is ignored, get them as usual.
hear() {
  IS_DEAF=0
  trap : TERM HUP INT QUIT USR1 USR2
}

# unharmed COMMAND...: run it deaf.
unharmed() {
  local status
  if ((IS_DEAF)); then
    "$@"
    return
  fi
  deafen
  "$@"
  status=$?
  hear
  return "$status"
}

# is_leaving: succeed if no more tasks shall be taken: the main process asked for that, a newer submit or a cancel did,
# the environment was removed, others took us for dead, here or in the chunk at hand, or the main process has ended.
is_leaving() {
  [[ ! -e $RUN/go || -e $STOP || ! -e $ID || -e $GONE || -e $NEXT_LEASE ]] || ! kill -0 "$MAIN_PID" ||
    { ((SECONDS != LOOKED)) && is_orphan; }
}

# is_disowned: succeed if others may have removed what a task needs: its environment was removed, they took us for dead,
# or they will, since the main process has ended. Then no task answers for what is missing.
is_disowned() {
  [[ ! -e $RUN/leave || ! -e $ID || -e $GONE ]] || ! kill -0 "$MAIN_PID" || is_orphan
}

# is_orphan: succeed if the main process is a zombie, which `kill -0` takes for alive; looked at once a second.
is_orphan() {
  local line=''
  LOOKED=$SECONDS
  read -r line <"/proc/$MAIN_PID/stat"
  line=${line##*) }
  [[ ${line%% *} == [ZX] ]]
}

# leave REASON: ask every slot of this manager to take no more tasks; the first reason stands. Those that more than
# people read are in LeaveReason in model/swarms.py.
leave() {
  if [[ -e ${RUN:-/dev/null}/go ]]; then # there may be no folder for notes
    printf '%s\n' "$1" 1<>"$RUN/leave"
    rm -f -- "$RUN/go" # this works on a full disk too
  fi
}

# read_chunk CHUNK: set LINES from the plan, without the mark at the end of each; a line is TASK ID COMMAND OUTPUT...,
# with tabs between, as `plan_text` in manager/planfile.py writes it. Fail if not all of it is there: commands that were
# cut off must not run.
read_chunk() {
  local file last='' marked tab=$'\t'
  printf -v file '%s/exec/plan/%06d' "$ROOT" "$1"
  mapfile -t LINES <"$file" || return
  ((${#LINES[@]} > 1)) || return
  last=${LINES[-1]}
  unset "LINES[${#LINES[@]} - 1]"
  [[ $last == "end$tab${#LINES[@]}$tab$ENVIRONMENT_ID$tab." ]] || return
  marked=${LINES[*]}
  LINES=("${LINES[@]%"$tab."}")
  last=${LINES[*]}
  ((${#marked} == ${#last} + 2 * ${#LINES[@]})) # each had its mark
}

# work_chunk CHUNK GENERATION [LINE]: run the tasks of a chunk that we own, or the one of them that we own, which `deal`
# has looked up.
work_chunk() {
  # shellcheck disable=SC2034 # PACKED is for pack.sh
  tasks=() ran=0 STAYS=() GOES=() HAS_PAST=0 PACKED=0
  printf -v CLAIM '%06d.%d.%s' "$1" "$2" "$ENVIRONMENT_ID"
  WORK=$ROOT/work/$CLAIM
  SANDBOXES=${SCRATCH_DIR:-"$ROOT/work"}/$CLAIM
  LOG=1
  if (($# > 2)); then
    LINES=("$3") HAS_PAST=1
  elif read_chunk "$1"; then
    choose_lines "$1" "$2"
  else
    leave "the plan is damaged"
    return
  fi
  if ((${#LINES[@]} > 0)); then
    find_numbers
    make_sandboxes "${tasks[@]}" 2>>"$COMPLAINTS"
    (($1 != FINAL_CHUNK)) || gather
    SPENT=''
    hear
    for line in "${LINES[@]}"; do
      is_leaving && break
      ((HAS_END)) && ! is_time_left && break
      read_task "$line"
      if (($1 == FINAL_CHUNK)) && is_refused; then
        :
      elif ((HAS_PAST)); then
        SPENT=''
        run_task_with_past
      else
        run_task
      fi
      if ((PACK)) && is_held_long; then
        show_running 0 0
        unharmed pack_meanwhile
      fi
      ((++ran))
    done
    deafen
    show_running 0 0
    write_held
    for task in "${tasks[@]:ran}"; do # those that have not run
      GOES+=("$SANDBOXES/$task")
    done
  fi
  GOES+=("$SANDBOXES/log.$LOG") # nothing was printed to it
  ((! HAS_PATTERNS)) || GOES+=("$SANDBOXES/log.0")
  sweep 2>>"$COMPLAINTS"
  show_running 0 0
  if ((ran == ${#tasks[@]} && $2 < DEALT_FROM)) && ! is_leaving; then
    finish_chunk "$1"
  fi
  NEXT_LEASE=$RUN/none
}

# find_numbers: set tasks to the numbers of the tasks of LINES.
find_numbers() {
  local all=${LINES[*]} line
  if ((${#all} < LONG * 16)); then
    tasks=("${LINES[@]%%$'\t'*}")
    return
  fi
  for line in "${LINES[@]}"; do
    number_of "$line"
    tasks+=("$NUMBER")
  done
}

# choose_lines CHUNK GENERATION: leave in LINES those that have not ended; set HAS_PAST to 1 if they may have been tried
# before, and NEXT_LEASE to the lease by which others would take the chunk over.
choose_lines() {
  local LEASE
  LOST=() OUT_OF_TIME=()
  name_lease "$1" "$(($2 + 1))"
  NEXT_LEASE=$LEASE
  if (($2 > 1)); then
    HAS_PAST=1
    find_history "$1"
    drop_ended
  elif (($1 >= ALONE_FROM)); then
    HAS_PAST=1
  fi
}

# run_task_with_past: run the task that read_task has read, unless it has killed too many who ran it.
run_task_with_past() {
  if is_given_up; then
    GOES+=("$SANDBOXES/$task")
  elif must_be_alone; then
    write_held
    show_running 0 0
    if begin_alone; then
      run_task
      write_held
      end_alone
    else
      GOES+=("$SANDBOXES/$task")
    fi
  else
    run_task
  fi
}

# take_over: go through all chunks that have not ended, and run those that were never taken or whose owner is gone.
# Set WATCHED to the chunks whose owners have to be watched a little longer before that is known.
take_over() {
  local chunk START PAST
  WATCHED=()
  for ((chunk = FIRST_CHUNK; chunk <= LAST_CHUNK; chunk++)); do
    if (((chunk - FIRST_CHUNK) % SPAN == 0)) && name_past "$chunk" && [[ -e $PAST ]]; then
      ((chunk += SPAN - 1))
      continue
    fi
    is_finished "$chunk" && continue # most have, and all else costs more
    wait_for_others
    is_leaving && return
    take_chunk "$chunk"
  done
}

# take_chunk CHUNK: run what is left of it if it was never taken or its owner is gone. Add it to WATCHED if its owner has to
# be watched a little longer before that is known.
take_chunk() {
  if ! is_claimed "$1"; then
    claim "$1" 1 && work_chunk "$1" 1
    return
  fi
  find_lease "$1" || return
  judge_holder
  if ((GENERATION >= DEALT_FROM)) || { ((GENERATION == DEALT_FROM - 1)) && [[ $VERDICT == gone ]]; }; then
    deal "$1"
  elif [[ $VERDICT == gone ]]; then
    claim "$1" "$((GENERATION + 1))" && work_chunk "$1" "$((GENERATION + 1))"
  elif [[ $VERDICT == unsure ]] || is_lingering; then
    WATCHED+=("$1")
  fi
}

# is_lingering: succeed for a moment after the walk. If nothing goes well on another node, that shows about now, and then
# its tasks are run here.
is_lingering() {
  [[ $HOLDER != "$MANAGER" ]] || return
  look_at_clock
  ((UP < LINGER_UNTIL))
}

# deal CHUNK: run tasks of a chunk that is being dealt out, one after another, as long as there are some that nobody has.
# What is looked up before a claim holds after it, for whoever ends another task in between has the claim.
deal() {
  local LINES NUMBER line
  while ! is_leaving; do
    find_dealt "$1" || return
    read_chunk "$1" || {
      leave "the plan is damaged"
      return
    }
    find_history "$1"
    drop_ended
    if ((${#LINES[@]} == 0)); then
      finish_chunk "$1"
      return
    fi
    if ! find_undealt; then
      WATCHED+=("$1")
      return
    fi
    printf '%s %s %s\n' "$MANAGER" "$SLOT.$TURN" "$NUMBER" >"$OWNER.$1.$NUMBER"
    claim "$1" "$((GENERATION + 1))" "$OWNER.$1.$NUMBER" && work_chunk "$1" "$((GENERATION + 1))" "$line"
  done
}

# find_undealt: set line to the first of LINES whose task is not in DEALT, and NUMBER to that; fail if there is none.
find_undealt() {
  for line in "${LINES[@]}"; do
    number_of "$line"
    [[ -n ${DEALT[$NUMBER]-} ]] || return 0
  done
  return 1
}

# pause: give the owners of WATCHED time to show that they live; no longer than until they are done, or we leave.
pause() {
  local until chunk
  look_at_clock
  until=$((UP + BEAT_S))
  while ((UP < until)) && ! is_leaving; do
    sleep 1
    look_at_clock
    for chunk in "${WATCHED[@]}"; do
      is_finished "$chunk" || continue 2
    done
    return
  done
}

# slot_main INDEX TURN: run one slot from start to end, in a subshell of its own. TURN tells it from earlier ones of the
# same index, which were killed.
slot_main() {
  deafen
  readonly STOP=$ROOT/exec/stop.$SUBMISSION ID=$ROOT/exec/id.$ENVIRONMENT_ID GONE=$ROOT/exec/beats/$MANAGER.end
  NEXT_LEASE=$RUN/none # there is no such file
  SLOT=$1 TURN=$2 WATCHED=() HELD='' MATCHED='' are_empty=0 IS_FAILING=0 SETTLE_ALL=0 LOOKED=-1 DONE_COUNT=0 FAILED_COUNT=0 LONG_UP=-100 LIMIT_TEXT=$TIMEOUT_TEXT
  if [[ $KEEP == all || -n $SCRATCH_DIR ]] && ((PACK == 0)); then
    SETTLE_ALL=1
  fi
  OWNER=$ROOT/exec/claims/owner.$MANAGER.$SLOT.$TURN
  printf '%s %s\n' "$MANAGER" "$SLOT.$TURN" >"$OWNER" || leave_full "$NO_SPACE"
  exec </dev/null >/dev/null 2>&1
  export -n OLDPWD # the slot goes from sandbox to sandbox, which the tasks need not know
  set -m           # every command in a process group of its own, which is what job control means here
  give_slot
  ((PIN == 0)) || pin_slot
  find_usage
  read_amount oom_kill "$KILLS"
  KILLED_BEFORE=$AMOUNT
  show_running 0 0
  walk
  look_at_clock
  LINGER_UNTIL=$((UP + LINGER_S))
  take_over
  while ((${#WATCHED[@]} > 0)) && ! is_leaving; do
    pause
    take_over
  done
  ((FINAL_CHUNK == 0)) || work_final
  rm -f -- "$RUN/slot.$SLOT.here" # by this the main process knows that nobody killed us
  if ! kill -0 "$MAIN_PID" || is_orphan; then
    rm -rf -- "$RUN" # no other process is left to do it
  fi
}
