# ==== the task after all others =============================================================================
# A swarm may have one task more, in a chunk of its own beyond LAST_CHUNK. Whoever ends the last of the other chunks takes
# it, as any other chunk. It finds the results of the others in a folder that `gather` makes for each generation anew: so who
# was taken for dead and wakes up reads no folder that another one is about to remove.

# work_final: run that task if all others have ended. Slots look for a moment longer, for where several nodes end at once,
# neither may see the other's mark at first; and what failed on a bad node may be about to be taken back.
work_final() {
  local until had_inputs=$HAS_INPUTS was_direct=$IS_DIRECT
  look_at_clock
  until=$((UP + LINGER_S))
  while ! is_leaving && ! is_finished "$FINAL_CHUNK"; do
    WATCHED=()
    if have_all_ended && { ((UP >= until)) || ! may_be_taken_back; }; then
      HAS_INPUTS=0 IS_DIRECT=0
      take_chunk "$FINAL_CHUNK"
      HAS_INPUTS=$had_inputs IS_DIRECT=$was_direct
      ((${#WATCHED[@]} > 0)) || return
    elif ((UP >= until)); then
      return
    fi
    sleep 1
    look_at_clock
  done
}

# have_all_ended: succeed if all other chunks of this submit have.
have_all_ended() {
  local chunk START PAST
  for ((chunk = FIRST_CHUNK; chunk <= LAST_CHUNK; chunk++)); do
    if (((chunk - FIRST_CHUNK) % SPAN == 0)) && name_past "$chunk" && [[ -e $PAST ]]; then
      ((chunk += SPAN - 1))
    else
      is_finished "$chunk" || return
    fi
  done
}

# may_be_taken_back: succeed if tasks failed with a manager that has not left.
may_be_taken_back() {
  count_others
  ((FAILED_THERE > 0 && ARE_OTHERS))
}

# place_results: put the claim at hand into the command of the task that read_task has read, where it names its folder of
# results. It is digits, letters and dots, so it may stand in any quotes.
place_results() {
  local rest=$command
  command=''
  while [[ $rest == */work/CLAIM/results* ]]; do
    command+=${rest%%/work/CLAIM/results*}/work/$CLAIM/results
    rest=${rest#*/work/CLAIM/results}
  done
  command+=$rest
}

# is_refused: succeed if the task that read_task has read needs all others to be done, and some are not; that is recorded.
# If not, it has its own time limit from here on.
is_refused() {
  if ((FINAL_NEEDS_DONE && COUNT != COUNT_DONE)); then
    record_failure 1 "not run: $((COUNT - COUNT_DONE)) of $COUNT other tasks are not done"
    GOES+=("$SANDBOXES/$task")
    return
  fi
  place_results
  LIMIT_TEXT=$FINAL_TIMEOUT_TEXT
  bring_out final
  return 1
}

# the reason to leave where not all is there that is to be gathered; the next submit sends what the client knows of it
readonly NOT_GATHERED="the results of the other tasks cannot be gathered:"

# gather: make the folder of results: tasks.tsv, which has all tasks, and of those that are done the folders with their
# outputs; and, with FINAL_LINKS, a symlink to each of these folders, by the id of the task. Set COUNT to how many tasks there
# are, and COUNT_DONE to how many of them are done. All have ended: where nothing is recorded of one, or what it left is not
# there, nothing is made of the rest.
gather() {
  local folder=$WORK/results counted note=complaint.$SLOT why
  GOES+=("$folder" "$SANDBOXES/unpacked")
  COUNT=1 COUNT_DONE=0
  rm -rf -- "$folder" 2>>"$COMPLAINTS"
  clear_note "$note"
  if counted=$({ make_results "$folder" && gather_into "$folder"; } 2<>"$RUN/$note") && [[ $counted == *" "* ]]; then
    COUNT=${counted% *} COUNT_DONE=${counted#* }
    return
  fi
  why=$(read_note "$note")
  printf '%s\n' "$why" >>"$COMPLAINTS"
  has_space || leave_sandboxes
  why=${why%%$'\n'*}
  why=${why//[[:cntrl:]]/ }
  leave "$NOT_GATHERED ${why:-nobody said why}"
}

# make_results FOLDER: make it; with PACK it is a symlink to a folder in scratch.
make_results() {
  if ((PACK)); then
    mkdir -p -- "$WORK" "$SANDBOXES/results" && ln -sT -- "$SANDBOXES/results" "$1"
  else
    mkdir -- "$1"
  fi
}

# gather_into FOLDER: do that, and print both numbers. The list of tasks and what became of them come in the order of the
# tasks' numbers, so that neither has to fit in memory.
gather_into() {
  local -x LC_ALL=C
  local hosts=() number id dot place count=0 count_done=0 is_whole=0 next='' unknown=0 gone=0 such_as=''
  local list=$ROOT/exec/tasks.$SUBMISSION links=$RUN/links LEFT_IN='' UNPACKED=$SANDBOXES/unpacked
  local -A DAMAGED=()
  unpack_all "$UNPACKED" || return
  find_hosts
  exec 4< <(find_outcomes) 5>"$1/tasks.tsv" 6>"$links"
  printf 'task\tstate\texit\tattempts\tnode\tstart\tseconds\treason\tfolder\n' >&5
  read_outcome
  while IFS=$'\t' read -r number id dot; do
    if [[ $number == end ]]; then
      [[ $id$'\t'$dot == "$count"$'\t'"$ENVIRONMENT_ID"$'\t.' ]] && is_whole=1
      break
    fi
    ((++count))
    find_outcome "$number"
    place=''
    if [[ $STATE == "done" ]]; then
      ((++count_done))
      place=$CLAIM_OF/$number
      ((ATTEMPT == 1)) || place+=.$ATTEMPT
      find_left || return
      is_left || { ((++gone)) && such_as=${such_as:-$id}; }
      ((! FINAL_LINKS)) || note_link || return
    elif [[ -z $STATE ]]; then
      ((++unknown)) && such_as=${such_as:-$id}
    fi
    print_outcome >&5 || return
  done <"$list"
  ((is_whole)) || say_why 'the list of tasks %s is not whole' "$list" || return
  ((unknown == 0)) || say_why 'nothing is recorded of %d of them, such as %s' "$unknown" "$such_as" || return
  ((gone == 0)) || say_why 'what %d of them made is not here any more, such as %s' "$gone" "$such_as" || return
  make_links "$1" "$links" || return
  printf '%d %d' "$count" "$count_done"
}

# say_why FORMAT WORD...: say why it fails, and fail.
say_why() {
  # shellcheck disable=SC2059 # it is one of ours
  printf "$1\n" "${@:2}" >&2
  return 1
}

# find_left: set LEFT_IN to the folder below which a done task's outputs are; fail if what holds them is damaged.
find_left() {
  LEFT_IN=$ROOT/work
  if [[ $LOG_OF == *@* ]]; then
    LEFT_IN=$UNPACKED
    [[ -z ${DAMAGED["$CLAIM_OF ${LOG_OF#*@}"]-} ]] ||
      say_why 'the outputs of task %s are in a part of %s that is damaged' "$id" "$ROOT/work/$CLAIM_OF.tar"
  fi
}

# is_left: succeed if what a done task left is there, as far as can be seen; or it left nothing.
is_left() {
  local found=${OUTCOME#*$'\t'*$'\t'*$'\t'}
  found=${found%%$'\t'*}
  [[ ${found%%:*} != *1* || -e $LEFT_IN/$place ]]
}

# note_link: note the link to the folder of a done task.
note_link() {
  local name=$id
  [[ $name != *\\* ]] || unescape name
  if ((PACK)) || [[ $LEFT_IN == "$UNPACKED" ]]; then
    printf '%s\0%s\0' "$LEFT_IN/$place" "$name" >&6
  else
    printf '%s\0%s\0' "../../$place" "$name" >&6
  fi
}

# make_links FOLDER NOTES: make the links that were noted. A program for each takes a millisecond, so perl makes all of them
# where there is one; nobody needs it.
make_links() {
  local place name
  # shellcheck disable=SC2016 # these are variables of perl
  if type -P perl >/dev/null; then
    (cd -- "$1" && PERL5OPT='' exec perl -C0 -0 -ne 'chomp; if ($. % 2) { $place = $_ } else { symlink($place, $_) or die "$_: $!\n" }') <"$2" && return
  fi
  while IFS= read -r -d '' place && IFS= read -r -d '' name; do
    ln -sfT -- "$place" "$1/$name" || return
  done <"$2"
}

# find_hosts: set hosts to the nodes of all managers, in the order of their files.
find_hosts() {
  local file host
  for file in "$ROOT"/exec/cache/*-"$ENVIRONMENT_ID".tsv; do
    host=''
    IFS=$'\t' read -r _ _ host _ <"$file"
    hosts+=("$host")
  done
}

# known_records: print what the client knew of tasks when it sent the plan, as all_records prints records: there may be nothing.
known_records() {
  cat -E -- "$ROOT/exec/known.$SUBMISSION" 2>/dev/null
}

# find_outcomes: print NUMBER CLAIM ATTEMPT STATE LOG EXIT START END FOUND MANAGER REASON of each attempt that ended, whole
# records only (see find_records), in the order of numbers and claims; what the client knew of the same stands after it, and is
# of no manager.
find_outcomes() {
  local tab=$'\t' file number=0 any
  any="[^$tab]*"
  for file in "$ROOT"/exec/cache/*-"$ENVIRONMENT_ID".tsv ''; do
    if [[ -n $file ]]; then cat -E -- "$file"; else known_records; fi | sed -nE \
      -e "s/^ended$tab($any)$tab([0-9]+)$tab([0-9]+)$tab(done|failed)$tab($any$tab$any$tab$any)$tab($any)$tab($any)(${tab}[0-9]*:[0-9]*)?$tab($any)$tab\.[$]\$/\2$tab\1$tab\3$tab\4$tab\7$tab\5$tab\6$tab$number$tab\9/p" \
      -e "s/^suspect$tab($any)$tab([0-9]+)$tab([0-9]+)$tab\.[$]\$/\2$tab\1$tab\3${tab}suspect/p"
    ((++number))
  done | sort -t "$tab" -k 1,1n -k 2,2 -k 3,3n -k 4,4 -k 10,10n
}

# read_outcome: set next to the next line of find_outcomes; empty if there is none.
read_outcome() {
  IFS= read -r next <&4 || next=''
}

# find_outcome NUMBER: set STATE (empty: nobody knows that it ended), CLAIM_OF, ATTEMPT, LOG_OF and OUTCOME to the latest
# that is known of a task: later chunks are of later submits; in one of them, done counts for more than failed.
find_outcome() {
  local claim attempt state log rest tab=$'\t'
  STATE='' CLAIM_OF='' ATTEMPT=0 LOG_OF='' OUTCOME=''
  while [[ -n $next ]] && ((${next%%"$tab"*} <= $1)); do
    if ((${next%%"$tab"*} == $1)); then
      # only its short fields are asked for by patterns; a suspect has no more than four
      rest=${next#*"$tab"}
      claim=${rest%%"$tab"*} rest=${rest#*"$tab"}
      attempt=${rest%%"$tab"*} rest=${rest#*"$tab"}
      state=${rest%%"$tab"*} rest=${rest#*"$tab"}
      log=${rest%%"$tab"*} rest=${rest#*"$tab"}
      if [[ $state == suspect ]]; then
        [[ $STATE.$CLAIM_OF.$ATTEMPT != "failed.$claim.$attempt" ]] || STATE=''
      elif [[ $STATE.$CLAIM_OF.$ATTEMPT == "$state.$claim.$attempt" ]]; then
        : # the client knew of it, too
      elif [[ $STATE != "done" || ${claim%%.*} != "${CLAIM_OF%%.*}" ]]; then
        STATE=$state CLAIM_OF=$claim ATTEMPT=$attempt LOG_OF=$log OUTCOME=$rest
      fi
    fi
    read_outcome
  done
}

# print_outcome: print the row of a task in tasks.tsv.
print_outcome() {
  local folder=${place:+"$LEFT_IN/$place"} status='' start='' end='' manager='' reason='' begun_us ended_us
  if [[ -z $STATE ]]; then
    printf '%s\tpending\t\t0\t\t\t\t\t\n' "$id"
    return
  fi
  # not by `read`, to which a tab is white space, so that it would take two for one
  status=${OUTCOME%%$'\t'*} reason=${OUTCOME#*$'\t'}
  start=${reason%%$'\t'*} reason=${reason#*$'\t'}
  end=${reason%%$'\t'*} reason=${reason#*$'\t'*$'\t'} # and without what was found
  manager=${reason%%$'\t'*} reason=${reason#*$'\t'}
  to_us begun_us "$start"
  to_us ended_us "$end"
  ended_us=$((ended_us > begun_us ? ended_us - begun_us : 0))
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%d.%06d\t%s\t%s\n' "$id" "$STATE" "$status" "$ATTEMPT" "${hosts[manager]-}" "$start" \
    "$((ended_us / 1000000))" "$((ended_us % 1000000))" "$reason" "$folder"
}
