# ==== sandboxes =============================================================================================
# A sandbox is work/CLAIM/TASK, or TASK.ATTEMPT from the second attempt on. What tasks print goes to files
# beside them, log.1, log.2 and so on; one that stayed empty serves the next task too, for on many a file system it
# costs more to make and remove a file than to run a small task. Inputs are copied in, so that a task may change or
# remove them. With SCRATCHES, tasks run there, and what shall stay moves to its place in the environment before the
# record is made; with PACK, it is packed there. With TREE, all tasks share that folder, and in place of a sandbox there is a symlink to it.

# make_sandboxes TASK...: the first sandboxes of a whole chunk at once, for a fork or two a task would double its price.
# If that fails, one by one: then only those that cannot be made are missing.
make_sandboxes() (
  ((PACK)) || mkdir -p -- "$WORK"
  mkdir -p -- "$SANDBOXES"
  ((! HAS_PATTERNS)) || : >"$SANDBOXES/log.0" # what tasks change is newer
  if [[ -n $TREE ]]; then
    for task in "$@"; do
      ln -s -- "$TREE" "$SANDBOXES/$task"
    done
  elif ((! HAS_INPUTS)); then
    cd -- "$SANDBOXES" && mkdir -- "$@"
  elif ! copy_inputs "$SANDBOXES" "$@"; then
    for task in "$@"; do
      remove "${SANDBOXES:?}/$task"
      copy_inputs "$SANDBOXES" "$task" || remove "${SANDBOXES:?}/$task"
    done
  fi
)

# copy_inputs DESTINATION TASK...: copy their staged folders. inputs/ has a folder for each thousand tasks (INPUTS_SIZE
# in layout.py has the same number), or an archive with the same names for each chunk (`Environment.archive` there makes
# its name), if they came when nothing of the swarm was here yet.
copy_inputs() {
  local destination=$1 archive=$ROOT/inputs/${CLAIM%%.*}.tar folder=$ROOT/inputs/ task names=()
  shift
  [[ -e $archive ]] && folder=
  for task in "$@"; do
    names+=("$folder$((task / 1000))/$task")
  done
  if [[ -z $folder ]]; then
    tar -xpof "$archive" -C "$destination" --strip-components=1 -- "${names[@]}"
  else
    cp -RL --preserve=timestamps -- "${names[@]}" "$destination"
  fi
}

# remake_sandbox: a clean one for another attempt of run_task.
remake_sandbox() (
  if [[ -n $TREE ]]; then
    ln -s -- "$TREE" "$sandbox"
  elif ((! HAS_INPUTS)); then
    mkdir -- "$sandbox"
  else
    # it comes under the name of the task
    mkdir -- "$sandbox.new" && copy_inputs "$sandbox.new" "$task" && mv -T -- "$sandbox.new/$task" "$sandbox"
    remove "$sandbox.new"
  fi
)

# tidy: note what shall stay of the sandbox of run_task, unless it is only the outputs.
tidy() {
  local home=$WORK/${sandbox##*/}
  case $KEEP.$STATE in
    all.* | failed.failed | failed.retry) STAYS+=("$home") ;;
    *.retry | *.interrupted) GOES+=("$home") ;;
    *) ((${#outputs[@]} > 0)) || GOES+=("$home") ;;
  esac
}

# sweep: remove what is not wanted of a chunk: GOES, and all that is in sandboxes but does not stay.
# It does so in a subshell, so that the long lists do not scatter the memory of the slot; see run_task.
sweep() (
  if ((PACK)); then
    remove "${SANDBOXES:?}" "${WORK:?}"
    exit
  fi
  shopt -s dotglob nullglob
  unwanted=(${GOES[@]+"${GOES[@]}"})
  declare -A spared=()
  for entry in ${STAYS[@]+"${STAYS[@]}"} ${GOES[@]+"${GOES[@]}"}; do
    spared[$entry]=1
  done
  if [[ -z $TREE ]]; then
    for entry in "$WORK"/*/*; do
      # a task may have put a symlink in the place of its sandbox; what it leads to is not ours
      [[ -n ${spared[$entry]-}${spared[${entry%/*}]-} || -L ${entry%/*} ]] || unwanted+=("$entry")
    done
  fi
  for ((at = 0; at < ${#unwanted[@]}; at += 400)); do # a command line does not hold any number
    remove "${unwanted[@]:at:400}" 2>/dev/null || remove_locked "${unwanted[@]:at:400}"
  done
)

# remove_locked ENTRY...: remove what is in sandboxes that may not be written themselves.
remove_locked() {
  local entry
  for entry in "$@"; do
    [[ -w ${entry%/*} ]] || chmod u+rwx -- "${entry%/*}"
  done
  remove "$@"
}

# bring_home: with SCRATCHES, move the sandbox of run_task, and its log, to their place in the environment. There is none if
# it could not be made, or the task removed it. What has failed anyway, or was interrupted, is judged already.
bring_home() {
  local things=()
  [[ ! -e $sandbox && ! -L $sandbox ]] || things+=("$sandbox")
  ((log == 0)) || things+=("$SANDBOXES/log.$log")
  ((${#things[@]} > 0)) || return 0
  cp -a -- "${things[@]}" "$WORK" 2>>"$COMPLAINTS" || judge_copy
  remove "${things[@]}" 2>>"$COMPLAINTS"
}

# judge_copy: not all could be copied. If half of it fills the disk, that goes, or no record could say so. If there is no space
# even then, that is not for the task to answer for.
judge_copy() {
  if ! has_space "$WORK"; then
    remove "$WORK/${sandbox##*/}" 2>>"$COMPLAINTS"
    ((log == 0)) || cp -a -- "$SANDBOXES/log.$log" "$WORK" 2>>"$COMPLAINTS"
  fi
  [[ $STATE == "done" ]] || return 0
  if has_space "$WORK"; then
    STATE=failed REASON="results could not be copied from scratch"
    may_retry
  else
    STATE=interrupted REASON=interrupted
    leave_full "$NO_SPACE"
  fi
}
