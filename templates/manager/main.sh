# ==== the main process ======================================================================================
# The main process: it starts the slots, and then only looks after them.

# beat: write the heartbeat if it is due: a counter, for the clocks of two machines never agree, and how many tasks were
# done and failed here. In the first moments it is due more often, for then others want to know whether all is well.
beat() {
  if ((UP >= NEXT_BEAT)) || ((DONE_HERE + FAILED_HERE != TOLD_OTHERS && UP_CS - BEGAN_CS < 3000)); then
    NEXT_BEAT=$((UP + BEAT_S))
    TOLD_OTHERS=$((DONE_HERE + FAILED_HERE))
    ((++BEATS))
    printf '%d %d %d\n' "$BEATS" "$DONE_HERE" "$FAILED_HERE" >"$ROOT/exec/beats/.$MANAGER" &&
      mv -f -- "$ROOT/exec/beats/.$MANAGER" "$ROOT/exec/beats/$MANAGER"
    ((MAX_FAILURES == 0)) || count_others
  fi
}

# kill_task SLOT WHY: ask the whole group of the slot's task to end; five seconds later, kill it. Which task that is, its
# number and its beginning say together: one that comes later may have the number.
kill_task() {
  local latest
  # shellcheck disable=SC2206 # four words
  latest=(${RUNNING[$1]})
  if [[ ${KILLED[$1]-} == "${latest[0]} ${latest[1]}" ]]; then
    if ((UP - KILLED_AT[$1] >= 5)); then
      kill -KILL -- "-${latest[0]}" 2>/dev/null
    fi
    return
  fi
  KILLED[$1]="${latest[0]} ${latest[1]}"
  KILLED_AT[$1]=$UP
  bring_out "kill.$1"
  printf '%-42s %-20s\n' "${KILLED[$1]}" "$2" 1<>"$RUN/kill.$1" || leave_notes
  kill -TERM -- "-${latest[0]}" 2>/dev/null
  kill -CONT -- "-${latest[0]}" 2>/dev/null # a stopped task would never see the TERM
}

