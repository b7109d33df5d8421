# ==== sandboxes =============================================================================================
# A sandbox is work/CHUNK.GENERATION/TASK, or TASK.ATTEMPT from the second attempt on; what the task prints goes to
# a file beside it, named as the sandbox plus `.log`. Inputs are copied in, so that a task may change or remove them.
# With SCRATCH, tasks run there, and what shall stay moves to its place in the environment before the record is made.
# With TREE, all tasks share that folder, and in place of a sandbox there is a symlink to it.

# make_sandboxes TASK...: the first sandboxes of a whole chunk at once, for a fork or two a task would double its price.
# If that fails, one by one: then only those that cannot be made are missing.
make_sandboxes() {
  local task
  if [[ -n $TREE ]]; then
    for task in "$@"; do
      ln -s -- "$TREE" "$SANDBOXES/$task"
    done
  elif ((! HAS_INPUTS)); then
    (cd -- "$SANDBOXES" && exec mkdir -- "$@")
  elif ! copy_inputs "$SANDBOXES" "$@"; then
    for task in "$@"; do
      rm -rf -- "${SANDBOXES:?}/$task"
      copy_inputs "$SANDBOXES" "$task" || rm -rf -- "${SANDBOXES:?}/$task"
    done
  fi
}

# copy_inputs DESTINATION TASK...: copy their staged folders; inputs/ has a folder for each thousand tasks.
copy_inputs() {
  local destination=$1 task sources=()
  shift
  for task in "$@"; do
    sources+=("$ROOT/inputs/$((task / 1000))/$task")
  done
  cp -RL --preserve=timestamps -- "${sources[@]}" "$destination"
}

# remake_sandbox TASK ATTEMPT: a clean one for another attempt.
remake_sandbox() {
  local sandbox=$SANDBOXES/$1.$2
  if [[ -n $TREE ]]; then
    ln -s -- "$TREE" "$sandbox"
  elif ((! HAS_INPUTS)); then
    mkdir -- "$sandbox"
  else
    copy_inputs "$sandbox" "$1" || rm -rf -- "$sandbox"
  fi
}

# keep_only SANDBOX OUTPUT...: put on the list of things to remove all that is in the sandbox but is no output.
keep_only() {
  local sandbox=$1 entry names
  shift
  # no name holds a slash
  printf -v names '/%s/' "${@%%/*}"
  for entry in "$sandbox"/*; do # dot files too: slots set dotglob
    [[ $names == *"/${entry##*/}/"* ]] || RUBBISH+=("$entry")
  done
}

# tidy SANDBOX STATE LOG OUTPUT...: put on the list of things to remove what KEEP does not ask to keep.
tidy() {
  local sandbox=$1 state=$2 log=$3
  shift 3
  if ((! log)); then
    RUBBISH+=("$sandbox.log")
  fi
  if [[ -n $TREE ]]; then
    RUBBISH+=("$sandbox") # the symlink, not what it leads to
    return
  fi
  case $KEEP.$state in
    all.* | failed.failed | failed.retry) ;;
    *.retry | *.interrupted) RUBBISH+=("$sandbox") ;;
    *)
      if (($# == 0)); then
        RUBBISH+=("$sandbox")
      else
        keep_only "$sandbox" "$@"
      fi
      ;;
  esac
}

# sweep: remove what was put on the list, hundreds with one fork; a command line does not hold any number.
sweep() {
  local at
  for ((at = 0; at < ${#RUBBISH[@]}; at += 400)); do
    rm -rf -- "${RUBBISH[@]:at:400}"
  done
  RUBBISH=()
}

# bring_home NAME: with SCRATCH, move a sandbox and its log to their place in the environment.
bring_home() {
  cp -a -- "$SANDBOXES/$1" "$SANDBOXES/$1.log" "$WORK" && rm -rf -- "${SANDBOXES:?}/$1" "$SANDBOXES/$1.log"
}
