# ==== folders of this node ==================================================================================
# A manager keeps its notes in a folder of the node that it runs on, and with SCRATCHES its sandboxes in another. Both are
# removed when it leaves; if it is killed, by the client (remote/mark_gone.sh), or by the next manager there.

# where sandboxes are, if not in the environment; empty before it is made: the user may have a variable of that name
SCRATCH_DIR=''

# sweep_left BASE: remove the folders that managers left here which were killed with all their slots.
sweep_left() {
  local folder pid began line START_CS OF_SESSION
  for folder in "$1"/locusts.??????/; do
    if [[ -O $folder && ! -L ${folder%/} ]] && { read -r pid began && read -r line; } 2>/dev/null <"${folder}owner" &&
      [[ $line == "$PLACE" ]] && { ! find_start "$pid" || [[ $START_CS != "$began" ]]; } && ! is_in_use "$folder"; then
      remove "$folder"
    fi
  done
}

# is_in_use FOLDER: succeed if a process is in it: a slot may outlive its main process until its task has ended.
is_in_use() {
  [[ $(readlink /proc/[0-9]*/cwd 2>/dev/null)/ == *"$1"* ]]
}

# sign FOLDER: note in a new folder whose it is, for sweep_left.
sign() {
  local START_CS OF_SESSION
  find_start "$$"
  printf '%s %s\n%s\n' "$$" "$START_CS" "$PLACE" >"$1/owner"
}

# make_run: set RUN to a new folder for our own notes, of this machine if it has space for them; empty: there is none.
make_run() {
  local base=${TMPDIR:-/tmp}
  PLACE="${HOSTNAME-} $(cat /proc/sys/kernel/random/boot_id) $(readlink /proc/self/ns/pid)" 2>/dev/null
  readonly PLACE
  sweep_left "$base"
  try_run "$base/locusts.XXXXXX" || try_run "$ROOT/exec/run.XXXXXX" || RUN=''
  readonly RUN
}

# try_run NAME: set RUN to a new folder of such a name with our notes in it, or leave nothing there.
try_run() {
  RUN=$(mktemp -d "$1") || return
  [[ $RUN == /* ]] || RUN=$PWD/$RUN # slots change their folder
  { sign "$RUN" && make_notes; } 2>/dev/null && return
  rm -rf -- "$RUN"
  return 1
}

# find_scratch: set SCRATCH_DIR to a new folder in the first of SCRATCHES where one can be made; other swarms may use the same
# disk. Where there is none, leave: nobody wants sandboxes in a place that the config does not name.
find_scratch() {
  local place complaint='' complaints=''
  [[ -z $TREE ]] || return 0
  for place in ${SCRATCHES[@]+"${SCRATCHES[@]}"}; do
    make_scratch "$place" && return
    complaints+=${complaints:+; }${complaint//[[:cntrl:]]/ }
  done
  if [[ -n $complaints ]]; then
    printf '%s\n' "$complaints" >>"$COMPLAINTS"
    leave "the scratch folder cannot be made: $complaints"
  fi
}

# make_scratch PLACE: make SCRATCH_DIR in a folder, which may start with a variable of the node, as in $TMPDIR/x; if that is
# not to be had, or nothing can be written there, set complaint and fail.
make_scratch() {
  local base=$1 variable
  if [[ $base =~ ^\$\{?([A-Za-z_][A-Za-z_0-9]*)\}?(.*)$ ]]; then
    variable=${BASH_REMATCH[1]} complaint="$1: ${BASH_REMATCH[1]} is not set on this node"
    base=${GIVEN[$variable]:+${GIVEN[$variable]}${BASH_REMATCH[2]}}
    [[ -n $base ]] || return
  fi
  [[ $base == /* ]] || base=$PWD/$base # slots change their folder
  sweep_left "$base"
  clear_note complaint
  if { note_scratch "$base" && fill_scratch; } 2<>"$RUN/complaint"; then
    IN_SCRATCH=" in the scratch folder ${base//[[:cntrl:]]/ }"
    return
  fi
  complaint=$(read_note complaint)
  SCRATCH_DIR=''
  return 1
}

# note_scratch BASE: set SCRATCH_DIR to a name in BASE that nothing has, and note it: so what is there can be removed, at
# whatever moment we are killed.
note_scratch() {
  mkdir -p -- "$1" && SCRATCH_DIR=$(mktemp -du -- "$1/locusts.XXXXXX") &&
    printf '%s\n' "$SCRATCH_DIR" >>"$ROOT/exec/beats/$MANAGER.run"
}

# fill_scratch: make SCRATCH_DIR, or leave nothing there.
fill_scratch() {
  mkdir -m 700 -- "$SCRATCH_DIR" || return
  if sign "$SCRATCH_DIR" && printf '%4096s' '' >"$SCRATCH_DIR/probe" && rm -f -- "$SCRATCH_DIR/probe"; then
    return
  fi
  rm -rf -- "$SCRATCH_DIR"
  return 1
}
