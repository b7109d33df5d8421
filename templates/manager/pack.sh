# ==== packed outputs ========================================================================================
# With PACK, tasks leave no files in the environment: what they left waits in a scratch folder, and goes, with that of other
# tasks, to the end of work/CLAIM.tar as one piece. Only then are their records written; each says where its piece is, how long, and
# its checksum, as cksum(1) makes it. So a piece that is torn, or in a file that was damaged, is never taken for whole.
# A piece is written when the chunk ends, or HOLD_S seconds after the first of its tasks did, or when the main process asks
# for it because a task takes long: so no more than about five seconds of work are at risk.

# after so many seconds what waits is written, before the next task
readonly HOLD_S=3

# what waits, a place for each attempt that has ended: whose it was (the beginning of its record), its state, what came of
# it (up to its log), the end of its record, the first of its names in STAYS, and its sandbox
HELD_WHO=() HELD_STATE=() HELD_WHAT=() HELD_REST=() HELD_FROM=() HELD_BOXES=()
HELD_SINCE=0

# hold: keep back the record of run_task until what the task left is packed. Its outputs are those of STAYS from FROM on.
hold() {
  case $KEEP.$STATE in
    all.* | failed.failed | failed.retry)
      ((${#STAYS[@]} == FROM)) || unharmed follow_links "${STAYS[@]:FROM}" 2>>"$COMPLAINTS"
      STAYS=(${STAYS[@]+"${STAYS[@]:0:FROM}"} "${sandbox##*/}")
      ;;
    *.retry | *.interrupted) STAYS=(${STAYS[@]+"${STAYS[@]:0:FROM}"}) ;;
  esac
  if ((log > 0)) && [[ $STATE != interrupted ]]; then
    STAYS+=("log.$log")
  fi
  if ((${#HELD_WHO[@]} == 0)); then
    HELD_SINCE=$SECONDS
    printf '1\n' 1<>"$RUN/held.$SLOT" # for the main process
  fi
  HELD_WHO+=("${MATCHED}ended"$'\t'"$CLAIM"$'\t'"$task"$'\t'"$attempt")
  HELD_STATE+=("$STATE")
  HELD_WHAT+=("$STATUS"$'\t'"$begun"$'\t'"$ended"$'\t'"$found"$'\t'"$log")
  HELD_REST+=("$cpu:$peak"$'\t'"$REASON")
  HELD_FROM+=("$FROM")
  HELD_BOXES+=("$sandbox")
  if [[ $STATE == "done" && -s $RUN/streak ]]; then
    : >"$RUN/streak" # the breaker looks at records too, and this has none yet
  fi
}

# is_held SLOT: succeed if something of a slot waits, as the main process sees it.
is_held() {
  local held=0
  { read -r held <"$RUN/held.$1"; } 2>/dev/null
  ((held))
}

# is_held_long: succeed if what waits has waited long enough.
is_held_long() {
  ((${#HELD_WHO[@]} > 0 && (SECONDS - HELD_SINCE >= HOLD_S || SECONDS < HELD_SINCE)))
}

# pack_meanwhile: write what waits in the midst of a chunk, and remove the sandboxes that were packed. A task may be running:
# what this uses is not counted as its.
pack_meanwhile() {
  local boxes before user='' system=''
  boxes=(${HELD_BOXES[@]+"${HELD_BOXES[@]}"})
  ((${#boxes[@]} > 0)) || return 0
  [[ -z $USAGE ]] || read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ user system _ <"$USAGE"
  before=$((user + system))
  pack_held
  remove "${boxes[@]}" 2>>"$COMPLAINTS"
  [[ -z $USAGE ]] || read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ user system _ <"$USAGE"
  [[ -z $SPENT ]] || ((SPENT += user + system - before))
}

# pack_held: write what waits. What cannot be packed together is packed task by task, so that each answers for itself.
pack_held() {
  local piece='' at text=''
  ((${#HELD_WHO[@]} > 0)) || return 0
  if ((${#STAYS[@]} == 0)) || add_piece "${STAYS[@]}"; then
    for ((at = 0; at < ${#HELD_WHO[@]}; at++)); do
      add_record "$at"
    done
    write_records
  else
    pack_one_by_one
  fi
  HELD_WHO=() HELD_STATE=() HELD_WHAT=() HELD_REST=() HELD_FROM=() HELD_BOXES=() STAYS=() FROM=0
  printf '0\n' 1<>"$RUN/held.$SLOT"
}

# add_record AT: add to text the record of what waits at a place; its names, if there are any, are in piece.
add_record() {
  local line place=''
  if ((${HELD_FROM[$1 + 1]-${#STAYS[@]}} > HELD_FROM[$1])); then
    place=${piece:+"@$piece"}
  fi
  printf -v line '%s\t%s\t%s%s\t%s\t.\n' "${HELD_WHO[$1]}" "${HELD_STATE[$1]}" "${HELD_WHAT[$1]}" "$place" "${HELD_REST[$1]}"
  text+=$line
}

# write_records: append text to the records.
write_records() {
  append "$text" || leave "$NO_RECORDS"
  text=''
}

# add_piece NAME...: append these files and folders of SANDBOXES to the archive of the chunk, and set piece to
# OFFSET:SIZE:SUM. If that fails, the archive ends where it did before, and COMPLAINT says why.
add_piece() {
  local archive=$WORK.tar said
  [[ -e $ID ]] || return # what is at that place now is not ours
  follow_links "$@" || return
  clear_note "complaint.$SLOT"
  if said=$(write_piece "$@" 2<>"$RUN/complaint.$SLOT") && [[ $said =~ ^([0-9]+)\ ([0-9]+)$ ]]; then
    piece=$PACKED:${BASH_REMATCH[2]}:${BASH_REMATCH[1]}
    ((PACKED += BASH_REMATCH[2]))
    return
  fi
  COMPLAINT=$(read_note "complaint.$SLOT")
  printf '%s\n' "$COMPLAINT" >>"$COMPLAINTS"
  if [[ -e $archive ]] && ! truncate -s "$PACKED" -- "$archive" 2>>"$COMPLAINTS"; then
    PACKED=$(wc -c <"$archive") # what lies between is of no record
  fi
  return 1
}

# write_piece NAME...: append them, and print checksum and size of what was appended.
write_piece() {
  set -o pipefail
  umask 077
  printf '%s\0' "$@" | LC_ALL=C tar -cf - -b 8 --format=gnu --hard-dereference --no-unquote -C "$SANDBOXES" --null -T - |
    LC_ALL=C tee -a -- "$WORK.tar" | cksum
}

# follow_links NAME...: put in the place of outputs that are symlinks what they lead to, for that may be gone soon.
follow_links() {
  local name
  for name in "$@"; do
    [[ -L $SANDBOXES/$name ]] || continue
    COMPLAINT=$(follow_link "$SANDBOXES/$name" 2>&1) || return
  done
}

# follow_link PATH: do that for one. Half a copy is removed: it may have filled scratch, and then nobody could see that it was
# for this task. The copy is made beside the link, for a folder that may not be written cannot move to another one; nor can
# anything be made in one, so one that the link is in is opened for a moment.
follow_link() {
  local folder=${1%/*} mode='' copy status
  if [[ ! -w $folder ]]; then
    mode=$(stat -c %a -- "$folder") && chmod u+w -- "$folder" || return
  fi
  copy=$(mktemp -u -- "$folder/copy.XXXXXX") && LC_ALL=C cp -pRH -T -- "$1" "$copy" && rm -f -- "$1" && mv -T -- "$copy" "$1"
  status=$?
  ((status == 0)) || remove "$copy"
  [[ -z $mode ]] || chmod "$mode" -- "$folder"
  return "$status"
}

# pack_one_by_one: write what waits, each task as a piece of its own. What is written goes, so that the next has all space.
pack_one_by_one() {
  local at first next try is_packed tries=3
  for ((at = 0; at < ${#HELD_WHO[@]}; at++)); do
    first=${HELD_FROM[at]} next=${HELD_FROM[at + 1]-${#STAYS[@]}} piece=''
    is_packed=$((next == first))
    for ((try = 0; try < tries && ! is_packed; try++)); do # a process of the task may have been writing still
      ((try == 0)) || sleep 0.2
      add_piece "${STAYS[@]:first:next-first}" && is_packed=1
    done
    ((is_packed)) || judge_unpacked "$at"
    add_record "$at"
    write_records
    remove "${HELD_BOXES[at]}" 2>>"$COMPLAINTS"
  done
}

# judge_unpacked AT: what waits at a place cannot be packed, so it failed. If nothing can be written any more, that is not for
# the task to answer for.
judge_unpacked() {
  local what=${HELD_WHAT[$1]} found log state=interrupted reason=interrupted
  log=${what##*$'\t'} what=${what%$'\t'*}
  found=${what##*$'\t'} found=${found%%:*} what=${what%$'\t'*}
  if [[ $COMPLAINT == *"tee: "* ]]; then
    leave_full "$NO_SPACE"
  elif is_disowned; then
    :
  elif ! has_space; then
    leave_sandboxes
  elif [[ -z $COMPLAINT ]] && ! has_space "$RUN"; then
    leave_notes # nobody could say why
  else
    state=failed reason="its outputs could not be packed: ${COMPLAINT%%$'\n'*}"
  fi
  [[ $state == failed ]] || tries=1
  [[ ${HELD_STATE[$1]} != "done" ]] || ((--DONE_COUNT))
  case $state.${HELD_STATE[$1]} in
    failed.failed) reason=${HELD_REST[$1]#*$'\t'} ;; # it has a reason of its own
    failed.done) ((++FAILED_COUNT)) ;;
    failed.*) state=${HELD_STATE[$1]} reason=${HELD_REST[$1]#*$'\t'} ;;
  esac
  if [[ $state == failed ]] && ((log > 0)) && add_piece "log.$log"; then
    : # at least what it printed
  else
    log=0
  fi
  reason=${reason//[[:cntrl:]]/ }
  HELD_WHO[$1]=${HELD_WHO[$1]##*$'\n'} # without what its patterns matched
  HELD_STATE[$1]=$state
  HELD_WHAT[$1]=$what$'\t'${found//1/0}$'\t'$log
  HELD_REST[$1]=${HELD_REST[$1]%%$'\t'*}$'\t'${reason:0:400}
}