# listen: set RUNNING to what each slot said last, and count what ended. A slot may be writing just now; then its line is read
# again, and at worst it counts as it was before.
listen() {
  local slot words
  DONE_HERE=0 FAILED_HERE=0
  for ((slot = 0; slot < SLOTS; slot++)); do
    for _ in 1 2 3; do
      words=()
      { read -r -a words <"$RUN/slot.$slot"; } 2>/dev/null
      if ((${#words[@]} == 5 && words[0] + words[2] + words[3] == words[4])); then
        RUNNING[slot]="${words[0]} ${words[1]} ${words[2]} ${words[3]}"
        break
      fi
    done
    # shellcheck disable=SC2206 # four words
    words=(${RUNNING[slot]})
    ((DONE_HERE += words[2] + DONE_BEFORE[slot], FAILED_HERE += words[3] + FAILED_BEFORE[slot]))
  done
}

# find_start PID: set START_CS to when a process began, in hundredths of a second since the machine was started, and
# OF_SESSION to its session; fail if there is no such process. Where that cannot be read, we go by when we saw it first.
find_start() {
  local line fields
  if { read -r line <"/proc/$1/stat"; } 2>/dev/null; then
    # shellcheck disable=SC2206 # words without anything that a pattern is made of
    fields=(${line##*) })
    START_CS=${fields[19]} OF_SESSION=${fields[3]}
    return
  fi
  [[ -e /proc/self/stat ]] && return 1
  [[ ${SEEN_FIRST%% *} == "$1" ]] || SEEN_FIRST="$1 $UP_CS"
  START_CS=${SEEN_FIRST#* } OF_SESSION=$OUR_SESSION
}

# find_session: set OUR_SESSION to that of this process, which is that of its tasks too.
find_session() {
  local START_CS OF_SESSION=''
  find_start "$$"
  readonly OUR_SESSION=$OF_SESSION
}

# look_after_tasks: end those that ran past their time, and all of them when the time to leave has come.
look_after_tasks() {
  local slot pid why START_CS OF_SESSION limit=$TIMEOUT_US
  [[ $FINAL_CHUNK == 0 || ! -e $RUN/final ]] || limit=$FINAL_TIMEOUT_US
  for ((slot = 0; slot < SLOTS; slot++)); do
    pid=${RUNNING[slot]%% *}
    # another process may have the number of a task that has just ended
    if ((pid == 0)) || ! find_start "$pid" || [[ $OF_SESSION != "$OUR_SESSION" ]]; then
      continue
    fi
    ((LONGEST >= (UP_CS - START_CS) / 100)) || LONGEST=$(((UP_CS - START_CS) / 100))
    if ((PACK && UP_CS - START_CS >= 100)) && is_held "$slot"; then
      kill -USR2 "${SLOT_PIDS[slot]-}" 2>/dev/null # it would write what waits only after that task
    fi
    if ((LEAVE_BY > 0 && UP >= LEAVE_BY)); then
      why=interrupted
      ((IS_TIME_UP)) && had_most_of_the_turn "$START_CS" && why="out of time"
      kill_task "$slot" "$why"
    elif ((limit > 0 && (UP_CS - START_CS) * 10000 >= limit)); then
      kill_task "$slot" timeout
    fi
  done
}

# look_after_slots: give the word to one that has a task which must be alone, once no other slot runs a task, two looks
# in a row: the first may fall between two tasks.
look_after_slots() {
  local slot
  [[ -d $RUN/alone && ! -e $RUN/alone/go ]] || return
  for ((slot = 0; slot < SLOTS; slot++)); do
    if [[ ${RUNNING[slot]%% *} != 0 ]]; then
      IS_QUIET=0
      return
    fi
  done
  if ((IS_QUIET)); then
    : >"$RUN/alone/go" || [[ ! -d $RUN/alone ]] || leave_notes # it may just have been given up
  fi
  IS_QUIET=$((! IS_QUIET))
}

# on_signal NAME SECONDS: take no more tasks; after so many seconds, end those that still run. It may come while
# `await_slots` reads, and a second `read` would make bash forget how long the first was to wait: so no clock is read here.
on_signal() {
  leave "signal $1"
  [[ $1 != USR1 ]] || IS_TIME_UP=1
  if ((LEAVE_WITHIN < 0 || LEAVE_WITHIN > $2)); then
    LEAVE_WITHIN=$2
  fi
}

# heed_signals: set LEAVE_BY from what on_signal noted.
heed_signals() {
  local by=$((UP + LEAVE_WITHIN + 1)) # never 0, which means that there is no such time
  ((LEAVE_WITHIN >= 0)) || return
  LEAVE_WITHIN=-1
  if ((LEAVE_BY == 0 || LEAVE_BY > by)); then
    LEAVE_BY=$by
  fi
}

# start_slot INDEX: start a slot in a process of its own.
start_slot() {
  local turn=${SLOT_TURNS[$1]}
  (
    exec {TICK}>&- # or tasks would have it too
    slot_main "$1" "$turn"
    printf '%d\n' "$1" 2>/dev/null 1<>"$RUN/tick" # wakes the main process at once
  ) &
  SLOT_PIDS[$1]=$!
}

# await_slots SECONDS: wait for a slot to report its end, or for so long; then see to those that ended. Fail when none
# is left.
await_slots() {
  local slot
  if read -r -t "$1" -u "$TICK" slot; then
    [[ -n ${SLOT_PIDS[slot]-} ]] && wait "${SLOT_PIDS[slot]}" # unless we found out by ourselves already
  fi
  look_at_clock
  listen
  for slot in "${!SLOT_PIDS[@]}"; do
    kill -0 "${SLOT_PIDS[slot]}" 2>/dev/null && continue
    unset "SLOT_PIDS[slot]"
    [[ ! -e $RUN/slot.$slot.here ]] || replace_slot "$slot"
  done
  ((${#SLOT_PIDS[@]} > 0))
}

# replace_slot INDEX: a slot was killed. Mark that, so that others take over what it held; end its task, which nobody
# watches any more; and start another in its place, though not for ever.
replace_slot() {
  local words
  # shellcheck disable=SC2206 # four words
  words=(${RUNNING[$1]})
  ((words[0] == 0)) || kill -KILL -- "-${words[0]}" 2>/dev/null
  [[ ! -e $RUN/alone/$1 ]] || rm -rf -- "$RUN/alone"
  ((DONE_BEFORE[$1] += words[2], FAILED_BEFORE[$1] += words[3]))
  RUNNING[$1]="0 0 0 0"
  show_idle "$1" || leave_notes
  : >"$ROOT/exec/beats/$MANAGER.slot.$1.${SLOT_TURNS[$1]}.end"
  if [[ ! -e $RUN/go ]] || ((++REPLACED > 3 * SLOTS + 3)); then
    return
  fi
  ((++SLOT_TURNS[$1]))
  start_slot "$1"
}

# find_program: set IS_DIRECT to 1 if slots may start tasks without a bash between: PROGRAM is a program of this machine.
find_program() {
  IS_DIRECT=0
  if [[ -n $PROGRAM && $(type -t -- "$PROGRAM") == file ]] && ((${#CONTAINER[@]} + ${#HIDDEN[@]} == 0)); then
    IS_DIRECT=1
    hash -- "$PROGRAM" # looked for once, not by every task in every folder of PATH
  fi
}

# keep_level: where this bash takes one off SHLVL when it becomes another program in a subshell, as those before 5.1 do,
# add one: at 1 a bash that was reached over SSH would run the user's ~/.bashrc for each task.
keep_level() {
  local level
  level=$(exec printenv SHLVL)
  ((${level:-0} >= SHLVL)) || export SHLVL=$((SHLVL + 1))
}

# find_tar: leave if it is needed and missing: inputs that came as archives could not be unpacked, and every task would
# fail.
find_tar() {
  local archives=("$ROOT"/inputs/*.tar) # not by `compgen -G`, which takes ROOT for a part of the pattern
  if ! type -t tar >/dev/null && [[ -e ${archives[0]} ]]; then
    leave "inputs came packed, but tar is not installed here"
  elif ((PACK)) && ! tar --version 2>/dev/null </dev/null | grep -q GNU; then
    leave "pack = true needs GNU tar, which is not installed here"
  fi
}

# find_name BASE: set MANAGER to a name that no manager ever had here: BASE for the first start of an element, with an -rN
# for later ones, and with the id of the environment. Who can make the cache file has the name.
find_name() {
  BASE=$1 TURN_NUMBER=0 MANAGER=$1-$ENVIRONMENT_ID
  until (set -C && : >"$ROOT/exec/cache/$MANAGER.tsv") 2>/dev/null; do
    if [[ ! -e $ROOT/exec/cache/$MANAGER.tsv ]]; then
      printf 'no records can be written to %s\n' "$ROOT/exec/cache"
      exit 1
    fi
    ((++TURN_NUMBER))
    MANAGER=$1-r$TURN_NUMBER-$ENVIRONMENT_ID
  done
  readonly BASE TURN_NUMBER MANAGER CACHE=$ROOT/exec/cache/$MANAGER.tsv COMPLAINTS=$ROOT/exec/logs/$BASE.out
}

# announce: write the first record.
announce() {
  local now=${EPOCHREALTIME:-$((EPOCH + SECONDS))}
  record manager "$MANAGER" "$NODE" "$$" "$SLOTS" "$now" "$BASH_VERSION"
}

# say_goodbye: write the last record, and the mark by which others know that our leases are free. Its reason is the one
# given to `leave`, or one of its own; see LeaveReason in model/swarms.py.
say_goodbye() {
  local reason=
  mark_suspects
  read -r reason 2>/dev/null <"$RUN/leave"
  take_leave "${reason:-finished}"
}

# take_leave REASON: write that record and that mark.
take_leave() {
  local reason=$1
  [[ -e $ROOT/exec/stop.$SUBMISSION ]] && reason=stopped
  if [[ ! -e $ROOT/exec/id.$ENVIRONMENT_ID ]]; then
    return # what is at that place now is not ours
  fi
  record left "$reason" "${EPOCHREALTIME:-$((EPOCH + SECONDS))}"
  : >"$ROOT/exec/beats/$MANAGER.end"
}

# come_back: if the job's time was up while tasks were left, ask to be started again, so that the swarm ends without
# another command.
come_back() {
  local chunk
  may_come_back || return 0
  for ((chunk = FIRST_CHUNK; chunk <= LAST_CHUNK; chunk++)); do
    if ! is_finished "$chunk"; then
      start_again
      return
    fi
  done
  ((FINAL_CHUNK == 0)) || is_finished "$FINAL_CHUNK" || start_again
}

# state of the main process
BEATS=0 NEXT_BEAT=0 TOLD_OTHERS=0 LEAVE_BY=0 LEAVE_WITHIN=-1 IS_TIME_UP=0 IS_NEAR=0 IS_QUIET=0 LONGEST=0 ENDS_AT=0 REPLACED=0 SEEN_FIRST=''
DONE_HERE=0 FAILED_HERE=0 WINDOW_DONE=0 WINDOW_FAILED=0 JUDGED=0
OUR_SESSION='' IS_DEAF=1 # to `unharmed`: what this process hears stays as it is
SLOT_PIDS=() SLOT_TURNS=() KILLED=() KILLED_AT=() RUNNING=() DONE_BEFORE=() FAILED_BEFORE=()

# main NAME [WHAT FAILED]...: run this manager; NAME is its submission and its element, as in 1-0. If its setup failed, see
# report_setup, only record that.
main() {
  local slot TICK EPOCH
  printf '\n' >/dev/null # by this bash gets a buffer of 4 KiB, whatever the blocks of the file that it prints to next
  if [[ $1 != "$SUBMISSION-"* ]]; then
    printf 'submit %s, which this manager belongs to, was followed by submit %s\n' "${1%%-*}" "$SUBMISSION"
    exit 0
  fi
  if [[ ! -e $ROOT/exec/id.$ENVIRONMENT_ID ]]; then
    printf 'the environment that this manager belongs to is not there any more\n'
    exit 0
  fi
  look_at_clock
  find_place
  find_name "$1"
  start_clock
  if (($# > 1)); then
    report_setup "${@:2}"
    exit 1
  fi
  find_cpus
  find_slots
  make_run
  if [[ -z $RUN ]]; then
    announce
    take_leave "$NO_SPACE for the notes of managers"
    exit 1
  fi
  find_session
  readonly MAIN_PID=$$ ELEMENT NODE BEGAN_CS=$UP_CS LINGER_S=$((BEAT_S * 3 / 2))
  printf '%s\n' "$RUN" >"$ROOT/exec/beats/$MANAGER.run" # so that it can be removed if we are killed
  trap 'remove "$RUN" ${SCRATCH_DIR:+"$SCRATCH_DIR"}' EXIT
  trap 'on_signal TERM "$GRACE_S"' TERM
  trap 'on_signal USR1 "$LAST_CALL_S"' USR1
  trap 'on_signal INT "$GRACE_S"' INT
  trap '' HUP USR2 # the latter is for tasks that can do with it
  find_memory
  beat
  announce
  ((GPUS_PER_TASK == 0)) || find_gpus
  ((PIN == 0)) || may_pin
  find_end
  readonly HAS_END=$((ENDS_AT > 0))
  find_scratch
  find_hidden
  give_all
  find_shell_words
  find_program
  keep_level
  find_tar
  exec {TICK}<>"$RUN/tick"
  for ((slot = 0; slot < SLOTS; slot++)); do
    SLOT_TURNS+=(0) RUNNING+=("0 0 0 0") DONE_BEFORE+=(0) FAILED_BEFORE+=(0)
    start_slot "$slot"
  done
  while await_slots 1; do
    beat
    heed_signals
    look_after_tasks
    look_after_slots
    look_at_usage
    watch_time
    if ((FAILED_HERE != JUDGED)); then
      JUDGED=$FAILED_HERE
      is_bad_node && leave "bad node"
    fi
  done
  trap '' TERM USR1 INT # there is nothing left to end
  say_goodbye
  come_back
}
