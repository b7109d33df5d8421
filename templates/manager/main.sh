# ==== the main process ======================================================================================
# The main process: it starts the slots, and then only looks after them.

# beat: write the heartbeat if it is due: a counter, for the clocks of two machines never agree.
beat() {
  if ((SECONDS >= NEXT_BEAT)); then
    NEXT_BEAT=$((SECONDS + BEAT_S))
    ((++BEATS))
    printf '%d\n' "$BEATS" >"$ROOT/exec/beats/.$MANAGER" && mv -f -- "$ROOT/exec/beats/.$MANAGER" "$ROOT/exec/beats/$MANAGER"
  fi
}

# kill_task SLOT PID WHY: ask the task's whole group to end; five seconds later, kill it.
kill_task() {
  if [[ ${KILLED[$1]-} == "$2" ]]; then
    if ((SECONDS - KILLED_AT[$1] >= 5)); then
      kill -KILL -- "-$2" 2>/dev/null
    fi
    return
  fi
  KILLED[$1]=$2
  KILLED_AT[$1]=$SECONDS
  printf '%s %s\n' "$3" "$2" >"$RUN/kill.$1"
  kill -TERM -- "-$2" 2>/dev/null
  kill -CONT -- "-$2" 2>/dev/null # a stopped task would never see the TERM
}

