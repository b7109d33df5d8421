# ==== what main process and slots tell each other ===========================================================
# Their notes are files in RUN. Tasks may fill the disk that it is on, and have to be ended, and judged, all the same. So each
# note is there from the start with all the space that it will ever need, and is written over in place (`1<>`), which takes no
# other block; and what says something by being there is put by under another name until then.
#
#   go            tasks are taken as long as it is there
#   leave         why they are not: a line, which is empty while there is no reason
#   tick          a pipe: a slot has ended
#   slot.N        what slot N runs; see show_running
#   slot.N.here   it has not come to its end; if its process is gone, somebody killed it
#   kill.N        PID START WHY: the main process has ended that task of slot N
#   used, used.N  how much memory all tasks have, and what the task of slot N has used
#   held.N        1: what tasks of slot N left waits to be packed
#   complaint     what a program complained of, and complaint.N: one that slot N has started
#   streak        a letter for each failure in a row, and failed: for each failure
#   others        how many tasks of other managers are done, and have failed
#   near          the end of our time is near
#   final         the task after all others runs
#   between       the end of a line; see all_records

# what a note holds that says nothing: space for so many bytes
printf -v EMPTY_NOTE '\n%.0s' {1..1000}
readonly EMPTY_NOTE

# make_notes: make all of them; fail if there is no space.
make_notes() {
  local slot
  mkfifo -- "$RUN/tick" && : >"$RUN/go" && : >"$RUN/streak" && : >"$RUN/failed" && printf 'torn\n' >"$RUN/between" || return
  clear_note leave && clear_note complaint && put_by near && put_by final || return
  note_others 0 0 && printf '%15s\n' 0 >"$RUN/used" || return
  for ((slot = 0; slot < SLOTS; slot++)); do
    show_idle "$slot" && : >"$RUN/slot.$slot.here" && put_by "kill.$slot" && printf '%64s\n' '' >"$RUN/used.$slot" &&
      printf '0\n' >"$RUN/held.$slot" && clear_note "complaint.$slot" || return
  done
}

# clear_note NAME: empty a note for text, and keep its space.
clear_note() {
  printf '%s' "$EMPTY_NOTE" 1<>"$RUN/$1"
}

# read_note NAME: print what was written to it since then. There is no empty line in that.
read_note() {
  local text
  text=$(<"$RUN/$1")
  printf '%s' "${text%%$'\n\n'*}"
}

# put_by NAME: make a note that says something by being there, but not yet.
put_by() {
  printf '%64s\n' '' >"$RUN/by.$1"
}

# bring_out NAME: let it be there.
bring_out() {
  [[ -e $RUN/$1 ]] || mv -f -- "$RUN/by.$1" "$RUN/$1" 2>/dev/null || leave_notes
}

# show_idle SLOT: note that a slot runs nothing, and that nothing has ended there.
show_idle() {
  printf '%-10s %20s %10s %10s %9s\n' 0 0 0 0 0 1<>"$RUN/slot.$1"
}

# show_running PID TIME: note what this slot runs since when (0 0: nothing), how many tasks are done and have failed here, and
# the sum of all but the time, by which `listen` knows a line that is half written.
show_running() {
  printf '%-10s %20s %10s %10s %9s\n' "$1" "$2" "$DONE_COUNT" "$FAILED_COUNT" "$(($1 + DONE_COUNT + FAILED_COUNT))" \
    1<>"$RUN/slot.$SLOT" || leave_notes
}

# note_others DONE FAILED: note what has become of tasks of other managers.
note_others() {
  printf '%15d %15d\n' "$1" "$2" 1<>"$RUN/others"
}

# leave_notes: leave, for something cannot be noted.
leave_notes() {
  local place=${RUN%/*}
  leave "$NO_SPACE for the notes of managers in ${place//[[:cntrl:]]/ }"
}
