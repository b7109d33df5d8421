# ==== claims ================================================================================================
# A chunk belongs to the slot that made the hard link claims/CHUNK.GENERATION.ENVIRONMENT first: link(2) decides
# atomically, on local and network file systems alike. Tests for existence are hints that save forks, never decisions.
# Generation 1 is the first owner; when an owner died or left, the next generation takes over. The first three have the
# chunk as a whole. If it has come to no end then, it is dealt out: from the fourth on each lease is for one task, which
# it names, so that several slots share what is left, and a task that kills who runs it harms nobody else.
# Every name bears the id of the environment: what a manager of one that was removed still does cannot be mixed up.

# the reason to leave where no lease can be taken: the disk is full, or may not be written any more
readonly NO_CLAIMS="chunks cannot be claimed"

# the first generation that has one task only
readonly DEALT_FROM=4

# as many chunks have a mark in common once all have ended, so that who looks for what is left need not look at each
readonly SPAN=64

# a manager lives of whom this is known to have been so as many beats ago; FRESH_S in manager/times.py is the client's
readonly FRESH_BEATS=4

# what this slot has seen of managers: their heartbeats, since when they are so, when it last looked, and when each was
# still alive for certain; the newest generation of each chunk; the tasks of a chunk that is being dealt out which
# somebody holds
declare -A BEAT_SEEN=() BEAT_SINCE=() BEAT_LOOKED=() BEAT_LIVED=() NEWEST=() DEALT=()

# name_lease CHUNK GENERATION: set LEASE to its path.
name_lease() {
  printf -v LEASE '%s/exec/claims/%06d.%d.%s' "$ROOT" "$1" "$2" "$ENVIRONMENT_ID"
}

# claim CHUNK GENERATION [OWNER]: take the lease; fail if another slot has it.
claim() {
  local owner=${3-$OWNER} LEASE complaint
  name_lease "$1" "$2"
  complaint=$(LC_ALL=C ln -T -- "$owner" "$LEASE" 2>&1) && return
  # the reply of a server may be lost although the link was made: look whether it is ours all the same
  [[ $LEASE -ef $owner ]] && return
  [[ $complaint == *"File exists"* ]] || leave_full "$NO_CLAIMS"
  return 1
}

# is_claimed CHUNK: succeed if a slot has had it, as far as we can see.
is_claimed() {
  local LEASE
  name_lease "$1" 1
  [[ -e $LEASE ]]
}

# name_end CHUNK: set END to the path of the mark of a chunk that has nothing left to do.
name_end() {
  printf -v END '%s/exec/claims/%06d.%s.end' "$ROOT" "$1" "$ENVIRONMENT_ID"
}

# finish_chunk CHUNK: mark it for the others as having nothing left to do. With PACK, few files are wanted, so the mark is
# one more name of a file that is there anyway; that one has the holder of leases, so nothing may ever be written to a mark.
finish_chunk() {
  local END
  name_end "$1"
  { ((PACK)) && ln -T -- "$OWNER" "$END"; } || : >>"$END" || leave_full "$NO_CLAIMS"
  note_past "$1"
}

# name_past CHUNK: set START to the first chunk of its span, and PAST to the mark that all chunks of that have ended.
name_past() {
  START=$(($1 - ($1 - FIRST_CHUNK) % SPAN))
  printf -v PAST '%s/exec/claims/%06d.%s.past' "$ROOT" "$START" "$ENVIRONMENT_ID"
}

# note_past CHUNK: if all chunks of its span have ended, mark that. `mark_suspects` may take an end back meanwhile, and
# then the mark: so look once more.
note_past() {
  local START PAST
  name_past "$1"
  if has_span_ended "$1"; then
    : >"$PAST"
    has_span_ended "$1" || rm -f -- "$PAST"
  fi
}