# look_after_tasks: end those that ran past their time, and all of them when the time to leave has come.
look_after_tasks() {
  local slot pid now_us start_us told
  to_us now_us "${EPOCHREALTIME:-$((EPOCH + SECONDS))}"
  for ((slot = 0; slot < SLOTS; slot++)); do
    mapfile -t -u "${TOLD[slot]}" told # lines of 32 bytes, so that none is seen half written
    ((${#told[@]} == 0)) || RUNNING[slot]=${told[-1]}
    pid=${RUNNING[slot]%% *}
    ((pid > 0)) || continue
    to_us start_us "${RUNNING[slot]##* }"
    if ((LEAVE_BY > 0 && SECONDS >= LEAVE_BY)); then
      kill_task "$slot" "$pid" interrupted
    elif ((TIMEOUT_US > 0 && now_us - start_us >= TIMEOUT_US)); then
      kill_task "$slot" "$pid" timeout
    fi
  done
}

# on_signal NAME SECONDS: take no more tasks; after so many seconds, end those that still run.
on_signal() {
  leave "signal $1"
  local by=$((SECONDS + $2 + 1)) # never 0, which means that there is no such time
  if ((LEAVE_BY == 0 || LEAVE_BY > by)); then
    LEAVE_BY=$by
  fi
}

# await_slots SECONDS: wait for a slot to report its end, or for so long; then forget those that ended. Fail when none
# is left.
await_slots() {
  local slot
  if read -r -t "$1" -u "$TICK" slot; then
    [[ -n ${SLOT_PIDS[slot]-} ]] && wait "${SLOT_PIDS[slot]}" # unless we found out by ourselves already
  fi
  for slot in "${!SLOT_PIDS[@]}"; do
    kill -0 "${SLOT_PIDS[slot]}" 2>/dev/null || unset "SLOT_PIDS[slot]"
  done
  ((${#SLOT_PIDS[@]} > 0))
}

# find_scratch: set SCRATCH_DIR, where SCRATCH may be a path or start with a variable of the node, as in $TMPDIR/x.
find_scratch() {
  local base=$SCRATCH variable
  SCRATCH_DIR=
  [[ -z $SCRATCH || -n $TREE ]] && return
  if [[ $base =~ ^\$\{?([A-Za-z_][A-Za-z_0-9]*)\}?(.*)$ ]]; then
    variable=${BASH_REMATCH[1]}
    base=${GIVEN[$variable]:+${GIVEN[$variable]}${BASH_REMATCH[2]}}
  fi
  [[ -z $base || $base == /* ]] || base=$PWD/$base # slots change their folder
  # a new folder: other swarms may use the same disk
  if [[ -z $base ]] || ! mkdir -p -- "$base" || ! SCRATCH_DIR=$(mktemp -d -- "$base/locusts.XXXXXX"); then
    leave "the scratch folder cannot be made"
  fi
}

# find_program: set IS_DIRECT to 1 if slots may start tasks without a bash between: PROGRAM is a program of this machine.
find_program() {
  IS_DIRECT=0
  if [[ -n $PROGRAM && $(type -t -- "$PROGRAM") == file ]] && ((${#CONTAINER[@]} + ${#HIDDEN[@]} == 0)); then
    IS_DIRECT=1
    hash -- "$PROGRAM" # looked for once, not by every task in every folder of PATH
  fi
}

# find_tar: leave if it is needed and missing: inputs that came as archives could not be unpacked, and every task would
# fail.
find_tar() {
  if ! type -t tar >/dev/null && compgen -G "$ROOT/inputs/*.tar" >/dev/null; then
    leave "inputs came packed, but tar is not installed here"
  fi
}

# announce: write the first record.
announce() {
  local now=${EPOCHREALTIME:-$((EPOCH + SECONDS))}
  record manager "$MANAGER" "$NODE" "$$" "$SLOTS" "$now" "$BASH_VERSION"
}

# say_goodbye: write the last record, and the mark by which others know that our leases are free. Its reason is the one
# given to `leave`, or one of its own; see LeaveReason in model.py.
say_goodbye() {
  local reason=finished
  read -r reason 2>/dev/null <"$RUN/leave"
  [[ -e $ROOT/exec/stop.$SUBMISSION ]] && reason=stopped
  record left "$reason" "${EPOCHREALTIME:-$((EPOCH + SECONDS))}"
  : >"$ROOT/exec/beats/$MANAGER.end"
}

# come_back: if the job's time was up while tasks were left, ask to be started again, so that the swarm ends without
# another command.
come_back() {
  local reason='' chunk mark
  read -r reason 2>/dev/null <"$RUN/leave"
  if [[ $reason != "signal USR1" || -e $ROOT/exec/stop.$SUBMISSION ]]; then
    return
  fi
  for ((chunk = FIRST_CHUNK; chunk <= LAST_CHUNK; chunk++)); do
    printf -v mark '%s/exec/claims/%06d.end' "$ROOT" "$chunk"
    if [[ ! -e $mark ]]; then
      start_again
      return
    fi
  done
}

# main MANAGER_ID
main() {
  if [[ $1 != "$SUBMISSION-"* ]]; then
    printf 'submit %s, which this manager belongs to, was followed by submit %s\n' "${1%%-*}" "$SUBMISSION"
    exit 0
  fi
  local slot told SLOT_PIDS=() KILLED=() KILLED_AT=() BEATS=0 NEXT_BEAT=0 LEAVE_BY=0 TICK EPOCH TOLD=() RUNNING=()
  find_place
  readonly MANAGER=$1 MAIN_PID=$$ ELEMENT NODE CACHE=$ROOT/exec/cache/$1.tsv
  readonly COMPLAINTS=$ROOT/exec/logs/$1.out
  RUN=$(mktemp -d "${TMPDIR:-/tmp}/locusts.XXXXXX") || RUN=$(mktemp -d "$ROOT/exec/run.XXXXXX") || exit 1
  [[ $RUN == /* ]] || RUN=$PWD/$RUN # slots change their folder
  readonly RUN
  printf '%s\n' "$RUN" >"$ROOT/exec/beats/$MANAGER.run" # so that it can be removed if we are killed
  trap 'rm -rf -- "$RUN" "${SCRATCH_DIR:+"$SCRATCH_DIR"}"' EXIT
  trap 'on_signal TERM "$GRACE_S"' TERM
  trap 'on_signal USR1 "$LAST_CALL_S"' USR1
  trap 'on_signal INT "$GRACE_S"' INT
  trap '' HUP
  start_clock
  beat
  announce
  find_scratch
  find_hidden
  find_program
  find_tar
  mkfifo -- "$RUN/tick"
  exec {TICK}<>"$RUN/tick"
  for ((slot = 0; slot < SLOTS; slot++)); do
    (
      exec {TICK}>&- # or tasks would have it too
      slot_main "$slot"
      printf '%d\n' "$slot" 2>/dev/null 1<>"$RUN/tick" # wakes the main process at once
    ) &
    SLOT_PIDS+=("$!")
  done
  for ((slot = 0; slot < SLOTS; slot++)); do
    : >>"$RUN/slot.$slot"
    exec {told}<"$RUN/slot.$slot"
    TOLD+=("$told") RUNNING+=(0)
  done
  while await_slots 1; do
    beat
    look_after_tasks
  done
  say_goodbye
  come_back
}
