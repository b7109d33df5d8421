# ==== claims ================================================================================================
# A chunk belongs to the slot that made the hard link claims/CHUNK.GENERATION first: link(2) decides atomically, on
# local and network file systems alike. Tests for existence are hints that save forks, never decisions. Generation 1 is
# the first owner; when an owner died or left, the next generation takes over. After three owners a chunk is given up,
# for it may be what kills them; those whose job's time was up do not count.

# claim CHUNK GENERATION: take the lease; fail if another slot has it.
claim() {
  local link
  printf -v link '%s/exec/claims/%06d.%d' "$ROOT" "$1" "$2"
  if ln -T -- "$OWNER" "$link" 2>/dev/null; then
    return 0
  fi
  # the reply of a server may be lost although the link was made: look whether it is ours all the same
  [[ $link -ef $OWNER ]]
}

# is_claimed CHUNK: succeed if a slot has had it, as far as we can see.
is_claimed() {
  local link
  printf -v link '%s/exec/claims/%06d.1' "$ROOT" "$1"
  [[ -e $link ]]
}

# finish_chunk CHUNK: mark it for the others as having nothing left to do.
finish_chunk() {
  local mark
  printf -v mark '%s/exec/claims/%06d.end' "$ROOT" "$1"
  : >"$mark"
}

# find_lease CHUNK: set GENERATION and HOLDER (a manager's id) to the newest lease of an unfinished chunk;
# fails if the chunk is finished.
find_lease() {
  local stem
  HOLDER=
  printf -v stem '%s/exec/claims/%06d' "$ROOT" "$1"
  [[ -e $stem.end ]] && return 1
  GENERATION=1
  while [[ -e $stem.$((GENERATION + 1)) ]]; do
    ((GENERATION++))
  done
  read -r HOLDER _ 2>/dev/null <"$stem.$GENERATION"
  HOLDER=${HOLDER:-unreadable}
}

# judge_holder MANAGER_ID: set VERDICT to `gone` (left, or its heartbeat stood still for STALE_S seconds by our own
# clock), `alive` (the heartbeat moved while we watched, or it is us) or `unsure` (watch a little longer). The other
# judge of heartbeats is `_judge` in state/poll.py, which looks from outside and also knows processes and jobs.
judge_holder() {
  local beat=
  VERDICT=alive
  if [[ $1 == "$MANAGER" ]]; then
    return
  fi
  if [[ -e $ROOT/exec/beats/$1.end ]]; then
    VERDICT=gone
    return
  fi
  read -r beat 2>/dev/null <"$ROOT/exec/beats/$1"
  if [[ -z ${BEAT_SEEN[$1]+x} ]]; then
    BEAT_SEEN[$1]=$beat
    BEAT_SINCE[$1]=$SECONDS
  fi
  if [[ ${BEAT_SEEN[$1]} != "$beat" ]]; then
    VERDICT=alive
  elif ((SECONDS - BEAT_SINCE[$1] >= STALE_S)); then
    VERDICT=gone
  else
    VERDICT=unsure
  fi
}

# may_take_over: succeed unless the holder of the lease that find_lease found is the third that failed.
may_take_over() {
  ((GENERATION < 3)) || grep -q "^left"$'\t'"signal USR1" "$ROOT/exec/cache/$HOLDER.tsv" 2>/dev/null
}

# ended_tasks CHUNK: set ENDED to the tasks of the chunk that earlier owners brought to an end.
ended_tasks() {
  local chunk task state tab=$'\t'
  printf -v chunk '%06d' "$1"
  ENDED=" "
  while IFS=$'\t' read -r _ _ task _ state _; do
    if [[ $state == "done" || $state == "failed" ]]; then
      ENDED+="$task "
    fi
  done < <(grep -hE "^ended$tab$chunk\.[0-9](${tab}[^$tab]*){9}$tab\.\$" "$ROOT"/exec/cache/*.tsv) # whole records only
}
