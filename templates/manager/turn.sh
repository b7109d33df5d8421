# ==== the time that we have =================================================================================
# Where a scheduler ends us at a known time, a task that would not be over by then is left for the next turn: as long as
# 95 in 100 of those that ended here took. What was ended because the time was up is run again in the next turn, but not
# for ever; see `judge_time`.

# watch_time: keep LONGEST, the longest that a task was seen to take, and let slots look closer when it may matter.
watch_time() {
  if ((ENDS_AT > 0 && ! IS_NEAR && UP + 2 * LONGEST + 10 >= ENDS_AT)); then
    IS_NEAR=1
    bring_out near
  fi
}

# is_time_left: succeed if another task is likely to end in time.
is_time_left() {
  [[ -e $RUN/near ]] || return 0
  look_at_clock
  if ((UP - LONG_UP > 5)); then
    LONG_UP=$UP
    find_likely
  fi
  ((UP + LIKELY < ENDS_AT)) && return
  leave "no time is left"
  return 1
}

# find_likely: set LIKELY to how many seconds 95 in 100 of the latest tasks of this manager took at most.
find_likely() {
  local kind begun_at ended_at state times=()
  while IFS=$'\t' read -r kind _ _ _ state _ begun_at ended_at _; do
    if [[ $kind == ended && $state != interrupted ]]; then
      times+=("$((${ended_at%%[^0-9]*} - ${begun_at%%[^0-9]*} + 1))")
    fi
  done < <(tail -c 65536 -- "$CACHE" | tail -n +2)
  mapfile -t times < <(printf '%s\n' ${times[@]+"${times[@]}"} | sort -n)
  LIKELY=$((times[${#times[@]} * 95 / 100]))
}

# had_most_of_the_turn START: succeed if a task that runs since START, in hundredths of a second, had most of our time.
had_most_of_the_turn() {
  ((2 * (UP_CS - $1) >= UP_CS - BEGAN_CS))
}

# may_come_back: succeed if tasks were left because our time was up, and another turn is likely to bring some to an end:
# this one did, or one of the two before it.
may_come_back() {
  local reason='' turn base count
  read -r reason 2>/dev/null <"$RUN/leave"
  [[ $reason == "signal USR1" || $reason == "no time is left" ]] || return
  [[ -e $ROOT/exec/stop.$SUBMISSION || ! -e $ROOT/exec/id.$ENVIRONMENT_ID ]] && return 1
  ((DONE_HERE + FAILED_HERE > 0)) && return
  base=$ROOT/exec/cache/$BASE
  for ((turn = TURN_NUMBER - 1; turn > TURN_NUMBER - MOST_TRIES; turn--)); do
    ((turn < 0)) && return 0
    count=$base-r$turn-$ENVIRONMENT_ID.tsv
    ((turn > 0)) || count=$base-$ENVIRONMENT_ID.tsv
    LC_ALL=C grep -aqE $'^ended(\t[^\t]*){3}\t(done|failed)\t' -- "$count" 2>/dev/null && return 0
  done
  return 1
}
