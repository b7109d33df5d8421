#!/usr/bin/env bash
#
# Looks at a target, for `locusts check`. It leaves everything as it was: folders that it makes to see whether they can
# be made, it removes.
#
#   usage: bash probe.sh ROOT NAME RESOLVER SCRATCH SETUP RUNTIME IMAGE FOLDER WORD SCHEDULER JOB ELEMENTS
#
#     ROOT        the root, as the config has it
#     NAME        the name of the swarm, and so of its environment in the root
#     RESOLVER    the text of resolve_root.sh, which makes it absolute
#     SCRATCH     the scratch folder, if it is an absolute path, or begins with a variable that is known here
#     SETUP       the lines of `setup`
#     RUNTIME     the container's runtime
#     IMAGE       its image
#     FOLDER      a folder below the root that a machine with the same root has made, with a file `here` in it
#     WORD        what that file holds; the answer is a file `there` that holds it too
#     SCHEDULER   the text of the script that looks at the scheduler
#     JOB         the job script
#     ELEMENTS    how many elements its array has
#
#     What is empty is not looked at.
#
#   prints: a key and a value for each thing that was found, a NUL after each of them; the last key is `end`
#   exits with: 0

exec 2>/dev/null # what was printed there before this comes from the start-up files, and is looked at
root=$1 name=$2 resolver=$3 scratch=$4 setup=$5 runtime=$6 image=$7 folder=$8 word=$9
scheduler=${10} job=${11} elements=${12}

# shellcheck source=lib/find_open.sh
. "${BASH_SOURCE[0]%/*}/lib/find_open.sh"

# say KEY VALUE: print one thing that was found. NUL ends each part, for values hold anything else.
say() {
  printf '%s\0%s\0' "$1" "$2"
}

