# ==== what became of tasks before ===========================================================================
# Whoever takes over a chunk reads in the records of all managers what its earlier owners did. A task that was lost with
# its manager, or its slot, three times is what kills them, and one that was still running at the end of three turns
# never fits one: both are named as failed, and nothing goes round for ever.

# tries after which a task is given up
readonly MOST_TRIES=3

# what is known of the tasks of the chunk at hand, by their numbers
declare -A ENDED=() LOST=() OUT_OF_TIME=()

# find_history CHUNK: for each of its tasks, set ENDED to the state in which it ended, LOST to how often it was begun
# and never ended, and OUT_OF_TIME to how often most of a turn was not enough for it.
find_history() {
  local chunk kind claim task attempt state reason rest key tab=$'\t'
  local -A opened=()
  ENDED=() LOST=() OUT_OF_TIME=()
  printf -v chunk '%06d' "$1"
  while IFS=$'\t' read -r kind claim task attempt state rest; do
    key=$claim$tab$task$tab$attempt
    case $kind in
      began) opened[$key]=$task ;;
      suspect) [[ ${ENDED[$task]-} == "failed $claim" ]] && unset "ENDED[$task]" ;;
      ended)
        unset "opened[$key]"
        reason=${rest%"$tab.$"} reason=${reason##*"$tab"}
        case $state in
          done) ENDED[$task]="done" ;;
          failed) [[ ${ENDED[$task]-} == "done" ]] || ENDED[$task]="failed $claim" ;;
          interrupted) [[ $reason != "$OUT_OF_TIME_REASON" ]] || ((++OUT_OF_TIME[$task])) ;;
        esac
        ;;
    esac
  done < <(find_records "$chunk")
  for key in "${!opened[@]}"; do
    ((++LOST[${opened[$key]}]))
  done
}

# all_records: print the records of all managers of this environment, with a $ at the end of each. By that a record is known
# whose end of the line is lacking: the client takes it for torn, and so do we. What stands between the files keeps the torn
# end of one from running into the beginning of the next.
all_records() {
  local file files=()
  for file in "$ROOT"/exec/cache/*-"$ENVIRONMENT_ID".tsv; do
    files+=("$file" "$RUN/between")
  done
  cat -E -- "${files[@]}" 2>/dev/null
}

# find_records CHUNK: print the whole records on it, as all_records has them.
find_records() {
  local tab=$'\t' claim
  claim="$1\.[0-9]+\.$ENVIRONMENT_ID"
  all_records |
    LC_ALL=C grep -aE -e "^ended$tab$claim(${tab}[^$tab]*){9,10}$tab\.\\\$\$" -e "^began$tab$claim(${tab}[^$tab]*){4}$tab\.\\\$\$" \
      -e "^suspect$tab$claim(${tab}[^$tab]*){2}$tab\.\\\$\$"
}

# drop_ended: take out of LINES what has come to an end.
drop_ended() {
  local line kept=()
  for line in ${LINES[@]+"${LINES[@]}"}; do
    number_of "$line"
    [[ -n ${ENDED[$NUMBER]-} ]] || kept+=("$line")
  done
  LINES=(${kept[@]+"${kept[@]}"})
}

# is_given_up: succeed if the task that read_task has read was lost too often; that is recorded.
is_given_up() {
  ((${LOST[$task]:-0} >= MOST_TRIES)) || return
  record_failure 137 "lost with its manager $MOST_TRIES times"
}

# record_failure STATUS REASON: record that the task that read_task has read failed, though it is not run.
record_failure() {
  local now=${EPOCHREALTIME:-$((EPOCH + SECONDS))} absent='' output
  for output in ${outputs[@]+"${outputs[@]}"}; do
    [[ $output == /i/* ]] || absent+="0"
  done
  write_held
  record ended "$CLAIM" "$task" 1 failed "$1" "$now" "$now" "$absent" 0 : "$2"
  ((++FAILED_COUNT))
}

# must_be_alone: succeed if the task that read_task has read was lost before, so often that no other should be lost with
# it once more.
must_be_alone() {
  ((10#${CLAIM%%.*} >= ALONE_FROM || ${LOST[$task]:-0} >= MOST_TRIES - 1))
}

# begin_alone: wait until no other slot of this manager runs a task, nor takes one. Fail if we leave before that.
begin_alone() {
  # it says whose it is before it is there: else, were we killed in between, nobody would know that it can go
  if ! mkdir -p -- "$RUN/alone.$SLOT" || ! : >"$RUN/alone.$SLOT/$SLOT"; then
    leave_notes
    return 1
  fi
  until mv -T -- "$RUN/alone.$SLOT" "$RUN/alone"; do # another slot has such a task too
    is_leaving && return 1
    sleep 0.5
  done
  until [[ -e $RUN/alone/go ]]; do # the main process sees what the others do
    if is_leaving; then
      end_alone
      return 1
    fi
    sleep 0.2
  done
}

# wait_for_others: if a slot has a task that must be alone, wait until that has ended; or until we leave.
wait_for_others() {
  while [[ -e $RUN/alone ]] && ! is_leaving; do
    sleep 0.5
  done
}

# end_alone: let the others go on.
end_alone() {
  rm -rf -- "$RUN/alone"
}