# has_span_ended CHUNK: succeed if all chunks of the span at START have ended. It begins after CHUNK, for there some
# other is most likely still at work, wherever in the span that is.
has_span_ended() {
  local at chunk
  for ((at = 1; at <= SPAN; at++)); do
    ((chunk = START + ($1 - START + at) % SPAN))
    ((chunk > LAST_CHUNK)) || is_finished "$chunk" || return
  done
}

# is_finished CHUNK: succeed if it is marked so.
is_finished() {
  local END
  name_end "$1"
  [[ -e $END ]]
}

# find_lease CHUNK: set GENERATION to that of the newest lease of an unfinished chunk, and HOLDER, HOLDER_SLOT and
# HOLDER_TASK to what it says; fails if the chunk is finished.
find_lease() {
  local LEASE
  is_finished "$1" && return 1
  GENERATION=${NEWEST[$1]:-1}
  while name_lease "$1" "$((GENERATION + 1))" && [[ -e $LEASE ]]; do
    ((GENERATION++))
  done
  NEWEST[$1]=$GENERATION
  read_lease "$1" "$GENERATION"
}

# read_lease CHUNK GENERATION: set HOLDER (the id of a manager), HOLDER_SLOT, and HOLDER_TASK if it is for one task only.
read_lease() {
  local LEASE
  name_lease "$1" "$2"
  HOLDER='' HOLDER_SLOT='' HOLDER_TASK=''
  read -r HOLDER HOLDER_SLOT HOLDER_TASK _ 2>/dev/null <"$LEASE"
  HOLDER=${HOLDER:-unreadable}
}

# judge_holder: set VERDICT on HOLDER and its slot: `gone` (it left, it was killed, or its heartbeat stood still for
# STALE_S seconds by our own clock), `alive` (its heartbeat moved while we watched, a few beats ago at most, or it is us)
# or `unsure` (watch a little longer). The other judge of heartbeats is `_judge` in state/poll.py, which looks from outside
# and also knows processes and jobs.
judge_holder() {
  if [[ -e $ROOT/exec/beats/$HOLDER.end || -e $ROOT/exec/beats/$HOLDER.slot.$HOLDER_SLOT.end ]]; then
    VERDICT=gone
    return
  fi
  VERDICT=alive
  if [[ $HOLDER == "$MANAGER" ]]; then
    return
  fi
  look_at_clock
  watch_beat
  if ((UP - BEAT_SINCE[$HOLDER] >= STALE_S)); then
    VERDICT=gone
  elif [[ -z ${BEAT_LIVED[$HOLDER]-} ]] || ((UP - BEAT_LIVED[$HOLDER] > FRESH_BEATS * BEAT_S)); then
    VERDICT=unsure
  fi
}

# watch_beat: look at the heartbeat of HOLDER. If it has moved, that was after we looked last, which may be long ago: we
# run tasks in between. So of that moment alone it is known that it was alive. What cannot be read says nothing.
watch_beat() {
  local beat=
  read -r beat _ 2>/dev/null <"$ROOT/exec/beats/$HOLDER"
  if [[ -z ${BEAT_SINCE[$HOLDER]-} ]]; then
    BEAT_SEEN[$HOLDER]=$beat BEAT_SINCE[$HOLDER]=$UP
  elif [[ -n $beat && ${BEAT_SEEN[$HOLDER]} != "$beat" ]]; then
    BEAT_SEEN[$HOLDER]=$beat BEAT_SINCE[$HOLDER]=$UP BEAT_LIVED[$HOLDER]=${BEAT_LOOKED[$HOLDER]}
  fi
  BEAT_LOOKED[$HOLDER]=$UP
}

# find_dealt CHUNK: set GENERATION to the newest lease of a chunk that is being dealt out, and DEALT to its tasks that
# somebody holds who may be alive.
find_dealt() {
  local generation
  DEALT=()
  find_lease "$1" || return
  for ((generation = DEALT_FROM; generation <= GENERATION; generation++)); do
    read_lease "$1" "$generation"
    judge_holder
    [[ $VERDICT == gone || -z $HOLDER_TASK ]] || DEALT[$HOLDER_TASK]=1
  done
}