# hear COMMAND...: run it; SAID and COMPLAINT are then what it printed on stdout and on stderr. These must never mix: the
# loader of programs may complain on stderr of something that does no harm.
hear() {
  local both status mark="==$RANDOM-$RANDOM-$RANDOM=="
  both=$({
    COMPLAINT=$("$@" 2>&1 >&3)
    status=$?
    printf '%s%s' "$mark" "$COMPLAINT" >&3
    exit "$status"
  } 3>&1)
  status=$?
  SAID=${both%%"$mark"*}
  SAID=${SAID%$'\n'} COMPLAINT=${both#*"$mark"}
  return "$status"
}

# within SECONDS COMMAND...: `hear` it; COMPLAINT says so if it took too long.
# shellcheck disable=SC2329 # the script of the scheduler calls it
within() {
  local status
  hear timeout -k 5 "$@"
  status=$?
  ((status != 124)) || COMPLAINT="no answer within $1 s"
  return "$status"
}

# resolve ROOT: print it made absolute, or what is wrong with it. Not in a bash of its own, which would not know the
# variables that start-up files set without exporting them.
resolve() (
  eval "$resolver"
)

# try FOLDER: make it, and in it a folder TRIED with a file in it; COMPLAINT says why not. `untry` removes all of that.
try() {
  TRIED='' FIRST=$1
  while [[ ! -e $FIRST && ! -L $FIRST && $FIRST == */* ]]; do # what is there already stays
    FIRST=${FIRST%/*}
  done
  hear private mkdir -p -- "$1/" || return
  hear private mktemp -d -- "$1/.locusts-check.XXXXXX" || return
  TRIED=$SAID
  hear fill "$TRIED/file"
}

# private COMMAND...: run it so that nobody else can read what it makes; for `hear`, which runs it in a subshell.
# shellcheck disable=SC2329 # `hear` calls it
private() {
  umask 077
  "$@"
}

# fill FILE: write a file of some size, for a quota may be used up where a folder can still be made.
# shellcheck disable=SC2329 # `hear` calls it
fill() {
  printf '%65536s' '' >"$1"
}

# untry FOLDER: remove what `try` has made.
untry() {
  local made=$1
  [[ -n $TRIED ]] && rm -rf -- "$TRIED"
  while [[ $made != "$FIRST" && $made == */* ]]; do
    rmdir -- "$made"
    made=${made%/*}
  done
}

# look_at_tools: report which programs are missing, or do not know what managers ask of them.
look_at_tools() {
  local tool place missing=''
  for tool in cat cp dd head ln mkdir mkfifo mktemp mv rm rmdir sed sleep tail timeout tr; do
    type -P "$tool" >/dev/null || missing+=", $tool"
  done
  if place=$(mktemp -d); then
    : >"$place/file"
    ln -T -- "$place/file" "$place/link" || missing+=', ln -T'
    cp -RL --preserve=timestamps -- "$place/file" "$place/copy" || missing+=', cp --preserve=timestamps'
    rm -rf -- "$place"
  else
    missing+=', mktemp -d'
  fi
  say missing "${missing#, }"
  [[ $(find / -maxdepth 0 -printf '%y') == d ]] && say find yes
  if type -P tar >/dev/null; then
    hear tar --version
    if [[ $SAID == *GNU* ]]; then say tar gnu; else say tar yes; fi
  fi
  type -P taskset >/dev/null && say taskset yes
  say cpus "$(unset OMP_NUM_THREADS OMP_THREAD_LIMIT && nproc)"
  if type -P rsync >/dev/null; then
    hear rsync --version
    say rsync "$(printf '%s\n' "${SAID:-$COMPLAINT}" | head -n 1)"
  fi
}

# look_at_root: report where it is, whether it can be written and is seen by the other side, its file system, and whether
# the environment is ours alone if there is one.
look_at_root() {
  local place
  if ! place=$(resolve "$root") || [[ $place != /* ]]; then
    say root_complaint "${place:-it comes to nothing}"
    return
  fi
  place=${place%/}
  say root "$place"
  if [[ -n $folder && $(cat -- "$place/$folder/here") == "$word" ]]; then
    say shared read
    (umask 077 && printf '%s' "$word" >"$place/$folder/there")
  fi
  if try "$place"; then
    # a second link of one name must fail: this is how managers take chunks
    ln -- "$TRIED/file" "$TRIED/link" && [[ $TRIED/file -ef $TRIED/link ]] &&
      ! ln -- "$TRIED/file" "$TRIED/link" && say links yes
    say filesystem "$(stat -f -c '%a %S %c %d %T' -- "$TRIED")"
    look_at_quota "$TRIED"
  else
    say root_complaint "$COMPLAINT"
  fi
  untry "$place"
  find_open "$place/$name" && say open "$OPENING"
}

# look_at_quota FOLDER: report what a quota says of its file system, if there is one: what is used, the soft and the hard
# limit, in blocks of a KiB, and the same of files.
look_at_quota() {
  local line words source
  source=$(df --output=source -- "$1" | tail -n 1)
  if type -P lfs >/dev/null && [[ $(stat -f -c %T -- "$1") == lustre ]]; then
    within 10 lfs quota -q -u "$(id -un)" "$1"
    split_words "$SAID" # a long name has a line of its own
    ((${#words[@]} < 8)) || say quota "${words[1]%\*} ${words[2]} ${words[3]} ${words[5]%\*} ${words[6]} ${words[7]}"
  elif type -P quota >/dev/null; then
    within 10 quota -w -p
    while IFS= read -r line; do
      split_words "$line"
      [[ ${words[0]-} == "$source" ]] && ((${#words[@]} >= 8)) &&
        say quota "${words[1]%\*} ${words[2]} ${words[3]} ${words[5]%\*} ${words[6]} ${words[7]}"
    done < <(printf '%s\n' "$SAID")
  fi
}

# split_words TEXT: set words to those of a text. No here-string does that, which takes a file in TMPDIR.
split_words() {
  set -f # no patterns
  # shellcheck disable=SC2206 # words
  words=($1)
  set +f
}

# look_at_scratch: report whether it can be written.
look_at_scratch() {
  local place=$scratch
  if [[ $scratch == '$'* ]] && ! place=$(resolve "$scratch"); then
    say scratch_complaint "$place"
    return
  fi
  try "$place" || say scratch_complaint "$COMPLAINT"
  untry "$place"
}

# look_at_setup: report whether bash can read the lines; they are not run. They may switch extglob on by themselves.
look_at_setup() {
  if hear bash -O extglob -n < <(printf '%s\n' "$setup"); then
    COMPLAINT=$(printf '%s\n' "$COMPLAINT" | sed -n '/^bash: /p') # a warning, such as of a here-document without an end
  fi
  say setup_complaint "$COMPLAINT"
}

# look_at_container: report whether the runtime and the image are there.
look_at_container() {
  say runtime "$(type -P "$runtime")"
  [[ $image != /* || -e $image ]] && say image yes
}

# look_at_scheduler: report what its own script finds, which uses `say` and `within`.
look_at_scheduler() (
  set -- "$job" "$elements"
  eval "$scheduler"
)

say shell "${SHELL-}"
say bash "${BASH_VERSINFO[0]}.${BASH_VERSINFO[1]}.${BASH_VERSINFO[2]}"
look_at_tools
look_at_root
[[ -n $scratch ]] && look_at_scratch
[[ -n $setup ]] && look_at_setup
[[ -n $runtime ]] && look_at_container
[[ -n $scheduler ]] && look_at_scheduler
say end ''
exit 0
